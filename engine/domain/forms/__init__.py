"""Pages, posted values, validation, eligibility, samples."""
