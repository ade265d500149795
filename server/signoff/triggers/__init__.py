"""The policy file and its verdicts: load it strictly, compile its CEL, evaluate it fail-closed.

`load.py` reads the text (`document.py` the YAML, `expression.py` the CEL in it), `compile.py` indexes the
triggers by tool, `evaluate.py` answers, `watch.py` follows the file on disk.
"""
