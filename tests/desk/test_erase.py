"""Erasing: what goes, what stays, what is refused, and that no byte of it is left."""

from __future__ import annotations

import base64
import json
import random
import zlib
from datetime import timedelta
from pathlib import Path

import anyio
import pytest
from tests._support.cases import WIRE, answer, approve, ask, second_hand, verified
from tests._support.clock import HandClock
from tests.conftest import Cast
from tests.promises import promise

from signoff.datasets.export import export
from signoff.desk.alerts import list_alerts
from signoff.desk.ask_agent import answer_question, ask_agent
from signoff.desk.check import check_triggers
from signoff.desk.claim import claim, report_outcome
from signoff.desk.close import cancel, expire
from signoff.desk.current_policy import note_current_policy
from signoff.desk.deliver import lease, lease_notices, record
from signoff.desk.desk import Desk
from signoff.desk.erase import erase_case, erase_older, erase_subject
from signoff.desk.holds import lift_hold, list_holds, place_hold
from signoff.desk.look import look
from signoff.desk.people import add_person
from signoff.desk.retention import erase_due
from signoff.desk.wait import wait_for_decision
from signoff.domain.action import Action
from signoff.domain.alert import Failed, Sent
from signoff.domain.bundle import Material, read_material
from signoff.domain.decision import Answer
from signoff.domain.erasure import KINDS, Kind, UnderHold, check_kinds
from signoff.domain.errors import Conflict, InvalidRequest, NotFound
from signoff.store.unit import Unit

ALL = check_kinds([])
MARK = "Müstermann-4711"
AMOUNT = 470815470815
COUNTING = """\
version: 1
signals:
  total: {sum: action.arguments.amount, over: 90d, by: bundle.subject.id}
  of_all: {sum: action.arguments.amount, over: 90d, by: everyone}
  payees: {distinct: action.arguments.payee, over: 90d, by: agent}
  names: {distinct: bundle.subject.name, over: 90d, by: session}
  again: {count: true, over: 90d, by: session}
triggers:
  - id: much
    when: signals.total > 1 || signals.of_all > 1
    then: escalate
    explain: "{{signals.total}} for {{bundle.subject.name}}, {{action.arguments.payee}}"
  - {id: many, when: "signals.payees > 9 || signals.names > 9 || signals.again > 99", then: escalate}
"""
ERIKA = Material.model_validate({"subject": {"id": "cust-1", "name": "Erika"}})


def marked(value: str) -> str:
    return f"{value} {MARK}"


def everything() -> tuple[Action, Material]:
    """Return a request that carries the mark in every field that an agent writes, keys included."""
    action = Action(
        tool=f"wire_{MARK}",
        server=f"bank-{MARK}",
        summary=marked("Pay"),
        arguments={
            f"key {MARK}": marked("value"),
            "deep": [{f"k{MARK}": [marked("leaf")]}],
            "amount": AMOUNT,
            "payee": marked("payee"),
        },
    )
    picture = base64.b64encode(f"\x89PNG {MARK}".encode()).decode()
    material = read_material(
        {
            "reasoning": [
                {"kind": "thought", "text": marked("I think")},
                {
                    "kind": "tool_call",
                    "tool": f"look_{MARK}",
                    "arguments": {f"a{MARK}": marked("b")},
                    "result": {MARK: [MARK]},
                },
            ],
            "messages": [
                {"role": "user", "content": marked("please"), "name": MARK},
                {
                    "role": "assistant",
                    "content": marked("yes"),
                    "tool_calls": [
                        {"id": MARK, "function": {"name": MARK, "arguments": json.dumps({MARK: MARK})}}
                    ],
                },
            ],
            "state": {f"state {MARK}": marked("open")},
            "subject": {"id": marked("cust"), "name": MARK, "tier": MARK, "region": MARK, "more": MARK},
            "wants_human": marked("somebody, please:"),
            "confidence": 0.5,
            "alternatives": [{"tool": MARK, "arguments": {MARK: MARK}, "why_not": marked("dear")}],
            "risk": {"reversible": False, "blast_radius": marked("one"), "extra": MARK},
            "attachments": [
                {"name": f"{MARK}.txt", "media_type": "text/plain", "data": marked("text")},
                {"name": "p.png", "media_type": "image/png", "data": picture},
            ],
        }
    )
    return action, material


SCHEMA = {"type": "object", "title": MARK, "properties": {MARK: {"type": "string", "description": MARK}}}


def forms(mark: str) -> dict[str, bytes]:
    """Return how a text may lie in a file, besides in a compressed stream."""
    utf8 = mark.encode()
    found = {
        "UTF-8": utf8,
        "UTF-16": mark.encode("utf-16-le"),
        "Latin-1": mark.encode("latin-1"),
        "JSON escapes": json.dumps(mark)[1:-1].encode(),
        "hex": utf8.hex().encode(),
        "percent": b"M%C3%BCstermann-4711",
    }
    for shift in range(3):  # base64 of the mark in the middle of something, at each of its three alignments
        whole = base64.b64encode(b"\x00" * shift + utf8)
        found[f"base64 at {shift}"] = whole[4 if shift else 0 : len(whole) - 4]
    found["the ASCII half"] = b"stermann-4711"
    return found


def traces(folder: Path, mark: str = MARK) -> list[str]:
    """Return where a mark is found in any file below a folder."""
    found = []
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        data = path.read_bytes()
        found += [f"{path.name}: {form}" for form, wanted in forms(mark).items() if wanted in data]
        found += [f"{path.name}: zlib at {at}" for at in inflated_with(data, mark.encode())]
    return found


def inflated_with(data: bytes, wanted: bytes) -> list[int]:
    """Return where zlib streams begin that hold something."""
    found = []
    for header in (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"):
        at = data.find(header)
        while at >= 0:
            try:
                if wanted in zlib.decompressobj().decompress(data[at:], 10_000_000):
                    found.append(at)
            except zlib.error:
                pass
            at = data.find(header, at + 1)
    return found


async def whole_story(desk: Desk, cast: Cast, clock: HandClock) -> list[str]:
    """Play everything that can happen to marked cases, and return their ids."""
    action, material = everything()
    key, session = f"key-{MARK}", f"session-{MARK}"
    await check_triggers(desk, cast.ada, action, material, session=session)  # the request follows it
    first = await ask(
        desk, cast.ada, action,
        material=material, response_schema=SCHEMA, idempotency_key=key, session=session,
    )  # fmt: skip
    peek = Action(tool=f"peek_{MARK}", arguments={"amount": AMOUNT, "payee": MARK})
    await check_triggers(
        desk, cast.ada, peek, material, session=session
    )  # about the same subject, and no case
    await check_triggers(
        desk, cast.ada, action, Material(), session=session
    )  # the action of a case, about nobody
    for number, errand in enumerate(await lease(desk, "worker", most=20)):
        await record(desk, "worker", errand, Failed("no", permanent=True) if number else Sent())
    await ask_agent(desk, cast.omar, first.escalation_id, marked("who is"))
    await answer_question(
        desk, cast.ada, first.escalation_id, marked("it is"),
        additions=Material(state={MARK: marked("added")}), idempotency_key=f"q{key}",
    )  # fmt: skip
    changed = {**action.arguments, f"new {MARK}": marked("new")}
    await answer(
        desk,
        cast.omar,
        first.escalation_id,
        Answer("modify", arguments=changed, response={MARK: marked("r")}, note=marked("note")),
    )
    final = Action(tool=action.tool, server=action.server, arguments=changed)
    await wait_for_decision(desk, cast.ada, first.escalation_id, action=final)
    with pytest.raises(Conflict):
        await claim(desk, cast.ada, first.escalation_id, WIRE)
    await claim(desk, cast.ada, first.escalation_id, final, idempotency_key=f"c{key}")
    for outcome in ("unknown", "succeeded"):
        await report_outcome(
            desk, cast.ada, first.escalation_id, outcome,
            note=marked("done"), result={MARK: [MARK]}, idempotency_key=f"{outcome}{key}",
        )  # fmt: skip
    second = await ask(desk, cast.ada, action, material=material)
    await cancel(desk, cast.ada, second.escalation_id, reason=marked("why"), idempotency_key=f"x{key}")
    third = await ask(desk, cast.ada, action, material=material)
    await answer(desk, cast.omar, third.escalation_id, Answer("reject", note=marked("no")))
    await wait_for_decision(desk, cast.ada, third.escalation_id)
    secret = Action(tool="wire_transfer", arguments={f"token {MARK}": "AKIA" + "ABCDEFGHIJKLMNOP"})
    fourth = await ask(desk, cast.ada, secret, material=material)
    clock.advance(86_400)
    await expire(desk, fourth.escalation_id)
    return [one.escalation_id for one in (first, second, third, fourth)]


@promise("erasable")
async def test_nothing_of_an_erased_case_is_findable_in_any_file_and_the_log_verifies(
    desk: Desk,
    cast: Cast,
    clock: HandClock,
    policy_path: Path,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    await count(desk, policy_path)
    others = [(await ask(desk, cast.bea, material=Material(state="x" * n))).escalation_id for n in (10, 9000)]
    cases = await whole_story(desk, cast, clock)
    out = tmp_path_factory.mktemp("elsewhere") / "dataset"
    await export(desk, format="jsonl", out=out, on_progress=lambda done, of: None)
    assert traces(tmp_path), "the search finds what is there"
    assert traces(tmp_path, str(AMOUNT))
    assert (await counted(desk))["entries"] > 0
    assert traces(out)
    assert not any(MARK in body for body in await event_texts(desk)), "no event holds what anybody wrote"

    erased = await erase_subject(desk, marked("cust"), kinds=ALL, by=None)

    assert sorted(one.escalation_id for one in erased.cases) == sorted(cases)
    assert (erased.kept, erased.scrubbed) == ((), True)
    assert erased.exports == ((str(out), 2),)
    assert (erased.checks, erased.counts()["ask"], erased.counts()["check"]) == (1, 4, 1)
    assert traces(tmp_path) == []
    assert traces(tmp_path, str(AMOUNT)) == []
    assert (await counted(desk))["asks"] == len(others)
    report = await verified(desk)
    assert report.problems == ()
    assert (
        report.erased == erased.counts()["bundle"] + erased.counts()["decision"] + erased.counts()["report"]
    )
    async with desk.store.reading() as reader:
        assert all([await reader.document(one) is not None for one in others])


async def count(desk: Desk, policy_path: Path) -> None:
    """Count what the marked cases ask for, over every window there is."""
    await anyio.Path(policy_path).write_text(COUNTING, encoding="utf-8")
    await note_current_policy(desk)


async def counted(desk: Desk) -> dict[str, int]:
    """Return how many asks there are, and in how many series of windows they are."""
    async with desk.store.reading() as reader:
        asks = [one async for one in reader.asked_since(desk.clock.now() - timedelta(days=36_500))]
        entries = [len(await reader.windows.entries(one.seq)) for one in asks]
        return {"asks": await reader.windows.count(), "entries": sum(entries)}


async def event_texts(desk: Desk) -> list[str]:
    async with desk.store.snapshot() as reader:
        return [body.decode() async for page in reader.events() for _, body in page]


@promise("erasable")
async def test_nothing_is_left_between_the_pages_of_a_large_database(
    desk: Desk, cast: Cast, tmp_path: Path
) -> None:
    """Pages that are split keep copies of what moved, which deleting alone does not reach: keys come in any order."""
    chance = random.Random(4711)  # noqa: S311 -- where a row goes, not a secret
    cases = [(await ask(desk, cast.ada, material=one)).escalation_id for one in (ERIKA, Material())]

    async def use_key(unit: Unit) -> None:
        which = chance.randrange(2)
        word = "x" * len(MARK) if which else MARK
        key = f"{chance.getrandbits(64):016x}{word * chance.randint(1, 40)}"
        await unit.keep_first_answer(
            cast.ada.id, key, verb="report", input_digest="", escalation_id=cases[which]
        )

    for _ in range(600):
        await desk.store.write(use_key)
    for case in cases:
        await cancel(desk, cast.ada, case, reason="x")

    await erase_subject(desk, "cust-1", kinds=ALL, by=None)

    assert traces(tmp_path) == []
    assert (await verified(desk)).problems == ()


async def done(desk: Desk, cast: Cast, *, material: Material = ERIKA, note: str = "yes") -> str:
    """Play a case to its end and return its id."""
    told = await ask(desk, cast.ada, material=material)
    await approve(desk, cast.omar, told.escalation_id, note)
    await claim(desk, cast.ada, told.escalation_id, WIRE)
    await report_outcome(desk, cast.ada, told.escalation_id, "succeeded", note="tx-1")
    return told.escalation_id


@promise("erasable")
async def test_an_erased_case_is_still_there_without_its_words(desk: Desk, cast: Cast) -> None:
    case = await done(desk, cast, note="for Erika")

    await erase_case(desk, case, kinds=ALL, by=None)

    view = await look(desk, cast.sofia, case)
    assert "Erika" not in str(view)
    assert (view.case.status, view.case.tool, view.decisions[0].note) == ("approved", "[erased]", "")
    told = await wait_for_decision(desk, cast.ada, case)
    assert (told.status, told.action, told.note) == ("approved", None, None)
    assert told.receipt is not None


@promise("erasable")
async def test_tries_to_tell_somebody_go_with_the_alerts_and_so_does_what_told_that_one_failed(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    await add_person(desk, "Root", roles=["admin"], addresses=("ntfy://root",))
    case, other = [(await ask(desk, cast.ada)).escalation_id for _ in range(2)]
    clock.advance(1)
    for errand in await lease(desk, "worker"):
        await record(desk, "worker", errand, Failed("no such mailbox", permanent=True))
    for notice in await lease_notices(desk, "worker"):
        await record(desk, "worker", notice, Failed("no such topic", permanent=True))
    await cancel(desk, cast.ada, case, reason="never mind")
    before = await list_alerts(desk)

    await erase_case(desk, case, kinds=frozenset[Kind]({"alert"}), by=None)

    left = await list_alerts(desk)
    ids = {one.alert.id for one in before if one.alert.escalation_id == case}
    gone = {one.alert.id for one in before} - {one.alert.id for one in left}
    assert ids <= gone
    assert gone - ids == {one.alert.id for one in before if one.alert.about in ids}
    assert {one.alert.escalation_id for one in left} <= {other, None}
    async with desk.store.reading() as reader:
        assert [await reader.attempts_of_alert(one) for one in gone] == [[]] * len(gone)
    assert (await verified(desk)).problems == ()


@promise("erasable")
async def test_erasing_again_changes_nothing(desk: Desk, cast: Cast) -> None:
    case = await done(desk, cast)
    first = await erase_case(desk, case, kinds=ALL, by=None)
    size = len(await event_texts(desk))

    again = await erase_case(desk, case, kinds=ALL, by=None)

    assert (len(first.cases), again.cases) == (1, ())
    assert len(await event_texts(desk)) == size


async def test_a_dry_run_says_the_same_and_changes_nothing(desk: Desk, cast: Cast) -> None:
    case = await done(desk, cast)
    before = await event_texts(desk)

    said = await erase_case(desk, case, kinds=ALL, by=None, dry_run=True)

    assert await event_texts(desk) == before
    assert (await erase_case(desk, case, kinds=ALL, by=None)).counts() == said.counts()
    assert said.counts() == {"bundle": 1, "ask": 1, "decision": 1, "report": 1, "alert": 1}


async def test_one_kind_goes_and_the_others_stay(desk: Desk, cast: Cast) -> None:
    case = await done(desk, cast, note="for Erika")

    await erase_case(desk, case, kinds=frozenset[Kind]({"decision"}), by=None)

    view = await look(desk, cast.sofia, case)
    assert view.decisions[0].note == ""
    assert view.document["bundle"]["subject"]["name"] == "Erika"
    assert (await verified(desk)).problems == ()


def test_a_kind_that_is_none_is_named() -> None:
    with pytest.raises(InvalidRequest, match="there are bundle, check, decision, report, alert, hold"):
        check_kinds(["bundles"])
    assert check_kinds([]) == set(KINDS)


async def test_a_case_that_is_still_acted_on_is_not_erased(desk: Desk, cast: Cast, clock: HandClock) -> None:
    """Neither while it waits, nor while its approval may be used."""
    case = (await ask(desk, cast.ada, material=ERIKA)).escalation_id
    with pytest.raises(Conflict, match="still waits for a decision"):
        await erase_case(desk, case, kinds=ALL, by=None)
    await approve(desk, cast.omar, case)
    with pytest.raises(Conflict, match="may still be used, until"):
        await erase_case(desk, case, kinds=ALL, by=None)

    of_subject = await erase_subject(desk, "cust-1", kinds=ALL, by=None)

    assert of_subject.cases == ()
    assert [one for one, _ in of_subject.kept] == [case]
    clock.advance(86_400)
    assert len((await erase_subject(desk, "cust-1", kinds=ALL, by=None)).cases) == 1


async def test_a_case_that_does_not_exist_is_said_so(desk: Desk) -> None:
    with pytest.raises(NotFound):
        await erase_case(desk, "esc_none", kinds=ALL, by=None)


@promise("erasable")
async def test_a_check_that_was_answered_and_not_yet_written_is_erased_too(
    desk: Desk, cast: Cast, tmp_path: Path
) -> None:
    action, material = everything()
    async with desk.recorder.running():
        await check_triggers(desk, cast.ada, action, material)
        assert desk.recorder.waiting == 1

        erased = await erase_subject(desk, marked("cust"), kinds=ALL, by=None)

        assert (erased.cases, erased.checks, desk.recorder.waiting) == ((), 1, 0)
    assert traces(tmp_path) == []
    assert (await counted(desk))["asks"] == 0
    assert (await verified(desk)).problems == ()


async def test_checks_are_erased_by_age_and_those_about_somebody_who_is_held_are_not(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    for number in range(250):
        await check_triggers(
            desk, cast.ada, WIRE, Material.model_validate({"subject": {"id": f"c{number % 5}"}})
        )
    hold = await place_hold(desk, subject="c3", reason="lawsuit", by=None)
    clock.advance(timedelta(days=91).total_seconds())
    await check_triggers(desk, cast.ada, WIRE, ERIKA)
    assert (await erase_subject(desk, "c3", kinds=ALL, by=None)).checks == 0
    said = await erase_older(desk, timedelta(days=90), kinds=ALL, by=None, dry_run=True)
    assert (await counted(desk))["asks"] == 251

    await erase_due(desk, {"check": timedelta(days=90)})

    assert said.checks == 200
    assert (await counted(desk))["asks"] == 51
    await lift_hold(desk, hold.id, reason="settled", by=None)
    assert (await erase_subject(desk, "c3", kinds=ALL, by=None)).checks == 50
    assert (await verified(desk)).problems == ()


async def test_what_is_erased_on_request_counts_in_no_window_and_what_was_due_counts_on(
    desk: Desk, cast: Cast, clock: HandClock, policy_path: Path, tmp_path: Path
) -> None:
    """An erasure by age must not let an agent do more than its limits say; what somebody asked for leaves nothing."""
    await count(desk, policy_path)
    action, material = everything()
    case = (await ask(desk, cast.ada, action, material=material)).escalation_id
    await cancel(desk, cast.ada, case, reason="x")
    before = await counted(desk)
    clock.advance(60)

    await erase_older(desk, timedelta(0), kinds=frozenset[Kind]({"bundle"}), by=None, cause="retention")

    assert await counted(desk) == before
    async with desk.store.reading() as reader:
        (left,) = [one async for one in reader.asked_since(desk.clock.now() - timedelta(days=1))]
    assert (left.tool, left.server, left.subject, left.session, left.document, left.history) == (
        "[erased]", None, None, "[erased]", None, {},
    )  # fmt: skip
    rest = await erase_older(desk, timedelta(0), kinds=ALL, by=None, cause="retention")
    assert [one.counts() for one in rest.cases] == [{"report": 1, "alert": 1}]

    assert (await erase_case(desk, case, kinds=ALL, by=None)).counts() == {"ask": 1}
    assert await counted(desk) == {"asks": 0, "entries": 0}
    await erase_case(desk, case, kinds=ALL, by=None)
    assert traces(tmp_path, str(AMOUNT)) == traces(tmp_path) == []
    assert (await verified(desk)).problems == ()


@promise("erasable")
async def test_an_agent_that_reports_after_the_erasure_leaves_no_words(
    desk: Desk, cast: Cast, tmp_path: Path
) -> None:
    told = await ask(desk, cast.ada, material=ERIKA)
    await approve(desk, cast.omar, told.escalation_id)
    await claim(desk, cast.ada, told.escalation_id, WIRE)
    await erase_case(desk, told.escalation_id, kinds=ALL, by=None)

    for _ in range(2):
        after = await report_outcome(
            desk, cast.ada, told.escalation_id, "succeeded", note=MARK, idempotency_key=f"k-{MARK}"
        )
        assert after.outcome == "succeeded"

    assert traces(tmp_path) == []
    assert (await verified(desk)).problems == ()


@promise("erasable", "provable")
@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE escalation SET tool = 'read_file' WHERE tool = '[erased]'",
        "UPDATE escalation SET summary = 'harmless' WHERE tool = '[erased]'",
        "UPDATE escalation SET server = 'elsewhere' WHERE tool = '[erased]'",
        "UPDATE escalation SET masked = '[\"x\"]' WHERE tool = '[erased]'",
    ],
)
async def test_words_put_where_a_case_was_erased_are_found(
    desk: Desk, cast: Cast, tmp_path: Path, edit: str
) -> None:
    case = await done(desk, cast)
    await erase_case(desk, case, kinds=ALL, by=None)
    assert (await verified(desk)).problems == ()
    with second_hand(tmp_path / "signoff.db") as db:
        assert db.execute(edit).rowcount == 1

    assert [one.escalation_id for one in (await verified(desk)).problems] == [case]


async def test_what_is_old_goes_and_what_is_not_stays(desk: Desk, cast: Cast, clock: HandClock) -> None:
    old = await done(desk, cast)
    clock.advance(timedelta(days=400).total_seconds())
    new = await done(desk, cast)
    clock.advance(86_400)

    erased = await erase_older(desk, timedelta(days=400), kinds=ALL, by=None)

    assert [one.escalation_id for one in erased.cases] == [old]
    async with desk.store.reading() as reader:
        assert await reader.document(new) is not None


# Legal hold


@pytest.mark.parametrize("on", ["case", "subject"])
async def test_a_hold_keeps_everything_until_it_is_lifted(
    desk: Desk, cast: Cast, clock: HandClock, on: str
) -> None:
    case = await done(desk, cast)
    words = {"case": case} if on == "case" else {"subject": "cust-1"}
    hold = await place_hold(desk, reason="Lawsuit 7 O 12/26", by=cast.sofia.person.id, **words)

    with pytest.raises(UnderHold, match=hold.id):
        await erase_case(desk, case, kinds=ALL, by=None)
    assert (await erase_subject(desk, "cust-1", kinds=ALL, by=None)).cases == ()
    clock.advance(86_400 * 500)
    kept = await erase_older(desk, timedelta(days=1), kinds=ALL, by=None)
    assert (kept.cases, [one for one, _ in kept.kept]) == ((), [case])
    assert await erase_due(desk, {"bundle": timedelta(days=1)}) == 0

    await lift_hold(desk, hold.id, reason="settled", by=cast.sofia.person.id)
    assert len((await erase_case(desk, case, kinds=ALL, by=None)).cases) == 1
    assert (await verified(desk)).problems == ()


@promise("erasable")
async def test_the_words_of_a_lifted_hold_go_with_its_subject(desk: Desk, cast: Cast, tmp_path: Path) -> None:
    await done(desk, cast, material=read_material({"subject": {"id": MARK}}))
    hold = await place_hold(desk, subject=MARK, reason=marked("Lawsuit of"), by=None)
    assert not any(MARK in body for body in await event_texts(desk))
    await lift_hold(desk, hold.id, reason=marked("Settled with"), by=None)

    erased = await erase_subject(desk, MARK, kinds=ALL, by=None)

    assert (len(erased.cases), erased.holds) == (1, 1)
    assert traces(tmp_path) == []
    (after,) = await list_holds(desk)
    assert (after.id, after.subject, after.reason) == (hold.id, None, "")
    assert (await verified(desk)).problems == ()


async def test_a_hold_names_one_thing_and_a_reason(desk: Desk, cast: Cast) -> None:
    with pytest.raises(InvalidRequest, match="one case or one subject"):
        await place_hold(desk, reason="x", by=None)
    with pytest.raises(InvalidRequest, match="say why"):
        await place_hold(desk, subject="s", reason=" ", by=None)
    with pytest.raises(NotFound):
        await place_hold(desk, case="esc_none", reason="x", by=None)
    hold = await place_hold(desk, subject="s", reason="x", by=None)
    await lift_hold(desk, hold.id, reason="y", by=None)
    with pytest.raises(Conflict, match="lifted already"):
        await lift_hold(desk, hold.id, reason="y", by=None)
    with pytest.raises(NotFound):
        await lift_hold(desk, "hld_none", reason="y", by=None)


@promise("provable")
async def test_an_erasure_under_a_hold_that_somebody_took_away_is_named(
    desk: Desk, cast: Cast, tmp_path: Path
) -> None:
    case = await done(desk, cast)
    await place_hold(desk, case=case, reason="Lawsuit", by=None)
    with second_hand(tmp_path / "signoff.db") as db:
        db.execute("DELETE FROM hold")
    await erase_case(desk, case, kinds=ALL, by=None)

    (problem,) = (await verified(desk)).problems
    assert "legal hold" in problem.what
    assert problem.escalation_id == case


# Retention


async def test_each_kind_is_kept_for_its_time(desk: Desk, cast: Cast, clock: HandClock) -> None:
    case = await done(desk, cast, note="for Erika")
    keep: dict[Kind, timedelta] = {"decision": timedelta(days=30), "bundle": timedelta(days=400)}
    assert await erase_due(desk, keep) == 0
    clock.advance(86_400 * 31)
    assert await erase_due(desk, keep) == 1
    view = await look(desk, cast.sofia, case)
    assert (view.decisions[0].note, "bundle" in view.document) == ("", True)
    clock.advance(86_400 * 400)
    assert await erase_due(desk, keep) == 1
    assert "bundle" not in (await look(desk, cast.sofia, case)).document
    assert await erase_due(desk, keep) == 0
    assert (await verified(desk)).problems == ()


async def test_more_than_a_batch_is_erased_past_what_is_held(
    desk: Desk, cast: Cast, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signoff.desk.erase.AT_ONCE", 2)
    cases = []
    for _ in range(7):
        cases.append((await ask(desk, cast.ada, material=ERIKA)).escalation_id)
        await cancel(desk, cast.ada, cases[-1], reason="x")
    for held in cases[:3]:
        await place_hold(desk, case=held, reason="Lawsuit", by=None)
    clock.advance(86_400)

    assert await erase_due(desk, {"bundle": timedelta(hours=1)}) == 4

    async with desk.store.reading() as reader:
        assert [await reader.document(one) is None for one in cases] == [False] * 3 + [True] * 4
