"""How content or angry a user sounds, by VADER: a lexicon and rules for English, no model and no network."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from signoff.triggers.facts import Facts
from signoff.triggers.fields import Kind
from signoff.triggers.signals.conversation import (
    SMALL_WORDS,
    declared_language,
    language_of,
    read_text,
    user_messages,
    words_of,
)
from signoff.triggers.signals.signal import Signal

LAST = 5
"""Messages of the user that `user_messages` reads."""
MAX_CHARS = 10_000
"""Characters of all messages together."""
MAX_SCORED = 100
"""Words and emoji of all messages together that VADER has a score for, 100 µs each; ordinary mail has one in fifteen."""

# English to VADER, and something else to those who write German, French, Spanish, Italian, Dutch or Portuguese.
_SHARED = frozenset(
    {
        "die",
        "war",
        "fun",
        "mad",
        "no",
        "damn",
        "fan",
        "fad",
        "bold",
        "grave",
        "fine",
        "sole",
        "pain",
        "super",
        "ok",
    }
)


@cache
def _analyzer() -> Any:
    # Loaded where a rule first reads it: 40 ms that a policy without it never pays.
    from vaderSentiment.vaderSentiment import (  # type: ignore[import-untyped]
        SentimentIntensityAnalyzer,
    )

    return SentimentIntensityAnalyzer()


class Sentiment(Signal):
    """`{sentiment: last_user_message}`: from -1 (furious) over 0 to 1 (delighted), of what the user wrote.

    `user_messages` is the lowest of the user's last 5 messages. English only: where `bundle.subject.language` says
    another language, or the text itself does not look English, there is no value, and a rule that reads it fires as
    missing. Irony, and anger without angry words, are not seen.
    """

    sentiment: Literal["last_user_message", "user_messages"]

    gives: ClassVar[Kind] = "number"

    @model_validator(mode="after")
    def _installed(self) -> Self:
        if find_spec("vaderSentiment") is None:
            raise ValueError("sentiment needs an extra: pip install 'signoff[signals]'")
        return self

    def value(self, facts: Facts, name: str) -> float | None:
        """Return the score, None without a message or for another language than English.

        Raises:
            ValueError: More text than is read.
        """
        texts = user_messages(facts)[-(LAST if self.sentiment == "user_messages" else 1) :]
        declared = declared_language(facts)
        if not texts or declared not in (None, "en", "eng", "english"):
            return None
        read = [read_text(text) for text in texts]
        if sum(map(len, read)) > MAX_CHARS:
            raise ValueError(f"more than {MAX_CHARS} characters")
        words = [words_of(text) for text in read]
        analyzer = _analyzer()
        scored = sum(word in analyzer.lexicon for one in words for word in one)
        if scored + sum(letter in analyzer.emojis for text in read for letter in text) > MAX_SCORED:
            raise ValueError(f"more than {MAX_SCORED} words with a score")
        if not all(_may_be_english(one, analyzer.lexicon, declared=declared is not None) for one in words):
            return None
        return min(float(analyzer.polarity_scores(text)["compound"]) for text in read)


def _may_be_english(words: list[str], lexicon: dict[str, float], *, declared: bool) -> bool:
    """Say whether words are English; without words (signs, emoji, numbers) there is no language to get wrong.

    Where the agent says that they are, only what is plainly another language is refused.
    """
    if not words:
        return True
    language = language_of(words)
    if language is not None:
        return language == "en"
    known = sum(word in SMALL_WORDS["en"] or (word in lexicon and word not in _SHARED) for word in words)
    if declared:
        return all(word.isascii() for word in words) or known * 2 >= len(words)
    return known * 2 >= len(words)
