"""The inbox: which cases wait for whom, what they have looked at, who looks now, and finding a case by its words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from signoff.domain.case import Escalation
from signoff.domain.clock import to_text
from signoff.store import rows

LAST = "\U0010ffff"
"""Sorts after every time and every id."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a line stands in the inbox: behind it the next page begins."""

    place: int = -1
    """0 for critical to 3 for low."""
    at: str = ""
    id: int = -1


@dataclass(frozen=True, slots=True)
class Alike:
    """Cases that wait and are alike, as one line."""

    id: int
    waiting: int
    first: Escalation
    """The one with the least time left."""
    place: Place


@dataclass(frozen=True, slots=True)
class Present:
    """Somebody who has a case open."""

    escalation_id: str
    queue: str
    person_id: str
    name: str


@dataclass(frozen=True, slots=True)
class View:
    """Filters that a person keeps under a name."""

    id: str
    name: str
    filters: str


class InboxView:
    """What can be read of it; part of every `Reader`."""

    def __init__(self, connection: Any, queries: Any) -> None:
        self._connection = connection
        self._q = queries

    async def alike(self, queue: str | None, after: Place, most: int) -> list[Alike]:
        """Return cases that wait after a place, alike ones together: of one queue, or of all for None."""
        given = {"place": after.place, "at": after.at, "id": after.id, "most": most}
        if queue is None:
            found = self._q.alike_anywhere(self._connection, **given)
        else:
            found = self._q.alike_in_queue(self._connection, queue=queue, **given)
        return [
            Alike(
                row["alike"],
                row["waiting"],
                rows.case(row),
                Place(row["place"], row["first_deadline_at"], row["alike"]),
            )
            async for row in found
        ]

    async def signs(self, queue: str | None, most: int) -> list[list[Any]]:
        """Return what changes with the first lines of one queue, or of all: plain values to be compared."""
        if queue is None:
            found = self._q.signs_anywhere(self._connection, most=most)
        else:
            found = self._q.signs_in_queue(self._connection, queue=queue, most=most)
        return [[row["id"], row["waiting"], row["moves"], row["first_id"]] async for row in found]

    async def alike_of(self, escalation_id: str) -> tuple[int, int] | None:
        """Return with which others a case waits, and how many they are with it; None where it does not wait."""
        row = await self._q.alike_of_case(self._connection, escalation_id=escalation_id)
        return None if row is None else (row["id"], row["waiting"])

    async def cases_alike(self, alike_id: int, after: tuple[str, str], most: int) -> list[Escalation]:
        """Return the cases of one line, after the deadline and id of one of them."""
        found = self._q.cases_alike(self._connection, alike_id=alike_id, at=after[0], id=after[1], most=most)
        return [rows.case(row) async for row in found]

    async def in_hand(self, person_id: str, most: int) -> list[Escalation]:
        """Return cases that wait and that a person was given, or said that they look at."""
        found = self._q.cases_in_hand(self._connection, person_id=person_id, most=most)
        return [rows.case(row) async for row in found]

    async def waiting(self) -> dict[str, int]:
        """Return how many cases wait in each queue where any do."""
        return {row["queue"]: row["waiting"] async for row in self._q.waiting_by_queue(self._connection)}

    async def agents_of_queue(self, queue: str, most: int) -> set[str]:
        """Return the agents of a queue's cases: of all that wait, and of so many that ended."""
        found = self._q.agents_of_queue(self._connection, queue=queue, most=most)
        return {row["agent_id"] async for row in found}

    async def seen(self, person_id: str) -> list[tuple[str, int, int]]:
        """Return queue, line and number of the cases that a person has looked at as they are now."""
        found = self._q.seen_waiting(self._connection, person_id=person_id)
        return [(row["queue"], row["alike_id"], row["n"]) async for row in found]

    async def seen_among(self, person_id: str, ids: Iterable[str]) -> frozenset[str]:
        """Return which of some cases a person has looked at as they are now."""
        found = self._q.seen_among(self._connection, person_id=person_id, ids=rows.to_json(list(ids)))
        return frozenset([row["id"] async for row in found])

    async def ended(self, queue: str | None, before: tuple[str, str], most: int) -> list[Escalation]:
        """Return cases that ended before the time and id of one of them, newest first: of one queue, or of all."""
        given = {"at": before[0], "id": before[1], "most": most}
        if queue is None:
            found = self._q.ended_anywhere(self._connection, **given)
        else:
            found = self._q.ended_in_queue(self._connection, queue=queue, **given)
        return [rows.case(row) async for row in found]

    async def queues_that_had_cases(self) -> list[str]:
        """Return every queue in which a case has ended."""
        return [row["queue"] async for row in self._q.queues_of_cases(self._connection)]

    async def present(self, escalation_id: str, since: datetime) -> list[Present]:
        """Return who has had a case open since an instant."""
        found = self._q.present_at(self._connection, escalation_id=escalation_id, since=to_text(since))
        return [Present(escalation_id, row["queue"], row["person_id"], row["name"]) async for row in found]

    async def present_anywhere(self, since: datetime) -> list[Present]:
        """Return who has had which case open since an instant."""
        found = self._q.present_anywhere(self._connection, since=to_text(since))
        return [
            Present(row["escalation_id"], row["queue"], row["person_id"], row["name"]) async for row in found
        ]

    async def views(self, person_id: str) -> list[View]:
        """Return the filters that a person keeps."""
        found = self._q.saved_views(self._connection, person_id=person_id)
        return [View(row["id"], row["name"], row["filters"]) async for row in found]

    async def found(self, query: str, before: int, most: int) -> list[tuple[int, Escalation]]:
        """Return cases that match, newest first, each with the number of its first event.

        Args:
            query: As `match_of` makes it.
            before: The number of a case's first event.
        """
        got = self._q.cases_found(self._connection, words=query, before=before, most=most)
        return [(row["opened_seq"], rows.case(row)) async for row in got]

    async def filled_below(self) -> int:
        """Return below which number the cases cannot be found yet, 0 where all can."""
        return int((await self._q.search_filled(self._connection))["below"])

    async def to_fill(self, below: int, most: int) -> list[tuple[str, str, int, bytes | None]]:
        """Return id, queue, number and document of cases that cannot be found yet, newest first."""
        got = self._q.cases_to_fill(self._connection, below=below, most=most)
        return [
            (row["id"], row["queue"], row["opened_seq"], None if row["body"] is None else bytes(row["body"]))
            async for row in got
        ]


class InboxMoves(InboxView):
    """What can be written of it; part of every `Unit`."""

    def __init__(
        self, connection: Any, queries: Any, *, now: datetime, changed: Callable[[str], None]
    ) -> None:
        super().__init__(connection, queries)
        self._now = now
        self._changed = changed

    async def see(self, person_id: str, escalation_id: str, version: int) -> None:
        """Note which version of a case that waits a person has looked at."""
        await self._q.see_case(
            self._connection, person_id=person_id, escalation_id=escalation_id, version=version
        )

    async def come(self, person_id: str, escalation_id: str) -> None:
        """Note that a person has a case open."""
        await self._q.be_present(
            self._connection, escalation_id=escalation_id, person_id=person_id, now=to_text(self._now)
        )
        self._changed(escalation_id)

    async def leave(self, person_id: str, escalation_id: str) -> None:
        """Note that a person has closed a case."""
        await self._q.leave_case(self._connection, escalation_id=escalation_id, person_id=person_id)
        self._changed(escalation_id)

    async def forget_presence(self, before: datetime) -> None:
        """Forget who has not been seen since an instant."""
        await self._q.forget_presence(self._connection, before=to_text(before))

    async def save_view(self, view: View, person_id: str) -> str:
        """Keep filters under a name, and return their id; those of that name before are replaced."""
        row = await self._q.save_view(
            self._connection,
            id=view.id,
            person_id=person_id,
            name=view.name,
            filters=view.filters,
            made_at=to_text(self._now),
        )
        return str(row["id"])

    async def remove_view(self, view_id: str, person_id: str) -> bool:
        """Forget filters; False where this person has none of that id."""
        return await self._q.remove_view(self._connection, id=view_id, person_id=person_id) is not None

    async def add_words(self, seq: int, words: str) -> None:
        """Let a case be found by words."""
        await self._q.add_case_words(self._connection, seq=seq, words=words)

    async def move_words(self, escalation_id: str, before: str, after: str) -> None:
        """Let a case be found in another queue."""
        await self._q.move_case_words(
            self._connection, escalation_id=escalation_id, before=before, after=after
        )

    async def note_filled(self, below: int) -> None:
        """Remember that cases can be found from a number on."""
        await self._q.note_filled(self._connection, below=below)


def match_of(
    words: Iterable[str], marks: Iterable[str], *, within: Iterable[str] | None, shortest: int | None
) -> str:
    """Return the search for cases that hold all of some words, in the words of this database.

    Args:
        marks: Where the words may stand.
        within: The words of the queues that are looked in; None for every queue.
        shortest: Words of as many letters find longer ones that begin with them; None: none do.
    """
    # Words hold letters and digits only, so none can end its quotes.
    places = list(marks)
    made = [
        "("
        + " OR ".join(
            f'"{mark}{word}"{"*" if shortest is not None and len(word) >= shortest else ""}'
            for mark in places
        )
        + ")"
        for word in words
    ]
    if within is not None:
        made.append("(" + " OR ".join(f'"{one}"' for one in within) + ")")
    return " AND ".join(made)
