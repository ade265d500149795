"""The inbox as one person may see it: what waits, what they were given, what ended, and what a search finds.

Every read is of a page, whatever there is: lines and counts are kept as cases move (`0012_inbox.sql`). A filter that no
index serves looks through so many lines and then says how far it came, rather than let everybody wait.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from signoff.desk.desk import Desk
from signoff.desk.heartbeat import silence
from signoff.desk.moment import moment
from signoff.desk.presence import PRESENT_FOR
from signoff.domain.alert import Silence
from signoff.domain.canonical import digest
from signoff.domain.case import Escalation
from signoff.domain.clock import to_text
from signoff.domain.errors import Forbidden, InvalidRequest
from signoff.domain.finding import SHORTEST_BEGINNING, asked_words, marks_for, queue_word
from signoff.domain.people import SignIn, may_see_case, seen_queues
from signoff.domain.verdict import URGENCIES, Urgency
from signoff.store.inbox import LAST, Alike, Place, View, match_of
from signoff.store.reader import Reader

PAGE = 50
LATELY = 8
"""Ended cases under the first page of those that wait."""
AT_ONCE = 500
LATELY_ENDED = 500
"""Of one queue, the ended cases whose agents one can filter by."""
LOOK_THROUGH = 5000
"""Lines that a filter without an index looks through for one page."""
MOST_IN_HAND = 200

Show = Literal["all", "queues", "mine", "ended"]


@dataclass(frozen=True, slots=True)
class Filters:
    """Which part of the inbox is wanted."""

    show: Show = "all"
    queue: str = ""
    urgency: Urgency | None = None
    agent: str = ""
    """An agent's name."""
    unread: bool = False
    words: str = ""
    """A search goes through everything that the person may see, whether it waits or has ended."""

    @property
    def narrowed(self) -> bool:
        """Say whether anything is left out besides by `show`."""
        return bool(self.queue or self.urgency or self.agent or self.unread or self.words)


@dataclass(frozen=True, slots=True)
class CaseLine:
    """A case in a list, or several that are alike."""

    case: Escalation
    """Of several, the one with the least time left."""
    agent_name: str
    decided_by: tuple[str, ...]
    """Names."""
    acknowledged_by: str | None
    """The name of who looks at it."""
    assigned_to: str | None
    """The name of whom it was given to."""
    waiting: int = 1
    """How many are alike."""
    unread: int = 0
    """How many of them this person has not looked at as they are now."""
    present: tuple[str, ...] = ()
    """Names of others who have it open."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many cases wait somewhere, and how many of them a person has not looked at."""

    waiting: int = 0
    unread: int = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """The numbers on the inbox's tabs."""

    mine: int
    queues: Count
    """Own queues; the same as `all` for whoever has no queues of their own."""
    all: Count
    by_queue: dict[str, Count] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Pulse:
    """What a page that follows the inbox is told."""

    waiting: int
    unread: int
    sign: str
    """Another one whenever the first page of what waits, its counts, or who looks would be shown otherwise."""


@dataclass(frozen=True, slots=True)
class Inbox:
    """A page of the inbox, and what stands around it."""

    show: Show
    own_queues: bool
    """Whether one's own queues are other than all that one sees."""
    pending: tuple[CaseLine, ...]
    """Most urgent first, then least time left."""
    ended: tuple[CaseLine, ...]
    """Newest first; under a page of what waits, the last few."""
    found: tuple[CaseLine, ...] | None
    """What a search found, newest first; None where nothing is searched for."""
    next_page: str
    """Behind what the next page begins; empty for none."""
    cut_short: bool
    """A filter looked through as many lines as it may: the next page goes on from there."""
    counts: Counts
    queues: tuple[str, ...]
    """Those that one can filter by."""
    agents: tuple[str, ...]
    """Names that one can filter by: of whoever asks in queues that one sees, or did of late."""
    views: tuple[View, ...]
    not_found_yet: bool
    """Older cases are still being entered into the index of words."""
    failed_alerts: int
    """Alerts of open cases that the person sees, and that were given up."""
    silence: Silence | None
    """Alerts that are due and that nobody sends."""
    policy_problem: str | None
    """Why the policy file as it is now is not in force."""
    now: datetime


async def inbox(desk: Desk, sign_in: SignIn, filters: Filters | None = None, *, after: str = "") -> Inbox:
    """Return a page of a person's inbox.

    Args:
        after: `next_page` of the page before.

    Raises:
        Forbidden: A magic link shows its case only.
        InvalidRequest: `after` is not from a page of this kind.
    """
    check_may_list(sign_in)
    wanted = filters or Filters()
    async with desk.store.reading() as reader:
        now = await moment(desk, reader)
        look = _Look(desk, reader, sign_in, wanted, now=now)
        await look.prepare()
        page = await look.page(after)
        failed = await reader.count_failed_alerts(seen_queues(sign_in.person))
        silent = await silence(desk, reader)
        filling = await reader.inbox.filled_below() > 0
        views = await reader.inbox.views(sign_in.person.id)
    desk.policy.current()  # so that `problem` speaks of the file as it is now
    return Inbox(
        show=look.show,
        own_queues=look.own_queues,
        pending=page.pending,
        ended=page.ended,
        found=page.found,
        next_page=page.next_page,
        cut_short=page.cut_short,
        counts=look.counts,
        queues=look.queue_names,
        agents=look.agent_names,
        views=tuple(views),
        not_found_yet=filling,
        failed_alerts=failed,
        silence=silent,
        policy_problem=desk.policy.problem,
        now=now,
    )


async def pulse_of(desk: Desk, sign_in: SignIn) -> Pulse:
    """Return what a page that follows the inbox must know; a few reads, whatever there is.

    Raises:
        Forbidden: A magic link shows its case only.
    """
    check_may_list(sign_in)
    sees = seen_queues(sign_in.person)
    async with desk.store.reading() as reader:
        counts = await _counts(reader, sign_in)
        since = await moment(desk, reader) - PRESENT_FOR
        present = [
            [one.escalation_id, one.person_id]
            for one in await reader.inbox.present_anywhere(since)
            if may_see_case(sign_in, one.escalation_id, one.queue)
        ]
        first = [
            one
            for queue in ([None] if sees is None else sorted(sees))
            for one in await reader.inbox.signs(queue, PAGE)
        ]
    by_queue = sorted([queue, one.waiting, one.unread] for queue, one in counts.by_queue.items())
    sign = digest([by_queue, counts.mine, present, first])
    return Pulse(counts.all.waiting, counts.all.unread, sign.rpartition(":")[2][:16])


def check_may_list(sign_in: SignIn) -> None:
    """Refuse whoever came by a link that opens one case.

    Raises:
        Forbidden: They did.
    """
    if sign_in.only_case is not None:
        raise Forbidden("This link opens one case. Sign in to see your inbox.")


@dataclass(slots=True)
class _Page:
    pending: tuple[CaseLine, ...] = ()
    ended: tuple[CaseLine, ...] = ()
    found: tuple[CaseLine, ...] | None = None
    next_page: str = ""
    cut_short: bool = False


@dataclass(slots=True)
class _Part:
    """Some of a list, and behind what it goes on."""

    cases: list[Escalation]
    alike: list[Alike]
    next_page: str = ""
    cut_short: bool = False


class _Look:
    """One look into the inbox."""

    def __init__(
        self, desk: Desk, reader: Reader, sign_in: SignIn, filters: Filters, *, now: datetime
    ) -> None:
        self._desk = desk
        self._reader = reader
        self._sign_in = sign_in
        self._filters = filters
        self._now = now
        self._sees = seen_queues(sign_in.person)
        own = sign_in.person.queues
        self.own_queues = bool(own) and self._sees is None
        self.show: Show = filters.show
        if filters.show == "queues" and not self.own_queues:
            self.show = "all"
        self.agents: dict[str, str] = {}
        self.counts = Counts(0, Count(), Count(), {})
        self.queue_names: tuple[str, ...] = ()
        self.agent_names: tuple[str, ...] = ()
        self._people: dict[str, str] = {}
        self._present: dict[str, list[str]] = {}
        self._seen_of_line: dict[int, int] = {}

    async def prepare(self) -> None:
        """Read what every page needs."""
        reader, me = self._reader, self._sign_in.person.id
        self.agents = {one.id: one.name for one in await reader.agents()}
        self._people = {one.id: one.name for one in await reader.people()}
        for one in await reader.inbox.present_anywhere(self._now - PRESENT_FOR):
            if one.person_id != me:
                self._present.setdefault(one.escalation_id, []).append(one.name)
        self._seen_of_line = {}
        for _, line, n in await reader.inbox.seen(me):
            self._seen_of_line[line] = self._seen_of_line.get(line, 0) + n
        self.counts = await _counts(reader, self._sign_in)
        there = {*self.counts.by_queue, *await reader.inbox.queues_that_had_cases()}
        if self._sees is not None:
            there = (there & self._sees) | self._sees
        self.queue_names = tuple(sorted(there))
        self.agent_names = tuple(sorted(await self._agent_names()))

    async def _agent_names(self) -> set[str]:
        """Return the names of agents whose cases the person may see; a canary goes by the name of another."""
        if self._sees is None:
            return set(self.agents.values())
        ids = {
            one
            for queue in self._sees
            for one in await self._reader.inbox.agents_of_queue(queue, LATELY_ENDED)
        }
        return {self.agents[one] for one in ids if one in self.agents}

    async def page(self, after: str) -> _Page:
        """Return the page that the filters ask for."""
        if self._filters.words.strip():
            part = await self._search(_seq_of(after))
            return _Page(
                found=await self._lines(part.cases), next_page=part.next_page, cut_short=part.cut_short
            )
        if self.show == "ended":
            part = await self._ended(_ended_of(after), PAGE)
            return _Page(
                ended=await self._lines(part.cases), next_page=part.next_page, cut_short=part.cut_short
            )
        if self.show == "mine":
            mine = await self._reader.inbox.in_hand(self._sign_in.person.id, MOST_IN_HAND)
            return _Page(pending=await self._lines([one for one in mine if self._is_wanted(one)]))
        place = _place_of(after)
        part = await self._waiting(place)
        page = _Page(
            pending=tuple(self._alike_line(one) for one in part.alike),
            next_page=part.next_page,
            cut_short=part.cut_short,
        )
        if place is None and not self._filters.narrowed:
            page.ended = await self._lines((await self._ended(None, LATELY)).cases)
        return page

    @property
    def _queues(self) -> Sequence[str | None]:
        """Return the queues that are read one by one; one None for all of them at once."""
        chosen: frozenset[str] | None = self._sees
        if self.show == "queues":
            chosen = self._sign_in.person.queues
        if self._filters.queue:
            visible = chosen is None or self._filters.queue in chosen
            return [self._filters.queue] if visible else []
        return [None] if chosen is None else sorted(chosen)

    async def _waiting(self, after: Place | None) -> _Part:
        urgency = self._filters.urgency
        only = None if urgency is None else len(URGENCIES) - 1 - URGENCIES.index(urgency)
        place = after or (Place() if only is None else Place(only))
        made = _Part([], [])
        looked, size = 0, PAGE + 1
        while True:
            got = await self._merged(place, size)
            for one in got:
                if only is not None and one.place.place != only:
                    return made
                if self._is_wanted(one.first) and (not self._filters.unread or self._unread(one)):
                    if len(made.alike) == PAGE:
                        made.next_page = _text_of(made.alike[-1].place)
                        return made
                    made.alike.append(one)
                place = one.place
            looked += len(got)
            if len(got) < size:
                return made
            if looked >= LOOK_THROUGH:
                made.next_page, made.cut_short = _text_of(place), True
                return made
            size = AT_ONCE

    async def _merged(self, place: Place, most: int) -> list[Alike]:
        lists = [await self._reader.inbox.alike(queue, place, most) for queue in self._queues]

        def key(one: Alike) -> tuple[int, str, int]:
            return one.place.place, one.place.at, one.place.id

        return list(heapq.merge(*lists, key=key))[:most]

    async def _ended(self, before: tuple[str, str] | None, most: int) -> _Part:
        at = before or (LAST, LAST)
        made = _Part([], [])
        looked, size = 0, most + 1
        while True:
            lists = [await self._reader.inbox.ended(queue, at, size) for queue in self._queues]
            got = list(heapq.merge(*lists, key=_ended_key, reverse=True))[:size]
            for one in got:
                if self._is_wanted(one):
                    if len(made.cases) == most:
                        made.next_page = "e~" + "~".join(_ended_key(made.cases[-1]))
                        return made
                    made.cases.append(one)
                at = _ended_key(one)
            looked += len(got)
            if len(got) < size:
                return made
            if looked >= LOOK_THROUGH:
                made.next_page, made.cut_short = "e~" + "~".join(at), True
                return made
            size = AT_ONCE

    async def _search(self, before: tuple[str, int] | None) -> _Part:
        words = asked_words(self._filters.words)
        made = _Part([], [])
        if not words or self._sees == frozenset():
            return made
        masks = self._desk.policy.current().policy.masks_for(self._sign_in.person.roles)
        within = self._sees
        if self._filters.queue:
            within = frozenset({self._filters.queue}) if within is None else within & {self._filters.queue}
        if within is not None and not within:
            return made
        places = marks_for(masks)
        queues = None if within is None else sorted(map(queue_word, within))
        whole, begins = (
            match_of(words, places, within=queues, shortest=shortest)
            for shortest in (None, SHORTEST_BEGINNING)
        )
        # Longer words only where these stand nowhere: every word that begins so must be gone through first.
        kind, at = before or ("s", 2**62)
        if before is None and not await self._reader.inbox.found(whole, at, 1):
            kind = "p"
        query = whole if kind == "s" else begins
        looked, size = 0, PAGE + 1
        while True:
            got = await self._reader.inbox.found(query, at, size)
            for seq, one in got:
                # The index says what it could be; whether this person sees it, the one rule for that does.
                if self._is_wanted(one) and may_see_case(self._sign_in, one.id, one.queue):
                    if len(made.cases) == PAGE:
                        made.next_page = f"{kind}~{at}"
                        return made
                    made.cases.append(one)
                at = seq
            looked += len(got)
            if len(got) < size:
                return made
            if looked >= LOOK_THROUGH:
                made.next_page, made.cut_short = f"{kind}~{at}", True
                return made
            size = AT_ONCE

    def _is_wanted(self, case: Escalation) -> bool:
        wanted = self._filters
        return (
            (not wanted.queue or case.queue == wanted.queue)
            and (wanted.urgency is None or case.urgency == wanted.urgency)
            and (not wanted.agent or self.agents.get(case.agent_id) == wanted.agent)
            and may_see_case(self._sign_in, case.id, case.queue)
        )

    def _unread(self, one: Alike) -> int:
        return max(0, one.waiting - self._seen_of_line.get(one.id, 0))

    def _alike_line(self, one: Alike) -> CaseLine:
        return self._line(one.first, waiting=one.waiting, unread=self._unread(one))

    async def _lines(self, cases: Iterable[Escalation]) -> tuple[CaseLine, ...]:
        listed = list(cases)
        open_ids = [one.id for one in listed if one.is_open]
        seen = await self._reader.inbox.seen_among(self._sign_in.person.id, open_ids) if open_ids else ()
        made = [self._line(one, unread=int(one.is_open and one.id not in seen)) for one in listed]
        if self._filters.unread:
            made = [one for one in made if one.unread]
        return tuple(made)

    def _line(self, case: Escalation, *, waiting: int = 1, unread: int = 0) -> CaseLine:
        return CaseLine(
            case,
            self.agents.get(case.agent_id, case.agent_id),
            tuple(self._people.get(one, one) for one in case.decided_by),
            self._people.get(case.acknowledged_by) if case.acknowledged_by else None,
            self._people.get(case.assigned_to) if case.assigned_to else None,
            waiting,
            unread,
            tuple(self._present.get(case.id, ())),
        )


async def _counts(reader: Reader, sign_in: SignIn) -> Counts:
    sees, own = seen_queues(sign_in.person), sign_in.person.queues
    waiting = await reader.inbox.waiting()
    seen: dict[str, int] = {}
    for queue, _, n in await reader.inbox.seen(sign_in.person.id):
        seen[queue] = seen.get(queue, 0) + n
    by_queue = {
        queue: Count(n, max(0, n - seen.get(queue, 0)))
        for queue, n in waiting.items()
        if sees is None or queue in sees
    }
    mine = await reader.inbox.in_hand(sign_in.person.id, MOST_IN_HAND)
    return Counts(
        mine=sum(may_see_case(sign_in, one.id, one.queue) for one in mine),
        queues=_sum(one for queue, one in by_queue.items() if not own or queue in own),
        all=_sum(by_queue.values()),
        by_queue=by_queue,
    )


def _sum(some: Iterable[Count]) -> Count:
    listed = list(some)
    return Count(sum(one.waiting for one in listed), sum(one.unread for one in listed))


_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
_PLACE = re.compile(rf"w~([0-3])~({_TIME})~(\d{{1,15}})", re.ASCII)
_ENDED = re.compile(rf"e~({_TIME})~(esc_[0-9A-Z]{{26}})", re.ASCII)
_SEQ = re.compile(r"([sp])~(\d{1,18})", re.ASCII)


def _ended_key(case: Escalation) -> tuple[str, str]:
    return (to_text(case.decided_at) if case.decided_at else "", case.id)


def _text_of(place: Place) -> str:
    return f"w~{place.place}~{place.at}~{place.id}"


def _place_of(text: str) -> Place | None:
    found = _read(_PLACE, text)
    return None if found is None else Place(int(found[1]), found[2], int(found[3]))


def _ended_of(text: str) -> tuple[str, str] | None:
    found = _read(_ENDED, text)
    return None if found is None else (found[1], found[2])


def _seq_of(text: str) -> tuple[str, int] | None:
    found = _read(_SEQ, text)
    return None if found is None else (found[1], int(found[2]))


def _read(form: re.Pattern[str], text: str) -> re.Match[str] | None:
    if not text:
        return None
    found = form.fullmatch(text)
    if found is None:
        raise InvalidRequest(
            "this is not where a page of this list ends. Begin at its first page.", field="after"
        )
    return found
