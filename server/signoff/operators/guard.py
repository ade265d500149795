"""What stands before every page: who may be addressed, who may post, and the headers of every answer."""

from __future__ import annotations

import ipaddress
import logging
import math
from collections.abc import Callable
from typing import Literal
from urllib.parse import urlsplit

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from signoff.domain.errors import InvalidRequest
from signoff.operators.areas import note_path
from signoff.operators.forms import MAX_FORM_BYTES, MAX_SMALL_FORM_BYTES

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
LARGE_FORMS = ("/cases/", "/admin/policy/try", "/canaries")
"""Where a form may hold arguments, a policy or a bundle."""
PROBES = frozenset({"/healthz", "/readyz"})
"""Load balancers and container health checks ask for these by address; they tell nothing that a Host guards."""

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'"
)
# Registering a service worker takes a trusted URL; there, one policy may make one (`static/worker.js`).
SETTINGS_PATH = "/settings"
SETTINGS_SECURITY_POLICY = CONTENT_SECURITY_POLICY.replace(
    "trusted-types 'none'", "worker-src 'self'; trusted-types signoff-worker"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
FORM_WITHIN_S = 30.0
"""How long the body of a request may take to arrive, so that nobody holds a place by sending it byte by byte."""
HSTS = "max-age=31536000; includeSubDomains"

Refuse = Callable[[Request, int, str], Response]
"""Makes the page that refuses a request: status and the word that its text goes by."""

log = logging.getLogger(__name__)


class Site:
    """Where the pages are: the hosts and origins they answer to, and whether through TLS."""

    def __init__(self, base_url: str) -> None:
        """Read the address that people use.

        Raises:
            InvalidRequest: Neither https nor http on this machine itself: the cookie would cross a network in the clear.
        """
        parts = urlsplit(base_url)
        self.scheme = parts.scheme
        self.name = parts.hostname or ""
        self.netloc = parts.netloc.lower()
        self.secure = parts.scheme == "https"
        host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname or ""
        if not host or not (self.secure or (parts.scheme == "http" and host in LOOPBACK)):
            raise InvalidRequest(
                "must be https://…, or http:// on localhost. Put a TLS proxy in front of anything else.",
                field="base_url",
            )
        names = LOOPBACK if host in LOOPBACK else frozenset({host})
        port = f":{parts.port}" if parts.port is not None else ""
        self.hosts = frozenset(f"{name}{port}" for name in names)

    def passkeys(self, host: str | None) -> Literal["", "address", "elsewhere"]:
        """Say why no passkey works on these pages, empty where they do.

        A passkey belongs to a host name; browsers refuse addresses (WebAuthn Level 3, §5.1.3 and §13.4.9).

        Returns:
            `address`: the pages are reached by an IP address; `elsewhere`: this browser is not at `base_url`.
        """
        try:
            ipaddress.ip_address(self.name)
        except ValueError:
            return "" if host is None or host.lower() == self.netloc else "elsewhere"
        return "address"

    def knows(self, host: str | None) -> bool:
        """Say whether a Host header names us; anything else may be a rebound DNS name."""
        return host is not None and host.lower() in self.hosts

    def is_own(self, headers: Headers) -> bool:
        """Say whether a request that changes something was sent by a page of ours.

        Pages say `no-referrer`, under which browsers send `Origin: null` even with a form that stays at home
        (Fetch standard, "append a request Origin header"). Such a request counts only if the browser states in
        `Sec-Fetch-Site`, which no page can set, that it comes from the same origin.
        """
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if site is not None and site != "same-origin":
            return False
        if origin == "null":
            return site == "same-origin"
        return origin == f"{self.scheme}://{headers.get('host', '').lower()}"


class Guard:
    """Checks each request before the pages see it, and puts the headers on whatever leaves.

    An unexpected error becomes a plain page here; all of it is in the log and none of it on the page.
    """

    def __init__(
        self, app: ASGIApp, *, site: Site, refuse: Refuse, form_within_s: float = FORM_WITHIN_S
    ) -> None:
        self.app = app
        self.form_within_s = form_within_s
        self.site = site
        self.refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False
        note_path(scope["path"])

        async def send_guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                self._add_headers(MutableHeaders(scope=message), path=scope["path"])
            await send(message)

        most_bytes = MAX_FORM_BYTES if scope["path"].startswith(LARGE_FORMS) else MAX_SMALL_FORM_BYTES
        taken = 0
        until: float | None = None

        async def receive_limited() -> Message:
            nonlocal taken, until
            if until is None:
                until = anyio.current_time() + self.form_within_s
            try:
                with anyio.fail_at(until):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, headers={"Connection": "close"}) from None
            if not message.get("more_body", False):
                until = math.inf  # the body is whole; what comes now is only that somebody goes
            taken += len(message.get("body", b""))
            if taken > most_bytes:
                raise HTTPException(413)
            return message

        request = Request(scope, receive)
        refused = self._refused(request, most_bytes)
        if refused is not None:
            await refused(scope, receive, send_guarded)
            return
        try:
            await self.app(scope, receive_limited, send_guarded)
        except Exception:
            # Quoted: a path is whatever the visitor wrote, line breaks and terminal codes included.
            log.exception("A page failed: %s %.200r", scope["method"], scope["path"])
            if not started:
                await self.refuse(request, 500, "internal")(scope, receive, send_guarded)

    def _refused(self, request: Request, most_bytes: int) -> Response | None:
        if request.url.path in PROBES:
            return None
        if not self.site.knows(request.headers.get("host")):
            return self.refuse(request, 421, "host")
        if request.method not in ("GET", "HEAD") and not self.site.is_own(request.headers):
            return self.refuse(request, 403, "origin")
        length = request.headers.get("content-length", "")
        if length.isdecimal() and (len(length) > 18 or int(length) > most_bytes):
            return self.refuse(request, 413, "limit_exceeded")
        return None

    def _add_headers(self, headers: MutableHeaders, *, path: str) -> None:
        for name, value in HEADERS.items():
            headers[name] = value
        if path == SETTINGS_PATH:
            headers["Content-Security-Policy"] = SETTINGS_SECURITY_POLICY
        headers.setdefault("Cache-Control", "no-store")
        if self.site.secure:
            headers["Strict-Transport-Security"] = HSTS
