"""The command line: one file per command group.

Every command opens the home it is told to (`--home`, `SIGNOFF_HOME`, or the platform's user data directory) and
makes what is missing of it. Modules are imported inside the commands that need them, so that `signoff --help` and
`signoff mcp` start fast. Errors are translated here, once: `signoff: message` on stderr, exit code 2 for input that
cannot be taken, 1 for everything else that failed.
"""

from __future__ import annotations

import os

from signoff.cli.audit import audit
from signoff.cli.commands import Commands
from signoff.cli.data import export, verify_receipt
from signoff.cli.demo import demo
from signoff.cli.doctor import doctor
from signoff.cli.people import agents, people
from signoff.cli.policy import policy
from signoff.cli.serve import init, mcp, serve

signoff = Commands(
    "signoff",
    help="signoff lets AI agents ask people, and proves what was decided.\n\nStart with `signoff demo`.",
    version=True,
)
for command in (init, serve, mcp, people, agents, policy, audit, export, verify_receipt, doctor, demo):
    signoff.add_command(command)


def main() -> None:
    """Run the command line; ends the process with its exit code."""
    os.umask(0o077)  # what a home holds is its owner's only
    signoff(prog_name="signoff")
