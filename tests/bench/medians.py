"""Compare two ways of doing a thing: interleaved, so that what else the machine does weighs on both."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Awaitable, Callable


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


async def interleaved_calls(
    *ways: Callable[[], Awaitable[object]], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> list[float]:
    """Return the median seconds of one awaited call of each way."""
    taken: list[list[float]] = [[] for _ in ways]
    gc.collect()
    for _ in range(rounds):
        for way, times in zip(ways, taken, strict=True):
            began = clock()
            await way()
            times.append(clock() - began)
    return [statistics.median(times) for times in taken]


def told(what: str, ratio: float, goal: float | None, note: str = "") -> None:
    """Print one line of the benchmarks."""
    aim = "" if goal is None else f"  (goal {goal})"
    print(f"\n{what}: {ratio:.2f}x{aim}{'  ' + note if note else ''}", end="")  # noqa: T201
