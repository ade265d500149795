"""The command line: one file per command group.

Every command opens the home it is told to (`--home`, `SIGNOFF_HOME`, or the platform's user data directory) and
makes what is missing of it, except what a database has lost: its keys and its policy. Modules are imported inside the
commands that need them, so that `signoff --help` and
`signoff mcp` start fast. Errors are translated here, once: `signoff: message` on stderr, exit code 2 for input that
cannot be taken, 1 for everything else that failed.
"""

from __future__ import annotations

import os

from signoff.cli.commands import Commands

signoff = Commands(
    "signoff",
    help="signoff lets AI agents ask people, and proves what was decided.\n\nStart with `signoff demo`.",
    version=True,
    found_in={
        "init": "signoff.cli.serve",
        "serve": "signoff.cli.serve",
        "mcp": "signoff.cli.serve",
        "people": "signoff.cli.people",
        "agents": "signoff.cli.people",
        "duty": "signoff.cli.duty",
        "alerts": "signoff.cli.alerts",
        "canary": "signoff.cli.canary",
        "stats": "signoff.cli.stats",
        "policy": "signoff.cli.policy",
        "audit": "signoff.cli.audit",
        "keys": "signoff.cli.keys",
        "witness": "signoff.cli.witness",
        "export": "signoff.cli.data",
        "erase": "signoff.cli.erase",
        "hold": "signoff.cli.erase",
        "backup": "signoff.cli.backup",
        "verify-receipt": "signoff.cli.data",
        "doctor": "signoff.cli.doctor",
        "demo": "signoff.cli.demo",
    },
)


def main() -> None:
    """Run the command line; ends the process with its exit code."""
    os.umask(0o077)  # what a home holds is its owner's only
    signoff(prog_name="signoff")
