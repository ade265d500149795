"""Policies to begin with: commented files, one for each kind of agent, that people copy and adapt."""

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
    if name not in STARTERS:
        raise KeyError(name)
    return files("signoff.triggers.starters").joinpath(f"{name}.yaml").read_text(encoding="utf-8")
