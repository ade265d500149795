"""Two airline policies over the real recording: a table that somebody who answers for them can read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
AIRLINE = ROOT / "examples" / "airline"


def run(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "server")}
    return subprocess.run(  # noqa: S603 -- our own example
        [sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def compare(*arguments: str) -> str:
    done = run("examples/compare_policies.py", *arguments)
    if "There is no recording at" in done.stderr:
        pytest.skip("the recording is not there; SIGNOFF_SHARED names the directory that holds data/")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_stricter_policy_is_seen_to_ask_more_and_to_refuse_more() -> None:
    told = compare()

    assert told.startswith("149 actions, 2024-05-15 to 2024-05-18 (4 days)\n")
    assert "32 more would wait for a person, 36 fewer would go ahead, 4 more would be refused." in told
    assert "40 actions of 149 (27%) would have been answered differently:" in told
    rows = {line.split()[0]: line.split()[1:] for line in told.splitlines() if line.startswith("  ")}
    assert rows["many-changes"] == ["0", "52", "+52", "(new)"]
    assert rows["large-payment"] == ["13", "32", "+19"]
    assert rows["large-compensation"] == ["1", "0", "-1", "(gone)"]


def test_every_case_that_would_differ_is_named_with_its_reason() -> None:
    cases, _, _ = compare("--cases").partition("\n\n")

    assert len(cases.splitlines()) == 40
    assert "3-0/54: update_reservation_flights, escalate → deny, certificate-for-a-change" in cases


def test_the_command_counts_the_lines_of_the_example_alike(tmp_path: Path) -> None:
    lines = tmp_path / "airline.jsonl"
    told = compare("--lines", str(lines))
    before, now = str(AIRLINE / "policy.yaml"), str(AIRLINE / "stricter.yaml")

    done = run("-m", "signoff", "policy", "replay", now, "--from", str(lines), "--against", before, "--json")

    counts = json.loads(done.stdout)
    assert (counts["actions"], counts["changed"]) == (149, 40)
    assert f"  wait for a person   {counts['before']['escalate']:>9}{counts['now']['escalate']:>9}" in told
