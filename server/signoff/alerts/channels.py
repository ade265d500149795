"""Where alerts go: the terminal, or one Apprise URL per address.

An Apprise URL is a right to send data out of this machine, so only what is listed here is used: known schemas,
no host but the service's own for everything generic, one target per string, and none of the parameters that
follow redirects, skip certificate checks, read files, set headers or copy in other people.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Mapping
from typing import Any, TextIO
from urllib.parse import parse_qsl, unquote, urlsplit

import anyio

from signoff.alerts.messages import Message
from signoff.domain.address import SEALED
from signoff.domain.alert import TERMINAL, Failed, Sent
from signoff.domain.errors import InvalidRequest

_SCHEMA = re.compile(r"([a-z0-9]{2,12})://")
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,253}\.[A-Za-z]{2,24}")
_EVERYWHERE = frozenset({"to", "cto", "rto"})
MAX_ADDRESS_CHARS = 2000
MAX_AT_ONCE = 48  # threads that send; a channel that hangs holds one for its time limit

_MAIL = frozenset({"from", "name", "smtp", "mode", "user", "pass"})
_MATRIX = frozenset({"mode", "token", "msgtype", "version"})
_SMS = frozenset({"from"})
SCHEMAS: Mapping[str, frozenset[str]] = {
    "mailto": _MAIL,
    "mailtos": _MAIL,
    "ntfy": frozenset({"mode", "priority", "auth", "token"}),
    "ntfys": frozenset({"mode", "priority", "auth", "token"}),
    "gotify": frozenset({"priority"}),
    "gotifys": frozenset({"priority"}),
    "pover": frozenset({"priority", "sound", "expire", "interval"}),
    "pbul": frozenset(),
    "tgram": frozenset({"topic", "thread", "silent"}),
    "slack": frozenset({"mode", "token"}),
    "discord": frozenset({"thread"}),
    "workflow": frozenset({"sig", "ver", "api-version"}),
    "workflows": frozenset({"sig", "ver", "api-version"}),
    "gchat": frozenset({"thread", "key", "token", "workspace"}),
    "webex": frozenset({"mode", "token"}),
    "wxteams": frozenset({"mode", "token"}),
    "matrix": _MATRIX,
    "matrixs": _MATRIX,
    "mmost": frozenset({"channel", "mode", "team"}),
    "mmosts": frozenset({"channel", "mode", "team"}),
    "rocket": frozenset({"mode", "webhook"}),
    "rockets": frozenset({"mode", "webhook"}),
    "zulip": frozenset({"token"}),
    "signal": frozenset({"from"}),
    "signals": frozenset({"from"}),
    "whatsapp": frozenset({"from", "token"}),
    "twilio": frozenset({"from", "sid", "token", "apikey"}),
    "vonage": frozenset({"from", "key", "secret"}),
    "nexmo": frozenset({"from", "key", "secret"}),
    "msgbird": _SMS,
    "sinch": frozenset({"from", "spi", "region", "token"}),
    "sns": frozenset({"access", "secret", "region"}),
    "threema": frozenset({"from", "gwid", "secret"}),
}
"""Each schema that may be used, with the parameters it may carry."""

SHORT = frozenset({"twilio", "vonage", "nexmo", "msgbird", "sinch", "sns"})
"""Schemas that send SMS, where letters are counted."""


def check_address(address: str) -> str:
    """Return an address that alerts may go to.

    Raises:
        InvalidRequest: It is none, or one that is never used; the message says why and holds nothing of it.
    """
    if address == TERMINAL:
        return address
    if len(address) > MAX_ADDRESS_CHARS or not address.isprintable() or any(one.isspace() for one in address):
        raise _refused("write one address without spaces")
    found = _SCHEMA.match(address.lower())
    if found is None:
        raise _refused(
            "write 'terminal:' or an Apprise URL, such as mailtos://user:password@example.com?to=omar@…"
        )
    schema = found[1]
    if schema not in SCHEMAS:
        raise _refused(f"'{schema}://' is not used for alerts. Known: {', '.join(sorted(SCHEMAS))}")
    if _SCHEMA.search(address.lower(), found.end()) or "," in unquote(address):
        raise _refused("one target per address; add the others as addresses of their own")
    allowed = SCHEMAS[schema] | _EVERYWHERE
    names = [name for name, _ in parse_qsl(urlsplit(address).query, keep_blank_values=True)]
    for name in names:
        if name.lower() not in allowed:
            # Header overrides (`+X=`, `-X=`, `:X=`), redirect=, verify=, template= and the like all end here.
            raise _refused(f"the parameter '{name[:20]}' is not used with {schema}://")
    if len({name.lower() for name in names}) != len(names):
        raise _refused("a parameter stands there twice")
    return address


def masked(address: str) -> str:
    """Return an address as it may be shown: its schema, a mail address in it, and a mark to tell two apart."""
    if address == TERMINAL:
        return address
    if address.startswith(SEALED):
        return "sealed (its key is not here)"
    schema = address.partition("://")[0][:12]
    mark = hashlib.sha256(address.encode("utf-8", "replace")).hexdigest()[:6]
    parts = urlsplit(address) if "://" in address else None
    to = dict(parse_qsl(parts.query)).get("to", "") if parts else ""
    person = _EMAIL.fullmatch(to) or (_EMAIL.fullmatch(unquote(parts.path.strip("/"))) if parts else None)
    return f"{schema}://…{f' {person[0]}' if person else ''} ({mark})"


class Channels:
    """Sends messages; the terminal is the stream that it is given.

    Apprise is imported when the first address needs it: it takes a third of a second.
    """

    def __init__(self, terminal: TextIO, *, time_limit_s: float = 30) -> None:
        self._terminal = terminal
        self._time_limit_s = time_limit_s
        # Not anyio's own limiter: a few hanging channels must not keep the desk from signing checkpoints.
        self._threads = anyio.CapacityLimiter(MAX_AT_ONCE)

    async def send(self, address: str, message: Message) -> Sent | Failed:
        """Send one message to one address; every way of failing is a value.

        Nothing of the address is in `why`: it may hold passwords.
        """
        if address == TERMINAL:
            return self._print(message)
        try:
            check_address(address)
        except InvalidRequest as error:
            return Failed(error.message, permanent=True)
        # A thread cannot be stopped: it is left behind, and its sockets' own time limits end it soon after.
        with anyio.move_on_after(self._time_limit_s):
            return await anyio.to_thread.run_sync(
                _notify, address, message, abandon_on_cancel=True, limiter=self._threads
            )
        return Failed(f"no answer within {self._time_limit_s:g} s")

    def _print(self, message: Message) -> Sent | Failed:
        lines = [message.subject, "", *message.body.split("\n")]
        framed = ["", "┌" + "─" * 78, *(f"│ {line}".rstrip() for line in lines), "└" + "─" * 78, ""]
        try:
            self._terminal.write("\n".join(framed) + "\n")
            self._terminal.flush()
        except (OSError, ValueError):  # the terminal is gone
            return Failed("the terminal cannot be written")
        return Sent()


def _notify(address: str, message: Message) -> Sent | Failed:
    """Send through Apprise; runs in a worker thread."""
    import apprise  # a third of a second, and most homes need only the terminal
    from apprise.plugins.email.base import NotifyEmail

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its lines name hosts and users
    asset = apprise.AppriseAsset(
        app_id="signoff",
        app_desc="signoff",
        app_url="",
        http_redirects=False,
        storage_mode=apprise.PersistentStoreMode.MEMORY,
        pgp_autogen=False,
        pem_autogen=False,
        allow_templates=False,
        # No limit of Apprise's: with one it sends from a small pool that all channels share, so that a few that
        # hang would hold up all others. The limit is in `Channels.send`.
        service_timeout=0,
    )
    service = apprise.Apprise.instantiate(address, asset=asset)
    if service is None:
        return Failed("not a complete address of its kind", permanent=True)
    why = _not_one_plain_target(service)
    if why is not None:
        return Failed(why, permanent=True)
    if isinstance(service, NotifyEmail):
        # Repeats are known by the alert's id, and stand with the other mails of the case.
        service.headers.update(message.headers)
    sender = apprise.Apprise(asset=asset)
    sender.add(service)
    schema = address.partition("://")[0].lower()
    title, body = ("", message.short) if schema in SHORT else (message.subject, message.body)
    result = sender.notify(body=body, title=title, body_format=apprise.NotifyFormat.TEXT)
    if result.status == apprise.AppriseResultStatus.SUCCESS:
        return Sent()
    return Failed(f"{service.service_name} did not take it ({result.status.name.lower()})")


def _not_one_plain_target(service: Any) -> str | None:
    """Say what is wrong with a parsed address that its text did not show."""
    if len(service) > 1:
        return "one target per address"
    if service.redirects or not service.verify_certificate:
        return "redirects and unchecked certificates are not used"
    if getattr(service, "cc", None) or getattr(service, "bcc", None):
        return "one target per address"
    return None


def _refused(why: str) -> InvalidRequest:
    return InvalidRequest(f"{why}.", field="address")
