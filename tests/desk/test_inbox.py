"""What the inbox is made of: lines and counts that stay true, whatever moves, and databases from before there were any."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from tests._support.cases import WIRE, approve, ask, second_hand
from tests.conftest import Cast

from signoff.desk.close import cancel
from signoff.desk.decide import undo
from signoff.desk.desk import Desk, DeskSettings
from signoff.desk.handle import acknowledge, hand_over, move_to_queue, override
from signoff.desk.inbox import Filters, inbox
from signoff.desk.people import add_person
from signoff.desk.search_fill import fill_search
from signoff.domain.errors import SignoffError
from signoff.domain.people import ROLES, SignIn, may_see_case, seen_queues

LINES = """
SELECT queue, 3 - urgency_rank, tool, COALESCE(server, ''), hand, COUNT(*), MIN(deadline_at) FROM escalation
WHERE status = 'pending' GROUP BY queue, urgency_rank, agent_id, tool, server, triggers, require, hand
"""


@pytest.fixture
def settings() -> DeskSettings:
    return DeskSettings(base_url="http://127.0.0.1:8717", undo_s=10)


def check_lines(path: Path) -> int:
    """Compare lines and counts with the cases themselves; return how many lines there are."""
    with second_hand(path) as db:

        def rows(sql: str) -> list[Any]:
            return sorted(tuple(row) for row in db.execute(sql))

        kept = rows("SELECT queue, place, tool, server, hand, waiting, first_deadline_at FROM alike")
        assert kept == rows(LINES)
        assert rows("SELECT queue, waiting FROM waiting_in WHERE waiting > 0") == rows(
            "SELECT queue, COUNT(*) FROM escalation WHERE status = 'pending' GROUP BY queue"
        )
        assert rows("SELECT a.first_id, a.first_deadline_at FROM alike a") == rows(
            "SELECT e.id, e.deadline_at FROM alike a JOIN escalation e ON e.id = a.first_id AND e.alike_id = a.id"
            " WHERE e.status = 'pending'"
        )
        gone = "SELECT s.escalation_id FROM case_seen s JOIN escalation e ON e.id = s.escalation_id"
        assert rows(f"{gone} WHERE e.status <> 'pending'") == []
        return len(kept)


@pytest.mark.parametrize("seed", range(4))
async def test_lines_and_counts_are_what_the_cases_say_whatever_moves(
    desk: Desk, cast: Cast, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - which move comes next
    olga = await add_person(desk, "Olga", roles=["operator"])
    cases: list[str] = []

    async def opened() -> None:
        server = chance.choice((None, "bank"))
        made = await ask(
            desk, chance.choice((cast.ada, cast.bea)), WIRE.model_copy(update={"server": server})
        )
        cases.append(made.escalation_id)

    moves: list[Callable[[], Awaitable[object]]] = [
        opened,
        opened,
        lambda: acknowledge(desk, cast.omar, chance.choice(cases)),
        lambda: hand_over(desk, cast.omar, chance.choice(cases), to=olga.id),
        lambda: move_to_queue(
            desk, cast.sofia, chance.choice(cases), queue=chance.choice(("payments", "default"))
        ),
        lambda: override(desk, cast.sofia, chance.choice(cases)),
        lambda: approve(desk, chance.choice((cast.omar, cast.sofia)), chance.choice(cases)),
        lambda: undo(desk, chance.choice((cast.omar, cast.sofia)), chance.choice(cases)),
        lambda: cancel(desk, chance.choice((cast.ada, cast.bea)), chance.choice(cases), reason="x"),
    ]
    await opened()
    most = 0
    for _ in range(40):
        with suppress(SignoffError):  # a move that the case does not allow
            await chance.choice(moves)()
        most = max(most, check_lines(tmp_path / "signoff.db"))
    assert most > 2


async def test_who_sees_which_queues_is_said_alike_in_both_ways(cast: Cast) -> None:
    for roles in product(*[(None, one) for one in ROLES]):
        for queues in (frozenset[str](), frozenset({"payments"})):
            held = frozenset(one for one in roles if one is not None)
            person = type(cast.omar.person)("per_1", "Vera", held, queues, (), cast.omar.person.created_at)
            seen = seen_queues(person)
            for queue in ("payments", "other"):
                assert (seen is None or queue in seen) is may_see_case(
                    SignIn(person, "session"), "esc_1", queue
                )


async def test_cases_from_before_the_index_are_found_once_they_were_entered(
    desk: Desk, cast: Cast, tmp_path: Path
) -> None:
    cases = [(await ask(desk, cast.ada)).escalation_id for _ in range(3)]
    with second_hand(tmp_path / "signoff.db") as db:
        db.execute("DELETE FROM case_words")
        db.execute("UPDATE search_fill SET below = (SELECT MAX(opened_seq) + 1 FROM escalation)")
    late = (await ask(desk, cast.ada)).escalation_id

    async def found() -> tuple[set[str], bool]:
        seen = await inbox(desk, cast.omar, Filters(words="invoice"))
        assert seen.found is not None
        return {line.case.id for line in seen.found}, seen.not_found_yet

    assert await found() == ({late}, True)
    assert await fill_search(desk) == 3
    assert await found() == ({*cases, late}, False)
    assert await fill_search(desk) == 0
