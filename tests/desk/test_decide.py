"""People decide: who may, who wins, what they saw, and what the agent is told when."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import anyio
import pytest
from tests._support.cases import NOTHING, SALE, WIRE, answer, approve, ask, verified
from tests._support.clock import HandClock
from tests.conftest import POLICY, Cast
from tests.promises import promise

from signoff.desk.checkpoints import publish_checkpoint
from signoff.desk.claim import claim
from signoff.desk.close import cancel, expire_due
from signoff.desk.decide import decide, undo
from signoff.desk.desk import Desk, DeskSettings
from signoff.desk.look import CaseView, look
from signoff.desk.people import add_person, disable_person
from signoff.desk.prove import prove
from signoff.desk.wait import wait_for_decision
from signoff.domain.action import Action
from signoff.domain.bundle import Material
from signoff.domain.decision import Answer
from signoff.domain.errors import (
    AlreadyDecided,
    ClaimRefused,
    Conflict,
    Forbidden,
    InvalidRequest,
    LimitExceeded,
    NotFound,
    SignoffError,
    Stale,
    StepUpNeeded,
)
from signoff.domain.people import Agent, SignIn
from signoff.store.unit import Unit

PAYMENT = Action(tool="wire_transfer", arguments={"amount": 12500, "country": "DE", "purpose": "invoice 77"})
MODIFY = Answer("modify", arguments={"amount": 9_000, "country": "DE"})
REJECT = Answer("reject", note="not this month")


@pytest.fixture
async def selma(desk: Desk, cast: Cast) -> SignIn:
    """A second supervisor."""
    return SignIn(await add_person(desk, "Selma", roles=["supervisor"]), "session")


async def at_once(*calls: Callable[[], Awaitable[Any]]) -> list[Any]:
    """Run calls that all start before any of them ends; return results and refusals in their order."""
    results: list[Any] = [None] * len(calls)

    async def run(place: int, call: Callable[[], Awaitable[Any]]) -> None:
        try:
            results[place] = await call()
        except SignoffError as error:
            results[place] = error

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for place, call in enumerate(calls):
                tasks.start_soon(run, place, call)
    return results


# Races


@promise("one-decision")
async def test_of_two_people_who_decide_at_once_one_wins_and_the_other_is_told_who(
    desk: Desk, cast: Cast
) -> None:
    told = await ask(desk, cast.ada)
    case = told.escalation_id
    views = [await look(desk, person, case) for person in (cast.omar, cast.sofia)]

    def by(person: SignIn, view: CaseView, given: Answer) -> Callable[[], Awaitable[Any]]:
        return lambda: decide(
            desk, person, case, given, version=view.case.version, view_digest=view.view_digest
        )

    results = await at_once(by(cast.omar, views[0], Answer("approve")), by(cast.sofia, views[1], REJECT))
    won = [one for one in results if isinstance(one, CaseView)]
    lost = [one for one in results if isinstance(one, AlreadyDecided)]
    assert (len(won), len(lost)) == (1, 1)
    assert lost[0].status == won[0].case.status
    assert lost[0].decided_by == ("Omar" if won[0].case.status == "approved" else "Sofia")
    async with desk.store.reading() as reader:
        assert len(await reader.decisions(case)) == 1


@promise("one-decision")
async def test_a_decision_a_cancellation_and_the_deadline_leave_one_outcome(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    statuses = set()
    for offset in (-1.0, -1.0, 0.0, 1.0):
        told = await ask(desk, cast.ada)
        view = await look(desk, cast.omar, told.escalation_id)
        clock.at = told.deadline_at
        clock.advance(offset)

        def deciding(case: str = told.escalation_id, view: CaseView = view) -> Awaitable[Any]:
            return decide(
                desk,
                cast.omar,
                case,
                Answer("approve"),
                version=view.case.version,
                view_digest=view.view_digest,
            )

        def cancelling(case: str = told.escalation_id) -> Awaitable[Any]:
            return cancel(desk, cast.ada, case, reason="late")

        calls = [deciding, cancelling, lambda: expire_due(desk)]
        await at_once(*(calls if offset else reversed(calls)))
        after = await wait_for_decision(desk, cast.ada, told.escalation_id)
        statuses.add(after.status)
        async with desk.store.reading() as reader:
            events = await reader.typed_events_of_case(told.escalation_id)
        ends = [kind for _, kind, _ in events if kind.split(".")[1] in ("decided", "expired", "cancelled")]
        assert len(ends) == 1, ends
        if offset >= 0:
            assert after.status != "approved"
    assert "approved" in statuses
    assert (await verified(desk)).problems == ()


async def test_deciding_again_says_how_it_ended(desk: Desk, cast: Cast) -> None:
    told = await ask(desk, cast.ada)
    await approve(desk, cast.omar, told.escalation_id)
    with pytest.raises(AlreadyDecided) as refused:
        await answer(desk, cast.sofia, told.escalation_id, REJECT)
    assert (refused.value.code, refused.value.status, refused.value.decided_by) == (
        "already_decided",
        "approved",
        "Omar",
    )


# What the page showed


async def test_a_view_that_is_not_the_case_any_more_decides_nothing(
    desk: Desk, cast: Cast, selma: SignIn
) -> None:
    told = await ask(desk, cast.ada, SALE)
    old = await look(desk, selma, told.escalation_id)
    await approve(desk, cast.sofia, told.escalation_id, "fine")
    for version, digest in (
        (old.case.version, old.view_digest),
        (old.case.version + 1, old.view_digest),
        (old.case.version + 1, "sha256:" + "0" * 64),
    ):
        with pytest.raises(Stale):
            await decide(
                desk,
                selma,
                told.escalation_id,
                Answer("approve", note="x"),
                version=version,
                view_digest=digest,
            )


async def test_one_persons_view_decides_nothing_for_another(desk: Desk, cast: Cast) -> None:
    told = await ask(desk, cast.ada)
    view = await look(desk, cast.omar, told.escalation_id)
    with pytest.raises(Stale):
        await decide(
            desk,
            cast.sofia,
            told.escalation_id,
            Answer("approve"),
            version=view.case.version,
            view_digest=view.view_digest,
        )


async def test_a_mask_that_appears_meanwhile_makes_the_view_stale(
    desk: Desk, cast: Cast, policy_path: Any
) -> None:
    told = await ask(desk, cast.ada, PAYMENT)
    view = await look(desk, cast.omar, told.escalation_id)
    policy_path.write_text(
        POLICY + "masks:\n  - {path: action.arguments.purpose, hide_from: [operator]}\n", encoding="utf-8"
    )
    with pytest.raises(Stale):
        await decide(
            desk,
            cast.omar,
            told.escalation_id,
            Answer("approve"),
            version=view.case.version,
            view_digest=view.view_digest,
        )


MASKS = """\
masks:
  - {path: bundle.subject.iban, hide_from: [operator, auditor]}
  - {path: "bundle.messages[*].content", hide_from: [auditor]}
  - {path: action.arguments.purpose, hide_from: [operator]}
"""


async def test_each_role_sees_what_the_policy_lets_it_see(desk: Desk, cast: Cast, policy_path: Any) -> None:
    policy_path.write_text(POLICY + MASKS, encoding="utf-8")
    material = Material.model_validate(
        {
            "subject": {"id": "c-1", "iban": "DE02120300000000202051"},
            "messages": [{"role": "user", "content": "pay"}, {"role": "user", "content": "now"}],
        }
    )
    told = await ask(desk, cast.ada, PAYMENT, material=material)
    boss = SignIn(await add_person(desk, "Olga", roles=["operator", "supervisor"]), "session")
    chief = SignIn(await add_person(desk, "Otto", roles=["operator", "admin"]), "session")
    seen = {}
    for name, person in (
        ("omar", cast.omar), ("sofia", cast.sofia), ("amir", cast.amir), ("olga", boss), ("otto", chief),
    ):  # fmt: skip
        view = await look(desk, person, told.escalation_id)
        bundle = view.document["bundle"]
        seen[name] = (
            bundle["subject"]["iban"][:2],
            bundle["messages"][1]["content"],
            view.proposed_arguments["purpose"],
        )
        assert bundle["subject"]["id"] == "c-1"
    hidden = "[hidden by policy]"
    assert seen == {
        "omar": ("[h", "now", hidden),
        "sofia": ("DE", "now", "invoice 77"),
        "amir": ("[h", hidden, "invoice 77"),
        "olga": ("DE", "now", "invoice 77"),
        "otto": ("[h", "now", hidden),  # being an admin too shows no more
    }
    with pytest.raises(Forbidden, match="hidden"):
        await answer(desk, cast.omar, told.escalation_id, MODIFY)
    assert (await approve(desk, cast.omar, told.escalation_id)).case.status == "approved"


# Who may


@promise("only-that-human")
async def test_auditors_and_admins_decide_nothing(desk: Desk, cast: Cast) -> None:
    admin = SignIn(await add_person(desk, "Adam", roles=["admin"]), "passkey")
    told = await ask(desk, cast.ada)
    with pytest.raises(Forbidden):
        await approve(desk, cast.amir, told.escalation_id)
    with pytest.raises(NotFound):
        await approve(desk, admin, told.escalation_id)


@promise("only-that-human")
async def test_a_case_is_seen_by_its_own_queue_and_a_link_shows_one_case(desk: Desk, cast: Cast) -> None:
    told = await ask(desk, cast.ada)
    other = await ask(desk, cast.ada)
    elsewhere = SignIn(await add_person(desk, "Oskar", roles=["operator"], queues=["refunds"]), "session")
    linked = replace(cast.omar, assurance="link", only_case=other.escalation_id)
    for person in (elsewhere, linked):
        with pytest.raises(NotFound) as refused:
            await approve(desk, person, told.escalation_id)
        with pytest.raises(NotFound) as absent:
            await approve(desk, person, "esc_00000000000000000000000000")
        assert refused.value.message == absent.value.message


async def test_an_operator_cannot_decide_what_needs_a_supervisor(desk: Desk, cast: Cast) -> None:
    told = await ask(desk, cast.ada, SALE)
    with pytest.raises(Forbidden, match="supervisor"):
        await answer(desk, cast.omar, told.escalation_id, Answer("approve", note="x"))


async def test_a_link_is_not_sure_enough_where_a_session_is_asked_for(desk: Desk, cast: Cast) -> None:
    told = await ask(desk, cast.ada, SALE)
    with pytest.raises(StepUpNeeded) as refused:
        await approve(desk, replace(cast.sofia, assurance="link"), told.escalation_id, "x")
    assert (refused.value.needed, refused.value.given) == ("session", "link")


@promise("only-that-human")
async def test_who_was_disabled_a_moment_ago_decides_nothing(desk: Desk, cast: Cast) -> None:
    told = await ask(desk, cast.ada)
    view = await look(desk, cast.omar, told.escalation_id)
    await disable_person(desk, "Omar")
    with pytest.raises(Forbidden):
        await decide(
            desk,
            cast.omar,
            told.escalation_id,
            Answer("approve"),
            version=view.case.version,
            view_digest=view.view_digest,
        )


# Several people


async def test_two_supervisors_are_needed_and_one_counts_once(desk: Desk, cast: Cast, selma: SignIn) -> None:
    told = await ask(desk, cast.ada, SALE)
    first = await approve(desk, cast.sofia, told.escalation_id, "one")
    assert (first.case.status, len(first.case.approvals)) == ("pending", 1)
    with pytest.raises(Forbidden):
        await approve(desk, cast.sofia, told.escalation_id, "again")
    assert (await wait_for_decision(desk, cast.ada, told.escalation_id)).status == "pending"
    second = await approve(desk, selma, told.escalation_id, "two")
    assert (second.case.status, len(second.case.decided_by)) == ("approved", 2)


async def test_one_rejection_ends_what_needs_two_approvals(desk: Desk, cast: Cast, selma: SignIn) -> None:
    told = await ask(desk, cast.ada, SALE)
    await approve(desk, cast.sofia, told.escalation_id, "one")
    after = await answer(desk, selma, told.escalation_id, REJECT)
    assert (after.case.status, after.case.final_digest) == ("rejected", None)


@promise("approved-is-what-runs")
async def test_a_modification_by_the_second_starts_the_count_anew(
    desk: Desk, cast: Cast, selma: SignIn
) -> None:
    told = await ask(desk, cast.ada, SALE)
    case = told.escalation_id
    await approve(desk, cast.sofia, case, "one euro is fine")
    changed = await answer(desk, selma, case, Answer("modify", arguments={"price": "2 EUR"}, note="two"))
    assert (changed.case.status, len(changed.case.approvals)) == ("pending", 1)
    seen = await look(desk, cast.sofia, case)
    assert seen.proposed_arguments == {"price": "2 EUR"}
    after = await approve(desk, cast.sofia, case, "two, then")
    assert after.case.status == "modified"
    back = await wait_for_decision(desk, cast.ada, case)
    assert back.action == {"tool": "sell_company", "arguments": {"price": "2 EUR"}}
    with pytest.raises(ClaimRefused) as refused:
        await claim(desk, cast.ada, case, SALE)
    assert refused.value.reason == "digest_mismatch"
    await claim(desk, cast.ada, case, Action(tool="sell_company", arguments={"price": "2 EUR"}))


@promise("approved-is-what-runs")
async def test_a_modification_can_be_changed_back_to_what_was_asked(
    desk: Desk, cast: Cast, selma: SignIn
) -> None:
    told = await ask(desk, cast.ada, SALE)
    case = told.escalation_id
    await answer(desk, cast.sofia, case, Answer("modify", arguments={"price": "2 EUR"}, note="two"))
    with pytest.raises(InvalidRequest, match="nothing was changed"):
        await answer(desk, selma, case, Answer("modify", arguments={"price": "2 EUR"}, note="same"))
    back = await answer(desk, selma, case, Answer("modify", arguments=dict(SALE.arguments), note="one"))
    assert (back.case.status, back.proposed_arguments) == ("pending", SALE.arguments)
    await approve(desk, cast.sofia, case, "one, then")
    told = await wait_for_decision(desk, cast.ada, case, action=SALE)
    assert told.proceed is True
    assert told.action == {"tool": "sell_company", "arguments": SALE.arguments}
    assert (await verified(desk)).problems == ()


async def test_the_agents_owner_cannot_decide_where_duties_are_separated(desk: Desk, cast: Cast) -> None:
    from signoff.desk.people import add_agent

    mine, _ = await add_agent(desk, "Sofia's agent", owner="Sofia")
    told = await ask(desk, mine, SALE)
    view = await look(desk, cast.sofia, told.escalation_id)
    assert not view.may_decide
    with pytest.raises(Forbidden, match="behalf"):
        await approve(desk, cast.sofia, told.escalation_id, "mine")


# What an answer may be


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (Answer("reject"), "note"),
        (Answer("reject", note="  "), "note"),
        (Answer("modify"), "arguments"),
        (Answer("modify", arguments=dict(WIRE.arguments)), "arguments"),
        (Answer("modify", arguments={"amount": float("nan")}), "arguments.amount"),
        (Answer("modify", arguments={"amount": 2**60}), "arguments.amount"),
        (Answer("modify", arguments=[1]), "arguments"),  # type: ignore[arg-type]
        (Answer("approve", arguments={"amount": 1}), "arguments"),
        (Answer("approve", response={"a": 1}), "response"),
        (Answer("approve", note="a\x00b"), "note"),
        (Answer("approved"), "choice"),  # type: ignore[arg-type]
        (Answer(""), "choice"),  # type: ignore[arg-type]
    ],
)
async def test_an_answer_that_is_none_is_refused_by_field(
    desk: Desk, cast: Cast, given: Answer, field: str
) -> None:
    told = await ask(desk, cast.ada)
    with pytest.raises(InvalidRequest) as refused:
        await answer(desk, cast.omar, told.escalation_id, given)
    assert refused.value.field == field
    assert (await look(desk, cast.omar, told.escalation_id)).case.status == "pending"


@promise("refused-whole")
@pytest.mark.parametrize(
    ("given", "limit"),
    [
        (Answer("approve", note="x" * 4001), "4000 characters"),
        (Answer("approve", response="x" * 65_536), "65536 bytes"),
        (Answer("modify", arguments={"a": "x" * 262_144}), "262144 bytes"),
    ],
)
async def test_an_answer_over_a_limit_is_refused(desk: Desk, cast: Cast, given: Answer, limit: str) -> None:
    told = await ask(desk, cast.ada, response_schema={})
    with pytest.raises(LimitExceeded) as refused:
        await answer(desk, cast.omar, told.escalation_id, given)
    assert refused.value.limit == limit


async def test_a_policy_that_asks_for_a_reason_gets_one(desk: Desk, cast: Cast) -> None:
    told = await ask(desk, cast.ada, SALE)
    with pytest.raises(InvalidRequest) as refused:
        await approve(desk, cast.sofia, told.escalation_id)
    assert refused.value.field == "note"


async def test_what_holds_a_masked_secret_cannot_be_modified(desk: Desk, cast: Cast) -> None:
    key = "AKIA" + "IOSFODNN7EXAMPLE"
    told = await ask(desk, cast.ada, Action(tool="wire_transfer", arguments={"amount": 20_000, "k": key}))
    with pytest.raises(InvalidRequest, match="masked secret"):
        await answer(desk, cast.omar, told.escalation_id, Answer("modify", arguments={"amount": 1}))


# Responses

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["account"],
    "properties": {
        "account": {"type": "string", "pattern": "^[A-Z]{2}[0-9]+$", "maxLength": 34},
        "amount": {"type": "integer", "minimum": 1, "maximum": 10},
        "kind": {"enum": ["a", "b"]},
        "more": {"type": "array", "items": {"$ref": "#/$defs/Pair"}},
    },
    "$defs": {
        "Pair": {"type": "array", "minItems": 2, "items": {"$ref": "#/$defs/Word"}},
        "Word": {"type": "string"},
    },
}


@pytest.mark.parametrize(
    ("response", "field"),
    [
        (None, "response"),
        ([], "response"),
        ({}, "response"),
        ({"account": 5}, "response.account"),
        ({"account": "secret-value"}, "response.account"),
        ({"account": "DE1", "amount": 11}, "response.amount"),
        ({"account": "DE1", "amount": 1.5}, "response.amount"),
        ({"account": "DE1", "kind": "c"}, "response.kind"),
        ({"account": "DE1", "other": 1}, "response"),
        ({"account": "DE1", "more": [["x"]]}, "response.more[0]"),
        ({"account": "DE1", "more": [["x", 1]]}, "response.more[0][1]"),
    ],
)
async def test_a_response_must_be_what_was_asked_for(
    desk: Desk, cast: Cast, response: Any, field: str
) -> None:
    told = await ask(desk, cast.ada, response_schema=SCHEMA)
    with pytest.raises(InvalidRequest) as refused:
        await answer(desk, cast.omar, told.escalation_id, Answer("approve", response=response))
    assert refused.value.field == field
    assert "secret-value" not in str(refused.value)


async def test_a_response_that_fits_reaches_the_agent(desk: Desk, cast: Cast) -> None:
    told = await ask(desk, cast.ada, response_schema=SCHEMA)
    given = {"account": "DE1", "amount": 10, "kind": "a", "more": [["x", "y"]]}
    await answer(desk, cast.omar, told.escalation_id, Answer("approve", response=given))
    assert (await wait_for_decision(desk, cast.ada, told.escalation_id)).response == given


DOUBLING: dict[str, Any] = {
    f"d{level}": {"allOf": [{"$ref": f"#/$defs/d{level + 1}"}, {"$ref": f"#/$defs/d{level + 1}"}]}
    for level in range(40)
}


@promise("fail-closed")
@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nonsense"},
        {"properties": []},
        {"minimum": "1"},
        {"$ref": "https://evil.example/schema.json"},
        {"$ref": "http://json-schema.org/draft-07/schema#"},
        {"properties": {"a": {"$ref": "other.json#/a"}}},
        {"$dynamicRef": "https://evil.example/x"},
        {"$ref": "#/$defs/missing"},
        {"$ref": "#"},
        {"$ref": "#/const", "const": {"pattern": "(a+)+$"}},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}},
        {
            "$ref": "#/$defs/a",
            "$defs": {"a": {"items": {"$ref": "#/$defs/b"}}, "b": {"not": {"$ref": "#/$defs/a"}}},
        },
        {"$ref": "#/$defs/d0", "$defs": {**DOUBLING, "d40": {}}},
        {"pattern": "(?=look)ahead"},
        {"pattern": "(back)\\1"},
        {"pattern": "("},
        {"pattern": "a" * 501},
        {"properties": {f"p{n}": {"pattern": f"\\w{{100}}{n}"} for n in range(21)}},  # each takes 30 ms
        {"properties": {"a": {"$schema": "http://json-schema.org/draft-07/schema#", "pattern": "(a+)+$"}}},
        {"$schema": "http://json-schema.org/draft-04/schema#"},
        {"properties": {"a": {"$id": "http://evil.example/"}}},
        {"patternProperties": {"(a+)+$": {}}},
        {"unevaluatedProperties": False},
        {"a": "x" * 70_000},
        {"a": float("nan")},
    ],
)
async def test_a_schema_that_could_do_harm_is_refused_before_anybody_is_asked(
    desk: Desk, cast: Cast, schema: dict[str, Any]
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await ask(desk, cast.ada, response_schema=schema)
    assert refused.value.field.startswith("response_schema")
    async with desk.store.reading() as reader:
        assert await reader.count_cases() == 0


@promise("fail-closed")
async def test_a_pattern_runs_in_linear_time(desk: Desk, cast: Cast) -> None:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "properties": {"a": {"pattern": "^(a+)+$"}, "$schema": {"type": "string"}, "pattern": {"const": 1}},
    }
    told = await ask(desk, cast.ada, response_schema=schema)
    began = time.monotonic()
    with pytest.raises(InvalidRequest):
        await answer(
            desk, cast.omar, told.escalation_id, Answer("approve", response={"a": "a" * 40_000 + "!"})
        )
    assert time.monotonic() - began < 2  # a backtracking engine needs longer than the universe


# Undo


@pytest.fixture
def undo_settings() -> DeskSettings:
    return DeskSettings(base_url="http://127.0.0.1:8717", undo_s=10)


@pytest.fixture
def slow(desk: Desk, undo_settings: DeskSettings) -> Desk:
    """The same desk with an undo window of ten seconds."""
    return replace(desk, settings=undo_settings)


async def test_the_agent_is_told_pending_until_the_undo_window_is_over(
    slow: Desk, cast: Cast, clock: HandClock
) -> None:
    told = await ask(slow, cast.ada)
    view = await approve(slow, cast.omar, told.escalation_id)
    assert view.undo_until is not None
    for _ in range(2):
        waiting = await wait_for_decision(slow, cast.ada, told.escalation_id, action=WIRE)
        assert (waiting.status, waiting.proceed, waiting.receipt, waiting.decided_by) == (
            "pending",
            False,
            None,
            (),
        )
        proof = await prove(slow, cast.ada, told.escalation_id)
        assert "decided" not in str([one["event"] for one in proof["events"]])
        with pytest.raises(ClaimRefused) as refused:
            await claim(slow, cast.ada, told.escalation_id, WIRE)
        assert refused.value.reason == "not_approved"
        assert "approved" not in refused.value.message
        with pytest.raises(Conflict, match="get_decision"):
            await cancel(slow, cast.ada, told.escalation_id, reason="x")
        clock.advance(4.999)
    clock.advance(0.002)
    after = await wait_for_decision(slow, cast.ada, told.escalation_id, action=WIRE)
    assert (after.status, after.proceed) == ("approved", True)
    with pytest.raises(Conflict, match="already been told"):
        await undo(slow, cast.omar, told.escalation_id)


class InLine:
    """A store that says when somebody stands in line to write."""

    def __init__(self, store: Any, somebody: anyio.Event) -> None:
        self.reading, self.watch, self.snapshot = store.reading, store.watch, store.snapshot
        self.mend, self.scrub = store.mend, store.scrub
        self.read_only: str | None = None
        self._store, self._somebody = store, somebody

    async def write(self, work: Any) -> Any:
        self._somebody.set()
        return await self._store.write(work)


@promise("one-decision")
@pytest.mark.parametrize("how", ["get_decision", "proof"])
async def test_the_agent_is_not_told_what_an_undo_on_its_way_to_the_disk_takes_back(
    slow: Desk, cast: Cast, clock: HandClock, how: str
) -> None:
    case = (await ask(slow, cast.ada)).escalation_id
    await approve(slow, cast.omar, case)
    await publish_checkpoint(slow)
    clock.advance(9.9)
    at_the_disk, disk_is_slow, told_or_in_line = anyio.Event(), anyio.Event(), anyio.Event()
    agents_desk = replace(slow, store=InLine(slow.store, told_or_in_line))
    told: list[str] = []

    async def commit_late(_unit: Unit) -> None:
        at_the_disk.set()
        await disk_is_slow.wait()

    async def read() -> None:
        if how == "proof":
            told.extend(one["event"] for one in (await prove(agents_desk, cast.ada, case))["events"])
        else:
            told.append((await wait_for_decision(agents_desk, cast.ada, case)).status)
        told_or_in_line.set()

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(undo, slow, cast.omar, case)
            tasks.start_soon(slow.store.write, commit_late)
            await at_the_disk.wait()
            clock.advance(0.2)
            tasks.start_soon(read)
            await told_or_in_line.wait()
            disk_is_slow.set()
    assert told
    assert "approved" not in str(told)


async def test_only_who_decided_takes_it_back_and_the_case_waits_again_with_new_alerts(
    slow: Desk, cast: Cast, clock: HandClock
) -> None:
    told = await ask(slow, cast.ada)
    await approve(slow, cast.omar, told.escalation_id)
    with pytest.raises(Forbidden):
        await undo(slow, cast.sofia, told.escalation_id)
    clock.advance(5)
    view = await undo(slow, cast.omar, told.escalation_id)
    assert (view.case.status, view.decisions, view.may_decide) == ("pending", (), True)
    assert "waiting" in [state for _, state in view.alerts]
    with pytest.raises(Conflict):
        await undo(slow, cast.omar, told.escalation_id)
    clock.advance(20)
    assert (await wait_for_decision(slow, cast.ada, told.escalation_id)).status == "pending"
    await answer(slow, cast.sofia, told.escalation_id, REJECT)
    clock.advance(10)
    told = await wait_for_decision(slow, cast.ada, told.escalation_id)
    assert (told.status, told.note) == ("rejected", "not this month")
    # What was taken back was never a decision; its owner must not be held to it.
    proof = str([one["event"] for one in (await prove(slow, cast.ada, told.escalation_id))["events"]])
    assert "rejected" in proof
    assert "approved" not in proof
    assert "undone" not in proof
    assert (await verified(slow)).problems == ()


async def test_who_takes_a_decision_back_at_the_deadline_can_still_decide(
    slow: Desk, cast: Cast, clock: HandClock
) -> None:
    told = await ask(slow, cast.ada)
    clock.at = told.deadline_at
    clock.advance(-1)
    await approve(slow, cast.omar, told.escalation_id)
    clock.advance(5)
    await undo(slow, cast.omar, told.escalation_id)
    assert await expire_due(slow) == 0
    clock.advance(60)
    assert (await approve(slow, cast.omar, told.escalation_id)).case.status == "approved"


async def test_looking_is_an_event_once_for_each_version(desk: Desk, cast: Cast) -> None:
    told = await ask(desk, cast.ada)
    for _ in range(3):
        await look(desk, cast.omar, told.escalation_id)
    await look(desk, cast.amir, told.escalation_id)
    view = await look(desk, cast.amir, told.escalation_id)
    seen = [event["actor"]["id"] for event in view.events if event["type"] == "bundle.viewed"]
    assert seen == [cast.omar.person.id, cast.amir.person.id]


async def test_an_agents_proof_names_no_link_and_no_person_who_looked(
    desk: Desk, cast: Cast, ada: Agent
) -> None:
    from signoff.desk.deliver import lease
    from signoff.desk.sign_in import fresh_link

    told = await ask(desk, ada, material=NOTHING)
    (errand,) = await lease(desk, "worker")
    await fresh_link(desk, errand.link_url.rpartition("/")[2].partition("#")[0])
    await look(desk, cast.omar, told.escalation_id)
    proof = await prove(desk, ada, told.escalation_id)
    text = str(proof["events"])
    assert "lnk_" not in text
    assert cast.omar.person.id not in text
