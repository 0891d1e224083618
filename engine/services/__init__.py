"""Services: load data, apply domain rules, commit the result in one transaction."""
