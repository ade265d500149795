"""The witness over HTTP: `POST /add-checkpoint`, and nothing else."""

from __future__ import annotations

import logging
import socket
from functools import partial

import anyio.to_thread
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from signoff.audit.growth import MAX_GROWTH_CHARS
from signoff.domain.errors import SignoffError
from signoff.witness.state import TEXT, Reply, Witness

MAX_BODY_BYTES = MAX_GROWTH_CHARS

log = logging.getLogger("signoff.witness")


def build_witness(witness: Witness) -> Starlette:
    """Return the witness as an ASGI application."""
    return Starlette(routes=[Route("/add-checkpoint", partial(_add_checkpoint, witness), methods=["POST"])])


async def _add_checkpoint(witness: Witness, request: Request) -> Response:
    reply = await _answered(witness, request)
    # The media type as it is: Starlette would add a charset to any text type.
    return Response(reply.body, status_code=reply.status, headers={"Content-Type": reply.content_type})


async def _answered(witness: Witness, request: Request) -> Reply:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            return Reply(413, f"At most {MAX_BODY_BYTES} bytes.\n")
    try:
        text = bytes(body).decode("utf-8")
    except UnicodeDecodeError:
        return Reply(400, "Not UTF-8.\n", TEXT)
    try:
        return await anyio.to_thread.run_sync(witness.add_checkpoint, text)
    except (SignoffError, OSError):
        # Whoever asks learns nothing of this machine; its owner does.
        log.exception("Nothing was cosigned.")
        return Reply(500, "Internal error.\n")


def run_witness(witness: Witness, listening: socket.socket) -> None:
    """Serve until the process is told to end."""
    config = uvicorn.Config(
        build_witness(witness),
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
    )
    uvicorn.Server(config).run(sockets=[listening])
