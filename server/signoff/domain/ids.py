"""Identifiers: a prefix that says what it names, and 26 characters of Crockford base 32 (a ULID).

Text order is the order of creation to the millisecond. An id names a thing and gives no right to it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

NewId = Callable[[str, datetime], str]
"""Makes an id from a prefix (`esc`, `per`, `agt`, `dec`, `lnk`, `alr`, `exp`, `adr`, `ovr`, `abs`) and the instant of creation."""


def new_id(prefix: str, at: datetime) -> str:
    """Return `prefix_` and 26 characters: 48 bits of milliseconds, 80 random bits (ULID specification)."""
    number = (int(at.timestamp() * 1000) << 80) | secrets.randbits(80)
    letters = []
    for _ in range(26):
        letters.append(_ALPHABET[number & 31])
        number >>= 5
    return f"{prefix}_{''.join(reversed(letters))}"


def made_at(id_: str) -> str:
    """Return the part of an id that says to the millisecond when it was made, as text in the order of time."""
    return id_.rpartition("_")[2][:10]
