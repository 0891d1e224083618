"""A folder of procedures: check, index, cache of checks, parallel check, load on demand, watched file."""
