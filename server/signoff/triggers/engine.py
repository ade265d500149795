"""The CEL engine, loaded without the rest of its package.

`import cel` also imports the package's terminal program with its REPL (typer, rich, prompt_toolkit): 200 ms,
against 10 ms for the extension alone (measured 2026-11-24), and every `signoff mcp` start would pay for it.
"""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import PathFinder
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cel import Context, Program
    from cel import compile as compile_expression

__all__ = ["Context", "Program", "compile_expression"]


def _extension() -> ModuleType:
    """Return `cel.cel`, under its own name so that a later `import cel` finds the same module."""
    loaded = sys.modules.get("cel.cel")
    if loaded is not None:
        return loaded
    package = importlib.util.find_spec("cel")
    where = package.submodule_search_locations if package else None
    spec = PathFinder.find_spec("cel.cel", where) if where else None
    if spec is None or spec.loader is None:
        raise ImportError("the package common-expression-language is not installed", name="cel")
    module = importlib.util.module_from_spec(spec)
    sys.modules["cel.cel"] = module
    spec.loader.exec_module(module)
    return module


if not TYPE_CHECKING:
    _loaded = _extension()
    Context = _loaded.Context
    Program = _loaded.Program
    compile_expression = _loaded.compile
