"""Audit: integrity check, signed journals, search in journals, exports, statistics and SMS costs."""
