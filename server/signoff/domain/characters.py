"""Make visible in a text what a reader could not see or could take for something else.

Marked are control, bidirectional, zero-width, tag and other characters without a glyph of their own, unusual
spaces, stacks of combining marks, and letters that look like Latin ones without being any (Unicode TR36 and
TR39 describe the attacks). Everything else is passed through as it is.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

Mark = Literal["", "hidden", "lookalike"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a text, to be shown as text; `mark` says whether it stands for something invisible."""

    text: str
    mark: Mark = ""


# Invisible without belonging to a category that says so (Default_Ignorable_Code_Point, and a blank braille cell).
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})
_EMOJI_MODIFIERS = frozenset("\ufe0f\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff")
_MAX_STACK = 3  # Vietnamese and Hebrew need up to three combining marks; more pile up over other lines
_WORD = re.compile(r"[^\W\d_]+")
_SCRIPTS = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU", "GEORGIAN")
# Letters of Cyrillic and Greek that most fonts draw like a Latin one (from TR39's confusables).
_LATIN_TWINS = frozenset(
    "асԁеһіјӏорԛѕԝхуѵАВСЕНІЈКМОРЅТХУѴ"  # noqa: RUF001
    "αγικνορτυχΑΒΕΖΗΙΚΜΝΟΡΤΥΧ"
)


def pieces(text: str) -> tuple[Piece, ...]:
    """Split a text into stretches, each hidden character and each look-alike letter one of its own.

    Hidden ones read `⟦U+202E⟧`, look-alikes `⟦x U+0430⟧` with the letter itself for x.
    """
    if text.isascii() and _is_plain_ascii(text):
        return (Piece(text),) if text else ()
    twins = _lookalikes(text)
    made: list[Piece] = []
    start = stack = 0
    for index, character in enumerate(text):
        category = unicodedata.category(character)
        stack = stack + 1 if category in ("Mn", "Me") else 0
        if index in twins:
            piece = Piece(f"⟦{character} {_code(character)}⟧", "lookalike")
        elif stack > _MAX_STACK or _is_hidden(text, index, category):
            piece = Piece(f"⟦{_code(character)}⟧", "hidden")
        else:
            continue
        if start < index:
            made.append(Piece(text[start:index]))
        made.append(piece)
        start = index + 1
    if start < len(text):
        made.append(Piece(text[start:]))
    return tuple(made)


def one_line(text: str) -> str:
    """Return a text as one line of plain text: line breaks and tabs are shown as marks, too."""
    whole = "".join(piece.text for piece in pieces(text))
    return whole.replace("\n", "⟦U+000A⟧").replace("\t", "⟦U+0009⟧")


def is_ambiguous(name: str) -> bool:
    """Say whether a name could be read as another one, which a rule for that other name would not match.

    Stricter than what is marked in a text: letters of two alphabets, letters that all look like Latin ones, signs
    that look like `-` and `_`, ligatures, and spaces that a page does not show.
    """
    if name != " ".join(name.split()):
        return True
    if name.isascii():
        return not name.isprintable()
    scripts = _scripts(name).keys()
    letters = [c for c in name if _script(c)]
    return (
        unicodedata.normalize("NFKC", name) != name
        or count_marked(pieces(name)) > 0
        or len(scripts) > 1
        or ("LATIN" not in scripts and bool(letters) and set(letters) <= _LATIN_TWINS)
        or any(map(_is_twin_in_names, name))
    )


def _is_twin_in_names(character: str) -> bool:
    if character.isascii():
        return False
    if _script(character) == "LATIN":
        # Beyond the alphabets of living languages Latin letters are phonetic or historic, and look like others.
        return character == "\u0131" or not (character <= "\u017f" or "\u1e00" <= character <= "\u1eff")
    is_letter = unicodedata.category(character)[0] in "LM" or character.isdecimal()
    return not is_letter or "\u02b0" <= character <= "\u02ff"


def count_marked(some: tuple[Piece, ...]) -> int:
    """Return how many characters of a text are shown as marks."""
    return sum(1 for piece in some if piece.mark)


def _is_plain_ascii(text: str) -> bool:
    return all(c.isprintable() or c in "\n\t" for c in text)


def _code(character: str) -> str:
    return f"U+{ord(character):04X}"


def _is_hidden(text: str, index: int, category: str) -> bool:
    character = text[index]
    if character in " \n\t":
        return False
    if character in _BLANK:
        return True
    if _is_variation_selector(character):
        # One emoji selector after a symbol draws the symbol in colour; anything more can carry a message.
        return not (character == "\ufe0f" and index > 0 and _is_symbol(text[index - 1]))
    if character == "\u200d":
        return not _joins_emoji(text, index)
    return category in _HIDDEN_CATEGORIES


def _is_variation_selector(character: str) -> bool:
    return (
        "\ufe00" <= character <= "\ufe0f"
        or "\U000e0100" <= character <= "\U000e01ef"
        or "\u180b" <= character <= "\u180f"
    )


def _is_symbol(character: str) -> bool:
    return unicodedata.category(character) == "So"


def _joins_emoji(text: str, index: int) -> bool:
    """Say whether a zero-width joiner stands between two emoji, where it makes them one."""
    before = index - 1
    while before >= 0 and text[before] in _EMOJI_MODIFIERS:
        before -= 1
    after = text[index + 1 : index + 2]
    return before >= 0 and bool(after) and _is_symbol(text[before]) and _is_symbol(after)


def _lookalikes(text: str) -> frozenset[int]:
    """Return where letters stand that can be taken for Latin ones.

    That is: the letters of the rarer script in a word of two scripts, every letter of a word made of nothing but
    twins of Latin letters inside a text that is otherwise Latin, and styled or wide forms of letters and digits.
    """
    found: set[int] = set()
    words = list(_WORD.finditer(text))
    scripts = [_scripts(word[0]) for word in words]
    latin = sum(1 for one in scripts if set(one) == {"LATIN"})
    genuine = sum(
        1
        for word, one in zip(words, scripts, strict=True)
        if one and "LATIN" not in one and not set(word[0]) <= _LATIN_TWINS
    )
    for word, counts in zip(words, scripts, strict=True):
        if len(counts) > 1:
            rare = [script for script in counts if script != _main_script(counts)]
            found.update(word.start() + at for at, c in enumerate(word[0]) if _script(c) in rare)
        elif latin > genuine and counts and "LATIN" not in counts and set(word[0]) <= _LATIN_TWINS:
            found.update(range(word.start(), word.end()))
    found.update(at for at, c in enumerate(text) if ord(c) > 0x2100 and _is_styled(c))
    return frozenset(found)


def _is_styled(character: str) -> bool:
    """Say whether a character is a wide or mathematical form of an ASCII letter or digit."""
    plain = unicodedata.normalize("NFKC", character)
    return plain != character and len(plain) == 1 and plain.isascii() and plain.isalnum()


def _script(character: str) -> str:
    name = unicodedata.name(character, "")
    first = name.partition(" ")[0]
    return first if first in _SCRIPTS else ""


def _scripts(word: str) -> dict[str, int]:
    if word.isascii():
        return {"LATIN": len(word)}
    counts: dict[str, int] = {}
    for character in word:
        script = _script(character)
        if script:
            counts[script] = counts.get(script, 0) + 1
    return counts


def _main_script(counts: dict[str, int]) -> str:
    """Return the script most letters of a word are of; Latin where it is a draw."""
    return max(counts, key=lambda script: (counts[script], script == "LATIN"))
