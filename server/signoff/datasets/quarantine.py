"""What sets a row apart: signs that a model should not learn from it before a person has looked.

A doubt is no verdict. The row is kept, whole, in `quarantine.jsonl` beside its reasons.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson

from signoff.desk.masks import HIDDEN

if TYPE_CHECKING:
    from signoff.datasets.decided import DecidedCase

MASK = "[masked: "
AT_LEAST = timedelta(seconds=1)
"""Nobody reads a case in less, so a quicker decision says nothing about the case."""
MOST_DOUBTS = 20
"""Per row; a text full of hidden characters is one finding, not thousands."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u2800\u3164\ue000-\uf8ff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff"
    "\U000e0000-\U000e0fff\U000f0000-\U0010ffff]"
)
_TEMPLATE_TOKEN = re.compile(
    r"<\|[a-z_]{2,30}\|>|\[/?INST\]|<</?SYS>>|</?(?:start|end)_of_turn>", re.IGNORECASE
)
_ORDER = re.compile(
    r"\b(?:ignore|disregard|forget|override)\s+(?:\w+\s+){0,3}"
    r"(?:previous|prior|above|earlier|preceding|system|these|those|your)\s+(?:\w+\s+){0,2}"
    r"(?:instructions?|prompts?|rules?|guidelines?|directives?)\b",
    re.IGNORECASE,
)
# What neither of the two can be without, in small letters.
_SUSPICIOUS = (b"ignore", b"disregard", b"forget", b"override", b"<|", b"inst]", b"sys>>", b"_of_turn>")
# How JSON writes control characters; in ASCII text there is nothing else to hide with.
_ESCAPED = (b"\\u00", b"\\b", b"\\f", b"\x7f")


@dataclass(frozen=True, slots=True)
class Doubt:
    """One reason to look before training on a row."""

    reason: str
    """A stable word: `docs/datasets.md` lists them."""
    where: str
    """A path into what the row is made of."""
    what: str = ""
    """The code point or the kind, never the text itself."""

    def as_json(self) -> dict[str, str]:
        """Return the form that stands in the quarantine file."""
        made = {"reason": self.reason, "where": self.where}
        return {**made, "what": self.what} if self.what else made


def doubts_of(decided: DecidedCase, material: Mapping[str, Any]) -> list[Doubt]:
    """Return every doubt about a row, at most twenty.

    Args:
        material: What the row is made of, before any of it is written as text inside text.
    """
    made: list[Doubt] = []
    if decided.considered_for < AT_LEAST:
        made.append(Doubt("decided_under_a_second", "decisions"))
    if not decided.digest_holds:
        made.append(Doubt("digest_mismatch", "arguments"))
    for name, value in (("arguments", decided.arguments), ("proposed", decided.proposed)):
        made.extend(_doubts_of_arguments(value, name))
    made.extend(_doubts_of_conversation(decided.messages))
    made.extend(_hidden_characters(material))
    return made[:MOST_DOUBTS]


# Walking every text of a 25 KB bundle in Python takes 1.5 ms, as long as reading it. So each check first looks at
# the bundle as one piece of JSON (0.05 ms) for what it could not find anything without.


def _doubts_of_arguments(arguments: dict[str, Any] | None, name: str) -> Iterator[Doubt]:
    raw = orjson.dumps(arguments)
    if MASK.encode() not in raw and HIDDEN.encode() not in raw:
        return
    for where, text in _texts(arguments, name):
        if MASK in text:
            yield Doubt("masked_arguments", where)
        if HIDDEN in text:
            yield Doubt("arguments_hidden_by_policy", where)


def _doubts_of_conversation(messages: Sequence[Mapping[str, Any]]) -> Iterator[Doubt]:
    lowered = orjson.dumps(messages).lower()
    suspicious = any(word in lowered for word in _SUSPICIOUS)
    began = False
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        if message["role"] in ("system", "developer"):
            # A system prompt stands first. One that comes later may be anybody's words in a borrowed role.
            if began:
                yield Doubt("system_message_in_conversation", where)
            continue
        began = True
        if not suspicious:
            continue
        for path, text in _texts({key: message[key] for key in message if key != "role"}, where):
            if _ORDER.search(text):
                yield Doubt("gives_orders_to_a_model", path)
            if _TEMPLATE_TOKEN.search(text):
                yield Doubt("chat_template_token", path)


def _hidden_characters(material: Mapping[str, Any]) -> Iterator[Doubt]:
    raw = orjson.dumps(material)
    if not any(one in raw for one in _ESCAPED) and (raw.isascii() or not _HIDDEN.search(raw.decode())):
        return
    for where, text in _texts(material, ""):
        if found := hidden_character(text):
            yield Doubt("hidden_characters", where, f"U+{ord(found):04X}")


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield every text in a value with its path, keys too."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, member in value.items():
            yield f"{path} (a key)", key
            yield from _texts(member, f"{path}.{key}" if path else key)
    elif isinstance(value, (list, tuple)):
        for index, member in enumerate(value):
            yield from _texts(member, f"{path}[{index}]")


def hidden_character(text: str) -> str | None:
    """Return the first character that a reader cannot see or that turns text around, None if there is none.

    Line breaks and tabs are seen, and so are the joiners inside emoji and between letters of scripts that need
    them (Persian, the Indic scripts).
    """
    if text.isascii():
        found = _CONTROL.search(text)
        return found[0] if found else None
    for found in _HIDDEN.finditer(text):
        if not _belongs(text, found.start()):
            return found[0]
    return None


def _belongs(text: str, at: int) -> bool:
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    if not before:
        return False
    kind = unicodedata.category(before)
    if text[at] == "\ufe0f":
        return kind in ("So", "Sm") or before in "#*0123456789"
    if text[at] in "\u200c\u200d" and after:
        if kind in ("Lo", "Mn", "Mc"):
            return unicodedata.category(after) in ("Lo", "Mn", "Mc")
        return text[at] == "\u200d" and kind in ("So", "Sk", "Mn") and unicodedata.category(after) == "So"
    return False
