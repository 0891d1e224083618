"""The journal: hash chain, Merkle tree, checkpoints and search records, without storage."""
