"""An ask as it came in: what the policy is evaluated over, and what is kept of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import orjson

from signoff.domain.action import Action
from signoff.domain.asked import Recording
from signoff.domain.bundle import Material, checked_json
from signoff.domain.people import Agent
from signoff.domain.secrets import mask_secrets
from signoff.domain.verdict import Verdict
from signoff.store.history import packed
from signoff.triggers.facts import Facts

MAX_DOCUMENT_BYTES = 256 * 1024
DROPPED_FIRST = ("attachments", "messages", "reasoning", "state", "alternatives", "risk")
"""What is left out of a document that is too large, in this order, until it is small enough."""
MAX_SUBJECT_CHARS = 200


@dataclass(frozen=True)
class Ask:
    """One agent's ask about one action, already checked."""

    agent: Agent
    session: str
    """The agent session; the agent's id where the transport has none."""
    action: Action
    action_json: dict[str, Any]
    bundle: dict[str, Any]
    """As JSON, without the action."""
    size_bytes: int
    """Of action and bundle as JSON, about."""

    @cached_property
    def digest(self) -> str:
        """Return the action digest; made when it is first asked for, for most asks behind the answer."""
        return self.action.digest

    @staticmethod
    def of(agent: Agent, action: Action, material: Material, *, session: str | None) -> Ask:
        """Return an ask after checking it.

        Raises:
            InvalidRequest: Input without one canonical form.
            LimitExceeded: Input over a limit.
        """
        action_json, bundle, size_bytes = checked_json(action, material)
        return Ask(agent, session or agent.id, action, action_json, bundle, size_bytes)

    def facts(self, now: datetime) -> Facts:
        """Return what a policy is evaluated over; the history signals are the store's to add."""
        return Facts(
            action=self.action_json,
            bundle=self.bundle,
            agent={"id": self.agent.id, "name": self.agent.name, "owner": self.agent.owner},
            session={"id": self.session},
            now=now,
        )


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of an ask beside its ids and digests; made before a unit of work, which must be short."""

    document: bytes | None
    subject: str | None


def kept(facts: Facts, *, document: bool) -> Kept:
    """Return what is kept of an ask, secrets masked.

    Args:
        document: False: only the subject's id, so that people can find it.
    """
    shown = {"action": dict(facts.action), "bundle": dict(facts.bundle)}
    masked, paths = mask_secrets(shown)
    given = masked["bundle"].get("subject")
    subject = given.get("id") if isinstance(given, Mapping) else None
    if not document:
        return Kept(None, _subject(subject))
    made: dict[str, Any] = {**masked, "agent": dict(facts.agent), "masked": list(paths), "not_kept": []}
    for name in DROPPED_FIRST:
        if len(orjson.dumps(made)) <= MAX_DOCUMENT_BYTES:
            break
        if made["bundle"].pop(name, None) is not None:
            made["not_kept"].append(f"bundle.{name}")
    return Kept(packed(made), _subject(subject))


def _subject(given: Any) -> str | None:
    if isinstance(given, bool) or not isinstance(given, (str, int)):
        return None
    text = str(given)
    return text if len(text) <= MAX_SUBJECT_CHARS else None


def recording(
    ask: Ask, verdict: Verdict, *, what: Kept, history: Mapping[str, Any], asked_at: datetime
) -> Recording:
    """Return an ask with its verdict as it is recorded."""
    return Recording(
        agent_id=ask.agent.id,
        session=ask.session,
        tool=ask.action.tool,
        server=ask.action.server,
        subject=what.subject,
        action_digest=ask.digest,
        verdict=verdict.outcome,
        fired=tuple(one.trigger for one in verdict.fired),
        shadow=tuple(one.trigger for one in verdict.shadow),
        history={name: value for name, value in history.items() if not isinstance(value, Exception)},
        policy_digest=verdict.policy_digest,
        asked_at=asked_at,
        document=what.document,
    )
