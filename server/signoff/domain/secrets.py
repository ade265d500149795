"""Find secrets in what an agent sends, and mask them in place before anything is stored.

Only forms with a recognisable shape are found (vendor prefixes, PEM blocks, JWTs, card numbers that pass the
Luhn check); a password in prose is not. Every pattern runs in linear time.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "private_key",
        re.compile(
            # With its end if that follows: the headers of an encrypted key hold hyphens (RFC 1421).
            r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
            r"(?:[\s\S]{0,20000}?-----END [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----|[^-]{0,20000})"
        ),
    ),
    ("jwt", re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}")),
    ("aws_access_key", re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")),
    ("github_token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{50,255})\b")),
    ("gitlab_token", re.compile(r"\bglpat-[A-Za-z0-9_-]{20,}")),
    ("slack_token", re.compile(r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}")),
    ("stripe_key", re.compile(r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}\b")),
    ("anthropic_key", re.compile(r"\bsk-ant-[A-Za-z0-9_-]{20,}")),
    ("openai_key", re.compile(r"\bsk-(?:proj-|svcacct-)?[A-Za-z0-9_-]{32,}")),
    ("google_api_key", re.compile(r"\bAIza[A-Za-z0-9_-]{35}")),
    ("signoff_key", re.compile(r"\bsgn_[A-Za-z0-9_-]{40,}")),
    ("bearer_token", re.compile(r"(?<=[Bb]earer )[A-Za-z0-9._~+/-]{20,}=*")),
)
_DIGITS = re.compile(r"(?<![\d.-])\d(?:[ -]?\d){12,}(?![\d-])")
"""A run of digits, in groups or not, that may hold a card number among other numbers."""


def mask_secrets(value: Any) -> tuple[Any, tuple[str, ...]]:
    """Return a JSON value with every secret replaced by `[masked: <kind>]`, and where they stood.

    Returns:
        The masked value (the same object where nothing was found), and one dotted path per text that held
        a secret, in order.
    """
    found: list[str] = []
    return _mask(value, "", found.append), tuple(found)


def _mask(value: Any, path: str, note: Callable[[str], None]) -> Any:
    if isinstance(value, str):
        masked = _mask_text(value)
        if masked is not value:
            note(path)
        return masked
    if isinstance(value, dict):
        made = {}
        for key, member in value.items():
            shown = _mask_text(key)
            if shown is not key:
                note(f"{path}.{shown}" if path else shown)
            name, count = shown, 2
            while name in made:  # two secrets as names must not become one member
                name, count = f"{shown} ({count})", count + 1
            made[name] = _mask(member, f"{path}.{name}" if path else name, note)
        return made
    if isinstance(value, (list, tuple)):
        return [_mask(member, f"{path}[{index}]", note) for index, member in enumerate(value)]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        # A whole number may come as 4111111111111111.0; its canonical form is the card's digits all the same.
        if value == value // 1 and _is_card(str(int(value))):
            note(path)
            return "[masked: card_number]"
    return value


def _mask_text(text: str) -> str:
    if len(text) < 13:  # shorter than any secret below
        return text
    masked = text
    for kind, pattern in _PATTERNS:
        masked = pattern.sub(f"[masked: {kind}]", masked)
    masked = _DIGITS.sub(_mask_cards, masked)
    return text if masked == text else masked


def _mask_cards(run: re.Match[str]) -> str:
    """Mask the card numbers in a run of groups: `4111 1111 1111 1111 12` is one, and a month."""
    pieces = re.split("([ -])", run[0])  # groups at even places, what separates them at odd ones
    made, start = "", 0
    while start < len(pieces):
        for end in range(min(start + 37, len(pieces)), start, -2):  # 19 groups of one digit
            if _is_card("".join(pieces[start:end])):
                made += "[masked: card_number]"
                break
        else:
            end = start + 1
            made += pieces[start]
        made += "".join(pieces[end : end + 1])
        start = end + 1
    return made


def _is_card(text: str) -> bool:
    """Say whether digits are a payment card number: a known first digit, 13 to 19 long, Luhn's check digit."""
    digits = [int(c) for c in text if c.isdigit()]
    if not 13 <= len(digits) <= 19 or digits[0] not in (3, 4, 5, 6) or len(set(digits)) == 1:
        return False
    total = 0
    for position, number in enumerate(reversed(digits)):
        doubled = number * 2 if position % 2 else number
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0
