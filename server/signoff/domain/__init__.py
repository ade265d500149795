"""Values and rules of signoff: standard library and pydantic only, no I/O, no async.

Every move of a case is a pure function in `escalation.py` that returns a `Change`; the store writes it.
"""
