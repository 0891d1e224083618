"""Request context, access decorators, security headers, errors, metrics."""
