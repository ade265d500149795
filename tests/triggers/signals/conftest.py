"""Signals as a policy declares them, computed over what an agent sends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from signoff.domain.action import Action
from signoff.domain.bundle import read_material
from signoff.triggers.facts import Facts
from signoff.triggers.load import load_policy

NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)


@pytest.fixture
def signal() -> Callable[..., Any]:
    """Return a function that gives a signal's value for one action of Ada's, sent as agents send it."""

    def computed(
        declared: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        tool: str = "refund",
        bundle: Mapping[str, Any] | None = None,
        now: datetime = NOW,
    ) -> Any:
        loaded = load_policy(f"version: 1\nsignals:\n  x: {declared}\ntriggers: []\n", source="policy.yaml")
        action = Action(tool=tool, arguments=dict(arguments or {})).checked()
        facts = Facts(
            action=action.model_dump(mode="json", exclude_none=True),
            bundle=read_material(bundle).as_json(),
            agent={"id": "agt_1", "name": "ada", "owner": None},
            session={},
            now=now,
        )
        return loaded.signals["x"].value(facts, "x")

    return computed
