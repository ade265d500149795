"""The log for those who follow it: checkpoint, tiles and proofs of growth, under `<base_url>/audit`.

The form is C2SP tlog-tiles (`audit/tiles.py`), so existing log tools read it. Who may read is `audit.public`:
checkpoints and hashes tell how many events there are and when; events tell what happened, though nothing personal.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from signoff.audit.tiles import parse_tile
from signoff.desk.desk import PublicAudit
from signoff.desk.follow import growth_since, published_checkpoint, read_tile
from signoff.domain.errors import Forbidden, InvalidRequest, NotFound
from signoff.operators.sign_in import Door, who

TEXT = "text/plain; charset=utf-8"
BINARY = "application/octet-stream"
FOREVER = "public, max-age=31536000, immutable"
_READERS = frozenset({"auditor", "admin"})


def follow_routes(door: Door) -> list[Route]:
    """Return the routes of the log."""

    async def checkpoint(request: Request) -> Response:
        """Answer GET /audit/checkpoint: the signed tree head, with cosignatures."""
        await _admit(door, request, "checkpoints")
        return Response((await published_checkpoint(door.desk)).encode(), headers={"Content-Type": TEXT})

    async def consistency(request: Request) -> Response:
        """Answer GET /audit/consistency?from=N: a proof that the log has only grown since it had N events."""
        await _admit(door, request, "checkpoints")
        growth = await growth_since(door.desk, _size(request.query_params.get("from", "")))
        return Response(growth.text.encode(), headers={"Content-Type": TEXT})

    async def tile(request: Request) -> Response:
        """Answer GET /audit/tile/…: hashes of the tree, or the events themselves."""
        wanted = parse_tile(request.path_params["path"])
        if wanted is None:
            raise NotFound("That is not the path of a tile.")
        is_public = await _admit(door, request, "log" if wanted.level is None else "checkpoints")
        data = await read_tile(door.desk, wanted)
        headers = {"Content-Type": BINARY, "Cache-Control": FOREVER if is_public else "private, no-store"}
        if wanted.level is None:
            data, more = await _compressed(request, data)
            headers |= more
        return Response(data, headers=headers)

    return [
        Route("/audit/checkpoint", checkpoint),
        Route("/audit/consistency", consistency),
        Route("/audit/tile/{path:path}", tile),
    ]


async def _admit(door: Door, request: Request, needed: PublicAudit) -> bool:
    """Let a reader in; True where everybody may read this.

    Raises:
        NotSignedIn: It is not public, and nobody is signed in.
        Forbidden: The person is neither auditor nor admin.
    """
    if door.desk.settings.public_audit in (needed, "log"):
        return True
    sign_in = await who(door, request)
    if sign_in.only_case is not None or not sign_in.person.roles & _READERS:
        raise Forbidden("The audit log is for auditors and admins who are fully signed in.")
    return False


async def _compressed(request: Request, data: bytes) -> tuple[bytes, Mapping[str, str]]:
    """Compress events where the reader takes that; they are a fifth of their size then."""
    taken = {one.partition(";")[0].strip() for one in request.headers.get("accept-encoding", "").split(",")}
    if "gzip" not in taken:
        return data, {"Vary": "Accept-Encoding"}
    smaller = await anyio.to_thread.run_sync(lambda: gzip.compress(data, compresslevel=6, mtime=0))
    return smaller, {"Vary": "Accept-Encoding", "Content-Encoding": "gzip"}


def _size(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise InvalidRequest(
            "write the size of the checkpoint that you hold, such as ?from=137.", field="from"
        )
    return int(text)
