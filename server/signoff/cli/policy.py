"""The policy file: checked, tested, explained and tried on what happened, before it counts."""

from __future__ import annotations

from signoff.cli.commands import Commands

policy = Commands(
    "policy",
    help="The triggers: check, test, explain and replay a policy file.",
    found_in={
        "check": "signoff.cli.policy_check",
        "test": "signoff.cli.policy_test",
        "explain": "signoff.cli.policy_explain",
        "replay": "signoff.cli.policy_replay",
        "schema": "signoff.cli.policy_check",
    },
)
