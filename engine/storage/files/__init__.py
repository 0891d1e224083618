"""Uploaded files: inspection, encryption at rest, blob stores in a folder or S3, resumable uploads."""
