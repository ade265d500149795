"""What a person, or the agent itself, may see: roles and masks are applied here and nowhere else."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import orjson

from signoff.desk.answer import Answer, tell
from signoff.desk.attention import Attention, attention
from signoff.desk.desk import Desk
from signoff.desk.masks import fired_for_model, masked, masked_fired
from signoff.desk.moment import moment
from signoff.desk.presence import PRESENT_FOR, others
from signoff.desk.rights import case_seen, still
from signoff.desk.wait import own_case
from signoff.domain.alert import Alert, AlertKind, Attempt
from signoff.domain.canonical import digest
from signoff.domain.decision import Choice, Decision
from signoff.domain.errors import Forbidden, SignoffError, StepUpNeeded
from signoff.domain.escalation import Escalation, check_open
from signoff.domain.event import Draft
from signoff.domain.people import Agent, Assurance, SignIn, check_may_decide, unsigned
from signoff.domain.policy import Mask
from signoff.domain.question import Question, check_may_ask
from signoff.store.reader import Reader
from signoff.store.unit import Unit

log = logging.getLogger(__name__)

AGENT_CASES = 50


_ACTION_DIGESTS = frozenset({"action_digest", "final_digest", "proposed_digest", "passkey"})
"""Of an event's data: what names the action, or holds a statement that does."""


@dataclass(frozen=True, slots=True)
class DecisionView:
    """One decision on a case, as people see it."""

    id: str
    person_name: str
    roles: tuple[str, ...]
    choice: Choice
    note: str
    response: Any
    arguments: dict[str, Any] | None
    assurance: Assurance
    decided_at: datetime
    receipt: str | None


@dataclass(frozen=True, slots=True)
class AlertView:
    """One alert of a case: to whom, over which kind of channel, and how it went. Never the address."""

    id: str
    person_name: str
    kind: AlertKind
    channel: str
    state: str
    """waiting, digested, sent, failed or dropped."""
    due_at: datetime
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class QuestionView:
    """One question to the agent, as a person sees it."""

    number: int
    person_name: str
    asked_at: datetime
    text: str | None
    """None once erased."""
    answered_at: datetime | None
    answer: str | None
    """The agent's words; None while there are none, and once erased."""
    additions: dict[str, Any]
    """What the agent added to its bundle, with the policy's masks applied."""
    masked: tuple[str, ...]
    """Where in `answer` and `additions` a secret was masked."""


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case as one person may see it."""

    case: Escalation
    agent_name: str
    document: dict[str, Any]
    """`action`, `bundle`, `verdict`, `masked`, `response_schema?`, with the policy's masks applied."""
    hidden: tuple[str, ...]
    """Where a mask hides something from this person."""
    hides_action: bool
    """Whether a mask hides some of the arguments, or might have before they were erased: then no digest of the action
    is here and none may be shown, for whoever guesses a short value could compare it."""
    proposed_arguments: dict[str, Any]
    """What Approve would let run: the agent's arguments, or those of an earlier approver's modification."""
    decisions: tuple[DecisionView, ...]
    """Those that stand, in order."""
    events: tuple[dict[str, Any], ...]
    """The case's audit events, in order, parsed."""
    names: dict[str, str]
    """Names by id, of every person and agent in the events."""
    questions: tuple[QuestionView, ...]
    """What people asked the agent, in order."""
    may_ask: bool
    """This person can put a question to the agent now."""
    report: dict[str, Any] | None
    """`note` and `result` of the last outcome report."""
    may_decide: bool
    why_not: str | None
    """Why this person cannot decide now; None if they can."""
    step_up: str | None
    """The assurance that deciding needs beyond what this person has; None if that is not what is missing."""
    canary: Literal["", "caught", "missed", "unanswered"]
    """What was made of a canary, once it has ended; empty for any other case, and while it waits."""
    undo_until: datetime | None
    """Until then this person can take their decision back."""
    present: tuple[str, ...]
    """Names of others who have it open."""
    attention: Attention
    """Who has the case in hand, and what this person may do about that."""
    alerts: tuple[AlertView, ...]
    """Who was or will be told, in order."""
    view_digest: str
    """Over everything here that a decision rests on; a decision on another view is refused as stale."""
    now: datetime


@dataclass(frozen=True, slots=True)
class AgentCase:
    """A case as its agent may see it: what it sent, what happened to it, where it stands."""

    document: dict[str, Any]
    answer: Answer


async def look(desk: Desk, sign_in: SignIn, escalation_id: str) -> CaseView:
    """Return a case as this person may see it; the first look at each of its versions is an event.

    Where the store is read-only there is no event, and a line in the server's log instead.

    Raises:
        NotFound: It does not exist, or is not this person's to see: both answer alike.
        Forbidden: They are signed in no more.
    """
    async with desk.store.reading() as reader:
        now = await moment(desk, reader)
        sign_in = await still(reader, sign_in, now)
        view = await view_of(desk, reader, sign_in, escalation_id, now=now)
    if any(_is_view(event, sign_in, view.case.version) for event in view.events):
        return view

    if desk.store.read_only is not None:
        # A log that is not the one that was signed must not grow; what people look at meanwhile stands in the log file.
        log.warning("%s looked at %s while no event can say so.", sign_in.person.id, view.case.id)
        return view

    async def note(unit: Unit) -> None:
        data = {"view_digest": view.view_digest, "version": view.case.version}
        await unit.record(Draft("bundle.viewed", unit.now, sign_in.actor, data, escalation_id))
        await unit.inbox.see(sign_in.person.id, escalation_id, view.case.version)

    await desk.store.write(note)
    return view


async def view_of(
    desk: Desk, reader: Reader, sign_in: SignIn, escalation_id: str, *, now: datetime
) -> CaseView:
    """Return a case as a person may see it, without leaving a trace; `look` and `decide` build on it.

    Raises:
        NotFound: It does not exist, or is not this person's to see.
    """
    case = await case_seen(reader, sign_in, escalation_id)
    raw = await reader.document(case.id)
    whole: dict[str, Any] = {"action": {"tool": case.tool, "arguments": {}}}
    if raw is not None:
        whole = orjson.loads(raw)
    policy = desk.policy.current()
    masks = policy.policy.masks_for(sign_in.person.roles)
    document, hidden = masked(whole, masks)
    if "verdict" in document:
        verdict = document["verdict"]
        fired = masked_fired(verdict["fired"], masks, policy.signals)
        document = {**document, "verdict": {**verdict, "fired": fired}}
    decisions = await reader.decisions(case.id)
    agreed = _agreed_arguments(case, decisions, whole["action"]["arguments"])
    shown, _ = masked({"action": {"arguments": agreed}}, masks)
    hides_action = _hides_action(masks, [whole["action"]["arguments"], agreed, *(one.arguments for one in decisions)], kept=raw is not None)  # fmt: skip
    events = [orjson.loads(body) for _, body in await reader.events_of_case(case.id)]
    if hides_action:
        events = [{**one, "data": _without_digests(one["data"])} for one in events]
    names = await _names(reader, case, events)
    questions = tuple([_question_view(one, names, masks) for one in await reader.questions(case.id)])
    report = await reader.report(case.id)
    agent = await reader.agent(case.agent_id)
    why_not, step_up = _obstacle(case, sign_in, agent, now=now)
    if desk.store.read_only is not None and why_not is None:
        why_not = "signoff is read-only now, so nothing can be decided."
    alerts = await reader.alerts_of_case(case.id)
    proposed = shown["action"]["arguments"]
    return CaseView(
        case=case,
        agent_name=agent.name if agent else case.agent_id,
        document=document,
        hidden=hidden,
        hides_action=hides_action,
        proposed_arguments=proposed if isinstance(proposed, dict) else {},
        decisions=tuple(_decision_view(one, names, masks, receipt=not hides_action) for one in decisions),
        events=tuple(events),
        names=names,
        questions=questions,
        may_ask=desk.store.read_only is None and _may_ask(case, sign_in, agent, now=now),
        report=None if report is None else orjson.loads(report),
        may_decide=why_not is None,
        why_not=why_not,
        step_up=step_up,
        canary=await _canary(reader, case),
        undo_until=_undo_until(case, sign_in, now),
        present=others(await reader.inbox.present(case.id, now - PRESENT_FOR), sign_in),
        attention=await attention(reader, policy.policy, case, sign_in, agent, now=now),
        alerts=tuple([await _alert_view(reader, one, state, names) for one, state in alerts]),
        view_digest=digest(
            {
                "answers": [
                    {"answer": one.answer, "additions": one.additions, "question": one.text}
                    for one in questions
                    if one.answered_at is not None
                ],
                "case": case.id,
                "document": document,
                "person": sign_in.person.id,
                "proposed_arguments": proposed,
                "version": case.version,
            }
        ),
        now=now,
    )


async def agent_case(desk: Desk, agent: Agent, escalation_id: str) -> AgentCase:
    """Return an agent's own case.

    Raises:
        NotFound: No such case of this agent.
    """
    case = await own_case(desk, agent, escalation_id)
    async with desk.store.reading() as reader:
        raw = await reader.document(case.id)
    document: dict[str, Any] = {} if raw is None else orjson.loads(raw)
    if "verdict" in document:
        document["verdict"]["fired"] = fired_for_model(document["verdict"]["fired"], desk.policy.current())
    return AgentCase(document, await tell(desk, case))


async def agent_cases(desk: Desk, agent: Agent) -> list[Escalation]:
    """Return an agent's last fifty cases, newest first."""
    async with desk.store.reading() as reader:
        return await reader.cases_of_agent(agent.id, AGENT_CASES)


def _agreed_arguments(
    case: Escalation, decisions: list[Decision], proposed: dict[str, Any]
) -> dict[str, Any]:
    """Return what earlier approvers agreed to run, or what ran in the end."""
    changed = [one.arguments for one in decisions if one.arguments is not None]
    final = case.final_digest or (case.approvals[-1].final_digest if case.approvals else case.action_digest)
    return changed[-1] if changed and final != case.action_digest else proposed


def _hides_action(masks: Sequence[Mask], versions: Sequence[Any], *, kept: bool) -> bool:
    """Say whether masks hide something of the arguments, in any version of them.

    Args:
        kept: They are still there. Of what was erased nobody can say whether it held what a mask hides.
    """
    if not kept and any(one.parts[0] == "action" for one in masks):
        return True
    return any(masked({"action": {"arguments": one}}, masks)[1] for one in versions)


def _without_digests(data: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key not in _ACTION_DIGESTS}


def _obstacle(
    case: Escalation, sign_in: SignIn, agent: Agent | None, *, now: datetime
) -> tuple[str | None, str | None]:
    """Return why a person cannot decide, and the assurance they lack if that is why."""
    try:
        check_open(case, now)
        if case.require.separation and agent is not None and agent.owner == sign_in.person.id:
            raise Forbidden("The agent acts on your behalf, so another person must decide this case.")
        if any(one.person_id == sign_in.person.id for one in case.approvals):
            raise Forbidden("You have approved; another person must, too.")
        check_may_decide(
            unsigned(sign_in), queue=case.queue, role=case.role_needed, assurance=case.require.assurance
        )
    except StepUpNeeded as error:
        return error.message, error.needed
    except SignoffError as error:
        return error.message, None
    return None, None


def _may_ask(case: Escalation, sign_in: SignIn, agent: Agent | None, *, now: datetime) -> bool:
    try:
        check_may_ask(case, sign_in, owner=agent.owner if agent else None, now=now)
    except SignoffError:
        return False
    return True


def _question_view(one: Question, names: dict[str, str], masks: Sequence[Any]) -> QuestionView:
    """Return a question with the masks applied to its answer as if that had come in the bundle."""
    given = {"bundle": {**(one.additions or {}), "answer": one.answer}}
    bundle = masked(given, masks)[0]["bundle"]
    answer, additions = bundle, {}
    if isinstance(bundle, dict):
        answer, additions = bundle["answer"], {key: bundle[key] for key in bundle if key != "answer"}
    return QuestionView(
        number=one.number,
        person_name=names.get(one.asked_by, one.asked_by),
        asked_at=one.asked_at,
        text=one.text,
        answered_at=one.answered_at,
        answer=answer,
        additions=additions,
        masked=one.masked,
    )


async def _alert_view(reader: Reader, one: Alert, state: str, names: dict[str, str]) -> AlertView:
    return AlertView(
        id=one.id,
        person_name=names.get(one.person_id, one.person_id),
        kind=one.kind,
        channel=one.address.partition(":")[0],
        state=state,
        due_at=one.due_at,
        attempts=tuple(await reader.attempts_of_alert(one.id)),
    )


def _undo_until(case: Escalation, sign_in: SignIn, now: datetime) -> datetime | None:
    mine = case.decided_by and case.decided_by[-1] == sign_in.person.id
    return case.release_at if mine and not case.released(now) else None


async def _canary(reader: Reader, case: Escalation) -> Literal["", "caught", "missed", "unanswered"]:
    found = None if case.is_open else await reader.insight.canary(case.id)
    if found is None:
        return ""
    if found.choice is None:
        return "unanswered"
    return "caught" if found.caught else "missed"


def _decision_view(
    one: Decision, names: dict[str, str], masks: Sequence[Any], *, receipt: bool
) -> DecisionView:
    arguments = one.arguments
    if arguments is not None:
        arguments = masked({"action": {"arguments": arguments}}, masks)[0]["action"]["arguments"]
    return DecisionView(
        id=one.id,
        person_name=names.get(one.person_id, one.person_id),
        roles=one.roles,
        choice=one.choice,
        note=one.note,
        response=one.response,
        arguments=arguments,
        assurance=one.assurance,
        decided_at=one.decided_at,
        receipt=one.receipt if receipt else None,
    )


async def _names(reader: Reader, case: Escalation, events: list[dict[str, Any]]) -> dict[str, str]:
    ids = {event["actor"]["id"] for event in events if event["actor"]["kind"] == "person"}
    ids |= {event["data"]["person"] for event in events if "person" in event["data"]}
    ids |= {event["data"]["to"] for event in events if "to" in event["data"]}
    ids |= {one for one in (case.acknowledged_by, case.assigned_to, case.overridden_by) if one is not None}
    ids |= {*case.decided_by, *(one.person_id for one in case.approvals)}
    ids |= {alert.person_id for alert, _ in await reader.alerts_of_case(case.id)}
    people = [await reader.person(one) for one in sorted(ids)]
    agent = await reader.agent(case.agent_id)
    names = {person.id: person.name for person in people if person is not None}
    return names | ({agent.id: agent.name} if agent else {})


def _is_view(event: dict[str, Any], sign_in: SignIn, version: int) -> bool:
    seen = (event["type"], event["actor"]["id"], event["data"].get("version"))
    return seen == ("bundle.viewed", sign_in.person.id, version)
