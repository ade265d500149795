"""Signals: values computed for conditions, one file a kind, declared by name under `signals:` in the policy.

A kind is a strict model of its options that says what it gives and computes it from the facts (`signal.py`);
`kinds.py` lists them all. Adding one is copying `minutes_left.py`.
"""
