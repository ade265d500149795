"""What a single value means to a reader: money, a date, an address on the web. Told from its name and its type.

A reading stands beside what is sent and never in its place without it; where a name says nothing, nothing is guessed.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit

from signoff.domain.characters import Piece, pieces

SenseKind = Literal[
    "", "money", "number", "percent", "time", "size", "instant", "date", "url", "mail", "path"
]
Remark = Literal[
    "minor_unit", "unit_unsaid", "no_zone", "user_in_url", "punycode", "bare_ip", "not_encrypted", "odd_scheme", "port",
    "climbs",
]  # fmt: skip

CURRENCIES = frozenset(
    [
        "EUR",
        "USD",
        "GBP",
        "CHF",
        "JPY",
        "CNY",
        "INR",
        "AUD",
        "CAD",
        "SEK",
        "NOK",
        "DKK",
        "PLN",
        "CZK",
        "HUF",
        "BRL",
        "MXN",
        "ZAR",
        "SGD",
        "HKD",
        "NZD",
        "KRW",
        "ILS",
        "AED",
        "SAR",
        "THB",
        "TWD",
        "UAH",
        "RON",
        "BGN",
        "ISK",
        "CLP",
        "COP",
        "ARS",
        "PEN",
        "PHP",
        "IDR",
        "MYR",
        "VND",
        "NGN",
        "KES",
        "EGP",
    ]
)
"""Codes of ISO 4217 that are no English words; TRY, ALL, TOP and CUP in a name say nothing."""
_NO_MINOR = frozenset({"JPY", "KRW", "ISK", "CLP", "VND"})
_SPOKEN = {"euro": "EUR", "euros": "EUR", "dollar": "USD", "dollars": "USD", "yen": "JPY"}
_MINOR = frozenset({"cents", "cent", "minor", "pence", "subunits"})
_MONEY = frozenset(
    [
        "amount",
        "price",
        "total",
        "subtotal",
        "cost",
        "fee",
        "balance",
        "refund",
        "charge",
        "payment",
        "payout",
        "salary",
        "budget",
        "credit",
        "debit",
        "deposit",
        "tax",
        "discount",
        "tip",
        "invoice",
        "spend",
        "sum",
    ]
)
_NAMES_ONLY = frozenset(
    [
        "id",
        "ids",
        "number",
        "no",
        "nr",
        "code",
        "zip",
        "postcode",
        "postal",
        "year",
        "phone",
        "tel",
        "account",
        "version",
        "port",
        "key",
        "ref",
        "reference",
        "pin",
        "index",
        "line",
        "seq",
        "row",
        "page",
        "offset",
    ]
)
_INSTANT = frozenset(
    {"at", "time", "timestamp", "ts", "epoch", "expires", "expiry", "exp", "iat", "nbf", "until"}
)
_SECONDS = {
    "ms": Decimal("0.001"), "millis": Decimal("0.001"), "milliseconds": Decimal("0.001"), "s": Decimal(1),
    "sec": Decimal(1), "secs": Decimal(1), "seconds": Decimal(1), "min": Decimal(60), "mins": Decimal(60),
    "minutes": Decimal(60), "hours": Decimal(3600), "hrs": Decimal(3600),
}  # fmt: skip
_BYTES = {"bytes": 1, "kb": 1000, "kib": 1024, "mb": 1000**2, "mib": 1024**2}
_PATH = frozenset(["path", "file", "filename", "dir", "directory", "folder", "filepath", "cwd", "workdir"])
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,17})(?:\.\d{1,8})?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:[Zz]|[+-]\d\d:?\d\d)?")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,20}:(?://)?[^\s]+")
_MAIL = re.compile(r"[^@\s<>\",;]{1,64}@[^@\s<>\",;]{1,190}\.[^@\s<>\",;.]{2,63}")
_ODD_SCHEMES = ("javascript:", "data:", "file:", "vbscript:", "blob:")


@dataclass(frozen=True, slots=True)
class Sense:
    """How a value reads."""

    kind: SenseKind = ""
    says: str = ""
    """The value in a reader's terms; empty where what was sent says it best."""
    at: datetime | None = None
    """The instant, where it is one and its zone is known."""
    parts: tuple[tuple[Piece, ...], tuple[Piece, ...], tuple[Piece, ...]] | None = None
    """Before, the part that decides where something goes, and after; of addresses."""
    remarks: tuple[tuple[Remark, str], ...] = ()


NOTHING = Sense()


def words_of(name: str) -> tuple[str, ...]:
    """Return the words of a name such as `amount_eur` or `amountEur`, in small letters."""
    return tuple(word.lower() for word in _WORDS.findall(name[:200]))


def sense_of(name: str, value: Any, beside: Mapping[str, Any]) -> Sense:
    """Return how a value reads.

    Args:
        name: Under which name it is sent.
        beside: The object it is a member of, where a currency may stand.
    """
    words = words_of(name)
    if isinstance(value, bool) or not words:
        return NOTHING
    if isinstance(value, (int, float)):
        return _number(words, repr(value), beside)
    if not isinstance(value, str) or not value or len(value) > 2000:
        return NOTHING
    if _NUMBER.fullmatch(value):
        return _amount(words, Decimal(value), beside) or NOTHING
    return _text(words, value)


def _number(words: tuple[str, ...], text: str, beside: Mapping[str, Any]) -> Sense:
    if not _NUMBER.fullmatch(text):
        return NOTHING
    number = Decimal(text)
    return (
        _amount(words, number, beside)
        or _percent(words, number)
        or _instant(words, number)
        or _length(words, number)
        or _size(words, number)
        or _count(words, number)
    )


def _amount(words: tuple[str, ...], number: Decimal, beside: Mapping[str, Any]) -> Sense | None:
    named = next((_SPOKEN.get(word, word.upper()) for word in words if _currency(word)), "")
    is_money = bool(named) or not _MONEY.isdisjoint(words)
    if not is_money or not _NAMES_ONLY.isdisjoint(words):
        return None
    sibling = "" if named else _currency_beside(beside)
    currency = named or sibling
    if not _MINOR.isdisjoint(words):
        shift = 0 if currency in _NO_MINOR else 2
        says = f"{number.scaleb(-shift):,.{shift}f} {currency}".strip()
        return Sense("money", says, remarks=(("minor_unit", ""),))
    if not currency:
        return None
    says = f"{number:,f} {currency}"
    # Stripe's 1240 with `currency: eur` are cents, others' are euros: only the tool knows.
    unsaid = sibling and sibling not in _NO_MINOR and number == number.to_integral_value()
    return Sense("money", says, remarks=(("unit_unsaid", currency),) if unsaid else ())


def _currency(word: str) -> bool:
    return word.upper() in CURRENCIES or word in _SPOKEN


def _currency_beside(beside: Mapping[str, Any]) -> str:
    for key in ("currency", "currency_code", "currencyCode", "ccy"):
        given = beside.get(key)
        if isinstance(given, str) and given.upper() in CURRENCIES:
            return given.upper()
    return ""


def _percent(words: tuple[str, ...], number: Decimal) -> Sense | None:
    if words[-1] in ("pct", "percent", "percentage"):
        return Sense("percent", f"{number:,f} %")
    return None


def _instant(words: tuple[str, ...], number: Decimal) -> Sense | None:
    if _INSTANT.isdisjoint(words):
        return None
    for low, high, unit in ((10**9, 4 * 10**9, 1), (10**12, 4 * 10**12, 1000)):
        if low <= number < high:
            at = datetime.fromtimestamp(float(number / unit), UTC)
            return Sense("instant", _long(at), at)
    return None


def _length(words: tuple[str, ...], number: Decimal) -> Sense | None:
    unit = _SECONDS.get(words[-1]) if len(words) > 1 else None
    if unit is None or not 60 <= number * unit < 10**10:
        return None
    return Sense("time", span(timedelta(seconds=float(number * unit))))


def _size(words: tuple[str, ...], number: Decimal) -> Sense | None:
    unit = _BYTES.get(words[-1])
    if unit is None or number * unit < 10_000:
        return None
    bytes_ = number * unit
    for name, size in (("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if bytes_ >= size:
            return Sense("size", f"{bytes_ / size:,.1f} {name}")
    return None


def _count(words: tuple[str, ...], number: Decimal) -> Sense:
    if abs(number) < 10_000 or not _NAMES_ONLY.isdisjoint(words):
        return NOTHING
    return Sense("number", f"{number:,f}")


def _text(words: tuple[str, ...], value: str) -> Sense:
    if _DATE.fullmatch(value):
        return _date(value)
    if _DATE_TIME.fullmatch(value):
        return _date_time(value)
    if _URL.fullmatch(value):
        found = _url(value)
        if found is not None:
            return found
    if _MAIL.fullmatch(value):
        local, _, domain = value.rpartition("@")
        remarks: tuple[tuple[Remark, str], ...] = (("punycode", ""),) if "xn--" in domain.lower() else ()
        return Sense("mail", parts=(pieces(f"{local}@"), pieces(domain), ()), remarks=remarks)
    if not _PATH.isdisjoint(words) and "\n" not in value and len(value) <= 500:
        climbs = ".." in re.split(r"[/\\]", value)
        return Sense("path", remarks=(("climbs", ""),) if climbs else ())
    return NOTHING


def _date(value: str) -> Sense:
    try:
        day = date.fromisoformat(value)
    except ValueError:
        return NOTHING
    return Sense("date", f"{day:%A}, {day.day} {day:%B %Y}")


def _date_time(value: str) -> Sense:
    try:
        at = datetime.fromisoformat(value.upper().replace(" ", "T"))
    except ValueError:
        return NOTHING
    if at.tzinfo is None:
        return Sense("instant", f"{at:%A}, {at.day} {at:%B %Y, %H:%M:%S}", remarks=(("no_zone", ""),))
    try:
        at = at.astimezone(UTC)
    except OverflowError:
        return NOTHING
    return Sense("instant", _long(at), at)


def _long(at: datetime) -> str:
    return f"{at:%A}, {at.day} {at:%B %Y, %H:%M:%S} UTC"


def _url(value: str) -> Sense | None:
    if value.lower().startswith(_ODD_SCHEMES):
        scheme = value[: value.index(":") + 1]
        return Sense(
            "url", parts=((), pieces(scheme), pieces(value[len(scheme) :])), remarks=(("odd_scheme", ""),)
        )
    try:
        split = urlsplit(value)
        host = split.hostname or ""
    except ValueError:
        return None
    if "://" not in value or not host:
        return None
    start = value.index("://") + 3
    authority = re.split(r"[/?#\\]", value[start:], maxsplit=1)[0]
    begin = start + authority.rfind("@") + 1
    end = start + len(authority)
    parts = pieces(value[:begin]), pieces(value[begin:end]), pieces(value[end:])
    return Sense("url", parts=parts, remarks=_of_url(split, authority, host))


def _of_url(split: SplitResult, authority: str, host: str) -> tuple[tuple[Remark, str], ...]:
    made: list[tuple[Remark, str]] = []
    if "@" in authority:
        made.append(("user_in_url", host))
    if host.startswith("xn--") or ".xn--" in host:
        made.append(("punycode", ""))
    if _is_ip(host):
        made.append(("bare_ip", ""))
    if split.scheme.lower() == "http":
        made.append(("not_encrypted", ""))
    return tuple(made)


def _is_ip(host: str) -> bool:
    if re.fullmatch(r"(?:0x[0-9a-f]+|\d+)(?:\.(?:0x[0-9a-f]+|\d+))*", host):
        return True  # also 2130706433 and 0x7f.1, which resolve
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def span(time: timedelta) -> str:
    """Return a length of time in its two largest units, `2 h 5 min`; `0 s` where it is over."""
    seconds = max(0, int(time.total_seconds()))
    units = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
    parts: list[str] = []
    for length, unit in units:
        if seconds >= length:
            parts.append(f"{seconds // length} {unit}")
            seconds %= length
        elif parts:
            break
        if len(parts) == 2:
            break
    return " ".join(parts) or "0 s"
