"""Push messages to a browser, without a third party's account: RFC 8030 (push), 8291 (encryption), 8292 (who sends).

A subscription is an address like any other:

    webpush:https://push.example.com/send/abc#P256DH.AUTH

The browser chose the endpoint, so it is a URL that a stranger could have written: https on the usual port only, to addresses
of the public internet only, connected to the very address that was looked at, and no redirect is followed. What is sent is
encrypted for the browser and holds a title, a line or two and the page to open: no token, for it is kept by others until
the phone is on.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import ipaddress
import os
import socket
import ssl
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from signoff.alerts.messages import Message
from signoff.alerts.vapid import Vapid, b64url, from_b64url, point_of
from signoff.domain.alert import Failed, Sent
from signoff.domain.clock import Clock
from signoff.domain.errors import InvalidRequest
from signoff.domain.shown_address import WEB_PUSH

MAX_ENDPOINT_CHARS = 1000
MAX_PAYLOAD_BYTES = 3000  # a service must take 4096 encrypted (RFC 8030 §7.2)
KEPT_FOR_S = (
    12 * 3600
)  # how long a service holds a message for a phone that is off; a case is rarely open longer
SOCKET_TIME_LIMIT_S = 10.0
RECORD_BYTES = 4096
PORT = 443

SocketAddress = tuple[str, int]
Resolve = Callable[[str], SocketAddress]


@dataclass(frozen=True, slots=True)
class Subscription:
    """Where a browser takes messages, and the keys that they are encrypted for."""

    endpoint: str
    p256dh: bytes = field(repr=False)
    """The browser's public key: an uncompressed point of 65 bytes."""
    auth: bytes = field(repr=False)
    """16 bytes that the browser and this server share."""

    @property
    def address(self) -> str:
        """Return the subscription as an address."""
        return f"{WEB_PUSH}{self.endpoint}#{b64url(self.p256dh)}.{b64url(self.auth)}"


def read_subscription(address: str) -> Subscription:
    """Read an address of a browser.

    Raises:
        InvalidRequest: It is none; the message holds nothing of it.
    """
    endpoint, _, keys = address.removeprefix(WEB_PUSH).partition("#")
    p256dh, _, auth = keys.partition(".")
    return checked_subscription(endpoint, p256dh=p256dh, auth=auth)


def checked_subscription(endpoint: str, *, p256dh: str, auth: str) -> Subscription:
    """Return a subscription as a browser states it, once each part of it is what it must be.

    Raises:
        InvalidRequest: One is not; the message holds nothing of it.
    """
    if len(endpoint) > MAX_ENDPOINT_CHARS or not endpoint.isascii() or not endpoint.isprintable():
        raise _refused(f"the endpoint is a URL of at most {MAX_ENDPOINT_CHARS} characters")
    if any(one in endpoint for one in ' #"<>\\^`{|}'):
        raise _refused("the endpoint is no URL")
    try:
        parts = urlsplit(endpoint)
        port = parts.port
    except ValueError:
        raise _refused("the endpoint is no URL") from None
    if parts.scheme != "https" or not parts.hostname or port not in (None, PORT) or "@" in parts.netloc:
        raise _refused("the endpoint is https on port 443, without a user")
    if _is_address(parts.hostname) or "." not in parts.hostname:
        raise _refused("the endpoint is at a host of the public internet, by name")
    try:
        point, secret = from_b64url(p256dh), from_b64url(auth)
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError:
        raise _refused("the keys are a P-256 point and 16 bytes in base64url") from None
    if len(point) != 65 or len(secret) != 16:
        raise _refused("the keys are a P-256 point and 16 bytes in base64url")
    return Subscription(endpoint, point, secret)


def _refused(why: str) -> InvalidRequest:
    return InvalidRequest(f"{why}. Subscribe again from the settings page.", field="subscription")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        # `0x7f.1` and `127.1` are addresses to some resolvers.
        return host.rpartition(".")[2][:1].isdigit()
    return True


def public_address(host: str) -> SocketAddress:
    """Return where to connect to for a host; every address that it has must be one of the public internet.

    Raises:
        OSError: It has none, or one that is not.
    """
    found = socket.getaddrinfo(host, PORT, type=socket.SOCK_STREAM)
    addresses = [str(one[4][0]) for one in found]
    if not addresses or not all(map(_is_public, addresses)):
        raise OSError("not on the public internet")
    return addresses[0], PORT


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        # These carry an IPv4 address that is connected to in the end.
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if inner is not None and not _is_public(str(inner)):
            return False
        if address in _NAT64:
            return _is_public(str(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)))
    return address.is_global and not address.is_multicast


_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class PushSender:
    """Sends to browsers; runs in worker threads.

    Args:
        resolve: Says where to connect to for a host, or raises OSError.
        tls: What certificates are checked against.
    """

    def __init__(
        self,
        vapid: Vapid,
        clock: Clock,
        *,
        resolve: Resolve = public_address,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.vapid = vapid
        self._clock = clock
        self._resolve = resolve
        self._tls = tls or ssl.create_default_context()

    def send(self, address: str, message: Message) -> Sent | Failed:
        """Send a message to a browser; every way of failing is a value."""
        try:
            subscription = read_subscription(address)
        except InvalidRequest as error:
            return Failed(error.message, permanent=True)
        body = encrypted(payload_of(message), subscription)
        try:
            status = self._post(subscription, body)
        except ssl.SSLError:
            return Failed("the push service's certificate is not valid, or TLS failed")
        except (OSError, http.client.HTTPException):
            return Failed("the push service cannot be reached, or is not on the public internet")
        if 200 <= status < 300:
            return Sent()
        if status in (404, 410):
            return Failed("the browser does not take messages any more", permanent=True, gone=True)
        # What will not be better later: a request that is refused as such. 429 and 5xx are.
        return Failed(f"the push service answered {status}", permanent=status in (400, 401, 403, 413))

    def _post(self, subscription: Subscription, body: bytes) -> int:
        parts = urlsplit(subscription.endpoint)
        host = parts.hostname or ""
        connection = _Pinned(host, self._resolve(host), tls=self._tls)
        try:
            connection.request(
                "POST",
                f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}",
                body,
                {
                    "Authorization": self.vapid.authorization(
                        subscription.endpoint, now_s=int(self._clock.now().timestamp())
                    ),
                    "Content-Encoding": "aes128gcm",
                    "Content-Type": "application/octet-stream",
                    "TTL": str(KEPT_FOR_S),
                    "Urgency": "high",
                },
            )
            return connection.getresponse().status  # its body says nothing that we need, and is left unread
        finally:
            connection.close()


class _Pinned(http.client.HTTPSConnection):
    """Connects to the address that was looked at, whatever the name resolves to a moment later."""

    def __init__(self, host: str, to: SocketAddress, *, tls: ssl.SSLContext) -> None:
        super().__init__(host, PORT, timeout=SOCKET_TIME_LIMIT_S, context=tls)
        self._to = to
        self._checks = tls

    def connect(self) -> None:
        """Connect, and check the certificate against the name."""
        plain = socket.create_connection(self._to, SOCKET_TIME_LIMIT_S)
        try:
            self.sock = self._checks.wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise


def payload_of(message: Message) -> bytes:
    """Return what a browser is told: title, a line or two, and the page to open. No token."""
    title, body = message.subject, message.push
    while True:
        lines = "\n".join(filter(None, (body, message.trace)))
        made = orjson.dumps({"title": title, "body": lines, "url": message.page})
        if len(made) <= MAX_PAYLOAD_BYTES:
            return made
        if body:
            body = f"{body[: len(body) * 3 // 4 - 1]}…" if len(body) > 8 else ""
        else:
            title = f"{title[: len(title) * 3 // 4 - 1]}…"


def encrypted(
    plain: bytes,
    subscription: Subscription,
    *,
    salt: bytes | None = None,
    private: ec.EllipticCurvePrivateKey | None = None,
) -> bytes:
    """Encrypt a message for a browser: RFC 8291 §3.4, as one record of RFC 8188.

    Args:
        salt: 16 bytes; fresh ones if None. Given only to compare with the example of RFC 8291.
        private: This message's key; a fresh one if None, and never used twice.
    """
    salt = salt or os.urandom(16)
    private = private or ec.generate_private_key(ec.SECP256R1())
    sender = point_of(private.public_key())
    receiver = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), subscription.p256dh)
    shared = private.exchange(ec.ECDH(), receiver)
    info = b"WebPush: info\0" + subscription.p256dh + sender
    secret = _expand(_extract(subscription.auth, shared), info, 32)
    pseudorandom = _extract(salt, secret)
    key = _expand(pseudorandom, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _expand(pseudorandom, b"Content-Encoding: nonce\0", 12)
    # 0x02 ends the last record, which is the only one.
    sealed = AESGCM(key).encrypt(nonce, plain + b"\x02", None)
    return salt + struct.pack("!IB", RECORD_BYTES, len(sender)) + sender + sealed


def _extract(salt: bytes, secret: bytes) -> bytes:
    """HKDF-Extract with SHA-256 (RFC 5869)."""
    return hmac.digest(salt, secret, hashlib.sha256)


def _expand(key: bytes, info: bytes, size_bytes: int) -> bytes:
    """HKDF-Expand with SHA-256, of at most one block."""
    return hmac.digest(key, info + b"\x01", hashlib.sha256)[:size_bytes]
