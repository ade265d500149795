"""What users said in a bundle's conversation, and in which language.

A language is told by its small words ("the", "nicht", "pero"): a text that has none, or those of two languages in
equal number, is of no known language. That is a guard against guessing, not a detector of languages.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from signoff.triggers.facts import Facts

MAX_CHARS = 10_000
"""Characters of one message that are read; longer ones are an error, since what was left out might have mattered."""

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")  # noqa: RUF001 -- the apostrophe that phones write
_SMALL_WORDS = {
    "en": "the and is are was were be been this that these those it its i i'm i've i'd you you're your my we our they he she "
    "of to for with on at from by as but not don't doesn't didn't can't won't isn't wasn't have has had do does did will would "
    "can could should what when where why how who which there here please thanks thank just all any out about if or yes no "
    "never an been want need get got still again after before because me them",
    "de": "der die das und ist sind war ein eine einen einem ich du sie wir ihr mein meine mit nicht kein keine auf für von zu "
    "dem den des im am bitte danke haben habe hat kann können will möchte wie was warum wo wenn aber oder auch noch nur sehr mir "
    "mich es immer wieder schon hier bei nach seit",
    "fr": "le la les un une des et est sont je tu il elle nous vous ils mon ma mes votre vos de du dans avec pour pas ne que qui "
    "où comment pourquoi merci bonjour mais ou aussi très ce cette ces c'est j'ai au aux sur plus être avoir veux suis",
    "es": "el la los las un una y es son yo tú usted nosotros mi mis su sus de del en con para por no que qué cómo dónde "
    "gracias hola pero o también muy este esta esto está estoy quiero tengo puede al se lo me más ya",
    "it": "il lo la gli le un una e è sono io tu lui noi voi mio mia di del della in con per non che chi come dove perché grazie "
    "ma anche molto questo questa ho hai voglio posso si mi più",
    "nl": "de het een en is zijn was ik jij u wij mijn met niet geen op voor van naar dat dit deze die hoe wat waarom waar maar of "
    "ook nog graag kan wil heb heeft bij te er al",
    "pt": "o a os as um uma e é são eu você nós meu minha de do da em no na com para por não que como onde obrigado mas ou "
    "também muito este esta isso está quero tenho pode ao se mais já",
}  # fmt: skip
SMALL_WORDS = {language: frozenset(words.split()) for language, words in _SMALL_WORDS.items()}


class TooMuch(ValueError):
    """More text than is read."""


def user_messages(facts: Facts) -> list[str]:
    """Return the texts of the users' turns that hold any, in order.

    Raises:
        TypeError: The conversation has another form than ours.
    """
    made = []
    for message in facts.bundle.get("messages") or ():
        if not isinstance(message, Mapping):
            raise TypeError("a message that is not an object")
        text = message.get("content", "")
        if not isinstance(text, str):
            raise TypeError("content that is not text")
        if message.get("role") == "user" and text.strip():
            made.append(text)
    return made


def read_text(text: str) -> str:
    """Return a message in one form of its characters.

    Raises:
        TooMuch: Longer than is read.
    """
    if len(text) > MAX_CHARS:
        raise TooMuch(f"a message of {len(text)} characters")
    plain = unicodedata.normalize("NFKC", text).replace("’", "'")  # noqa: RUF001 -- the apostrophe that phones write
    return "".join(character for character in plain if unicodedata.category(character) != "Cf")


def words_of(text: str) -> list[str]:
    """Return the words of a text in small letters."""
    return [word.casefold() for word in WORD.findall(text)]


def declared_language(facts: Facts) -> str | None:
    """Return the first part of `bundle.subject.language` in small letters (`en` of `en-GB`), None if not sent."""
    subject: Any = facts.bundle.get("subject")
    given = subject.get("language") if isinstance(subject, Mapping) else None
    if given is None:
        return None
    if not isinstance(given, str):
        raise TypeError("a language that is not text")
    return re.split(r"[-_]", given.strip().casefold())[0]


def language_of(words: list[str]) -> str | None:
    """Return the language whose small words a text has most of, None where that is none or more than one."""
    if not words:
        return None
    counts = {language: sum(word in known for word in words) for language, known in SMALL_WORDS.items()}
    ranked = sorted(counts.values(), reverse=True)
    if ranked[0] == ranked[1] or ranked[0] * 8 < len(words):
        return None
    return max(counts, key=counts.__getitem__)
