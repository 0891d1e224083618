"""Forms: pages and their path, posted values, validation, eligibility, part forms, sample answers."""
