"""Policies to begin with: commented files, one for each kind of agent, that people copy and adapt, with table tests.

The tables are part of a starter and not of our tests: whoever changes an amount sees in them what the change does.
"""

from __future__ import annotations

from importlib.resources import files

STARTERS: dict[str, str] = {
    "general": "a little of everything; what a new home begins with",
    "support": "customer support: refunds, credits, angry customers, key accounts",
    "payments": "payments: amounts, new payees, day limits, split payments",
    "coding-agent": "coding agents such as Claude Code: shell commands, files, publishing, secrets",
    "privacy": "data deletion and privacy: erasure, special categories, exports, deadlines",
    "infrastructure": "infrastructure: deployments, migrations, access, destructive commands",
}
"""What each is for, by name; the first is what a new home begins with."""


def starter_policy(name: str = "general") -> str:
    """Return the text of a starter policy.

    Raises:
        KeyError: There is none of that name.
    """
    return _text(name, ".yaml")


def starter_cases(name: str = "general") -> str:
    """Return the text of a starter policy's table tests, `policy.tests.yaml` beside it.

    Raises:
        KeyError: There is none of that name.
    """
    return _text(name, ".tests.yaml")


def _text(name: str, suffix: str) -> str:
    if name not in STARTERS:
        raise KeyError(name)
    return files("signoff.triggers.starters").joinpath(f"{name}{suffix}").read_text(encoding="utf-8")
