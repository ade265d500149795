"""The versions of the policy, and what another one would have said of what was asked.

For admins, who answer for the policy, and auditors, who read every decision under it. Nothing here changes which policy
counts: that is the file's alone.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta

import anyio.lowlevel

from signoff.desk.desk import Desk
from signoff.desk.moment import moment
from signoff.desk.people import check_role
from signoff.desk.recorded import recorded
from signoff.desk.rights import still
from signoff.domain.clock import from_text
from signoff.domain.errors import InvalidRequest, NotFound
from signoff.domain.people import Role, SignIn, check_full
from signoff.triggers.load import MAX_POLICY_BYTES, LoadedPolicy, load_policy
from signoff.triggers.replay import Judge, Tally, compare, untold

READERS: frozenset[Role] = frozenset({"admin", "auditor"})
DAYS = (1, 7, 30, 90)
"""How far back a policy can be tried."""
MOST_REPLAYED = 5000
"""Actions that one try goes through: some seconds of a server that has other things to do. The command line has no
such limit."""
EXAMPLES = 20


@dataclass(frozen=True, slots=True)
class Version:
    """One version of the policy that was in force."""

    digest: str
    loaded_at: datetime
    """When it first came into force."""
    counts: bool
    """Whether it is the one that counts now."""
    text: str


@dataclass(frozen=True, slots=True)
class Example:
    """One action that would be answered differently."""

    case_id: str | None
    tool: str
    before: str
    now: str
    because: tuple[str, ...]
    ended: str | None


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a policy would have said of what was asked, against what was said then."""

    digest: str
    tally: Tally
    untold: tuple[str, ...]
    """Its triggers that never fired."""
    examples: tuple[Example, ...]
    """The first that would be answered differently."""
    unknown: int
    """Asks whose content, or verdict, is kept no more."""
    stopped: bool
    """Whether there was more than one try goes through."""


def check_reads_policy(sign_in: SignIn) -> None:
    """Refuse whoever is neither admin nor auditor.

    Raises:
        Forbidden: They are not, or came by a link of one case.
    """
    check_full(sign_in)
    check_role(sign_in.person, READERS)


async def policy_versions(desk: Desk, sign_in: SignIn) -> list[Version]:
    """Return every version that ever gave a verdict, the newest first.

    Raises:
        Forbidden: Not an admin's or auditor's to read.
    """
    check_reads_policy(sign_in)
    current = desk.policy.current()
    made = []
    async with desk.store.reading() as reader:
        async for page in reader.policies():
            made += [
                Version(one.digest, from_text(one.loaded_at), one.digest == current.digest, one.text)
                for one in page
            ]
    return sorted(made, key=lambda one: (one.loaded_at, one.digest), reverse=True)


async def policy_version(desk: Desk, sign_in: SignIn, digest: str) -> tuple[Version, Version | None]:
    """Return one version and the one that came into force before it, if any.

    Raises:
        Forbidden: Not an admin's or auditor's to read.
        NotFound: There is no such version.
    """
    versions = await policy_versions(desk, sign_in)
    for place, one in enumerate(versions):
        if one.digest == digest:
            return one, versions[place + 1] if place + 1 < len(versions) else None
    raise NotFound("There is no such version of the policy.")


async def replay_policy(desk: Desk, sign_in: SignIn, text: str, *, days: int) -> Replayed:
    """Return what a policy would have said of what was asked in the last days; nothing changes.

    Args:
        text: The policy, YAML.
        days: Among `DAYS`; anything else counts as 7.

    Raises:
        Forbidden: Not an admin's or auditor's to try.
        PolicyInvalid: The text is no policy; says where.
        InvalidRequest: It is too long.
    """
    check_reads_policy(sign_in)
    if len(text.encode("utf-8", "replace")) > MAX_POLICY_BYTES:
        raise InvalidRequest(f"a policy has at most {MAX_POLICY_BYTES // 1024} KB.", field="policy")
    policy = load_policy(text, source="policy")
    days = days if days in DAYS else 7
    async with desk.store.reading() as reader:
        now = await moment(desk, reader)
        check_reads_policy(await still(reader, sign_in, now))
    since = now - timedelta(days=days)
    return await _replay(desk, policy, since)


async def _replay(desk: Desk, policy: LoadedPolicy, since: datetime) -> Replayed:
    judge, tally, examples = Judge(policy), Tally(), list[Example]()
    unknown, stopped = 0, False
    async with (
        desk.store.snapshot() as reader,
        # What was asked shortly before counts in the windows of the first actions.
        aclosing(recorded(reader, since=since - judge.looks_back)) as asks,
    ):
        async for one in asks:
            await anyio.lowlevel.checkpoint()  # others are served meanwhile
            if one is None or one.said is None:
                unknown += 1
                continue
            if one.facts.now < since:
                judge.say(one)
                continue
            if tally.total == MOST_REPLAYED:
                stopped = True
                break
            compared = compare(one, judge, None)
            tally.add(compared)
            if compared.changed and len(examples) < EXAMPLES:
                examples.append(
                    Example(
                        case_id=one.id if one.id.startswith("esc_") else None,
                        tool=str(one.facts.action["tool"]),
                        before=compared.before.outcome,
                        now=compared.now.outcome,
                        because=compared.because,
                        ended=one.ended,
                    )
                )
    fired = [name for name, _, _ in tally.triggers()]
    return Replayed(policy.digest, tally, tuple(untold(policy, fired)), tuple(examples), unknown, stopped)
