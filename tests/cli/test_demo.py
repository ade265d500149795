"""`signoff demo --auto`, from nothing, as a person in a hurry runs it."""

from __future__ import annotations

import json
import re
import subprocess
from urllib.parse import urlsplit

import anyio
import httpx2
import pytest
from tests.cli.conftest import command, environment, running

from signoff.cli.demo_person import FormParser
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


@pytest.mark.parametrize("choice", ["reject", "modify"])
async def test_the_demo_obeys_whatever_the_person_decides(home: Home, choice: str) -> None:
    with anyio.fail_after(50):
        async with running(home, "demo", "--home", str(home.path)) as demo:
            told = await demo.read_until("/d/lnk_")
            link = re.search(r"http://\S+#\S+", told)
            assert link is not None
            await decide(link[0], choice)
            told += await demo.read_until("Look again:")
            assert await demo.process.wait() == 0

    words = " ".join(told.split())
    if choice == "reject":
        assert "omar said no: “Not like this.” I do not refund anything" in words
        assert "nothing ran, as you decided" in words
        assert "claim_approval" not in words
    else:
        assert "omar modified it: “Not like this.”" in words
        assert '"amount": "620.00"' in words
        assert "re_7f31 over 620.00" in words


async def decide(link: str, choice: str) -> None:
    """Open a link and send one of the case page's forms as a browser would."""
    parts = urlsplit(link)
    origin = f"{parts.scheme}://{parts.netloc}"
    own = {"Origin": origin, "Sec-Fetch-Site": "same-origin"}
    async with httpx2.AsyncClient(base_url=origin, follow_redirects=True, timeout=30) as browser:
        page = await browser.post(parts.path, data={"secret": parts.fragment}, headers=own)
        parser = FormParser()
        parser.feed(page.text)
        form = next(form for form in parser.forms if form.fields.get("choice") == choice)
        fields = {
            name: value.replace("1240.00", "620.00") if name != "raw" else value
            for name, value in form.fields.items()
        }
        page = await browser.post(form.action, data={**fields, "note": "Not like this."}, headers=own)
        assert page.status_code == 200
