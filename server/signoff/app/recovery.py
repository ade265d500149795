"""Recover the log of a home, in two steps that may be hours, terminals and processes apart."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from pathlib import Path

import anyio
import orjson

from signoff.app.hosting import publish
from signoff.app.standing import contradicting
from signoff.config import Config, Home
from signoff.desk.desk import Desk
from signoff.desk.erase import scrub
from signoff.desk.recover import Proposal, Recovered, confirm, propose
from signoff.domain.clock import from_text, to_text
from signoff.domain.errors import Conflict, Forbidden, NotFound
from signoff.domain.people import Assurance


def proposal_file(home: Home) -> Path:
    """Return where a proposal waits for its confirmation; only the home's owner can read it."""
    return home.keys / "log.proposed"


async def propose_recovery(
    desk: Desk, config: Config, *, by: str, confirmer: str, reason: str, assurance: Assurance
) -> str:
    """Propose a recovery, keep the proposal, and return the code that confirms it; an older one is void then.

    Raises:
        Conflict: There is nothing to recover.
        Forbidden: Not by these two people.
    """
    superseded = await contradicting(config, desk)
    if not superseded and desk.store.read_only is not None:
        raise Conflict(
            "What is given up has to be named, and no checkpoint of it is here. Put the newest one that anybody kept"
            f" into {config.home.anchor_file}, and propose again."
        )
    proposal, code = await propose(
        desk, by=by, confirmer=confirmer, reason=reason, assurance=assurance, superseded=superseded
    )
    await anyio.to_thread.run_sync(_write, proposal_file(config.home), proposal)
    return code


async def confirm_recovery(desk: Desk, config: Config, *, by: str, code: str) -> Recovered:
    """Confirm what was proposed, and sign the log as it goes on.

    Raises:
        NotFound: Nothing was proposed.
        Forbidden: Not by this person, with this code, or not any more.
        Conflict: The log, or what was signed, changed since.
    """
    path = proposal_file(config.home)
    proposal = await anyio.to_thread.run_sync(_read, path)
    superseded = await contradicting(config, desk)
    try:
        made = await confirm(desk, proposal, by=by, code=code, superseded=superseded)
    except Forbidden:
        # A code is 80 bits, and guessing ends after a few tries all the same.
        await anyio.to_thread.run_sync(_write, path, replace(proposal, wrong=proposal.wrong + 1))
        raise
    desk.store.read_only = None
    await publish(desk, config.home)
    if config.settings.anchors:
        from signoff.app.anchors import ask_places

        await ask_places(desk, config)  # they take the new history, or say that it is another one
    await anyio.to_thread.run_sync(lambda: path.unlink(missing_ok=True))
    await scrub(desk, vacuum=True)
    return made


def _write(path: Path, proposal: Proposal) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(orjson.dumps({**asdict(proposal), "made_at": to_text(proposal.made_at)}))
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _read(path: Path) -> Proposal:
    try:
        value = orjson.loads(path.read_bytes())
        superseded = tuple(value.pop("superseded"))
        return Proposal(**{**value, "made_at": from_text(value["made_at"])}, superseded=superseded)
    except FileNotFoundError:
        raise NotFound("No recovery is proposed. Begin with `signoff audit recover --propose`.") from None
    except (ValueError, TypeError, KeyError):
        raise NotFound("The proposal cannot be read. Propose the recovery again.") from None
