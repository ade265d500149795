"""Rows to values and back; the only place that knows how a value lies in columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, cast

import orjson

from signoff.audit.chain import Head
from signoff.audit.fold import ApprovalRow, CaseRow, DecisionRow, ReceiptRow
from signoff.audit.merkle import HASH_BYTES
from signoff.domain.alert import Alert, Attempt, Health
from signoff.domain.canonical import sha256
from signoff.domain.clock import from_text, to_text
from signoff.domain.decision import Decision
from signoff.domain.duty import Absence, Override, Rotation
from signoff.domain.escalation import Approval, Escalation
from signoff.domain.hours import Hours
from signoff.domain.people import Address, Agent, Link, Passkey, Person, SignInRequest, SignInSession
from signoff.domain.question import Question
from signoff.domain.verdict import URGENCIES, Requirement, Urgency
from signoff.store.sealing import Sealing

Row = Mapping[str, Any]
MOST_KNOWN_CHARS = 500

_RANKS: Mapping[str, int] = {urgency: rank for rank, urgency in enumerate(URGENCIES)}


def to_json(value: Any) -> str:
    """Return JSON text for a column."""
    return orjson.dumps(value).decode()


def optional_text(at: datetime | None) -> str | None:
    """Return an instant as text, None for none."""
    return None if at is None else to_text(at)


def optional_time(text: str | None) -> datetime | None:
    """Read what `optional_text` wrote."""
    return None if text is None else from_text(text)


def urgency_rank(urgency: Urgency) -> int:
    """Return 0 for low to 3 for critical."""
    return URGENCIES.index(urgency)


def head(row: Row) -> Head:
    """Read where the log ends."""
    edge = bytes(row["edge"])
    hashes = tuple(edge[at : at + HASH_BYTES] for at in range(0, len(edge), HASH_BYTES))
    return Head(row["size"], bytes(row["prev"]), hashes if row["size"] else (), row["at"])


def case(row: Row) -> Escalation:
    """Read a case."""
    return Escalation(
        id=row["id"],
        agent_id=row["agent_id"],
        version=row["version"],
        status=row["status"],
        tool=row["tool"],
        server=row["server"],
        summary=row["summary"],
        action_digest=row["action_digest"],
        masked=tuple(orjson.loads(row["masked"])),
        policy_digest=row["policy_digest"],
        triggers=tuple(orjson.loads(row["triggers"])),
        queue=row["queue"],
        urgency=row["urgency"],
        tier=row["tier"],
        require=Requirement(**orjson.loads(row["require"])),
        opened_at=from_text(row["opened_at"]),
        deadline_at=from_text(row["deadline_at"]),
        approval_valid_for=timedelta(seconds=row["approval_valid_s"]),
        approvals=tuple(_approval(one) for one in orjson.loads(row["approvals"])),
        decided_at=optional_time(row["decided_at"]),
        decided_by=tuple(orjson.loads(row["decided_by"])),
        assurance=row["assurance"],
        final_digest=row["final_digest"],
        release_at=optional_time(row["release_at"]),
        valid_until=optional_time(row["valid_until"]),
        claimed_at=optional_time(row["claimed_at"]),
        outcome=row["outcome"],
        handled=row["handled"],
        counts_from=optional_time(row["counts_from"]),
        alerted_at=optional_time(row["alerted_at"]),
        acknowledged_by=row["acknowledged_by"],
        acknowledged_at=optional_time(row["acknowledged_at"]),
        assigned_to=row["assigned_to"],
        overridden_by=row["overridden_by"],
        on_deadline=row["on_deadline"],
        questions=row["questions"],
        questioned_by=row["questioned_by"],
        questioned_at=optional_time(row["questioned_at"]),
    )


def _approval(value: dict[str, Any]) -> Approval:
    return Approval(
        value["person_id"],
        tuple(value["roles"]),
        value["assurance"],
        from_text(value["at"]),
        value["final_digest"],
    )


def moving_columns(made: Escalation) -> dict[str, Any]:
    """Return the columns that a move can change."""
    return {
        "id": made.id,
        "version": made.version,
        "status": made.status,
        "queue": made.queue,
        "urgency": made.urgency,
        "urgency_rank": urgency_rank(made.urgency),
        "tier": made.tier,
        "deadline_at": to_text(made.deadline_at),
        "approvals": to_json(
            [
                {
                    "person_id": one.person_id,
                    "roles": one.roles,
                    "assurance": one.assurance,
                    "at": to_text(one.at),
                    "final_digest": one.final_digest,
                }
                for one in made.approvals
            ]
        ),
        "decided_at": optional_text(made.decided_at),
        "decided_by": to_json(made.decided_by),
        "assurance": made.assurance,
        "final_digest": made.final_digest,
        "release_at": optional_text(made.release_at),
        "valid_until": optional_text(made.valid_until),
        "claimed_at": optional_text(made.claimed_at),
        "outcome": made.outcome,
        "handled": made.handled,
        "counts_from": optional_text(made.counts_from),
        "alerted_at": optional_text(made.alerted_at),
        "acknowledged_by": made.acknowledged_by,
        "acknowledged_at": optional_text(made.acknowledged_at),
        "assigned_to": made.assigned_to,
        "overridden_by": made.overridden_by,
        "questions": made.questions,
        "questioned_by": made.questioned_by,
        "questioned_at": optional_text(made.questioned_at),
    }


def fixed_columns(made: Escalation) -> dict[str, Any]:
    """Return the columns that stay as they were when the case was opened."""
    return {
        "agent_id": made.agent_id,
        "tool": made.tool,
        "server": made.server,
        "summary": made.summary,
        "action_digest": made.action_digest,
        "masked": to_json(made.masked),
        "policy_digest": made.policy_digest,
        "triggers": to_json(made.triggers),
        "require": to_json(made.require.as_json()),
        "opened_at": to_text(made.opened_at),
        "approval_valid_s": int(made.approval_valid_for.total_seconds()),
        "on_deadline": made.on_deadline,
    }


def decision(row: Row) -> Decision:
    """Read a decision with its content; erased content reads as none."""
    content = orjson.loads(row["content"]) if row["content"] is not None else {}
    return Decision(
        id=row["id"],
        escalation_id=row["escalation_id"],
        choice=row["choice"],
        person_id=row["person_id"],
        roles=tuple(orjson.loads(row["roles"])),
        assurance=row["assurance"],
        decided_at=from_text(row["decided_at"]),
        seq=row["seq"],
        arguments=content.get("arguments"),
        response=content.get("response"),
        note=content.get("note", ""),
        receipt=row["receipt"],
        undone_at=optional_time(row["undone_at"]),
    )


def questions(found: Iterable[Row]) -> list[Question]:
    """Read the questions of a case from their events, with the words that are left."""
    made: list[Question] = []
    for row in found:
        event = orjson.loads(row["event"])
        content = {} if row["content"] is None else orjson.loads(row["content"])
        at = from_text(event["at"])
        if row["type"] == "escalation.asked":
            text = content.get("question")
            made.append(Question(event["data"]["number"], event["actor"]["id"], at, text))
        elif made:
            made[-1] = replace(
                made[-1],
                answered_at=at,
                answer=content.get("answer"),
                additions=content.get("additions"),
                masked=tuple(content.get("masked", ())),
            )
    return made


def case_rows(
    cases: Iterable[Sequence[Any]], *, decisions: Iterable[Sequence[Any]], receipts: Iterable[Sequence[Any]]
) -> list[CaseRow]:
    """Return stored cases in the words of their events, for the verifier; any text may stand in their columns.

    Args:
        cases: The columns of `stated_cases_after`.
        decisions: The columns of `every_decision_of_cases`.
        receipts: The columns of `every_receipt_of_cases`.
    """
    decided: dict[str, list[DecisionRow]] = {}
    for of_case, *one in decisions:
        decided.setdefault(of_case, []).append(_decision_row(one))
    issued: dict[str, list[ReceiptRow]] = {}
    for of_case, *one in receipts:
        issued.setdefault(of_case, []).append(ReceiptRow._make(one))
    return [_case_row(row, decided.get(row[0], ()), issued.get(row[0], ())) for row in cases]


def _case_row(
    row: Sequence[Any], decisions: Iterable[DecisionRow], receipts: Iterable[ReceiptRow]
) -> CaseRow:
    # Taken apart by place: to look 40 columns up by name takes longer than everything else about a row.
    escalation_id, version, status, agent_id, action_digest, final_digest, policy_digest, queue = row[:8]
    urgency, rank, triggers, require, tier, deadline_at, approvals, decided_by, assurance = row[8:17]
    release_at, valid_until, outcome, opened_seq, opened_at, approval_valid_s, decided_at, claimed_at = row[
        17:25
    ]
    tool, server, summary, masked, handled, counts_from, alerted_at, acknowledged_by = row[25:33]
    acknowledged_at, assigned_to, overridden_by, on_deadline, questioned, questioned_by, questioned_at = row[
        33:
    ]
    return CaseRow(
        escalation_id=escalation_id,
        version=version,
        status=status,
        agent_id=agent_id,
        action_digest=action_digest,
        final_digest=final_digest,
        policy_digest=policy_digest,
        queue=queue,
        urgency=_urgency(urgency, rank),
        triggers=_texts(triggers),
        require=_json(require),
        tier=tier,
        deadline_at=deadline_at,
        approvals=_approvals(approvals),
        decided_by=_texts(decided_by),
        assurance=assurance,
        release_at=release_at,
        valid_until=valid_until,
        claimed=claimed_at is not None,
        outcome=outcome,
        decisions=tuple(decisions),
        receipts=tuple(receipts),
        opened_seq=opened_seq,
        opened_at=opened_at,
        approval_valid_s=approval_valid_s,
        decided_at=decided_at,
        claimed_at=claimed_at,
        tool=tool,
        server=server,
        summary=summary,
        masked=_texts(masked),
        handled=handled,
        counts_from=counts_from,
        alerted_at=alerted_at,
        acknowledged_by=acknowledged_by,
        acknowledged_at=acknowledged_at,
        assigned_to=assigned_to,
        overridden_by=overridden_by,
        on_deadline=on_deadline,
        questions=questioned,
        questioned_by=questioned_by,
        questioned_at=questioned_at,
    )


def _urgency(urgency: str, rank: int) -> str:
    """Return the urgency, with its rank where the list of cases is sorted by another."""
    return urgency if _RANKS.get(urgency) == rank else f"{urgency} at rank {rank}"


def _decision_row(row: Sequence[Any]) -> DecisionRow:
    seq, id_, escalation_id, choice, person_id, roles, assurance, decided_at, undone_at, content = row
    stated = None if content is None else _parsed(content)
    return DecisionRow(
        seq, id_, escalation_id, choice, person_id, _texts(roles), assurance, decided_at, undone_at, stated
    )


def _approvals(text: str) -> tuple[ApprovalRow, ...]:
    """Read the approvals of a case; the text itself where it is not one that was written here."""
    value = _read(text)
    try:
        if isinstance(value, list):
            return tuple(ApprovalRow(**{**one, "roles": tuple(one["roles"])}) for one in value)
    except (TypeError, KeyError):
        pass
    return (ApprovalRow(text, (), "", "", ""),)


def _json(text: str) -> Any:
    """Read JSON; the text itself where it is none, or stands there in another form than was written."""
    return _known(text) if len(text) <= MOST_KNOWN_CHARS else _read(text)


def _read(text: str) -> Any:
    value = _parsed(text)
    return value if to_json(value) == text else text


_known = lru_cache(maxsize=1024)(_read)
"""What was read stays known: a log's cases have few policies, teams and triggers. The values are never changed."""


def _parsed(text: str | bytes) -> Any:
    try:
        return orjson.loads(text)
    except ValueError:
        return None


def _texts(text: str) -> tuple[str, ...]:
    """Read a list of texts; the text itself where it is none."""
    value = _json(text)
    return tuple(value) if isinstance(value, list) else (text,)


def agent(row: Row) -> Agent:
    """Read an agent."""
    return Agent(
        row["id"],
        row["shown_name"] or row["name"],
        row["owner"],
        from_text(row["created_at"]),
        optional_time(row["paused_at"]),
        row["max_open"],
        row["requests_per_minute"],
        row["stands_for"],
    )


def person(row: Row, addresses: Iterable[Address]) -> Person:
    """Read a person."""
    return Person(
        id=row["id"],
        name=row["name"],
        roles=frozenset(orjson.loads(row["roles"])),
        queues=frozenset(orjson.loads(row["queues"])),
        addresses=tuple(addresses),
        created_at=from_text(row["created_at"]),
        disabled_at=optional_time(row["disabled_at"]),
        hours=_hours(row),
        preferences={urgency: tuple(labels) for urgency, labels in orjson.loads(row["preferences"]).items()},
        follow_up=bool(row["follow_up"]),
    )


def address(row: Row, sealing: Sealing) -> Address:
    """Read one of a person's addresses."""
    return Address(
        row["id"],
        row["label"],
        sealing.open(row["url"], row["person_id"]),
        optional_time(row["no_links_until"]),
    )


def _hours(row: Row) -> Hours:
    return Hours(row["hours"], row["zone"], frozenset(map(date.fromisoformat, orjson.loads(row["holidays"]))))


def hours_columns(hours: Hours) -> dict[str, Any]:
    """Return the columns of hours."""
    days = [day.isoformat() for day in sorted(hours.holidays)]
    return {"hours": hours.text, "zone": hours.zone, "holidays": to_json(days)}


def rotation(row: Row) -> Rotation:
    """Read a rotation."""
    return Rotation(
        name=row["name"],
        people=tuple(orjson.loads(row["people"])),
        first_on=date.fromisoformat(row["first_on"]),
        at=time.fromisoformat(row["at"]),
        zone=row["zone"],
        hours=_hours(row),
    )


def override(row: Row) -> Override:
    """Read who stands in for whom."""
    return Override(
        id=row["id"],
        instead_of=row["instead_of"],
        person_id=row["person_id"],
        starts_at=from_text(row["starts_at"]),
        ends_at=from_text(row["ends_at"]),
        made_at=from_text(row["made_at"]),
        rotation=row["rotation"],
    )


def absence(row: Row) -> Absence:
    """Read an absence."""
    return Absence(row["id"], row["person_id"], from_text(row["starts_at"]), from_text(row["ends_at"]))


def passkey(row: Row) -> Passkey:
    """Read a passkey."""
    return Passkey(
        credential=row["credential"],
        person_id=row["person_id"],
        public_key=bytes(row["public_key"]),
        rp_id=row["rp_id"],
        label=row["label"],
        sign_count=row["sign_count"],
        offered_at=from_text(row["offered_at"]),
        enrolled_at=optional_time(row["enrolled_at"]),
        enrolled_by=row["enrolled_by"],
        revoked_at=optional_time(row["revoked_at"]),
    )


def alert(row: Row, sealing: Sealing) -> Alert:
    """Read an alert of the outbox."""
    return Alert(
        id=row["id"],
        kind=row["kind"],
        escalation_id=row["escalation_id"],
        person_id=row["person_id"],
        address=sealing.open(row["address"], row["person_id"]),
        urgency=cast("Urgency", row["urgency"]),
        due_at=from_text(row["due_at"]),
        attempts=row["attempts"],
        about=row["about"],
        digest_id=row["digest_id"],
        last_error=row["last_error"],
    )


def attempt(row: Row) -> Attempt:
    """Read a try to send an alert."""
    return Attempt(row["number"], from_text(row["began_at"]), optional_time(row["ended_at"]), row["error"])


def health(row: Row) -> Health:
    """Read how sending to an address went."""
    return Health(
        last_sent_at=optional_time(row["last_sent_at"]),
        last_failed_at=optional_time(row["last_failed_at"]),
        last_error=row["last_error"],
        failures=row["failures"],
    )


def link(row: Row, sealing: Sealing) -> Link:
    """Read a magic link."""
    return Link(
        id=row["id"],
        purpose=row["purpose"],
        secret_hash=bytes(row["secret_hash"]),
        person_id=row["person_id"],
        escalation_id=row["escalation_id"],
        address=sealing.open(row["address"], row["person_id"]),
        issued_at=from_text(row["issued_at"]),
        expires_at=from_text(row["expires_at"]),
        spent_at=optional_time(row["spent_at"]),
        revoked_at=optional_time(row["revoked_at"]),
    )


def sign_in(row: Row) -> SignInSession:
    """Read a sign-in session."""
    return SignInSession(
        id=row["id"],
        person_id=row["person_id"],
        assurance=row["assurance"],
        only_case=row["only_case"],
        way=row["way"],
        browser=row["browser"],
        opened_at=from_text(row["opened_at"]),
        expires_at=from_text(row["expires_at"]),
        ended_at=optional_time(row["ended_at"]),
    )


def sign_in_request(row: Row) -> SignInRequest:
    """Read a request for a sign-in link."""
    return SignInRequest(
        id=row["id"],
        person_id=row["person_id"],
        place=row["place"],
        back_to=row["back_to"],
        asked_at=from_text(row["asked_at"]),
        attempts=row["attempts"],
        link_id=row["link_id"],
    )


def receipt_digest(token: str) -> str:
    """Return what a decision's event says of its receipt: `sha256:` over the token's bytes."""
    return sha256(token.encode("ascii"))
