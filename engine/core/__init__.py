"""Core: values, problems, clock, SMS alphabet, spelling suggestions and countries, used by all packages."""
