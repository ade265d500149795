"""Every promise has a test that tries to break it, and every mark names a promise."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from tests.promises import PROMISES, promise

TESTS = Path(__file__).parents[1]


def marked() -> dict[str, list[str]]:
    """Return the tests of each promise, read from the source of all tests."""
    found: dict[str, list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and getattr(mark.func, "id", "") == "promise":
                    assert node.name.startswith("test_"), f"{path.name}: {node.name} is no test"
                    for one in mark.args:
                        found.setdefault(ast.literal_eval(one), []).append(f"{path.name}::{node.name}")
    return found


def test_every_promise_is_attacked_by_a_test_and_no_test_names_another() -> None:
    assert set(marked()) == set(PROMISES)


def test_a_mark_with_an_unknown_promise_is_an_error() -> None:
    with pytest.raises(KeyError):
        promise("world-peace")
