"""For auditors: search what was decided, verify the log now, hand out evidence.

Verifying reads one unchanging state of the store and believes nothing but the public keys (`audit/verify.py`). It shows
that the log is whole in itself; that it is the log that others were shown, only a checkpoint kept elsewhere shows.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio.to_thread
import orjson

from signoff.audit.evidence import Disclosure, Facts
from signoff.audit.keys import last_signed, load_public
from signoff.audit.report import Report
from signoff.audit.verify import verify_log
from signoff.desk.desk import Desk
from signoff.desk.evidence import Told, Wanted, export_evidence
from signoff.desk.moment import moment
from signoff.desk.people import acting, check_role
from signoff.desk.rights import still
from signoff.domain.case import STATUSES, Escalation
from signoff.domain.errors import Conflict, Forbidden, InvalidRequest
from signoff.domain.event import Draft
from signoff.domain.people import Person, Role, SignIn, check_full
from signoff.store.insight import Search
from signoff.store.log_source import LogSource
from signoff.store.unit import Unit

SEARCHERS: frozenset[Role] = frozenset({"auditor", "supervisor"})
VERIFIERS: frozenset[Role] = frozenset({"auditor", "admin"})
EXPORTERS: frozenset[Role] = frozenset({"auditor"})
PAGE = 50
LAST_VERIFICATIONS = 5
MAX_TEXT_CHARS = 200

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """One page of a search."""

    cases: tuple[Escalation, ...]
    """Newest first."""
    names: dict[str, str]
    """Names by id, of people and agents."""
    people: tuple[Person, ...]
    """Everybody who may have decided something, by name."""
    more: bool


async def search_decisions(desk: Desk, sign_in: SignIn, wanted: Search) -> Found:
    """Return a page of the cases that have ended.

    Raises:
        Forbidden: Only auditors and supervisors see every case.
        InvalidRequest: There is no such status, or the text is too long.
    """
    check_full(sign_in)
    check_role(sign_in.person, SEARCHERS)
    if wanted.status and wanted.status not in STATUSES:
        raise InvalidRequest(f"must be among {', '.join(STATUSES[1:])}.", field="status")
    if len(wanted.text) > MAX_TEXT_CHARS:
        raise InvalidRequest(f"at most {MAX_TEXT_CHARS} characters.", field="text")
    async with desk.store.reading() as reader:
        cases = await reader.insight.decisions(wanted, PAGE + 1)
        people = await reader.people()
        agents = await reader.agents()
    return Found(
        tuple(cases[:PAGE]),
        {one.id: one.name for one in people} | {one.id: one.name for one in agents},
        tuple(one for one in people if one.roles & {"operator", "supervisor"}),
        len(cases) > PAGE,
    )


class Verifying:
    """Lets one verification run at a time in this process: it reads the whole log, which others' answers wait for."""

    def __init__(self) -> None:
        self._busy = False

    async def verify(self, desk: Desk, sign_in: SignIn, *, on_progress: Callable[[int, int], None]) -> Report:
        """Verify everything that is stored, and record that it was and what came of it.

        Args:
            on_progress: Called now and then with the events done and all events.

        Raises:
            Forbidden: Only auditors and admins do.
            Conflict: One runs already.
        """
        check_verifies(sign_in)
        if self._busy:
            raise Conflict("The log is being verified already. Wait until that is done.")
        self._busy = True
        try:
            report = await _verify(desk, on_progress)
        finally:
            self._busy = False
        await _note(desk, sign_in, report)
        return report


def check_verifies(sign_in: SignIn) -> None:
    """Refuse whoever is neither auditor nor admin.

    Raises:
        Forbidden: They are not, or came by a link of one case.
    """
    check_full(sign_in)
    check_role(sign_in.person, VERIFIERS)


async def _verify(desk: Desk, on_progress: Callable[[int, int], None]) -> Report:
    keys = await anyio.to_thread.run_sync(load_public, desk.keys.directory)
    signed = await anyio.to_thread.run_sync(last_signed, desk.keys.directory)
    async with desk.store.snapshot() as reader:
        return await verify_log(
            LogSource(reader),
            keys,
            on_progress=on_progress,
            anchors=() if signed is None else (signed,),
        )


async def _note(desk: Desk, sign_in: SignIn, report: Report) -> None:
    if desk.store.read_only is not None:
        # A log that is not the one that was signed must not grow, and verifying it matters most then.
        log.warning("%s verified the log while no event can say so: %s", sign_in.person.id, report.ok)
        return
    data: dict[str, Any] = {
        "events": report.events,
        "holds": report.ok,
        "problems": report.problem_count,
        "first_bad_event": report.first_bad_event,
    }

    async def move(unit: Unit) -> None:
        actor = await acting(unit, sign_in, roles=VERIFIERS)
        await unit.record(Draft("audit.verified", unit.now, actor, data))

    await desk.store.write(move)


@dataclass(frozen=True, slots=True)
class Verified:
    """A verification of the past."""

    at: datetime
    person_name: str
    events: int
    holds: bool


async def last_verifications(desk: Desk, sign_in: SignIn) -> list[Verified]:
    """Return the last verifications that somebody asked for on a page, newest first.

    Raises:
        Forbidden: Only auditors and admins see them.
    """
    check_verifies(sign_in)
    async with desk.store.reading() as reader:
        events = [orjson.loads(one) for one in await reader.insight.verifications(LAST_VERIFICATIONS)]
        names = {one.id: one.name for one in await reader.people()}
    return [
        Verified(
            datetime.fromisoformat(one["at"]),
            names.get(one["actor"]["id"], one["actor"]["id"]),
            one["data"]["events"],
            one["data"]["holds"],
        )
        for one in events
    ]


def disclosures(desk: Desk, sign_in: SignIn) -> tuple[Disclosure, ...]:
    """Return how much an auditor may hand out: everything only where the policy hides nothing from them."""
    hides = desk.policy.current().policy.masks_for(sign_in.person.roles)
    return ("masked", "withheld") if hides else ("disclosed", "masked", "withheld")


async def hand_out(
    desk: Desk,
    sign_in: SignIn,
    wanted: Wanted,
    *,
    out: Path,
    summary: Callable[[Told], str],
    payloads: Disclosure,
) -> Facts:
    """Write an evidence file in an auditor's name, and return what it is about.

    Args:
        out: A file that does not exist.
        summary: Makes the page for people.
        payloads: One of `disclosures`.

    Raises:
        Forbidden: Only auditors do, and not more than they may see themselves.
        NotFound: No such case, or no such events.
        LimitExceeded: Too many events for a file that proves each of them.
        StoreUnavailable: Nothing was exported.
    """
    check_full(sign_in)
    async with desk.store.reading() as reader:
        sign_in = await still(reader, sign_in, await moment(desk, reader))
    check_role(sign_in.person, EXPORTERS)
    if payloads not in disclosures(desk, sign_in):
        raise Forbidden("The policy hides something from you, so it is hidden in what you hand out, too.")
    return await export_evidence(desk, wanted, out=out, summary=summary, payloads=payloads, by=sign_in.actor)
