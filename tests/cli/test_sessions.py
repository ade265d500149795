"""Whole terminal sessions as text.

    # a comment
    $ a shell line
    what it prints, `…` standing for anything within a line
    [exit 1]

`signoff` is on the PATH, the home is ./home, and the user is called omar.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.cli.conftest import ROOT, environment

from signoff.config import Home

SESSIONS = sorted((ROOT / "tests" / "cli" / "sessions").glob("*.txt"))


@dataclass
class Step:
    """One shell line and what is expected of it."""

    line: str
    number: int
    expected: list[str] = field(default_factory=list)
    exit_code: int = 0


def read_session(text: str) -> list[Step]:
    steps: list[Step] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("# "):
            continue
        if line.startswith("$ "):
            steps.append(Step(line[2:], number))
        elif found := re.fullmatch(r"\[exit (\d+)\]", line):
            steps[-1].exit_code = int(found[1])
        elif steps:
            steps[-1].expected.append(line)
    return steps


def trimmed(lines: list[str]) -> list[str]:
    """Return lines without the empty ones around them."""
    return "\n".join(line.rstrip() for line in lines).strip("\n").split("\n")


def matches(expected: list[str], printed: list[str]) -> bool:
    patterns = (re.escape(line).replace("…", ".*") for line in expected)
    return len(expected) == len(printed) and all(map(re.fullmatch, patterns, printed))


@pytest.mark.parametrize("session", SESSIONS, ids=lambda path: path.stem)
def test_a_terminal_session_prints_what_it_printed_when_it_was_written(session: Path, tmp_path: Path) -> None:
    script = tmp_path / "bin" / "signoff"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m signoff "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    shell = environment(Home(Path("home")))
    shell["PATH"] = f"{script.parent}:{shell['PATH']}"
    for step in read_session(session.read_text(encoding="utf-8")):
        done = subprocess.run(  # noqa: S603 - lines of our own sessions
            ["/bin/sh", "-c", step.line],
            cwd=tmp_path,
            env=shell,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        printed, expected = trimmed(done.stdout.split("\n")), trimmed(step.expected)
        shown = "\n".join(printed)
        assert matches(expected, printed), f"{session.name}:{step.number}: {step.line}\n{shown}"
        assert done.returncode == step.exit_code, f"{session.name}:{step.number}: {step.line}\n{shown}"
