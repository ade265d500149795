"""Compare two ways of doing a thing: interleaved, so that what else the machine does weighs on both."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


def interleaved(*ways: Callable[[], object], rounds: int, calls: int) -> list[float]:
    """Return the median seconds of processor time of one call of each way, which only computes."""
    taken: list[list[float]] = [[] for _ in ways]
    gc.collect()
    for _ in range(rounds):
        for way, times in zip(ways, taken, strict=True):
            began = time.process_time()
            for _ in range(calls):
                way()
            times.append((time.process_time() - began) / calls)
    return [statistics.median(times) for times in taken]


@dataclass(frozen=True)
class Way:
    """A call, and the processor time that whoever answers it has spent so far, in seconds."""

    call: Callable[[], Awaitable[object]]
    spent: Callable[[], float]


@dataclass(frozen=True)
class Taken:
    """What one call took, in seconds, row by row of calls."""

    calls: list[list[float]]
    """As their caller sees them."""
    spent: list[float]
    """Processor time of whoever answers, with all that is done behind the answer; the mean of the row."""

    @property
    def medians(self) -> list[float]:
        """Return the median call of each row."""
        return [statistics.median(row) for row in self.calls]

    @property
    def undisturbed(self) -> float:
        """Return what a call takes while the machine does little else: a tenth of all calls took less.

        What else it does only ever adds, and adds most to what touches most memory; so under load medians compare the
        load, and these still the ways.
        """
        return statistics.quantiles([one for row in self.calls for one in row], n=10)[0]


def ratio(some: list[float], others: list[float]) -> float:
    """Return the median of the rows' ratios: what else the machine does for seconds weighs on both rows of a round."""
    return statistics.median(one / other for one, other in zip(some, others, strict=True))


async def interleaved_calls(
    *ways: Way,
    rounds: int,
    calls: int,
    untimed: int,
    settle: Callable[[], Awaitable[object]],
    clock: Callable[[], float] = time.perf_counter,
) -> list[Taken]:
    """Return what one awaited call of each way took.

    Args:
        calls: In a row, of one way.
        untimed: Further calls before those: a processor that had nothing to do is slow for the first ones.
        settle: Waits after each row until nothing of it is left to be done, so that the next has none of it.
    """
    taken = [Taken([], []) for _ in ways]
    gc.collect()
    for _ in range(rounds):
        for way, row in zip(ways, taken, strict=True):
            times: list[float] = []
            before = way.spent()
            for _ in range(untimed):
                await way.call()
            for _ in range(calls):
                began = clock()
                await way.call()
                times.append(clock() - began)
            await settle()
            row.calls.append(times)
            row.spent.append((way.spent() - before) / (untimed + calls))
    return taken


def told(what: str, ratio: float, goal: float | None, note: str = "") -> None:
    """Print one line of the benchmarks."""
    aim = "" if goal is None else f"  (goal {goal})"
    print(f"\n{what}: {ratio:.2f}x{aim}{'  ' + note if note else ''}", end="")  # noqa: T201
