"""Every file of `vectors/` gets the verdict that stands beside it, from our verifiers and from other people's trees."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import metamorphic_log  # type: ignore[import-untyped]
import orjson
import pymerkle  # type: ignore[import-untyped]
import pytest
from tests._support.cases import second_hand
from tests.audit.make_vectors import FOLDER, good, make

from signoff.app import verify_database
from signoff.audit import merkle
from signoff.audit.checkpoint import parse_verifier_key
from signoff.audit.evidence import EvidenceFile, EvidenceInvalid
from signoff.audit.evidence_check import check_evidence
from signoff.audit.keys import PublicKeys

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "docs" / "verify_log.py"
VERDICTS: dict[str, dict[str, Any]] = json.loads((FOLDER / "verdicts.json").read_text(encoding="utf-8"))
KEY = FOLDER / "log.pub"
KEYS = PublicKeys(
    (parse_verifier_key(KEY.read_text(encoding="utf-8").strip()),),
    json.loads((FOLDER / "receipt.pub").read_text(encoding="utf-8")),
)
each = pytest.mark.parametrize("name", VERDICTS)


@each
def test_the_verifier_gives_the_verdict_of_the_table(name: str) -> None:
    verdict = VERDICTS[name]
    kept = [verdict["checkpoint"]] if "checkpoint" in verdict else []
    with (FOLDER / f"{name}.zip").open("rb") as file:
        try:
            report = check_evidence(EvidenceFile(file), KEYS, kept)
        except EvidenceInvalid:
            assert verdict["audit verify"] == {"holds": False, "first": None}
            return
    said = {"holds": True} if report.ok else {"holds": False, "first": report.first_bad_event}
    assert said == verdict["audit verify"], report.problems


@each
def test_sixty_lines_of_python_give_the_verdict_of_the_table(name: str) -> None:
    done = subprocess.run(  # noqa: S603 -- our own script
        [sys.executable, "-I", str(SCRIPT), str(FOLDER / f"{name}.zip"), str(KEY)],
        capture_output=True,
        text=True,
        check=False,
    )
    verdict = VERDICTS[name]["verify_log.py"]
    assert (done.returncode == 0) == verdict["holds"], done.stdout + done.stderr
    assert done.stdout.startswith("HOLDS") == verdict["holds"]
    if not verdict["holds"]:
        assert done.stderr.startswith("DOES NOT HOLD: "), done.stderr
        found = re.match(r"event (\d+)", done.stderr.removeprefix("DOES NOT HOLD: "))
        assert (None if found is None else int(found[1])) == verdict["first"], done.stderr


@each
def test_other_peoples_trees_give_the_verdict_of_the_table(name: str) -> None:
    verdict = VERDICTS[name]["metamorphic-log, pymerkle"]
    with zipfile.ZipFile(FOLDER / f"{name}.zip") as file:
        members = {one: file.read(one) for one in file.namelist()}
    _, size_text, root_text = members["checkpoint.txt"].split(b"\n")[:3]
    size, root = int(size_text), base64.b64decode(root_text)
    events = members["events.jsonl"].split(b"\n")[:-1]
    if verdict is None:
        return
    if json.loads(members["evidence.json"])["scope"] == "log":
        tree = pymerkle.InmemoryTree(algorithm="sha256")
        for raw in events:
            tree.append_entry(raw)
        found = tree.get_root() if events else hashlib.sha256(b"").digest()
        assert (found == root and len(events) == size) == verdict
        return
    assert all(_included(raw, members, size, root) for raw in events) == verdict


def _included(raw: bytes, members: dict[str, bytes], size: int, root: bytes) -> bool:
    seq = orjson.loads(raw)["seq"]
    lines = members[f"proofs/{seq}.tlog-proof"].split(b"\n\n")[0].split(b"\n")
    proof = [base64.b64decode(line) for line in lines[2:]]
    try:
        metamorphic_log.verify_inclusion(seq, size, merkle.leaf_hash(raw), proof, root)
    except Exception:  # noqa: BLE001 -- a library of others, whose errors are its own
        return False
    return True


def test_the_files_are_those_that_the_generator_makes() -> None:
    made = make(FOLDER)
    held = {path.name: path.read_bytes() for path in FOLDER.iterdir()}
    assert sorted(made) == sorted(held)
    assert [name for name in made if made[name] != held[name]] == []


def test_there_are_at_least_twenty_five_ways_to_tamper() -> None:
    assert sum(1 for one in VERDICTS.values() if not one["audit verify"]["holds"]) >= 25


def test_the_script_in_the_files_is_the_one_in_the_docs_and_has_sixty_lines() -> None:
    text = SCRIPT.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 60
    assert max(map(len, text.splitlines())) <= 120
    with zipfile.ZipFile(FOLDER / "good-log.zip") as file:
        assert file.read("verify_log.py").decode() == text
    assert (ROOT / "server" / "signoff" / "audit" / "verify_log.py").read_text(encoding="utf-8") == text
    imports = re.findall(r"^import (.*)$", text, re.MULTILINE)
    assert {name for line in imports for name in line.split(", ")} <= set(sys.stdlib_module_names)


@pytest.mark.parametrize("cut", [10, 200, 5000])
def test_half_a_file_is_no_evidence(cut: int) -> None:
    whole = (FOLDER / "good-log.zip").read_bytes()
    with pytest.raises(EvidenceInvalid):
        EvidenceFile(io.BytesIO(whole[:-cut]))


def test_a_packed_member_is_refused() -> None:
    file = io.BytesIO()
    with (
        zipfile.ZipFile(FOLDER / "good-log.zip") as old,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name))
    with pytest.raises(EvidenceInvalid, match="packed"):
        EvidenceFile(file)


@pytest.mark.parametrize("name", ["../escape.txt", "payloads/1.bundle.exe", "notes.txt", "/etc/passwd"])
def test_a_member_that_does_not_belong_is_refused(name: str) -> None:
    file = io.BytesIO((FOLDER / "good-log.zip").read_bytes())
    with zipfile.ZipFile(file, "a") as new:
        new.writestr(name, b"more")
    with pytest.raises(EvidenceInvalid, match="does not belong"):
        EvidenceFile(file)


def test_a_member_that_stands_twice_is_refused() -> None:
    file = io.BytesIO((FOLDER / "good-log.zip").read_bytes())
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(file, "a") as new:
        new.writestr("checkpoint.txt", b"another")
    with pytest.raises(EvidenceInvalid):
        EvidenceFile(file)


DATABASE: dict[str, dict[str, Any]] = json.loads((FOLDER / "database.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    path, notes, _, _ = good(tmp_path_factory.mktemp("good"))
    return path, [notes["early"], notes["late"]]


async def test_the_good_database_holds(database: tuple[Path, list[str]]) -> None:
    path, notes = database
    report = await verify_database(path, KEYS, on_progress=lambda done, of: None, anchors=notes)
    assert (report.problems, report.events, report.erased) == ((), 15, 1)


@pytest.mark.parametrize("name", DATABASE)
async def test_what_is_done_to_the_database_by_hand_gets_the_verdict_of_the_table(
    name: str, database: tuple[Path, list[str]], tmp_path: Path
) -> None:
    path, notes = database
    copy = tmp_path / "edited.db"
    shutil.copyfile(path, copy)
    with second_hand(copy) as db:
        for (guard,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {guard}")
        assert db.execute(DATABASE[name]["sql"]).rowcount >= 1
    report = await verify_database(copy, KEYS, on_progress=lambda done, of: None, anchors=notes)
    assert {"holds": report.ok, "first": report.first_bad_event} == DATABASE[name]["audit verify"], (
        report.problems
    )
