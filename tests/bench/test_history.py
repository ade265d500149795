"""A window sum over a million recorded asks against one over a thousand, in the same run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

from tests._support.cases import second_hand
from tests._support.clock import HandClock

from signoff.domain.ids import new_id
from signoff.store.history import buckets_of, to_us
from signoff.store.sqlite import open_store

GOAL = 2.0
ROUNDS = 301
SMALL, LARGE = 1_000, 1_000_000
WINDOW = timedelta(days=1)
NOW = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)
SERIES = {SMALL: b"s" * 32, LARGE: b"l" * 32}


def entries(rows: int) -> Iterator[tuple[int, int]]:
    """Return time and cents of entries spread over the window, its edges included."""
    first, step = to_us(NOW - WINDOW) + 1, int(WINDOW / timedelta(microseconds=1)) // rows
    return ((first + number * step, number * 7919 % 100_000) for number in range(rows))


def fill(connection: Any, rows: int, first_seq: int) -> Decimal:
    """Write a series as recording does, without a transaction for each entry; return its sum."""
    series, total = SERIES[rows], 0
    buckets: dict[tuple[int, int], tuple[int, int]] = {}
    connection.execute("BEGIN")
    source = enumerate(entries(rows), first_seq)
    while batch := list(islice(source, 10_000)):
        connection.executemany(
            "INSERT INTO history_entry VALUES (?, ?, ?, 'asked', ?, NULL, 1, 1)",
            [(seq, series, at, format(Decimal(cents) / 100, "f")) for seq, (at, cents) in batch],
        )
        for _, (at, cents) in batch:
            total += cents
            for key in enumerate(buckets_of(at)):
                held = buckets.get(key, (0, 0))
                buckets[key] = (held[0] + cents, held[1] + 1)
    connection.executemany(
        "INSERT INTO history_bucket VALUES (?, ?, ?, ?, ?)",
        (
            (series, level, bucket, format(Decimal(cents) / 100, "f"), n)
            for (level, bucket), (cents, n) in sorted(buckets.items())
        ),
    )
    connection.execute("COMMIT")
    return Decimal(total) / 100


async def test_a_sum_over_a_million_asks_costs_hardly_more_than_over_a_thousand(tmp_path: Path) -> None:
    path = tmp_path / "signoff.db"
    async with open_store(path, log="signoff.example/bench", clock=HandClock(), new_id=new_id) as store:
        with second_hand(path) as connection:
            connection.execute("PRAGMA foreign_keys=OFF")
            sums = {SMALL: fill(connection, SMALL, 0), LARGE: fill(connection, LARGE, SMALL)}
        took: dict[int, list[float]] = {SMALL: [], LARGE: []}
        async with store.reading() as reader:
            for number in range(ROUNDS):
                # The edge moves, so that no round reads exactly the pages of the one before.
                after = NOW - WINDOW + timedelta(microseconds=number * 7_654_321)
                for rows, series in SERIES.items():
                    began = time.perf_counter()
                    found = await reader.windows.window(series, after)
                    took[rows].append(time.perf_counter() - began)
                    if number == 0:
                        assert (found.total, found.n) == (sums[rows], rows)
    small, large = (statistics.median(took[rows]) for rows in (SMALL, LARGE))
    print(  # noqa: T201
        f"\nwindow sum over {SMALL} asks {small * 1e6:.0f} µs, over {LARGE} {large * 1e6:.0f} µs,"
        f" ratio {large / small:.2f} (goal {GOAL})"
    )
    assert large / small <= GOAL
