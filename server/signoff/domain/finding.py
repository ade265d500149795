"""The words by which a case is found, and what somebody's search may look at.

Every word is stored with a mark of two letters in front that says where it stands: in the open part of a case, under
one of the action's arguments, or under a field of the subject. A search names the marks that it looks under. What the
policy's masks hide from a person is under marks that their search leaves out, so the index is never asked for it: a
hidden value shows neither in a result nor in how long an answer takes, and a policy that masks more tomorrow needs no
other index. Several arguments can share a mark; then a mask over one hides the others from searching, never less.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from signoff.domain.policy import Mask

MOST_WORDS = 400
"""Of one case; those that stand first."""
MOST_CHARS = 48
"""Of a word; a longer one is found by its beginning."""
MOST_TEXT_CHARS = 20_000
"""Of one text, so that a long one does not crowd out the others."""
MOST_ASKED = 8
"""Words of one search."""
SHORTEST_BEGINNING = 3
"""A search for fewer letters than these finds whole words only."""

_OPEN, _QUEUE = "oo", "qq"
_ARGUMENTS = tuple(f"a{number:x}" for number in range(16))
_SUBJECT = tuple(f"s{number:x}" for number in range(8))
_WORD = re.compile(r"[^\W_]+")
# Scripts that write without spaces: each sign is a word of its own.
_SIGN = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")


def words_of(document: Mapping[str, Any], *, case_id: str, queue: str) -> str:
    """Return what the index holds of a case, as words with spaces between.

    Args:
        document: As it is stored: `action` and `bundle`, secrets masked.
    """
    action, bundle = _fields(document.get("action")), _fields(document.get("bundle"))
    made = dict.fromkeys([queue_word(queue)])
    for word in _words(case_id):
        made[_OPEN + word] = None
    for name in ("tool", "server", "summary"):
        for word in _words(action.get(name)):
            made[_OPEN + word] = None
    for mark, value in _under_marks(_fields(bundle.get("subject")), _SUBJECT):
        for word in _words(value):
            made[mark + word] = None
    for mark, value in _under_marks(_fields(action.get("arguments")), _ARGUMENTS):
        for word in _words(value):
            made[mark + word] = None
    return " ".join(list(made)[:MOST_WORDS])


def queue_word(queue: str) -> str:
    """Return the word that stands for a queue, so that a search stays within a person's own."""
    return _QUEUE + _hash(queue)[:16]


def asked_words(text: str) -> tuple[str, ...]:
    """Return the words of a search, as the index knows them."""
    return tuple(dict.fromkeys(_words(text)))[:MOST_ASKED]


def marks_for(masks: Iterable[Mask]) -> tuple[str, ...]:
    """Return the marks under which somebody's search looks.

    Args:
        masks: What the policy hides from this person.
    """
    hidden: set[str] = set()
    for mask in masks:
        root, name, *rest = mask.parts
        step = rest[0] if rest else "*"
        if root == "action":
            hidden.update(_ARGUMENTS if step == "*" else [_mark(step, _ARGUMENTS)])
        elif name in ("subject", "*"):
            hidden.update(_SUBJECT if step == "*" else [_mark(step, _SUBJECT)])
    return tuple(one for one in (_OPEN, *_ARGUMENTS, *_SUBJECT) if one not in hidden)


def _under_marks(values: Mapping[str, Any], marks: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        yield _mark(name, marks), value


def _mark(name: str, marks: tuple[str, ...]) -> str:
    return marks[int(_hash(name)[:4], 16) % len(marks)]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _fields(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _words(value: Any) -> Iterator[str]:
    """Yield every word in a value, those of names inside it too, folded so that case and accents do not matter."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Mapping):
            for name, part in reversed(list(one.items())):
                waiting += [part, name]
        elif isinstance(one, (list, tuple)):
            waiting.extend(reversed(one))
        elif one is not None and not isinstance(one, bool):
            yield from _folded(one if isinstance(one, str) else repr(one))


def _folded(text: str) -> Iterator[str]:
    plain = unicodedata.normalize("NFKD", text[:MOST_TEXT_CHARS]).casefold()
    kept = "".join(one for one in plain if unicodedata.category(one) != "Mn")
    kept = unicodedata.normalize("NFC", kept)  # which puts Hangul together again
    for word in _WORD.findall(_SIGN.sub(lambda sign: f" {sign[0]} ", kept)):
        yield word[:MOST_CHARS]
