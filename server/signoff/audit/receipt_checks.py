"""Checking receipts by the thousand, beside the rest of the work.

A receipt costs more than everything else about its case: of 150 µs, its signature takes 115. So once there are many,
other processes check them, a block at a time. What is found does not depend on how they ran: every block is settled
after the same number of later ones.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from typing import Any, Generic, TypeVar

import orjson

from signoff.audit.keys import Jwks
from signoff.audit.processors import spare_processors
from signoff.audit.receipt import ReceiptInvalid, ReceiptKeys, parse_signed, unverified_fields

ALONE = 2_000
"""Up to so many are checked here: other processes take 0.2 s to start."""
BLOCK = 100
MOST_BLOCKS = 48  # about 10 MB wait at most
MOST_PROCESSES = 4

Told = TypeVar("Told")
Given = tuple[str, Mapping[str, Any], bytes]
"""A token, what it must state, and the issuer's keys as JSON."""


def receipt_problem(token: str, stated: Mapping[str, Any], keys: ReceiptKeys | None) -> str | None:
    """Return what is wrong with a receipt; None if it states what it must and one of the keys signed it."""
    fields = unverified_fields(token)
    if not stated.items() <= fields.items():
        return "its receipt states another decision"
    if keys is None:
        return None
    try:
        signed = parse_signed(token, keys, fields=fields)
    except ReceiptInvalid as error:
        return f"its receipt does not verify: {error}"
    return None if signed.holds() else "its receipt does not verify: no key of this issuer signed it"


def problems_of(block: Sequence[Given]) -> list[str | None]:
    """Return what is wrong with each of some receipts; this runs in the other processes."""
    return [receipt_problem(token, stated, _keys(jwks)) for token, stated, jwks in block]


@lru_cache(maxsize=4)
def _keys(jwks: bytes) -> ReceiptKeys | None:
    found: Jwks | None = orjson.loads(jwks)
    return None if found is None else ReceiptKeys(found)


class ReceiptChecks(Generic[Told]):
    """Takes receipts, and hands back what is wrong with those that are, each with what was given beside it."""

    def __init__(self, *, many: bool = False) -> None:
        """Begin with none.

        Args:
            many: True shares the first block out already; so few receipts are checked here otherwise that it costs more.
        """
        self._taken = ALONE if many else 0
        self._spare = min(MOST_PROCESSES, spare_processors())
        self._block: list[tuple[Given, Told]] = []
        self._under_way: deque[tuple[list[tuple[Given, Told]], Future[list[str | None]]]] = deque()
        self._pool: ProcessPoolExecutor | None = None

    def add(
        self, token: str, stated: Mapping[str, Any], told: Told, *, jwks: bytes
    ) -> list[tuple[Told, str]]:
        """Take a receipt; returns what is wrong with earlier ones that are settled now.

        Args:
            jwks: The keys that may have signed it, as JSON; `null` where its signature is not checked.
        """
        self._taken += 1
        self._block.append(((token, stated, jwks), told))
        if len(self._block) < BLOCK:
            return []
        block, self._block = self._block, []
        given = [one for one, _ in block]
        if self._taken <= ALONE or not self._spare:
            return _wrong(block, problems_of(given))
        self._under_way.append((block, self._done_here(given) if self._is_full() else self._submit(given)))
        return self._settle_first() if len(self._under_way) > MOST_BLOCKS else []

    def _is_full(self) -> bool:
        """Say whether the others have all they can take, so that this process had better check a block than wait."""
        return len(self._under_way) >= MOST_BLOCKS and not self._under_way[0][1].done()

    def _done_here(self, given: list[Given]) -> Future[list[str | None]]:
        made: Future[list[str | None]] = Future()
        made.set_result(problems_of(given))
        return made

    def finish(self) -> list[tuple[Told, str]]:
        """Check what is left, and return what is wrong with what was not settled yet."""
        last, self._block = self._block, []
        wrong_last = _wrong(last, problems_of([given for given, _ in last]))
        # What nobody has begun is taken back, the newest first, while the others come from the oldest.
        for at in range(len(self._under_way) - 1, -1, -1):
            block, under_way = self._under_way[at]
            if under_way.cancel():
                self._under_way[at] = (block, self._done_here([given for given, _ in block]))
        found: list[tuple[Told, str]] = []
        while self._under_way:
            found += self._settle_first()
        found += wrong_last
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
        return found

    def _submit(self, block: list[Given]) -> Future[list[str | None]]:
        if self._pool is None:
            # Not forked: this process may have threads that hold locks.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self._spare, mp_context=context)
        try:
            return self._pool.submit(problems_of, block)
        except (BrokenProcessPool, OSError) as error:
            failed: Future[list[str | None]] = Future()
            failed.set_exception(error)
            return failed

    def _settle_first(self) -> list[tuple[Told, str]]:
        block, under_way = self._under_way.popleft()
        try:
            problems = under_way.result()
        except (BrokenProcessPool, OSError):  # no process could be started, or it was killed
            problems = problems_of([given for given, _ in block])
        return _wrong(block, problems)


def _wrong(block: list[tuple[Given, Told]], problems: list[str | None]) -> list[tuple[Told, str]]:
    return [(told, what) for (_, told), what in zip(block, problems, strict=True) if what is not None]
