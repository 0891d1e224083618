"""Uploads: inspection, encryption at rest, local or S3 blobs, resumable parts."""
