"""What a shell command or SQL in the arguments would destroy."""

from __future__ import annotations

import shlex
from typing import ClassVar, Literal

from pydantic import Field

from signoff.triggers.facts import Facts
from signoff.triggers.fields import Kind, read_path
from signoff.triggers.signals.signal import PathText, Signal


class Destructive(Signal):
    """`{destructive: shell, in: action.arguments.command}`: what the text at a path would destroy, in plain words.

    `shell` reads POSIX shells and bash (`rm -r of /`, `curl | sh`, `git push --force`), `sql` what the common databases
    take (`DROP TABLE`, `DELETE without WHERE`). What cannot be read is a finding as well, `not understood: …`, so ask
    `size(signals.x) > 0`. A list of texts is taken as the words of one command. What a script, a program that is not
    known here or a function of the database does is not seen.
    """

    destructive: Literal["shell", "sql"]
    within: PathText = Field(alias="in")

    gives: ClassVar[Kind] = "list"

    def value(self, facts: Facts, name: str) -> list[str] | None:
        """Return the findings, None where there is nothing at the path.

        Raises:
            ValueError: Neither a text nor a list of texts, or more than is read.
        """
        found, given = facts.look_up(read_path(self.within))
        if found == "missing" or given is None:
            return None
        if isinstance(given, (list, tuple)) and all(isinstance(one, str) for one in given):
            given = shlex.join(given) if self.destructive == "shell" else ";\n".join(given)
        if found != "here" or not isinstance(given, str):
            raise ValueError("not a text")
        # Loaded where a rule first reads them: dozens of patterns that a start of the server should not pay for.
        if self.destructive == "shell":
            from signoff.triggers.signals.shell_findings import shell_findings

            return shell_findings(given)
        from signoff.triggers.signals.sql_findings import sql_findings

        return sql_findings(given)
