"""One SMS: 160 letters of the GSM alphabet (3GPP TS 23.038), the link included.

A single letter outside of that alphabet makes the whole message UCS-2, where 70 fit: less than a link. So what is not
in it is written with letters that are.
"""

from __future__ import annotations

import unicodedata

MAX_SHORT = 160

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("^{}\\[~]|€")
"""These take the room of two."""
_WRITTEN = str.maketrans(
    {
        "\u2026": "...", "\u27e6": "(", "\u27e7": ")", "\u2039": "(", "\u203a": ")", "[": "(", "]": ")", "{": "(", "}": ")",
        "\u201c": '"', "\u201d": '"', "\u2018": "'", "\u2019": "'", "\u2013": "-", "\u2014": "-", "\u00b7": "-", "\t": " ",
        # The dot that stands in for one in a name: a plain dot would let the phone make a link of it.
        "\u2024": ". ", "\u2044": "/",
    }
)  # fmt: skip


def room_of(text: str) -> int:
    """Return how many letters of an SMS a text of the GSM alphabet takes."""
    return sum(2 if letter in _EXTENDED else 1 for letter in text)


def is_gsm(text: str) -> bool:
    """Say whether every letter is one of the GSM alphabet."""
    return all(letter in _BASIC or letter in _EXTENDED for letter in text)


def as_gsm(text: str) -> str:
    """Return a text in one line of the GSM alphabet: accents it lacks fall away, letters it lacks become `?`."""
    return " ".join("".join(map(_letter, text.translate(_WRITTEN))).split())


def _letter(letter: str) -> str:
    if letter in _BASIC or letter in _EXTENDED:
        return letter
    plain = "".join(one for one in unicodedata.normalize("NFKD", letter) if one in _BASIC)
    return plain or "?"


def fitted(words: str, link: str) -> str:
    """Return words and link as one SMS; the words are cut, the link never is.

    A link that alone is longer than an SMS makes a message of several; `signoff alerts check` says so.
    """
    words = as_gsm(words)
    room = MAX_SHORT - room_of(link) - 1 if link else MAX_SHORT
    if room_of(words) > room:
        cut = ""
        for letter in words:
            if room_of(cut) + room_of(letter) > room - 3:
                break
            cut += letter
        words = f"{cut.rstrip()}..." if room > len("signoff") else ""
    return f"{words} {link}".strip()
