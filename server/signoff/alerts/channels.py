"""Where alerts go: the terminal, or one Apprise URL per address.

An Apprise URL is a right to send data out of this machine, so only what is listed here is used: known schemas,
no host but the service's own for everything generic, one target per string, and none of the parameters that
follow redirects, skip certificate checks, read files, set headers or copy in other people.
"""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal, TextIO
from urllib.parse import unquote
from urllib.request import getproxies

import anyio

from signoff.alerts.messages import BUILT_IN, Message
from signoff.alerts.webpush import PushSender, read_subscription
from signoff.alerts.wording import Wording
from signoff.domain.alert import TERMINAL, Failed, Sent
from signoff.domain.errors import InvalidRequest
from signoff.domain.shown_address import WEB_PUSH

_SCHEMA = re.compile(r"([a-z0-9]{2,12})://")
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
    # Needs the extra `mqtt` (paho-mqtt).
    "mqtt": frozenset({"qos", "version"}),
    "mqtts": frozenset({"qos", "version"}),
}
"""Each schema that may be used, with the parameters it may carry."""

SHORT = frozenset({"twilio", "vonage", "nexmo", "msgbird", "sinch", "sns"})
"""Schemas that send SMS, where letters are counted."""
PUSH = frozenset({"ntfy", "ntfys", "gotify", "gotifys", "pover", "pbul"})
"""Schemas that show a title and a line or two on a locked phone."""
MAIL = frozenset({"mailto", "mailtos"})
CHAT = frozenset({"gchat", "rocket", "rockets", "webex", "wxteams", "workflow", "workflows"})
"""Schemas whose services read Markdown whatever they are given: plain text would have its link escaped and broken."""
_OWN_SERVERS: Mapping[str, int] = {
    **dict.fromkeys(("gotify", "gotifys", "mmost", "mmosts", "rocket", "rockets", "signal", "signals"), 0),
    "mqtt": 1883,
    "mqtts": 8883,
}
"""Schemas whose URL names a server that people run themselves, with its port where that is not HTTP's."""
REACH_S = 3
"""How long each of two addresses is tried, where a server did not take a message."""


def check_address(address: str) -> str:
    """Return an address that alerts may go to.

    Raises:
        InvalidRequest: It is none, or one that is never used; the message says why and holds nothing of it.
    """
    if address == TERMINAL:
        return address
    if address.startswith(WEB_PUSH):
        read_subscription(address)
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
    decoded = unquote(unquote(address))  # some plugins decode what was decoded before
    if _SCHEMA.search(address.lower(), found.end()) or "," in decoded:
        raise _refused("one target per address; add the others as addresses of their own")
    if not decoded.isprintable():
        raise _refused("write one address without control characters, encoded ones included")
    # As Apprise reads it, which is not as a browser does: `#` ends nothing, and `;` separates like `&`.
    given = re.split("[&;]", address.partition("?")[2]) if "?" in address else []
    names = [unquote(one.partition("=")[0].replace("+", " ")) for one in given]
    allowed = SCHEMAS[schema] | _EVERYWHERE
    for name in names:
        if name.lower() not in allowed:
            # Header overrides (`+X=`, `-X=`, `:X=`), redirect=, verify=, template= and the like all end here.
            raise _refused(f"the parameter '{name[:20]}' is not used with {schema}://")
    if len({name.lower() for name in names}) != len(names):
        raise _refused("a parameter stands there twice")
    return address


class Channels:
    """Sends messages; the terminal is the stream that it is given.

    Apprise is imported when the first address needs it: it takes a third of a second.

    Args:
        wording: The words of what is sent here.
        push: Sends to browsers; without it their addresses fail and wait.
    """

    def __init__(
        self,
        terminal: TextIO,
        *,
        time_limit_s: float = 30,
        wording: Wording = BUILT_IN,
        push: PushSender | None = None,
    ) -> None:
        self.wording = wording
        self._push = push
        self._terminal = terminal
        self._time_limit_s = time_limit_s
        # Not anyio's own limiter: a few hanging channels must not keep the desk from signing checkpoints.
        self._threads = anyio.CapacityLimiter(MAX_AT_ONCE)

    @property
    def push_key(self) -> str:
        """Return the key that browsers subscribe with; empty where nothing is sent to browsers."""
        return self._push.vapid.public if self._push is not None else ""

    async def send(self, address: str, message: Message) -> Sent | Failed:
        """Send one message to one address; every way of failing is a value.

        Nothing of the address but a port is in `why`: it may hold passwords.
        """
        if address == TERMINAL:
            return self._print(message)
        try:
            check_address(address)
        except InvalidRequest as error:
            return Failed(error.message, permanent=True)
        send = _notify
        if address.startswith(WEB_PUSH):
            if self._push is None:
                return Failed("this process does not send to browsers")
            send = self._push.send
        # A thread cannot be stopped: it is left behind, and its sockets' own time limits end it soon after.
        with anyio.move_on_after(self._time_limit_s):
            return await anyio.to_thread.run_sync(
                send, address, message, abandon_on_cancel=True, limiter=self._threads
            )
        return Failed(f"no answer within {self._time_limit_s:g} s")

    def _print(self, message: Message) -> Sent | Failed:
        whom = [f"For {message.person}"] if message.person else []
        lines = [message.subject, *whom, "", *message.body.split("\n")]
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
    from apprise.plugins import url_to_dict
    from apprise.plugins.email.base import NotifyEmail

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its lines name hosts and users
    asset = apprise.AppriseAsset(
        app_id="signoff",
        app_desc="signoff",
        app_url="",
        # Else messages carry icons from a host of Apprise's, and whoever runs that learns when alerts are read.
        image_url_mask="",
        image_url_logo="",
        http_redirects=False,
        storage_mode=apprise.PersistentStoreMode.MEMORY,
        pgp_autogen=False,
        pem_autogen=False,
        allow_templates=False,
        # No limit of Apprise's: with one it sends from a small pool that all channels share, so that a few that
        # hang would hold up all others. The limit is in `Channels.send`.
        service_timeout=0,
    )
    if not _is_read_as_checked(url_to_dict(address)):  # type: ignore[no-untyped-call]
        return Failed("not an address that is used for alerts", permanent=True)
    service = apprise.Apprise.instantiate(address, asset=asset)
    if service is None:
        return Failed("not a complete address of its kind", permanent=True)
    why = _not_one_plain_target(service)
    if why is not None:
        return Failed(why, permanent=True)
    schema = address.partition("://")[0].lower()
    if isinstance(service, NotifyEmail):
        # Repeats are known by the alert's id, and stand with the other mails of the case.
        service.headers.update(message.headers)
    sender = apprise.Apprise(asset=asset)
    sender.add(service)
    title, body, form = _form(schema, message)
    most = service.title_maxlen
    if 0 < most < len(title):  # Zulip, for one, turns down a message for its title
        title = f"{title[: most - 1]}…"
    result = sender.notify(body=body, title=title, body_format=apprise.NotifyFormat(form))
    if result.status == apprise.AppriseResultStatus.SUCCESS:
        return Sent()
    why = _unreachable(schema, service)
    if why is not None:
        return Failed(why)
    return Failed(f"{service.service_name} did not take it ({result.status.name.lower()})")


def _unreachable(schema: str, service: Any) -> str | None:
    """Say why a server that somebody runs themselves cannot be reached; None where it can, or where it is not known.

    Apprise says only that a message was not taken. What other services have where a host would be is a token, so it is
    looked up for none of them.
    """
    host, port = service.host, service.port
    if schema in MAIL:
        host = service.smtp_host
    elif not (schema in _OWN_SERVERS or (schema in ("ntfy", "ntfys") and service.mode == "private")):
        return None
    elif not schema.startswith("mqtt") and getproxies():
        return None  # the message went to a proxy, and what is reached without it says nothing
    port = port or _OWN_SERVERS.get(schema) or (443 if service.secure else 80)
    try:
        if _reaches(host.strip("[]"), port):
            return None
    except (OSError, UnicodeError, ValueError):
        return "the name of the server cannot be found (DNS); check how it is written"
    return f"the server cannot be reached on port {port}; check the port, and that it runs"


def _reaches(host: str, port: int) -> bool:
    """Say whether something listens at one of the first two addresses of a host.

    Raises:
        OSError: The name has no address.
        ValueError: It can be no name.
    """
    for family, kind, protocol, _, place in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[:2]:
        try:
            with socket.socket(family, kind, protocol) as tried:
                tried.settimeout(REACH_S)
                tried.connect(place)
                _leave(tried)
        except OSError:
            continue
        return True
    return False


def _leave(tried: socket.socket) -> None:
    """Say goodbye to a server, and let it close its end, so that it holds nothing open for who asks nothing of it."""
    with suppress(OSError):
        tried.shutdown(socket.SHUT_WR)
        for _ in range(8):
            if not tried.recv(4096):
                return


def _form(schema: str, message: Message) -> tuple[str, str, Literal["text", "html", "markdown"]]:
    """Return title, body and its format, as a schema's service shows them best.

    Slack gets plain text: inside of an attachment it formats nothing but links, and would show the escapes of Markdown.
    """
    if schema in SHORT:
        return "", message.short, "text"
    if schema in PUSH:
        lines = (message.push, message.link, message.trace) if message.push else (message.body,)
        return message.subject, "\n".join(filter(None, lines)), "text"
    if schema in MAIL and message.html:
        return message.subject, message.html, "html"
    if schema == "tgram" and message.telegram:
        return "", message.telegram, "html"
    if schema in CHAT and message.chat:
        return message.subject, message.chat, "markdown"
    if schema == "slack":
        return message.subject, message.slack or message.body, "text"
    return message.subject, message.body, "text"


def _is_read_as_checked(read: Mapping[str, Any] | None) -> bool:
    """Say whether Apprise found no parameter in an address that `check_address` did not see there."""
    if read is None:
        return True  # it finds no address at all, and says so
    allowed = SCHEMAS.get(read["schema"])
    return allowed is not None and set(read.get("qsd", ())) <= allowed | _EVERYWHERE


def _not_one_plain_target(service: Any) -> str | None:
    """Say what is wrong with a parsed address that its text did not show."""
    if len(service) > 1:
        return "one target per address"
    if getattr(service, "detect_owner", False):
        # Apprise would ask Telegram who wrote to the bot last, and send there.
        return "write the number of the chat: tgram://token/number"
    if service.redirects or not service.verify_certificate:
        return "redirects and unchecked certificates are not used"
    if getattr(service, "cc", None) or getattr(service, "bcc", None):
        return "one target per address"
    return None


def _refused(why: str) -> InvalidRequest:
    return InvalidRequest(f"{why}.", field="address")
