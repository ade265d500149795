"""Tiles: the tree and its events cut into files that never change, so that any log tool can follow the log.

The form is C2SP tlog-tiles (c2sp.org/tlog-tiles). Below a log's URL:

    checkpoint                     the signed tree head
    tile/0/x001/x234/067           256 leaf hashes, from event 1234067 * 256 on
    tile/1/000                     256 hashes, each of 256 hashes of level 0
    tile/0/000.p/8                 a tile that is not full: its first 8 hashes
    tile/entries/000.p/8           the events themselves, each behind its length in two bytes, the high one first

Hash `i` of tile `n` at level `l` is the perfect subtree `(8 * l, 256 * n + i)` of `merkle.py`, which the store keeps.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
MAX_LEVEL = 63
ENTRIES = "entries"

_PATH = re.compile(
    r"(?P<level>entries|0|[1-9][0-9]?)/(?P<index>(?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)


@dataclass(frozen=True, slots=True)
class Tile:
    """One file of hashes or events."""

    level: int | None
    """None for events."""
    index: int
    width: int = TILE_WIDTH
    """Fewer than 256 where it is not full."""

    @property
    def path(self) -> str:
        """Return its path below `tile/`."""
        digits = f"{self.index:03d}"
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        parts = [digits[at : at + 3] for at in range(0, len(digits), 3)]
        whole = "/".join([*(f"x{part}" for part in parts[:-1]), parts[-1]])
        level = ENTRIES if self.level is None else str(self.level)
        return f"{level}/{whole}" + ("" if self.width == TILE_WIDTH else f".p/{self.width}")

    @property
    def start(self) -> int:
        """Return which subtree (or event) of its level is its first."""
        return self.index << TILE_HEIGHT

    def is_in(self, size: int) -> bool:
        """Say whether a tree of `size` leaves has all of it."""
        return self.start + self.width <= size >> (TILE_HEIGHT * (self.level or 0))


def parse_tile(path: str) -> Tile | None:
    """Return the tile that a path below `tile/` names; None for any text that is not exactly such a path."""
    found = _PATH.fullmatch(path)
    if found is None:
        return None
    level = None if found["level"] == ENTRIES else int(found["level"])
    index = int(found["index"].replace("x", "").replace("/", ""))
    tile = Tile(level, index, int(found["width"] or TILE_WIDTH))
    if (level or 0) > MAX_LEVEL or (found["width"] and tile.width >= TILE_WIDTH):
        return None
    return tile if tile.path == path else None  # x000/001 is another name of 001, and a file has one


def bundle(events: Iterable[bytes]) -> bytes:
    """Return events as an entry bundle; each is at most 60 KiB (`domain/event.py`)."""
    return b"".join(len(event).to_bytes(2, "big") + event for event in events)
