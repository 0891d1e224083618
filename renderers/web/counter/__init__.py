"""Pages on which an agent fills in a request for an applicant who is present."""
