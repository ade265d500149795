"""What is said when somebody stands in for somebody else."""

from __future__ import annotations

import shlex

import click

from signoff.domain.people import ROLES, Person


def warn_of_queues(person: Person, left: list[str], so: str) -> None:
    """Say of which queues a person who stands in decides no cases, and how to change that."""
    if not left:
        return
    roles = "".join(f" --role {one}" for one in ROLES if one in person.roles)
    queues = "".join(f" --queue {one}" for one in sorted({*person.queues, *left}))
    click.echo(
        f"{person.name} does not work {', '.join(left)}: {so}. To change that:\n"
        f"  signoff people change {shlex.quote(person.name)}{roles}{queues}",
        err=True,
    )
