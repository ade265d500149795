"""The policy file and its verdicts: load it strictly, compile its CEL, evaluate it fail-closed.

`load.py` reads the text (`document.py` the YAML, `expression.py` the CEL in it), `compile.py` indexes the
triggers by tool, `facts.py` holds what they are evaluated over, `signals/` computes values for them, `evaluate.py`
answers, `watch.py` follows the file on disk.
"""
