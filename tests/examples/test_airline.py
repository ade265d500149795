"""The airline example on the real recording: every part of the house at work, and what is left behind holds."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.datasets.openai_schema import check_openai

from signoff.app import verify_database
from signoff.audit.keys import load_public
from signoff.domain.case import Escalation
from signoff.store.sqlite import open_snapshot

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "replay_airline.py"
FORMATS = ("openai-chat", "trl-dpo", "jsonl")

pytestmark = pytest.mark.timeout(300)  # a hundred conversations through real pages: 10 s on an idle machine


def load_recording() -> ModuleType:
    """Load the example's reader of the recording, which is no package."""
    spec = importlib.util.spec_from_file_location("recording", ROOT / "examples" / "airline" / "recording.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["recording"] = module
    spec.loader.exec_module(module)
    return module


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "server")}
    return subprocess.run(  # noqa: S603 -- our own example
        [sys.executable, str(EXAMPLE), *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@dataclass(frozen=True)
class Replay:
    """What a whole replay printed and left."""

    home: Path
    output: str
    calls: list[Any]

    @property
    def database(self) -> Path:
        return self.home / "data" / "signoff.db"

    def dataset(self, format: str) -> Path:
        return self.home / "datasets" / format


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replay]:
    recording = load_recording()
    file: Path = recording.default_file()
    if not file.is_file():
        pytest.skip(f"the recording is not at {file}; SIGNOFF_SHARED names the directory that holds data/")
    home = tmp_path_factory.mktemp("airline") / "home"
    done = run("--data", str(file), "--home", str(home))
    assert done.returncode == 0, done.stderr
    yield Replay(home, done.stdout, recording.read_calls(file))
    del sys.modules["recording"]


async def cases_of(replay: Replay) -> list[Escalation]:
    async with open_snapshot(replay.database) as reader:
        return [case async for _, case in reader.cases()]


async def test_every_call_became_a_case_that_ended(replay: Replay) -> None:
    cases = await cases_of(replay)

    assert len(cases) == len(replay.calls) > 100
    assert [case.tool for case in cases] == [call.tool for call in replay.calls]
    assert {case.status for case in cases} == {"approved", "modified", "rejected"}


async def test_everything_that_was_allowed_is_claimed_and_reported_and_nothing_else(replay: Replay) -> None:
    for case in await cases_of(replay):
        allowed = case.status in ("approved", "modified")
        assert (case.claimed_at is not None) == allowed
        assert (case.outcome in ("succeeded", "failed")) == allowed
        assert (case.outcome is not None) == allowed


async def test_people_approved_what_had_ended_well_and_nothing_else(replay: Replay) -> None:
    decided = [
        (call, case)
        for call, case in zip(replay.calls, await cases_of(replay), strict=True)
        if case.decided_by
    ]

    assert {case.assurance for _, case in decided} == {"link"}
    for call, case in decided:
        assert (case.status == "approved") == call.was_right
    assert {case.status for _, case in decided} == {"approved", "modified", "rejected"}


async def test_the_table_says_what_happened(replay: Replay) -> None:
    cases = await cases_of(replay)
    people = Counter(case.status for case in cases if case.decided_by)
    policy = Counter(case.status for case in cases if not case.decided_by)

    (line,) = [line for line in replay.output.splitlines() if line.startswith("all ")]
    assert list(map(int, line.split()[1:])) == [
        len(cases),
        policy["approved"],
        policy["rejected"],
        people.total(),
        people["approved"],
        people["modified"],
        people["rejected"],
    ]
    assert "Everything holds." in replay.output


async def test_the_log_of_the_replay_verifies(replay: Replay) -> None:
    anchor = (replay.home / "anchors" / "checkpoint").read_text(encoding="utf-8")

    report = await verify_database(
        replay.database,
        load_public(replay.home / "keys"),
        on_progress=lambda done, total: None,
        anchors=[anchor],
    )

    assert report.problems == ()
    assert report.cases == len(replay.calls)
    assert report.newest is not None
    assert report.newest.size == report.events


@pytest.mark.parametrize("format", FORMATS)
async def test_the_exports_agree_with_their_manifests_and_with_the_cases(replay: Replay, format: str) -> None:
    manifest = json.loads((replay.dataset(format) / "manifest.json").read_bytes())
    for name, facts in manifest["files"].items():
        body = (replay.dataset(format) / name).read_bytes()
        assert hashlib.sha256(body).hexdigest() == facts["sha256"]
        assert len(rows_of(replay.dataset(format) / name)) == facts["lines"]

    counts, statuses = manifest["counts"], Counter(c.status for c in await cases_of(replay) if c.decided_by)
    wanted = {
        "openai-chat": statuses["approved"] + statuses["modified"],
        "trl-dpo": statuses["modified"],
        "jsonl": statuses.total(),
    }
    assert counts["rows"] == wanted[format] == len(rows_of(replay.dataset(format) / f"{format}.jsonl"))
    assert counts["quarantined"] == 0
    assert counts["cases"] == counts["rows"] + sum(counts["excluded"].values())


async def test_real_conversations_make_rows_that_openai_documents(replay: Replay) -> None:
    for row in rows_of(replay.dataset("openai-chat") / "openai-chat.jsonl"):
        check_openai(row)


async def test_preferences_differ_where_a_person_changed_something(replay: Replay) -> None:
    for row in rows_of(replay.dataset("trl-dpo") / "trl-dpo.jsonl"):
        ((chosen,), (rejected,)) = row["chosen"], row["rejected"]
        chosen, rejected = chosen["tool_calls"][0]["function"], rejected["tool_calls"][0]["function"]
        assert chosen["name"] == rejected["name"]
        assert (
            len([key for key, value in chosen["arguments"].items() if value != rejected["arguments"][key]])
            == 1
        )


def rows_of(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def test_without_the_recording_the_example_says_where_to_get_it(tmp_path: Path) -> None:
    done = run("--data", str(tmp_path / "none.json"))

    assert done.returncode == 2
    assert "tau-bench" in done.stderr


def test_a_home_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "recording.json").write_text("[]", encoding="utf-8")
    home = tmp_path / "home"
    home.mkdir()
    (home / "policy.yaml").write_text("mine", encoding="utf-8")

    done = run("--data", str(tmp_path / "recording.json"), "--home", str(home))

    assert done.returncode == 2
    assert (home / "policy.yaml").read_text(encoding="utf-8") == "mine"
