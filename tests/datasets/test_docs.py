"""What a manifest or a quarantine file can say is documented."""

from __future__ import annotations

import re
from pathlib import Path

from signoff.datasets.formats import FORMATS

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "server" / "signoff" / "datasets"


def documented(heading: str) -> set[str]:
    text = (ROOT / "docs" / "datasets.md").read_text(encoding="utf-8")
    section = text.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `([a-z_-]+)` \|", section, re.MULTILINE))


def said(pattern: str) -> set[str]:
    return {
        word
        for path in SOURCE.rglob("*.py")
        for word in re.findall(pattern, path.read_text(encoding="utf-8"))
    }


def test_every_format_is_documented() -> None:
    assert documented("Formats") == set(FORMATS)


def test_every_reason_to_leave_a_case_out_is_documented() -> None:
    assert documented("What is left out") == said(r'Excluded\("([a-z_]+)"\)')


def test_every_doubt_is_documented() -> None:
    assert documented("Quarantine") == said(r'Doubt\(\s*"([a-z_]+)"')
