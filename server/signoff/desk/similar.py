"""How cases like this one were decided before: the same tool, the same triggers, near arguments.

Only cases that the person may see, with the same masks over them: what is hidden from somebody does not count in what
is near either.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from typing import Any

import orjson

from signoff.desk.desk import Desk
from signoff.desk.look import CaseView
from signoff.desk.masks import is_hidden, masked
from signoff.domain.canonical import canonical
from signoff.domain.case import Escalation, Status
from signoff.domain.people import SignIn, may_see_case
from signoff.store.reader import Reader

LOOKED_AT = 200
"""The newest ended cases of the tool that are counted."""
COMPARED = 60
"""Of those, how many arguments are read."""
COMPARED_BYTES = 2_000_000
"""And at most so many bytes of them: each may hold a bundle of 2 MB."""
NEAREST = 5
DIFFERENCES = 4
_TEXT_CHARS = 200


@dataclass(frozen=True, slots=True)
class Difference:
    """One argument that was another one then."""

    name: str
    then: Any
    """Not there at all where `missing`."""
    missing: bool = False
    hidden: bool = False
    """The policy hides from this person what it was then."""


@dataclass(frozen=True, slots=True)
class SimilarCase:
    """A case that ended, and how near it is."""

    case: Escalation
    decided_by: tuple[str, ...]
    """Names."""
    note: str
    """Of the decision that ended it."""
    same_triggers: bool
    same_action: bool
    """The very same action, by its digest; never where some of it is hidden from this person."""
    differences: tuple[Difference, ...]
    more_differences: int
    known: bool
    """Whether the arguments could be compared: they are not erased, hidden or beyond what is read."""


@dataclass(frozen=True, slots=True)
class Similar:
    """What came of cases like one."""

    cases: tuple[SimilarCase, ...]
    """The nearest ones, nearest first."""
    counts: Mapping[Status, int]
    """How the newest cases of this tool ended, of those that this person may see."""
    total: int
    since: datetime | None
    """When the oldest of those ended."""


async def past_cases(desk: Desk, sign_in: SignIn, view: CaseView) -> Similar | None:
    """Return how cases like one ended; None for whoever came by the link of one case, and sees no other."""
    if sign_in.only_case is not None:
        return None
    async with desk.store.reading() as reader:
        return await _similar(
            desk,
            reader,
            sign_in,
            view.case,
            view.proposed_arguments,
            now=view.now,
            whole=not view.hides_action,
        )


async def _similar(
    desk: Desk,
    reader: Reader,
    sign_in: SignIn,
    case: Escalation,
    arguments: Mapping[str, Any],
    *,
    now: datetime,
    whole: bool,
) -> Similar:
    """Return how cases like one ended.

    Args:
        arguments: Of the case, with this person's masks applied.
        now: Decisions that can still be taken back by then are left out.
        whole: Nothing of the action is hidden from this person, so it may be compared by its digest.
    """
    ended = [
        (one, size)
        for one, size in await reader.ended_cases_of_tool(case.tool, LOOKED_AT)
        if one.id != case.id and one.server == case.server and one.released(now)
        and may_see_case(sign_in, one.id, one.queue)
    ]  # fmt: skip
    counts = Counter[Status](one.status for one, _ in ended)
    since = min((one.decided_at for one, _ in ended if one.decided_at is not None), default=None)
    masks = desk.policy.current().policy.masks_for(sign_in.person.roles)
    near: list[tuple[float, int, Escalation, Mapping[str, Any] | None]] = []
    read = 0
    for order, (one, size) in enumerate(ended[:COMPARED]):
        theirs = None
        if size is not None and read + size <= COMPARED_BYTES:
            read += size
            theirs = await _arguments(reader, one, masks)
        near.append((_nearness(case, one, arguments, theirs, whole=whole), -order, one, theirs))
    nearest = heapq.nlargest(NEAREST, near, key=lambda each: each[:2])
    made = [await _made(reader, case, one, arguments, theirs, whole=whole) for _, _, one, theirs in nearest]
    return Similar(tuple(made), counts, len(ended), since)


async def _arguments(reader: Reader, case: Escalation, masks: Any) -> Mapping[str, Any] | None:
    raw = await reader.document(case.id)
    if raw is None:
        return None
    document, _ = masked({"action": orjson.loads(raw)["action"]}, masks)
    action = document["action"]
    found = action.get("arguments") if isinstance(action, dict) else None
    return found if isinstance(found, dict) else None


async def _made(
    reader: Reader,
    case: Escalation,
    one: Escalation,
    mine: Mapping[str, Any],
    theirs: Mapping[str, Any] | None,
    *,
    whole: bool,
) -> SimilarCase:
    decisions = await reader.decisions(one.id)
    people = [await reader.person(person_id) for person_id in one.decided_by]
    differences = [] if theirs is None else _differences(mine, theirs)
    return SimilarCase(
        case=one,
        decided_by=tuple(person.name for person in people if person is not None),
        note=decisions[-1].note if decisions else "",
        same_triggers=set(case.triggers) == set(one.triggers),
        same_action=whole and case.action_digest == one.action_digest,
        differences=tuple(differences[:DIFFERENCES]),
        more_differences=max(0, len(differences) - DIFFERENCES),
        known=theirs is not None,
    )


def _nearness(
    case: Escalation,
    one: Escalation,
    mine: Mapping[str, Any],
    theirs: Mapping[str, Any] | None,
    *,
    whole: bool,
) -> float:
    """Return how near a case is, from 0: the same action before all, then shared triggers and near arguments."""
    if whole and case.action_digest == one.action_digest:
        return 10.0
    union = set(case.triggers) | set(one.triggers)
    triggers = len(set(case.triggers) & set(one.triggers)) / len(union) if union else 1.0
    return triggers + (0.0 if theirs is None else nearness_of(mine, theirs))


def nearness_of(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> float:
    """Return how near two sets of arguments are, from 0 to 1: the mean over all names that either has."""
    names = mine.keys() | theirs.keys()
    if not names:
        return 1.0
    return sum(_alike(mine[name], theirs[name]) for name in names if name in mine and name in theirs) / len(
        names
    )


def _alike(one: Any, other: Any) -> float:
    if is_hidden(one) or is_hidden(other):
        return 0.0
    if _is_number(one) and _is_number(other):
        if one == other:
            return 1.0
        largest = max(abs(one), abs(other))
        # 1,000 and 1,100 are near, 10 and 1,000 are not; of other signs nothing is near.
        return max(0.0, 1 - abs(one - other) / largest) if one * other >= 0 else 0.0
    if one == other and isinstance(one, bool) == isinstance(other, bool):
        return 1.0
    if isinstance(one, str) and isinstance(other, str):
        return SequenceMatcher(None, one[:_TEXT_CHARS], other[:_TEXT_CHARS]).quick_ratio() * 0.8
    if isinstance(one, list) and isinstance(other, list):
        return 0.5 * _alike(len(one), len(other))
    if isinstance(one, dict) and isinstance(other, dict):
        return 0.8 * len(one.keys() & other.keys()) / max(1, len(one.keys() | other.keys()))
    return 0.0


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _differences(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[Difference]:
    """Return the arguments that were others then, in the order of this case's."""
    made = []
    for name, value in mine.items():
        if name not in theirs:
            made.append(Difference(name, None, missing=True))
        elif not is_hidden(value) and canonical(value) != canonical(theirs[name]):
            made.append(Difference(name, theirs[name], hidden=is_hidden(theirs[name])))
    made.extend(Difference(name, value) for name, value in theirs.items() if name not in mine)
    return made
