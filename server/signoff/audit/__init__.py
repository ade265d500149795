"""Proof: the hash chain, its Merkle tree, signed checkpoints, receipts, and their verification.

Works on bytes and key files; knows no database and does no network I/O.
"""
