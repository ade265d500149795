"""HTTP to addresses outside, so that no name and no redirect leads to a machine that was not meant.

The name is resolved once, every address that it has must be public, and the connection goes to the address that was
checked, with the certificate checked against the name. No redirects are followed, no proxies are taken from the
environment, and of an answer no more is read than asked for.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass

import anyio
import httpx2

from signoff.domain.errors import SignoffError

TIME_LIMIT_S = 10.0


class Unreachable(SignoffError):
    """A place outside that gave no answer, or that must not be spoken to; the message names no path and no query."""

    code = "store_unavailable"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, whatever its status."""

    status: int
    content_type: str
    """Without parameters."""
    body: str


async def send(
    method: str,
    url: str,
    *,
    content: str | None = None,
    allow_private: bool = False,
    most_bytes: int = 0,
    time_limit_s: float = TIME_LIMIT_S,
) -> Reply:
    """Send a request and return the answer.

    Args:
        content: The body, as plain text.
        allow_private: Addresses of this machine and of private networks may be spoken to, too.
        most_bytes: How much of the answer's body is read; a longer one counts as no answer.

    Raises:
        Unreachable: No answer within the time, an address that is not public, or too long an answer.
    """
    target = httpx2.URL(url)
    try:
        with anyio.fail_after(time_limit_s):
            address = await _address(target, allow_private=allow_private)
            return await _send(method, target, address, content, most_bytes)
    except TimeoutError:
        raise Unreachable(f"{target.host} gave no answer within {time_limit_s:g} s.") from None
    except (httpx2.HTTPError, OSError) as error:
        raise Unreachable(f"{target.host} cannot be reached ({type(error).__name__}).") from None


async def _address(target: httpx2.URL, *, allow_private: bool) -> str:
    port = target.port or (443 if target.scheme == "https" else 80)
    found = await anyio.getaddrinfo(target.host, port, type=socket.SOCK_STREAM)
    addresses = [str(one[4][0]) for one in found]
    for address in addresses:
        if not allow_private and not _is_public(address):
            raise Unreachable(
                f"{target.host} is at an address that is not public, and is not spoken to."
                " If it is on a network of your own, say allow_private: true."
            )
    return addresses[0]


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        # Addresses that lead to an IPv4 one are as public as that one.
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if inner is not None:
            return inner.is_global and not inner.is_multicast
        if address in ipaddress.IPv6Network("64:ff9b::/96"):
            return _is_public(str(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)))
    return address.is_global and not address.is_multicast


async def _send(method: str, target: httpx2.URL, address: str, content: str | None, most_bytes: int) -> Reply:
    headers = {"Host": target.netloc.decode("ascii"), "Accept-Encoding": "identity", "User-Agent": "signoff"}
    if content is not None:
        headers["Content-Type"] = "text/plain; charset=utf-8"
    async with (
        httpx2.AsyncClient(trust_env=False, follow_redirects=False, timeout=None) as client,
        client.stream(
            method,
            target.copy_with(host=address),
            content=None if content is None else content.encode("utf-8"),
            headers=headers,
            extensions={"sni_hostname": target.host},
        ) as answer,
    ):
        body = bytearray()
        if most_bytes:
            async for part in answer.aiter_raw():
                body += part
                if len(body) > most_bytes:
                    raise Unreachable(f"{target.host} answered with more than {most_bytes} bytes.")
        kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        return Reply(answer.status_code, kind, bytes(body).decode("utf-8", errors="replace"))
