"""Durable memory: one SQLite file, one writer per process, everything that decides stands in it."""
