"""An administrator edits the database by hand; the verifier names the event."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import metamorphic_log  # type: ignore[import-untyped]
import orjson
import pymerkle  # type: ignore[import-untyped]
import pytest
from tests._support.cases import SALE, WIRE, answer, approve, ask, second_hand, verified
from tests.conftest import Cast
from tests.promises import promise

from signoff.audit import merkle
from signoff.audit.keys import Keys, last_signed
from signoff.audit.report import Report
from signoff.audit.verify import verify_log
from signoff.desk.checkpoints import publish_checkpoint
from signoff.desk.claim import claim, report_outcome
from signoff.desk.close import cancel
from signoff.desk.decide import undo
from signoff.desk.desk import Desk, DeskSettings
from signoff.desk.handle import acknowledge, hand_over, move_to_queue, override, reassign
from signoff.desk.people import add_person
from signoff.desk.wait import wait_for_decision
from signoff.domain.action import Action
from signoff.domain.decision import Answer
from signoff.domain.people import SignIn
from signoff.store.connect import driver
from signoff.store.log_source import LogSource
from signoff.store.sqlite import open_snapshot


@pytest.fixture
def settings() -> DeskSettings:
    return DeskSettings(base_url="http://127.0.0.1:8717", undo_s=10)


@pytest.fixture
async def kept(desk: Desk, cast: Cast, clock: Any, tmp_path: Path) -> Path:
    """A closed copy of a database in which everything has happened once, and all of it is signed."""
    done = await ask(desk, cast.ada)
    await approve(desk, cast.omar, done.escalation_id)
    clock.advance(11)
    await wait_for_decision(desk, cast.ada, done.escalation_id)
    await claim(desk, cast.ada, done.escalation_id, WIRE)
    await report_outcome(desk, cast.ada, done.escalation_id, "succeeded", note="tx-1")

    changed = await ask(desk, cast.ada, Action(tool="wire_transfer", arguments={"amount": 99_999}))
    await answer(desk, cast.sofia, changed.escalation_id, Answer("reject", note="no"))
    await undo(desk, cast.sofia, changed.escalation_id)
    await answer(desk, cast.omar, changed.escalation_id, Answer("modify", arguments={"amount": 1}))

    second = await add_person(desk, "Selma", roles=["supervisor"])
    sale = await ask(desk, cast.ada, SALE)
    await approve(desk, cast.sofia, sale.escalation_id, "board meeting")
    await approve(desk, SignIn(second, "session"), sale.escalation_id, "board meeting")

    half = await ask(desk, cast.bea, SALE)
    await approve(desk, cast.sofia, half.escalation_id, "first of two")
    held = await ask(desk, cast.bea)
    await acknowledge(desk, cast.omar, held.escalation_id)
    await override(desk, cast.sofia, held.escalation_id)
    await reassign(desk, cast.sofia, held.escalation_id, to=second.id)
    await move_to_queue(desk, cast.sofia, held.escalation_id, queue="default")
    await acknowledge(desk, SignIn(second, "session"), held.escalation_id)
    given = await ask(desk, cast.bea)
    await hand_over(desk, cast.omar, given.escalation_id, to=second.id)
    gone = await ask(desk, cast.bea)
    await cancel(desk, cast.bea, gone.escalation_id, reason="changed my mind")
    await ask(desk, cast.ada, Action(tool="launch_missiles"))
    await ask(desk, cast.ada, Action(tool="read_file"))
    clock.advance(11)
    await publish_checkpoint(desk)
    assert (await verified(desk)).problems == ()
    path = tmp_path / "copy.db"
    with second_hand(tmp_path / "signoff.db") as db:
        db.execute("VACUUM INTO ?", (str(path),))
    return path


async def verified_file(path: Path, keys: Keys) -> Report:
    anchors = [last_signed(keys.directory)]
    async with open_snapshot(path) as reader:
        return await verify_log(
            LogSource(reader),
            keys.public(),
            on_progress=lambda done, of: None,
            anchors=[one for one in anchors if one is not None],
        )


def rows_of(path: Path, table: str) -> list[dict[str, Any]]:
    with second_hand(path) as db:
        db.row_factory = driver().Row
        return [dict(row) for row in db.execute(f"SELECT rowid AS place, * FROM {table}")]  # noqa: S608


def edited(path: Path, statement: str, *values: Any) -> Path:
    """Return a copy of a database with its guards taken off and one statement run."""
    copy = path.with_name("edited.db")
    shutil.copyfile(path, copy)
    with second_hand(copy) as db:
        guards = [row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'")]
        for guard in guards:
            db.execute(f"DROP TRIGGER {guard}")
        assert db.execute(statement, values).rowcount == 1
    return copy


@promise("provable")
async def test_every_event_that_is_edited_is_named(desk: Desk, kept: Path) -> None:
    for row in rows_of(kept, "audit_event"):
        event = orjson.loads(row["body"])
        event["data"]["edited"] = "by hand"
        body = orjson.dumps(event, option=orjson.OPT_SORT_KEYS)
        report = await verified_file(
            edited(kept, "UPDATE audit_event SET body = ? WHERE seq = ?", body, row["seq"]), desk.keys
        )
        assert report.first_bad_event == row["seq"], (row["seq"], row["type"], report.problems)


FILED = {
    "type": "UPDATE audit_event SET type = 'bundle.viewed' WHERE seq = ?",
    "at": "UPDATE audit_event SET at = '2020-01-01T00:00:00.000000Z' WHERE seq = ?",
    "leaf": "UPDATE audit_event SET leaf = zeroblob(32) WHERE seq = ?",
    "escalation_id": "UPDATE audit_event SET escalation_id = NULL WHERE seq = ?",
}


@promise("provable")
@pytest.mark.parametrize("column", FILED)
async def test_every_event_that_is_filed_wrongly_is_named(desk: Desk, kept: Path, column: str) -> None:
    for row in rows_of(kept, "audit_event"):
        copy = edited(kept, FILED[column], row["seq"])
        if row in rows_of(copy, "audit_event"):
            continue  # it was that already
        assert (await verified_file(copy, desk.keys)).first_bad_event == row["seq"]


@promise("provable")
async def test_every_event_that_is_deleted_is_named(desk: Desk, kept: Path) -> None:
    for row in rows_of(kept, "audit_event"):
        copy = edited(kept, "DELETE FROM audit_event WHERE seq = ?", row["seq"])
        assert (await verified_file(copy, desk.keys)).first_bad_event == row["seq"]


@promise("provable")
async def test_every_payload_that_is_edited_or_taken_away_is_named(desk: Desk, kept: Path) -> None:
    payloads = rows_of_payloads(kept)
    assert {field for _, field, _ in payloads} == {"bundle", "decision", "reason", "report"}
    for seq, field, body in payloads:
        for statement, values in (
            ("UPDATE payload SET body = ? WHERE seq = ? AND field = ?", (body[:-1] + b" }", seq, field)),
            ("UPDATE payload SET salt = ? WHERE seq = ? AND field = ?", (bytes(32), seq, field)),
            ("DELETE FROM payload WHERE seq = ? AND field = ?", (seq, field)),
        ):
            report = await verified_file(edited(kept, statement, *values), desk.keys)
            assert report.first_bad_event == seq, (seq, field, report.problems)


def rows_of_payloads(path: Path) -> list[tuple[int, str, bytes]]:
    with second_hand(path) as db:
        return [tuple(row) for row in db.execute("SELECT seq, field, body FROM payload")]


def other(value: Any) -> Any:
    """Return another value of the same kind, as likely as one gets by hand."""
    if value is None:
        return "2026-11-23T20:31:05.123456Z"
    if isinstance(value, int):
        return value + 1
    swaps = {"approve": "reject", "reject": "approve", "modify": "approve", "session": "passkey"}
    return swaps.get(value, f"{value[:-1]}{'0' if value[-1:] != '0' else '1'}")


@promise("provable")
@pytest.mark.parametrize(
    "column",
    ["id", "escalation_id", "choice", "person_id", "assurance", "decided_at", "undone_at", "roles"],
)
async def test_every_decision_row_that_is_edited_is_named(desk: Desk, kept: Path, column: str) -> None:
    for row in rows_of(kept, "decision"):
        if column == "undone_at" and row[column] is not None:
            value = None
        elif column == "roles":
            value = '["supervisor","admin"]'
        elif column == "person_id":
            value = next(one["id"] for one in rows_of(kept, "person") if one["id"] != row[column])
        elif column == "escalation_id":
            value = next(one["id"] for one in rows_of(kept, "escalation") if one["id"] != row[column])
        else:
            value = other(row[column])
        copy = edited(kept, f"UPDATE decision SET {column} = ? WHERE id = ?", value, row["id"])  # noqa: S608
        report = await verified_file(copy, desk.keys)
        assert not report.ok, (column, row)
        said = " ".join(map(str, report.problems))
        assert f"event {row['seq']}" in said, (column, row["choice"], said)


@promise("provable")
async def test_a_decision_row_that_is_taken_away_is_named(desk: Desk, kept: Path) -> None:
    for row in rows_of(kept, "decision"):
        report = await verified_file(edited(kept, "DELETE FROM decision WHERE id = ?", row["id"]), desk.keys)
        assert report.first_bad_event == row["seq"], report.problems


_EDITS: dict[str, Callable[[Any], Any]] = {
    "version": lambda old: old + 1,
    "status": lambda old: "approved" if old != "approved" else "rejected",
    "agent_id": lambda old: "agt_0",
    "action_digest": lambda old: "sha256:" + "0" * 64,
    "final_digest": lambda old: "sha256:" + "0" * 64,
    "policy_digest": lambda old: "sha256:" + "0" * 64,
    "queue": lambda old: "elsewhere",
    "urgency": lambda old: "low",
    "triggers": lambda old: '["harmless"]',
    "require": lambda old: '{"role": "operator", "approvals": 1, "assurance": "none"}',
    "tier": lambda old: 3,
    "deadline_at": lambda old: "2099-11-23T20:31:05.123456Z",
    "approvals": lambda old: "not JSON",
    "decided_by": lambda old: '["per_0"]',
    "valid_until": lambda old: "2099-11-23T20:31:05.123456Z",
    "claimed_at": lambda old: None if old else "2026-11-23T20:31:05.123456Z",
    "outcome": lambda old: "failed",
    "tool": lambda old: f"{old}_safely",
    "server": lambda old: "elsewhere",
    "summary": lambda old: f"{old} harmless",
    "masked": lambda old: '["action.arguments.amount"]',
    "approval_valid_s": lambda old: old + 3600,
    "opened_at": lambda old: "2020-11-23T20:31:05.123456Z",
    "decided_at": lambda old: "2020-11-23T20:31:05.123456Z",
    "urgency_rank": lambda old: (old + 1) % 4,
    "opened_seq": lambda old: old + 1000,
    "handled": lambda old: old + 1,
    "counts_from": lambda old: "2099-11-23T20:31:05.123456Z",
    "alerted_at": lambda old: "2099-11-23T20:31:05.123456Z",
    "acknowledged_by": lambda old: "per_0",
    "acknowledged_at": lambda old: "2020-11-23T20:31:05.123456Z",
    "assigned_to": lambda old: "per_0",
    "overridden_by": lambda old: "per_0",
    "on_deadline": lambda old: "next_tier",
}


@promise("provable")
@pytest.mark.parametrize("column", _EDITS)
async def test_every_edited_case_is_named_by_its_id(desk: Desk, kept: Path, column: str) -> None:
    for row in rows_of(kept, "escalation"):
        value = _EDITS[column](row[column])
        copy = edited(kept, f"UPDATE escalation SET {column} = ? WHERE id = ?", value, row["id"])  # noqa: S608
        report = await verified_file(copy, desk.keys)
        assert report.problems[0].escalation_id == row["id"], (row["status"], report.problems)
        assert report.first_bad_event is not None


@promise("provable")
async def test_every_edited_receipt_is_named(desk: Desk, kept: Path) -> None:
    receipts = rows_of(kept, "receipt")
    assert len(receipts) == 6
    for row in receipts:
        token = row["token"][:-3] + ("AAA" if not row["token"].endswith("AAA") else "BBB")
        for statement, values in (
            ("UPDATE receipt SET token = ? WHERE seq = ?", (token, row["seq"])),
            ("DELETE FROM receipt WHERE seq = ?", (row["seq"],)),
        ):
            report = await verified_file(edited(kept, statement, *values), desk.keys)
            assert report.first_bad_event == row["seq"]


STATED_BY_EVENTS = ("escalation", "decision", "receipt", "audit_head", "audit_node", "policy_version")


def by_hand(value: Any) -> list[Any]:
    """Return other values that a column could hold, an empty one and one that only looks different too."""
    if value is None:
        return ["2026-11-23T20:31:05.123456Z"]
    if isinstance(value, int):
        return [value + 1000]
    if isinstance(value, bytes):
        return [bytes([value[0] ^ 1, *value[1:]]), b""]
    return [f"{value} ", f"{value[:-1]}~", ""]


@promise("provable")
@pytest.mark.timeout(240)  # some eight hundred databases, each verified whole
@pytest.mark.parametrize("table", STATED_BY_EVENTS)
async def test_every_column_that_is_edited_in_any_row_is_noticed(desk: Desk, kept: Path, table: str) -> None:
    with second_hand(kept) as db:
        columns = list(db.execute(f"PRAGMA table_info({table})"))
    key = [name for _, name, _, _, _, part in columns if part]
    # Held by a constraint, or no fact: when the tier clock looks next, and beside which others a list shows a case.
    free = {"escalation": {"opened_seq", "look_at", "planned_under", "alike_id"}, "audit_head": {"id"}}.get(
        table, set()
    )
    for row in rows_of_table(kept, table, [column[1] for column in columns]):
        where = " AND ".join(f"{name} = ?" for name in key)
        for column in row.keys() - free:
            for value in set(by_hand(row[column])) - {row[column]}:
                statement = f"UPDATE {table} SET {column} = ? WHERE {where}"  # noqa: S608
                copy = edited(kept, statement, value, *(row[name] for name in key))
                report = await verified_file(copy, desk.keys)
                assert report.first_bad_event is not None, (column, row, value)


def rows_of_table(path: Path, table: str, columns: list[str]) -> list[dict[str, Any]]:
    with second_hand(path) as db:
        named = ", ".join(columns)  # what the database computes from them is left out
        return [dict(zip(columns, row, strict=True)) for row in db.execute(f"SELECT {named} FROM {table}")]  # noqa: S608


@promise("provable")
async def test_every_tree_node_that_is_taken_away_or_added_is_noticed(desk: Desk, kept: Path) -> None:
    for row in rows_of_table(kept, "audit_node", ["level", "idx", "hash"]):
        copy = edited(kept, "DELETE FROM audit_node WHERE level = ? AND idx = ?", row["level"], row["idx"])
        last = ((row["idx"] + 1) << row["level"]) - 1
        assert (await verified_file(copy, desk.keys)).first_bad_event == last
    copy = edited(kept, "INSERT INTO audit_node VALUES (60, 0, zeroblob(32))")
    assert not (await verified_file(copy, desk.keys)).ok


@promise("provable")
async def test_an_end_of_the_log_that_is_cut_off_before_it_was_signed_is_noticed(
    desk: Desk, cast: Cast, tmp_path: Path
) -> None:
    await ask(desk, cast.ada)
    size = (await verified(desk)).size
    copy = tmp_path / "cut.db"
    with second_hand(tmp_path / "signoff.db") as db:
        db.execute("VACUUM INTO ?", (str(copy),))
    cut = edited(copy, "DELETE FROM audit_event WHERE seq = ?", size - 1)
    assert (await verified_file(cut, desk.keys)).first_bad_event is not None


@promise("provable")
async def test_every_checkpoint_that_is_edited_is_noticed(desk: Desk, kept: Path) -> None:
    for row in rows_of_table(kept, "checkpoint", ["size", "note", "at"]):
        for column, value in (
            ("size", row["size"] + 1000),
            ("note", row["note"].replace("\n— ", "\n— x")),
            ("at", "2020-01-01T00:00:00.000000Z"),
            ("at", "yesterday"),
        ):
            copy = edited(kept, f"UPDATE checkpoint SET {column} = ? WHERE size = ?", value, row["size"])  # noqa: S608
            assert not (await verified_file(copy, desk.keys)).ok, (column, value)


@promise("provable")
async def test_the_root_is_the_one_that_other_peoples_trees_have(desk: Desk, kept: Path) -> None:
    bodies = [bytes(row["body"]) for row in rows_of(kept, "audit_event")]
    report = await verified_file(kept, desk.keys)
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    for body in bodies:
        tree.append_entry(body)
    assert report.root == tree.get_root()
    async with open_snapshot(kept) as reader:
        for seq, body in enumerate(bodies):
            plan = merkle.plan_inclusion(seq, len(bodies))
            proof = plan.proof(await reader.nodes(plan.nodes))
            metamorphic_log.verify_inclusion(seq, len(bodies), merkle.leaf_hash(body), proof, report.root)
    note = last_signed(desk.keys.directory)
    assert note is not None
    assert base64.b64decode(note.split("\n")[2]) == report.root
    assert report.newest is not None
    assert report.newest.size == len(bodies)


@promise("provable")
async def test_an_old_copy_is_found_by_the_checkpoint_that_was_signed_since(
    desk: Desk, cast: Cast, tmp_path: Path
) -> None:
    await ask(desk, cast.ada)
    await publish_checkpoint(desk)
    old = tmp_path / "old.db"
    with second_hand(tmp_path / "signoff.db") as db:
        db.execute("VACUUM INTO ?", (str(old),))
    size = (await verified_file(old, desk.keys)).size
    await ask(desk, cast.ada)
    await publish_checkpoint(desk)
    report = await verified_file(old, desk.keys)
    assert report.first_bad_event == size
    assert "missing" in report.problems[0].what
