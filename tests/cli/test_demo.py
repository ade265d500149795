"""`signoff demo --auto`, from nothing, as a person in a hurry runs it."""

from __future__ import annotations

import json
import subprocess

from tests.cli.conftest import command, environment

from signoff.config import Home


def test_the_demo_ends_with_a_claimed_verified_and_exported_case(home: Home) -> None:
    done = subprocess.run(  # noqa: S603 - our own program
        command("demo", "--auto"), env=environment(home), capture_output=True, encoding="utf-8", timeout=50
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    told = done.stdout
    order = (
        "escalate: More than 500 in one go",
        "Case esc_",
        "issue_refund waits for you",
        "/d/lnk_",
        "omar approved it",
        "refused, and logged",
        "claim_approval: granted",
        "report_outcome: succeeded",
        "Everything holds",
        "export openai-chat: 1 row from 1 case",
        "The end",
    )
    places = [" ".join(told.split()).find(part) for part in order]
    assert -1 not in places, order[places.index(-1)]
    assert places == sorted(places)
    assert "\x1b" not in told  # no colours where no terminal reads them

    rows = (home.path / "dataset" / "openai-chat.jsonl").read_text(encoding="utf-8").splitlines()
    manifest = json.loads((home.path / "dataset" / "manifest.json").read_bytes())
    assert len(rows) == manifest["counts"]["rows"] == 1
    assert "1240.00" in rows[0]


def test_a_demo_without_a_home_leaves_nothing_behind(home: Home) -> None:
    shell = environment(home)
    del shell["SIGNOFF_HOME"]
    place = home.path.parent / "tmp"
    place.mkdir()
    done = subprocess.run(  # noqa: S603 - our own program
        command("demo", "--auto"),
        env={**shell, "TMPDIR": str(place)},
        capture_output=True,
        encoding="utf-8",
        timeout=50,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert list(place.iterdir()) == []


def test_a_demo_whose_policy_does_not_ask_says_so(home: Home) -> None:
    home.path.mkdir()
    home.policy_file.write_text("version: 1\ntriggers: []\n", encoding="utf-8")
    done = subprocess.run(  # noqa: S603 - our own program
        command("demo", "--auto"), env=environment(home), capture_output=True, encoding="utf-8", timeout=50
    )

    assert done.returncode == 1
    assert "says 'allow' to the demo's refund" in done.stderr
    assert "Traceback" not in done.stderr
