"""The catalogue: all procedures of a folder, checked in parallel, indexed, cached and loaded on demand."""
