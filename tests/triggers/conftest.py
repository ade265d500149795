"""Policies and facts as the tests of this folder write them."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from signoff.domain.verdict import Verdict
from signoff.triggers.evaluate import evaluate
from signoff.triggers.facts import Facts
from signoff.triggers.load import load_policy

NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)


@pytest.fixture
def ask() -> Callable[..., Verdict]:
    """Return a function that evaluates the triggers of a policy over one action of Ada's."""

    def asked(
        triggers: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        tool: str = "refund",
        bundle: Mapping[str, Any] | None = None,
        head: str = "",
    ) -> Verdict:
        loaded = load_policy(f"version: 1\n{head}\ntriggers:\n{triggers}", source="policy.yaml")
        facts = Facts(
            action={"tool": tool, "arguments": dict(arguments or {})},
            bundle=dict(bundle or {}),
            agent={"id": "agt_1", "name": "ada", "owner": None},
            session={},
            now=NOW,
        )
        return evaluate(loaded, facts)

    return asked
