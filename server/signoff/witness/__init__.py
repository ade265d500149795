"""The witness: a small server of its own that cosigns the checkpoints of logs which only grow.

It knows public keys of logs and the last checkpoint of each; it has its own key, its own directory, and no database.
Run it on another machine, under another person: it protects against those who hold the log's key.
"""
