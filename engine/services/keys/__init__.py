"""Signing keys of the installation, and secrets derived from them."""
