"""What docs/verify.md tells an auditor to type works, on the file that the test vectors hold."""

from __future__ import annotations

import re
import subprocess
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VECTOR = ROOT / "tests" / "audit" / "vectors" / "good-case.zip"
LINES = re.findall(r"^    (.*)$", (ROOT / "docs" / "verify.md").read_text(encoding="utf-8"), re.MULTILINE)


def shell(line: str, folder: Path) -> str:
    done = subprocess.run(  # noqa: S602 -- the documentation is what is tested
        line, shell=True, cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    with zipfile.ZipFile(VECTOR) as file:
        file.extractall(tmp_path)
    (tmp_path / "case.zip").write_bytes(VECTOR.read_bytes())
    (tmp_path / "log.pub").write_bytes((VECTOR.parent / "log.pub").read_bytes())
    return tmp_path


def test_the_script_runs_as_it_is_typed(unpacked: Path) -> None:
    (line,) = [line for line in LINES if line.startswith("python3 verify_log.py")]
    assert shell(line, unpacked).startswith("HOLDS: 5 of 15 signed events.")


def test_a_commitment_and_a_leaf_hash_are_checked_by_hand(unpacked: Path) -> None:
    by_hand = [line for line in LINES if "sha256sum" in line]
    assert len(by_hand) == 2
    (event,) = shell(next(line for line in LINES if line.startswith("grep")), unpacked).splitlines()
    commitment, leaf = (shell(line, unpacked).split()[0] for line in by_hand)
    assert f'"bundle":"sha256:{commitment}"' in event
    following = shell("grep '\"seq\":2,' events.jsonl", unpacked)
    assert f'"prev":"sha256:{leaf}"' in following
