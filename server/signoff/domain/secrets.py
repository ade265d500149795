"""Find secrets in what an agent sends, and mask them in place before anything is stored.

Only forms with a recognisable shape are found (vendor prefixes, PEM blocks, JWTs, card numbers that pass the
Luhn check); a password in prose is not. Every pattern runs in linear time.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

# Between the lines of a key: as it is, indented, or quoted in JSON and source code.
_BETWEEN = r"(?:\s|\\[nrt]|[\"',\\]|\+(?=\s))"
# RFC 1421 and RFC 9580.
_HEADER = (
    r"(?:Proc-Type: ?[0-9],[A-Z-]{1,20}|DEK-Info: ?[A-Z0-9-]{1,30},[0-9A-Fa-f]{1,64}"
    r"|(?:Version|Comment|Hash|Charset): ?[A-Za-z0-9 ,.()/=-]{0,80}(?=\s*[\n\\]))"
)
_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "private_key",
        re.compile(
            # Only what a key consists of, headers and base64. Whatever else stands there stays to be read, or the
            # first line of a key would hide a command from the person who decides on it.
            r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
            rf"(?:{_BETWEEN}{{1,40}}{_HEADER})*+"
            rf"(?:{_BETWEEN}{{1,40}}[A-Za-z0-9+/=]{{16,}})*+"
            # The last line is short; so is the check sum of OpenPGP.
            rf"(?:{_BETWEEN}{{1,40}}[A-Za-z0-9+/=]{{1,15}}(?={_BETWEEN}{{0,40}}(?:=|-----END|\Z)))*"
            rf"(?:{_BETWEEN}{{0,40}}-----END [A-Z ]{{0,30}}PRIVATE KEY(?: BLOCK)?-----)?"
        ),
    ),
    (
        "jwt",
        # From the first `eyJ` of a run of these letters and from no later one: whatever could match there matches
        # here, and trying each of them takes quadratic time.
        re.compile(
            r"(?<![A-Za-z0-9_-])((?>[A-Za-z0-9_-]*?\b(?=eyJ)))"
            r"eyJ[A-Za-z0-9_-]{10,}+\.eyJ[A-Za-z0-9_-]{10,}+\.[A-Za-z0-9_-]{10,}"
        ),
    ),
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
_LETTERS: dict[str, tuple[str, ...]] = {
    "private_key": ("PRIVATE KEY",),
    "jwt": ("eyJ",),
    "aws_access_key": ("AKIA", "ASIA"),
    "github_token": ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
    "gitlab_token": ("glpat-",),
    "slack_token": ("xox",),
    "stripe_key": ("sk_", "rk_"),
    "anthropic_key": ("sk-ant-",),
    "openai_key": ("sk-",),
    "google_api_key": ("AIza",),
    "signoff_key": ("sgn_",),
    "bearer_token": ("earer ",),
}
"""What every secret of a kind holds one of; looking for it first is several times faster than the pattern."""
_ALL_LETTERS = tuple(letters for some in _LETTERS.values() for letters in some)
_CARD = "[masked: card_number]"
_MASKED = re.compile(r"\[masked: ([a-z_]+)\]")
_FIRST_DIGITS = "3456"
_VALUES = bytes.maketrans(b"0123456789", bytes(range(10)))
_DOUBLED = bytes.maketrans(bytes(range(10)), bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))
"""Luhn: every second digit counts double, and a double of two digits as their sum."""
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


def secret_kinds(value: Any) -> frozenset[str]:
    """Return which kinds of secrets `mask_secrets` would mask in a JSON value, such as `jwt` and `card_number`.

    What an agent wrote as `[masked: …]` itself counts as well.
    """
    found: set[str] = set()
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += one.keys()
            waiting += one.values()
        elif isinstance(one, (list, tuple)):
            waiting += one
        else:
            masked = _mask(one, "", lambda _: None)
            if masked is not one:
                found.update(_MASKED.findall(masked))
    return frozenset(found)


def holds_card_number(text: str) -> bool:
    """Say whether a text holds what `mask_secrets` takes for a payment card's number."""
    return any(_CARD in _mask_cards(run) for run in _DIGITS.finditer(text))


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
    # A whole number may come as 4111111111111111.0; its canonical form is the card's digits all the same.
    if type(value) in (int, float) and value == value // 1 and _is_card(str(int(value))):
        note(path)
        return _CARD
    return value


def _mask_text(text: str) -> str:
    if len(text) < 13:  # shorter than any secret below
        return text
    masked = text
    for letters in _ALL_LETTERS:  # a loop: `any` over a generator takes three times as long for a short text
        if letters in text:
            masked = _mask_shaped(text)
            break
    masked = _DIGITS.sub(_mask_cards, masked)
    return text if masked == text else masked


def _mask_shaped(text: str) -> str:
    for kind, pattern in _PATTERNS:
        if any(letters in text for letters in _LETTERS[kind]):
            before = r"\1" if pattern.groups else ""
            text = pattern.sub(f"{before}[masked: {kind}]", text)
    return text


def _mask_cards(run: re.Match[str]) -> str:
    """Mask the card numbers in a run of digits: `4111 1111 1111 1111 12` is one, and a month."""
    if _is_card(run[0]):
        return _CARD
    pieces = re.split("([ -])", run[0])  # groups at even places, what separates them at odd ones
    made, start = [], 0
    while start < len(pieces):
        end = _card_end(pieces, start)
        made.append(pieces[start] if end is None else _CARD)
        end = start + 1 if end is None else end
        made += pieces[end : end + 1]
        start = end + 1
    return "".join(made)


def _card_end(pieces: list[str], start: int) -> int | None:
    """Return where a card number that starts with a group ends, None if none does."""
    if pieces[start][0] not in _FIRST_DIGITS:
        return None
    digits = ""
    for place in range(start, len(pieces), 2):
        # Cards are written in groups of three and more; the last may be shorter.
        if place > start and len(pieces[place - 2]) < 3:
            return None
        digits += pieces[place]
        if len(digits) > 19:
            return None
        if len(digits) >= 13 and _is_card(digits):
            return place + 1
    return None


def _is_card(text: str) -> bool:
    """Say whether digits are a payment card number: a known first digit, 13 to 19 long, Luhn's check digit."""
    if len(text) > 37 or text[0] not in _FIRST_DIGITS:  # 19 digits and what separates them
        return False
    if text.isascii() and text.isdigit():
        digits = text.encode().translate(_VALUES)
    else:
        digits = bytes(int(c) for c in text if c.isdigit())
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    return (sum(digits[-1::-2]) + sum(digits[-2::-2].translate(_DOUBLED))) % 10 == 0
