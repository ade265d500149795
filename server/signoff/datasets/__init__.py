"""Datasets: decided cases as training and evaluation data, with a manifest that says what is in them.

Nothing here decides or changes a case; an export reads one snapshot and leaves one event.
"""
