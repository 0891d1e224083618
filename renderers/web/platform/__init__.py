"""Base of all pages: request context, access decorators, security headers, error pages, metrics."""
