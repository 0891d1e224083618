"""Audit log: hash chain, Merkle tree, checkpoints, search records (pure)."""
