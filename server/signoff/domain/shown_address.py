"""An address as it may be shown: enough to know it by, and nothing that opens anything."""

from __future__ import annotations

import hashlib
import re
from urllib.parse import parse_qsl, unquote, urlsplit

from signoff.domain.address import SEALED
from signoff.domain.alert import TERMINAL

WEB_PUSH = "webpush:"
_EMAIL = re.compile(r"([A-Za-z0-9._%+-]{1,64})@([A-Za-z0-9.-]{1,253}\.[A-Za-z]{2,24})")


def masked(address: str) -> str:
    """Return an address as it may be shown: its schema, a mail address in it, and a mark to tell two apart."""
    if address == TERMINAL:
        return address
    if address.startswith(SEALED):
        return "sealed (its key is not here)"
    mark = hashlib.sha256(address.encode("utf-8", "replace")).hexdigest()[:6]
    if address.startswith(WEB_PUSH):
        return f"{WEB_PUSH}… a browser ({mark})"
    schema = address.partition("://")[0][:12]
    parts = _parts(address)
    to = dict(parse_qsl(parts[0])).get("to", "") if parts else ""
    person = _EMAIL.fullmatch(to) or (_EMAIL.fullmatch(unquote(parts[1].strip("/"))) if parts else None)
    return f"{schema}://…{f' {person[0]}' if person else ''} ({mark})"


def _parts(address: str) -> tuple[str, str] | None:
    if "://" not in address:
        return None
    try:
        parts = urlsplit(address)
    except ValueError:  # a bracket that is no IPv6 address
        return None
    return parts.query, parts.path
