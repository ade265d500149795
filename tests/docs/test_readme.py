"""What the README tells people to type exists."""

import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
LISTED = re.compile(r"^  make ([a-z]+) ", re.MULTILINE)


def make(*arguments: str) -> str:
    return subprocess.run(  # noqa: S603 -- fixed arguments
        ["make", "--no-print-directory", *arguments],  # noqa: S607 -- whichever make people have
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_a_reader_finds_every_make_command_of_the_readme() -> None:
    named = set(re.findall(r"(?:^    |`)make ([a-z]+)", README, re.MULTILINE))
    assert {"demo", "check"} <= named
    assert named <= set(LISTED.findall(make("help")))


def test_plain_make_shows_the_list_and_runs_nothing() -> None:
    assert make() == make("help")


def test_every_target_is_in_the_list() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == set(LISTED.findall(make("help")))


def test_claude_desktop_reads_the_snippet_and_starts_the_mcp_server() -> None:
    snippet = re.search(r"```json\n(.*?)```", README, re.DOTALL)
    assert snippet is not None
    server = json.loads(snippet[1])["mcpServers"]["signoff"]
    assert server["command"].endswith("/.venv/bin/signoff")
    assert server["args"] == ["mcp"]


@pytest.mark.parametrize("path", re.findall(r"^\| `([^`]+)` \|", README, re.MULTILINE))
def test_a_reader_finds_every_place_of_the_layout(path: str) -> None:
    assert (ROOT / path).exists()
