"""Services load data, apply domain rules and commit the result in one transaction."""
