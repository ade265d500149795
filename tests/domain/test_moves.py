"""Any sequence of moves, by anybody, at any time: one terminal outcome, and only what was approved can be claimed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.domain.moves import ARGUMENTS, DIGEST, PROPOSED, opened_case, person
from tests.promises import promise

from signoff.audit import fold
from signoff.domain import escalation as moves
from signoff.domain import handling, question
from signoff.domain.action import action_digest
from signoff.domain.canonical import canonical
from signoff.domain.change import Change
from signoff.domain.decision import Answer
from signoff.domain.errors import AlreadyDecided, ClaimRefused, Conflict, SignoffError
from signoff.domain.event import SYSTEM
from signoff.domain.handling import HANDLING
from signoff.domain.people import ASSURANCES, Agent, Assurance, Role, SignIn
from signoff.domain.policy import Tier
from signoff.domain.verdict import Requirement

NOW = datetime(2026, 11, 23, 20, 31, 5, tzinfo=UTC)
ADA = Agent("agt_ada", "Ada", "per_sofia", NOW)
ROLES: dict[str, tuple[Role, ...]] = {
    "omar": ("operator",),
    "olga": ("operator",),
    "sofia": ("supervisor",),
    "selma": ("supervisor", "operator"),
    "amir": ("auditor",),
    "adam": ("admin",),
}
OTHERS: list[dict[str, Any]] = [{"amount": 1}, {"amount": 2}, {}, dict(ARGUMENTS)]
TIERS = (
    Tier(alert=("role:operator",)),
    Tier(alert=("role:supervisor",), after=timedelta(minutes=10), ack_for=timedelta(minutes=5)),
)
ENDS = ("approved", "modified", "rejected", "expired", "cancelled")


def signed_in(name: str, assurance: Assurance) -> SignIn:
    return SignIn(person(name, NOW, *ROLES[name]).person, assurance)


class Moves(RuleBasedStateMachine):
    """A case, a clock that goes forward, and everybody who tries something."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.undo_s = 0
        self.ended: list[str] = []
        self.claims: list[str] = []
        self.told: tuple[str, str | None] | None = None
        self.agreed: dict[str, str | None] = {}
        self.decisions = 0

    @initialize(
        role=st.sampled_from(["operator", "supervisor"]),
        approvals=st.integers(1, 3),
        assurance=st.sampled_from(ASSURANCES[1:4]),
        separation=st.booleans(),
        undo_s=st.sampled_from([0, 10]),
        masked=st.sampled_from([(), ("action.arguments.key",), ("bundle.state",)]),
    )
    def open(
        self,
        *,
        role: Role,
        approvals: int,
        assurance: Assurance,
        separation: bool,
        undo_s: int,
        masked: tuple[str, ...],
    ) -> None:
        require = Requirement(role, approvals, assurance, separation)
        self.case = opened_case(ADA, NOW, require=require, masked=masked).case
        self.undo_s = undo_s

    def apply(self, change: Change) -> None:
        before = self.case
        assert (change.case.version, change.case.handled) == (
            (before.version, before.handled + 1) if change.handles else (before.version + 1, before.handled)
        )
        assert change.handles == (change.draft.type in HANDLING)
        assert change.case.id == before.id
        assert change.case.action_digest == before.action_digest
        assert change.closes == (change.case.status in ENDS and before.is_open)
        self.case = change.case

    @rule(seconds=st.sampled_from([0.0, 1.0, 9.999999, 10.0, 300.0, 1799.0, 1800.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(
        who=st.sampled_from(sorted(ROLES)),
        choice=st.sampled_from(["approve", "approve", "modify", "reject"]),
        arguments=st.sampled_from(OTHERS),
        assurance=st.sampled_from(ASSURANCES[1:]),
    )
    def decide(self, *, who: str, choice: Any, arguments: dict[str, Any], assurance: Assurance) -> None:
        by = signed_in(who, assurance)
        answer = Answer(choice, arguments=arguments if choice == "modify" else None, note="because")
        self.decisions += 1
        try:
            change = moves.decided(
                self.case,
                answer,
                proposed=PROPOSED,
                by=by,
                owner=ADA.owner,
                decision_id=f"dec_{self.decisions}",
                view_digest="",
                now=self.now,
                undo_s=self.undo_s,
            )
        except SignoffError:
            return
        require = self.case.require
        assert self.case.is_open
        assert self.now < self.case.deadline_at
        assert by.person.roles & (
            {"supervisor"} if self.case.role_needed == "supervisor" else {"operator", "supervisor"}
        )
        assert ASSURANCES.index(assurance) >= ASSURANCES.index(require.assurance)
        assert not (require.separation and by.person.id == ADA.owner)
        self.apply(change)
        if choice != "reject":
            held = change.case.approvals[-1].final_digest
            self.agreed[by.person.id] = held
            if choice == "modify":
                assert held == action_digest("wire_transfer", arguments, server=None)
                assert "action.arguments.key" not in self.case.masked
        if not self.case.is_open:
            self.ended.append(self.case.status)
            deciders = {one.person_id for one in self.case.approvals}
            if self.case.status != "rejected":
                assert len(deciders) >= require.approvals
                assert {self.agreed[one] for one in deciders} == {self.case.final_digest}
                assert (self.case.status == "approved") <= (self.case.final_digest == DIGEST)
            else:
                assert self.case.final_digest is None

    @rule(who=st.sampled_from(sorted(ROLES)))
    def undo(self, who: str) -> None:
        try:
            change = moves.undone(
                self.case,
                decision_id="dec_1",
                by=signed_in(who, "session"),
                now=self.now,
                deadline_at=self.now + timedelta(minutes=5),
            )
        except SignoffError:
            return
        assert self.told is None  # the agent has not been told
        assert self.case.decided_by[-1] == f"per_{who}"
        self.apply(change)
        self.ended.pop()
        self.agreed.clear()
        assert self.case.is_open
        assert (self.case.final_digest, self.case.valid_until, self.case.approvals) == (None, None, ())
        assert self.case.deadline_at > self.now

    @rule(
        who=st.sampled_from(sorted(ROLES)),
        what=st.sampled_from(["acknowledge", "hand over", "reassign", "queue", "escalate", "repeat"]),
        tier=st.integers(0, 3),
    )
    def handle(self, *, who: str, what: str, tier: int) -> None:
        """Whatever people and the clock do about a case, nothing that is decided changes by it."""
        by, case, now = signed_in(who, "link"), self.case, self.now
        try:
            match what:
                case "acknowledge":
                    change = handling.acknowledged(case, by=by, owner=ADA.owner, tiers=TIERS, now=now)
                case "hand over":
                    change = handling.handed_over(
                        case, to="per_olga", by=by, owner=ADA.owner, tiers=TIERS, now=now
                    )
                case "reassign":
                    change = handling.reassigned(case, to=by.person.id, by=by, tiers=TIERS, now=now)
                case "queue":
                    change = handling.moved_to_queue(case, queue=f"queue{tier}", by=by, now=now)
                case "escalate":
                    change = handling.escalated(case, tier=tier, alerted=1, now=now)
                case _:
                    change = handling.repeated(case, alerted=1, now=now)
        except SignoffError:
            return
        assert case.is_open
        assert now < case.deadline_at
        assert what in ("escalate", "repeat") or not {"auditor", "admin"} & by.person.roles
        assert what not in ("reassign", "queue") or "supervisor" in by.person.roles
        assert what != "escalate" or change.case.tier > case.tier
        assert change.case.tiers_from >= case.tiers_from
        for name in (
            "status",
            "approvals",
            "require",
            "decided_by",
            "final_digest",
            "deadline_at",
            "overridden_by",
        ):
            assert getattr(change.case, name) == getattr(case, name)
        self.apply(change)

    @rule(who=st.sampled_from(sorted(ROLES)))
    def ask_the_agent(self, who: str) -> None:
        by, case = signed_in(who, "link"), self.case
        try:
            change = question.question_asked(case, b"{}", by=by, owner=ADA.owner, now=self.now)
        except SignoffError:
            return
        assert case.is_open
        assert self.now < case.deadline_at
        assert case.questioned_by is None
        assert not {"auditor", "admin"} & by.person.roles
        self.apply(change)
        assert (self.case.questioned_by, self.case.questions) == (by.person.id, case.questions + 1)

    @rule(number=st.sampled_from([None, 1, 2]))
    def answer_the_question(self, number: int | None) -> None:
        case = self.case
        try:
            change = question.question_answered(case, b"{}", by=ADA.actor, number=number, now=self.now)
        except SignoffError as error:
            self.refused(error.message)
            return
        assert case.is_open
        assert self.now < case.deadline_at
        assert case.questioned_by is not None
        assert number in (None, case.questions)
        assert (change.case.approvals, change.case.deadline_at) == (case.approvals, case.deadline_at)
        self.apply(change)
        assert self.case.questioned_by is None

    @rule(who=st.sampled_from(sorted(ROLES)))
    def override(self, who: str) -> None:
        by, before = signed_in(who, "session"), self.case
        try:
            change = moves.overridden(
                before, decision_id="dec_1", by=by, now=self.now, deadline_at=self.now + timedelta(minutes=5)
            )
        except SignoffError:
            return
        assert self.told is None
        assert "supervisor" in by.person.roles
        self.apply(change)
        if not before.is_open:
            self.ended.pop()
        self.agreed.clear()
        assert self.case.is_open
        assert (self.case.final_digest, self.case.valid_until, self.case.approvals) == (None, None, ())
        assert self.case.require == before.require
        assert self.case.role_needed == "supervisor"

    @rule()
    def expire(self) -> None:
        try:
            change = moves.expired(self.case, now=self.now)
        except (AlreadyDecided, Conflict):
            return
        assert self.now >= self.case.deadline_at
        self.apply(change)
        self.ended.append("expired")

    @rule()
    def cancel(self) -> None:
        try:
            change = moves.cancelled(self.case, by=ADA.actor, reason=b"{}", now=self.now)
        except AlreadyDecided:
            assert not self.case.is_open
            return
        self.apply(change)
        self.ended.append("cancelled")

    @rule(arguments=st.sampled_from(OTHERS))
    def claim(self, arguments: dict[str, Any]) -> None:
        digest = action_digest("wire_transfer", arguments, server=None)
        try:
            change = moves.claimed(self.case, digest, by=ADA.actor, now=self.now)
        except ClaimRefused as error:
            self.refused(error.message)
            return
        assert self.case.status in ("approved", "modified")
        assert self.case.released(self.now)
        assert self.case.valid_until is not None
        assert self.now < self.case.valid_until
        assert digest == self.case.final_digest
        self.apply(change)
        self.claims.append(digest)

    def refused(self, message: str) -> None:
        """Check that a refusal does not say what the agent may not know yet."""
        assert "approved" not in message or self.case.released(self.now)

    @rule(outcome=st.sampled_from(["succeeded", "failed", "unknown"]))
    def report(self, outcome: moves.Outcome) -> None:
        before = self.case.outcome
        try:
            change = moves.outcome_reported(self.case, outcome, by=ADA.actor, report=b"{}", now=self.now)
        except Conflict:
            assert self.case.claimed_at is None or before in ("succeeded", "failed")
            return
        assert self.claims
        assert before in (None, "unknown")
        self.apply(change)

    @precondition(lambda self: self.case.released(self.now))
    @rule()
    def tell(self) -> None:
        now = (self.case.status, self.case.final_digest)
        assert self.told in (None, now)  # what the agent was told never changes
        self.told = now

    @invariant()
    def there_is_at_most_one_outcome_and_one_claim(self) -> None:
        if not hasattr(self, "case"):
            return
        assert len(self.ended) == (0 if self.case.is_open else 1)
        assert self.ended == [] or self.ended[0] == self.case.status
        assert len(self.claims) <= 1
        if self.case.status in ("expired", "cancelled", "rejected"):
            assert self.case.final_digest is None
            assert self.case.valid_until is None
            assert not self.claims
        assert bool(self.claims) == (self.case.claimed_at is not None)
        people = [one.person_id for one in self.case.approvals]
        assert len(people) == len(set(people))


@promise("one-decision", "claimed-once", "fail-closed")
def test_any_sequence_of_moves_has_one_outcome() -> None:
    run_state_machine_as_test(
        Moves, settings=settings(max_examples=150, stateful_step_count=40, deadline=None)
    )


@pytest.mark.parametrize("outcome", ["allow", "deny"])
def test_what_the_policy_decides_is_closed_at_once(outcome: Any) -> None:
    case = opened_case(ADA, NOW, outcome=outcome).case
    assert case.released(NOW)
    assert case.decided_by == ()
    with pytest.raises(AlreadyDecided):
        moves.cancelled(case, by=SYSTEM, reason=canonical({}), now=NOW)
    with pytest.raises(Conflict):
        moves.undone(case, decision_id="", by=signed_in("sofia", "session"), now=NOW, deadline_at=NOW)


def test_the_verifier_and_the_desk_mean_the_same_events_by_handling() -> None:
    assert fold.HANDLING == HANDLING
