"""Steps that many tests take: ask, decide, verify, and a second hand on the same database file."""

from __future__ import annotations

import importlib
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from signoff.audit.report import Report
from signoff.audit.verify import verify_log
from signoff.desk import answer as told
from signoff.desk.decide import decide
from signoff.desk.desk import Desk
from signoff.desk.look import CaseView, look
from signoff.desk.request import request_approval
from signoff.domain.action import Action
from signoff.domain.bundle import Material
from signoff.domain.decision import Answer
from signoff.domain.people import Agent, SignIn
from signoff.store.log_source import LogSource

WIRE = Action(tool="wire_transfer", arguments={"amount": 12500, "country": "DE"}, summary="Pay the invoice")
SALE = Action(tool="sell_company", arguments={"price": "1 EUR"})
NOTHING = Material()


async def ask(
    desk: Desk, agent: Agent, action: Action = WIRE, *, material: Material = NOTHING, **more: Any
) -> told.Answer:
    """Open a case the way an agent does."""
    return await request_approval(desk, agent, action, material, **more)


async def answer(desk: Desk, sign_in: SignIn, escalation_id: str, given: Answer) -> CaseView:
    """Look at a case and decide it, as a page does."""
    view = await look(desk, sign_in, escalation_id)
    return await decide(
        desk, sign_in, escalation_id, given, version=view.case.version, view_digest=view.view_digest
    )


async def approve(desk: Desk, sign_in: SignIn, escalation_id: str, note: str = "") -> CaseView:
    """Approve a case as it is shown."""
    return await answer(desk, sign_in, escalation_id, Answer("approve", note=note))


async def verified(desk: Desk) -> Report:
    """Verify the whole log of a desk with its own public keys."""
    async with desk.store.snapshot() as reader:
        return await verify_log(LogSource(reader), desk.keys.public(), on_progress=lambda done, of: None)


@contextmanager
def second_hand(path: Path) -> Generator[Any]:
    """Open a database past the store, as an administrator with a shell would; commits at the end."""
    try:
        module: Any = importlib.import_module("pysqlite3")
    except ImportError:
        module = sqlite3
    connection = module.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA busy_timeout=5000")
        yield connection
    finally:
        connection.close()


def bytes_on_disk(path: Path) -> bytes:
    """Return every byte of a database, those not yet moved out of its write-ahead log too."""
    return b"".join(part.read_bytes() for part in sorted(path.parent.glob(f"{path.name}*")))
