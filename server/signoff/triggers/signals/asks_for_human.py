"""Whether the user asks for a person, in the words that people use for it."""

from __future__ import annotations

import re
from functools import cache
from typing import ClassVar, Literal

from signoff.triggers.facts import Facts
from signoff.triggers.fields import Kind
from signoff.triggers.signals.conversation import (
    declared_language,
    language_of,
    read_text,
    user_messages,
    words_of,
)
from signoff.triggers.signals.signal import Signal

LANGUAGES = ("en", "de", "fr", "es")

_PERSON_EN = (
    r"(?:(?:a |an |the |any |some |another |your |my )?(?:(?:real|actual|live|human|physical|genuine|proper|flesh and blood) )*"
    r"(?:human(?: being)?|person|people|agent|representative|rep|operator|supervisor|manager|someone real|"
    r"somebody real|someone|somebody|advisor|adviser|member of staff|customer service|support team|staff)\b)"
)
_PATTERNS = (
    # English
    r"\b(?:talk|speak|chat|transfer(?: me)?|transferred|connect(?: me)?|connected|escalate(?: (?:this|me|it))?|forward(?: me)?|"
    r"put me through|pass me(?: on)?|hand me(?: over)?|get me|give me|switch me(?: over)?|call)\s(?:\w+\s){0,3}?(?:to |with |over to |by )?"
    + _PERSON_EN,
    r"\b(?:want|need|demand|prefer|require|would like|'d like|get|have|ask for|is there|are there)\s(?:\w+\s){0,2}?"
    r"(?:a |an |the |any |some )?(?:real|actual|live|human|flesh and blood)(?: (?:human|person|people|agent|being|representative|rep|operator|support|help))?\b",
    r"\b(?:want|need|demand|prefer)\s(?:a |your |the |to see a |to see your )(?:human|person|manager|supervisor|representative|operator)\b",
    r"\b(?:stop|no more|not|hate|sick of|tired of|instead of)\s(?:\w+\s){0,4}(?:bot|robot|machine|ai|chatbot)\b",
    r"^\W*(?:human|agent|representative|operator|person|real person|live agent)(?: please| now)?\W*$",
    # German
    r"\b(?:mit|an|zu)\s(?:\w+\s){0,2}?(?:echten |richtigen |menschlichen |lebenden )?"
    r"(?:menschen|person|mitarbeiter(?:in|s)?|kundenberater(?:in)?|berater(?:in)?|vorgesetzten?|chef(?:in)?|jemand(?:em)? (?:echte[mnrs]*|richtige[mnrs]*))\b"
    r"(?:\s\w+){0,3}?\s(?:sprechen|reden|verbinden|verbunden|weiterleiten|telefonieren|chatten)",
    r"\b(?:will|möchte|brauche|verlange|hätte gern(?:e)?)\s(?:\w+\s){0,2}?(?:einen? |den |ihren )?(?:echten |richtigen |menschlichen )?"
    r"(?:menschen|mitarbeiter(?:in)?|vorgesetzten?|echte person)\b",
    r"\bverbinden sie mich\b|\bechte[rnm]? (?:mensch(?:en)?|person|mitarbeiter)\b|\bkeine?[mn]? (?:bot|roboter|computer)\b",
    # French
    r"\b(?:parler|discuter|échanger|joindre|contacter)\s(?:\w+\s){0,2}?(?:à |avec |a )?(?:un |une |votre |quelqu'un)?\s?"
    r"(?:vrai[e]? |autre )?(?:humain[e]?|personne|conseill(?:er|ère)|agent|responsable|être humain|quelqu'un)\b",
    r"\b(?:veux|voudrais|besoin d'|exige)\s?(?:un |une )?(?:vrai[e]? )?(?:humain[e]?|personne réelle|vraie personne|conseill(?:er|ère)|être humain)\b",
    r"\bpasse[zr]?[- ]moi (?:un |une |votre )\w+|\bvraie personne\b|\bpas (?:un |à un )?(?:robot|bot)\b",
    # Spanish
    r"\b(?:hablar|comunicar(?:me)?|contactar|chatear)\s(?:\w+\s){0,2}?(?:con )(?:un |una |el |la |su |alguna? )?(?:verdadera? |ser )?"
    r"(?:humano|persona|agente|asesor[a]?|operador[a]?|representante|supervisor[a]?|encargad[oa]|gerente|alguien)\b",
    r"\b(?:quiero|necesito|exijo|prefiero)\s(?:a )?(?:un |una )?(?:ser humano|humano|persona(?: real| de verdad)?|agente|asesor[a]?|operador[a]?)\b",
    r"\b(?:p[aá]s[ae]me|comun[ií]queme|transfi[eé]rame)\s(?:con|a)\b|\bpersona (?:real|de verdad)\b|\bno (?:con )?un (?:robot|bot)\b",
)  # fmt: skip
_DECLINES = (
    r"\b(?:don't|do not|no need to|needn't|rather not|didn't)\s(?:want |need |have |wish )?(?:to )?(?:talk|speak|chat|be transferred)?\s?"
    r"(?:to |with )?(?:a |any )?(?:real |actual |live )?(?:human|person|agent|representative)"
)
MAX_CHARS = 4000
"""Characters of a message that are read: 10 ms."""


@cache
def _compiled() -> tuple[re.Pattern[str], tuple[re.Pattern[str], ...]]:
    # Where a rule first reads them, not while the server starts: 10 ms.
    return re.compile(_DECLINES, re.IGNORECASE), tuple(re.compile(one, re.IGNORECASE) for one in _PATTERNS)


class AsksForHuman(Signal):
    """`{asks_for_human: last_user_message}`: true where the user asks for a person instead of a machine.

    English, German, French and Spanish. Where nothing was found and the message is in no language that is known here
    (`bundle.subject.language`, else by the text itself), there is no value, and a rule that reads it fires as missing.
    """

    asks_for_human: Literal["last_user_message"]

    gives: ClassVar[Kind] = "true or false"

    def value(self, facts: Facts, name: str) -> bool | None:
        """Return whether the user's last message asks for a person, None where nobody can tell.

        Raises:
            ValueError: The message is longer than is read.
        """
        texts = user_messages(facts)[-1:]
        if not texts:
            return None
        text = " ".join(read_text(texts[0]).split())
        if len(text) > MAX_CHARS:
            raise ValueError(f"a message of more than {MAX_CHARS} characters")
        declines, asks = _compiled()
        asked = declines.sub(" ", text)
        if any(pattern.search(asked) for pattern in asks):
            return True
        words = words_of(text)
        language = language_of(words)
        if language is None:
            language = declared_language(facts)
        return False if not words or language in LANGUAGES else None
