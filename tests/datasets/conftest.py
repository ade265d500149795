"""Cases that Ada asked about and Omar decided, and exports of them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import pytest
from tests._support.clock import HandClock
from tests.conftest import Cast

from signoff.datasets.export import export
from signoff.datasets.manifest import Manifest
from signoff.desk.decide import decide
from signoff.desk.desk import Desk
from signoff.desk.look import look
from signoff.desk.request import request_approval
from signoff.domain.action import Action
from signoff.domain.bundle import Material
from signoff.domain.decision import Answer

WIRE = {"amount": 12500, "country": "DE"}
TALK: list[dict[str, Any]] = [
    {"role": "system", "content": "You pay invoices."},
    {"role": "user", "content": "Please pay invoice 77."},
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [
            {
                "id": "call_1",
                "type": "function",
                "function": {"name": "get_invoice", "arguments": '{"id": 77}'},
            }
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": '{"amount": 12500}'},
]


@dataclass
class House:
    """Opens and decides cases through the desk, taking a person's time."""

    desk: Desk
    cast: Cast
    clock: HandClock

    async def ask(
        self,
        *,
        tool: str = "wire_transfer",
        arguments: dict[str, Any] | None = None,
        response_schema: dict[str, Any] | None = None,
        **bundle: Any,
    ) -> str:
        material = Material.model_validate({"messages": TALK, **bundle})
        action = Action(tool=tool, arguments=WIRE if arguments is None else arguments)
        answer = await request_approval(
            self.desk, self.cast.ada, action, material, response_schema=response_schema
        )
        return answer.escalation_id

    async def decide(self, escalation_id: str, answer: Answer, *, after_s: float = 30) -> str:
        view = await look(self.desk, self.cast.omar, escalation_id)
        self.clock.advance(after_s)
        await decide(
            self.desk,
            self.cast.omar,
            escalation_id,
            answer,
            version=view.case.version,
            view_digest=view.view_digest,
        )
        return escalation_id

    async def approved(self, **asked: Any) -> str:
        return await self.decide(await self.ask(**asked), Answer("approve"))

    async def modified(self, arguments: dict[str, Any], **asked: Any) -> str:
        return await self.decide(await self.ask(**asked), Answer("modify", arguments=arguments))

    async def rejected(self, **asked: Any) -> str:
        return await self.decide(await self.ask(**asked), Answer("reject", note="The invoice is paid."))


@pytest.fixture
def house(desk: Desk, cast: Cast, clock: HandClock) -> House:
    return House(desk, cast, clock)


@dataclass(frozen=True)
class Exported:
    """What an export left, read back as anybody would."""

    out: Path
    manifest: Manifest
    written: dict[str, Any]
    """`manifest.json`."""
    rows: list[dict[str, Any]]
    quarantine: list[dict[str, Any]]

    @property
    def reasons(self) -> list[set[str]]:
        """The reasons of each quarantined row."""
        return [{reason["reason"] for reason in one["reasons"]} for one in self.quarantine]


Export = Callable[..., Awaitable[Exported]]


@pytest.fixture
def exported(desk: Desk, tmp_path: Path) -> Export:
    async def run(format: str, *, name: str = "out", since: datetime | None = None) -> Exported:
        out = tmp_path / name
        manifest = await export(
            desk, format=format, out=out, on_progress=lambda done, total: None, since=since
        )
        written = json.loads((out / "manifest.json").read_bytes())
        return Exported(
            out, manifest, written, lines_of(out / f"{format}.jsonl"), lines_of(out / "quarantine.jsonl")
        )

    return run


def lines_of(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        return [cast(dict[str, Any], json.loads(line)) for line in file]
