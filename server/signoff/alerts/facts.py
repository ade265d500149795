"""What an alert may tell, as the words that templates are made of. Arguments, notes and secrets are not among them.

Whatever an agent, a customer or a person named is quoted here (`quote.py`), once, so that no template can forget it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from signoff.alerts.quote import quoted, time_left
from signoff.desk.deliver import Errand, Notice
from signoff.domain.alert import ASKING, About, AlertKind, DeadLetter, Digest, InBrief, RightsChanged, Silence
from signoff.domain.verdict import Urgency

MAX_TOOL_CHARS = 80
MAX_NAME_CHARS = 60
MAX_WHY_CHARS = 200
MAX_CASES = 10  # of a digest; more are counted
MAX_AGENTS = 5

VARIABLES: Mapping[str, str] = {
    "kind": "what happened: opened, fresh_link, escalated, repeated, handed_over, answered, decided, expired, digest, dead_letter, rights_changed, test or heartbeat",
    "waiting": "true where the case waits for this person's decision",
    "urgency": "low, normal, high or critical",
    "headline": "what happened, in a few words",
    "opening": "what happened, in a sentence or two",
    "call": "what stands before the link",
    "tool": "the tool that the agent wants to use; empty where an alert is about no case",
    "agent": "the agent's name",
    "why": "title of the strictest trigger that fired, and how many more did",
    "queue": "the case's queue",
    "tier": "the case's tier, from 1",
    "time_left": "how long there is to decide, such as 30 min",
    "person": "the name of whoever gets the alert",
    "by": "who decided, or who handed the case over",
    "status": "how a decided case ended: approved, approved with changes, rejected, withdrawn by the agent, expired, or ended, nothing runs",
    "count": "of a digest: how many cases wait; of a heartbeat: how many alerts",
    "ended": "of a digest: how many cases have ended since this person was asked",
    "cases": "of a digest: up to ten that wait, each with tool, agent, urgency, time_left and link",
    "agents": "of a digest: up to five that ask most, each with name and count",
    "soonest": "of a digest: how long until the first case expires",
    "failed": "of a dead letter: person, channel, why, tries, more (others to the same address) and id (of the alert)",
    "changed": "of rights_changed: person (whose), what (added, roles or addresses), by (who) and mine (true for the person's own)",
    "since": "of a heartbeat: when the first of the alerts was due",
    "seen": "of a heartbeat: when the process that sends them was last seen",
    "link": "where to go; not in titles, sms and push, which get it at the end",
    "id": "the alert's id, the same at every try",
    "footer": "size and root of the audit log, such as audit 137 eH22nAG2",
}
"""Every variable of the templates, and what it holds."""

_NO_CASE = frozenset({"digest", "dead_letter", "rights_changed", "test", "heartbeat"})
_OF_A_CASE = ("tool", "agent", "why", "queue", "time_left")

_STATUS = {
    "approved": "approved",
    "modified": "approved with changes",
    "rejected": "rejected",
    "cancelled": "withdrawn by the agent",
    "expired": "expired",
}
_CANARY_ENDED = "ended, nothing runs"
"""No agent withdrew it. Whoever has not answered others of its drill yet learns on its page what it was, not by alert."""
_WORDS: Mapping[str, tuple[str, str]] = {
    "opened": ("{tool} waits for you, {time_left} left", "{agent} asks for a decision."),
    "fresh_link": (
        "your fresh link for {tool}",
        "You asked for a fresh link. It replaces the one before.",
    ),
    "escalated": (
        "{tool} was not answered, {time_left} left",
        "{agent} asks for a decision, and those who were told before you have not answered in time.",
    ),
    "repeated": (
        "{tool} still waits for you, {time_left} left",
        "{agent} asked for a decision, and nobody has decided yet. You were told before.",
    ),
    "handed_over": ("{tool} was handed to you, {time_left} left", "{by} handed this case of {agent} to you."),
    "answered": (
        "the agent has answered on {tool}, {time_left} left",
        "{agent} has answered your question, and its case waits for a decision.",
    ),
    "decided": (
        "{tool}: {status}",
        "You were told that this case waits. It does not any more: {status}{by_whom}. There is nothing left to do.",
    ),
    "expired": (
        "{tool} expired, nobody decided",
        "Nobody decided in time. {agent} was told to stop: a case that expired is never an approval.",
    ),
    "digest": (
        "{count} {cases_wait} for you{and_ended}",
        "{count} {cases_wait} for you{and_ended}. So many came at once that they are one message.{asked_by}{first}",
    ),
    "dead_letter": (
        "alerts do not reach {failed_person}",
        "An alert to {failed_person} by {failed_channel} was given up after {failed_tries}: {failed_why}.{and_more}"
        " Have the address checked (signoff alerts test), then: signoff alerts retry {failed_id}.",
    ),
    "rights_changed": (
        "{changed_by} {changed_did}",
        "{changed_by} {changed_did}. {changed_ask}",
    ),
    "test": (
        "a test, nothing to decide",
        "This is how an alert reaches you here. Nobody waits for an answer.",
    ),
    "heartbeat": (
        "{count} {alerts_wait} and nobody sends them",
        "{count} {alerts_wait}, the first since {since}. The process that sends them was last seen {seen}."
        " Look at the server: signoff doctor.",
    ),
}
_CALLS: Mapping[str, str] = {
    "digest": "Decide in your inbox, once you are signed in:",
    "decided": "To look it up, once you are signed in:",
    "expired": "To look it up, once you are signed in:",
    "dead_letter": "Your inbox, once you are signed in:",
    "rights_changed": "Your inbox, once you are signed in:",
    "test": "Your inbox, once you are signed in:",
    "heartbeat": "Your inbox, once you are signed in:",
}
_DECIDE = "Decide here. The link is yours alone and opens once:"
_DECIDE_SIGNED_IN = "Decide here, once you are signed in:"


@dataclass(frozen=True, slots=True)
class Facts:
    """One alert, as words."""

    kind: AlertKind
    values: Mapping[str, Any]
    """By the names of `VARIABLES`."""
    link: str
    page: str
    """Where somebody who is signed in goes; holds no token."""
    case_id: str | None = None

    @property
    def trace(self) -> str:
        """Return the line that every alert ends with: its id, and the newest checkpoint of the log."""
        return f"{self.values['id']} · {self.values['footer']}"


def facts_of(errand: Errand) -> Facts:
    """Return what an alert about a case may tell."""
    alert, case = errand.alert, errand.case
    made = made_facts(
        alert.kind,
        urgency=case.urgency,  # the alert's own says how soon it goes out: late, where it asks for nothing
        link=errand.link_url,
        page=errand.page_url or errand.link_url.partition("#")[0],
        id=alert.id,
        footer=errand.footer,
        person=quoted(errand.person.name, MAX_NAME_CHARS),
        tool=quoted(case.tool, MAX_TOOL_CHARS),
        agent=quoted(errand.agent_name, MAX_NAME_CHARS),
        why=quoted(errand.why, MAX_WHY_CHARS),
        queue=quoted(case.queue, MAX_NAME_CHARS),
        tier=case.tier + 1,
        time_left=time_left(errand.seconds_left),
        by=", ".join(quoted(one, MAX_NAME_CHARS) for one in errand.by),
        status=_CANARY_ENDED
        if errand.is_canary and case.status == "cancelled"
        else _STATUS.get(case.status, "open"),
    )
    return replace(made, case_id=case.id)


def facts_of_notice(notice: Notice) -> Facts:
    """Return what an alert about no case may tell."""
    alert = notice.alert
    return made_facts(
        alert.kind,
        urgency=alert.urgency,
        link=notice.link_url,
        page=notice.link_url,
        id=alert.id,
        footer=notice.footer,
        person=quoted(notice.person.name, MAX_NAME_CHARS),
        **_about(notice.about),
    )


def _about(about: About | None) -> dict[str, Any]:
    match about:
        case Digest():
            return {
                "count": about.waiting,
                "ended": about.ended,
                "agents": tuple(
                    {"name": quoted(name, MAX_NAME_CHARS), "count": count}
                    for name, count in about.agents[:MAX_AGENTS]
                ),
                "soonest": "" if about.soonest_s is None else time_left(about.soonest_s),
                "cases": tuple(map(_in_brief, about.cases[:MAX_CASES])),
            }
        case DeadLetter():
            failed = {
                "person": quoted(about.person_name, MAX_NAME_CHARS),
                "channel": quoted(about.channel, MAX_NAME_CHARS),
                "why": quoted(about.why, MAX_WHY_CHARS).rstrip("."),
                "tries": about.tries,
                "more": about.more,
                "id": about.alert_id,
            }
            return {"failed": failed}
        case RightsChanged():
            changed = {
                "person": quoted(about.person_name, MAX_NAME_CHARS),
                "what": about.what,
                "by": quoted(about.by_name, MAX_NAME_CHARS),
                "mine": about.mine,
            }
            return {"changed": changed}
        case Silence():
            return {"count": about.waiting, "since": _at(about.since), "seen": _at(about.last_beat_at)}
        case None:
            return {}


def _at(at: datetime | None) -> str:
    return "never" if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"


def made_facts(
    kind: AlertKind,
    *,
    urgency: Urgency,
    link: str,
    page: str,
    id: str,
    footer: str,
    person: str,
    **more: Any,
) -> Facts:
    """Return facts whose words are quoted already; those that are not given are empty."""
    values: dict[str, Any] = dict.fromkeys(VARIABLES, "") | {
        "cases": (),
        "agents": (),
        "count": 0,
        "ended": 0,
        "tier": 1,
    }
    failed = more.get("failed") or {"person": "", "channel": "", "why": "", "tries": 0, "more": 0, "id": ""}
    values |= {"kind": kind, "waiting": kind in ASKING, "urgency": urgency, "person": person, "id": id}
    changed = more.get("changed") or {"person": "", "what": "addresses", "by": "", "mine": False}
    values |= {"footer": footer, "failed": failed, "changed": changed}
    values |= {
        name: value for name, value in more.items() if name in VARIABLES and name not in ("failed", "changed")
    }
    if kind in _NO_CASE:
        values |= dict.fromkeys(_OF_A_CASE, "")
    if kind != "digest":
        values["cases"] = ()
    # Kinds are worded with `format_map` on our own sentences; what is put in is never itself a format.
    told = {
        **values,
        "by_whom": f" by {values['by']}" if values["by"] else "",
        "by": values["by"] or "Somebody",
        "cases_wait": "case waits" if values["count"] == 1 else "cases wait",
        "alerts_wait": "alert waits" if values["count"] == 1 else "alerts wait",
        "and_ended": f", {values['ended']} ended" if values["ended"] else "",
        "asked_by": f" Asked by {', '.join('{name} ({count})'.format_map(one) for one in values['agents'])}."
        if values["agents"]
        else "",
        "first": f" The first expires in {values['soonest']}." if values["soonest"] else "",
        "and_more": f" So were {failed['more']} others to the same address within the hour."
        if failed["more"]
        else "",
        **{f"failed_{name}": value for name, value in failed.items()},
        **_told_of_change(changed),
        "failed_tries": "1 try" if failed["tries"] == 1 else f"{failed['tries']} tries",
    }
    headline, opening = _WORDS[kind]
    values |= {"headline": headline.format_map(told), "opening": opening.format_map(told)}
    values["call"] = _CALLS.get(kind, _DECIDE if link != page else _DECIDE_SIGNED_IN)
    return Facts(kind, values, link, page)


_DID: Mapping[str, str] = {
    "added": "added {person} to this server",
    "roles": "changed what {person} may do",
    "addresses": "changed where alerts of {person} go",
}
_DID_MINE: Mapping[str, str] = {
    "added": "added you to this server",
    "roles": "changed what you may do",
    "addresses": "changed where your alerts go",
}


def _told_of_change(changed: Mapping[str, Any]) -> dict[str, str]:
    did = (_DID_MINE if changed["mine"] else _DID)[changed["what"]].format_map(changed)
    ask = (
        "If you do not know why, ask them and another administrator at once: whoever reads your alerts can sign in as you."
        if changed["mine"]
        else "If you do not know why, ask at once: whoever may decide, or reads the alerts of somebody who may,"
        " can let an agent go on."
    )
    return {"changed_by": changed["by"] or "Somebody", "changed_did": did, "changed_ask": ask}


def _in_brief(case: InBrief) -> dict[str, str]:
    return {
        "tool": quoted(case.tool, MAX_TOOL_CHARS),
        "agent": quoted(case.agent_name, MAX_NAME_CHARS),
        "urgency": case.urgency,
        "time_left": time_left(case.seconds_left),
        "link": case.page_url,
    }


def sample(kind: AlertKind) -> Facts:
    """Return made-up facts of a kind, with every variable filled: what templates are checked with."""
    return made_facts(
        kind,
        urgency="high",
        link="https://signoff.example.com/d/lnk_01k9zr6m2t8vq4x7c3b5n1w0ye#Zm9yIHRlbXBsYXRlcyBvbmx5LCBub3RoaW5nIG9wZW5z",
        page="https://signoff.example.com/cases/esc_01k9zr6m2t8vq4x7c3b5n1w0ye",
        id="alr_01k9zr6m2t8vq4x7c3b5n1w0ye",
        footer="audit 137 eH22nAG2",
        person="Omar",
        tool="wire_transfer",
        agent="billing-bot",
        why="Wire above 10,000 <EUR> & more",
        queue="payments",
        tier=1,
        time_left="29 min",
        by="Sofia",
        status="approved",
        count=12,
        cases=(
            {
                "tool": "wire_transfer",
                "agent": "billing-bot",
                "urgency": "high",
                "time_left": "29 min",
                "link": "https://signoff.example.com/cases/esc_01k9zr6m2t8vq4x7c3b5n1w0ye",
            },
        )
        * 3,
        ended=2,
        agents=({"name": "billing-bot", "count": 12},),
        soonest="4 min",
        failed={
            "person": "Omar",
            "channel": "mailtos",
            "why": "no answer within 30 s",
            "tries": 10,
            "more": 2,
            "id": "alr_01k9zr5c0m3d2h8s6f4g7j1k9q",
        },
        changed={"person": "Omar", "what": "addresses", "by": "Anna", "mine": True},
        since="2026-11-23 20:31:05 UTC",
        seen="2026-11-23 20:28:00 UTC",
    )
