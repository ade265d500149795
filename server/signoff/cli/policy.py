"""The policy file: checked, tested, explained and tried on what happened, before it counts; and its earlier versions."""

from __future__ import annotations

from pathlib import Path

import click

from signoff.cli.commands import BadInput, Commands, Failure, examples, run, with_home

policy = Commands(
    "policy",
    help="The triggers: check, test, explain and replay a policy file, or get an earlier one back.",
    found_in={
        "check": "signoff.cli.policy_check",
        "test": "signoff.cli.policy_test",
        "explain": "signoff.cli.policy_explain",
        "replay": "signoff.cli.policy_replay",
        "schema": "signoff.cli.policy_check",
    },
)


def no_starter(name: str) -> str:
    """Return what to say to somebody who named a starter policy that there is not."""
    from signoff.triggers.fields import meant
    from signoff.triggers.starters import STARTERS

    near = meant(name, STARTERS) or "."
    return f"There is no starter policy '{name[:60]}'{near} There are {', '.join(STARTERS)}."


@policy.command("starters")
@click.argument("name", required=False)
@click.option("--cases", is_flag=True, help="Print the table tests of NAME instead: policy.tests.yaml.")
@with_home
@examples(
    "signoff policy starters",
    "signoff policy starters payments > policy.yaml",
    "signoff policy starters payments --cases > policy.tests.yaml",
)
def starters(name: str | None, cases: bool, home: Path | None) -> None:
    """List the policies to begin with, or print the one called NAME."""
    from signoff.triggers.starters import STARTERS, starter_cases, starter_policy

    if name is None:
        if cases:
            raise click.UsageError("Name the starter whose cases you want.")
        for known, what in STARTERS.items():
            click.echo(f"{known:16}{what}")
        click.echo(
            "\nTo print one: signoff policy starters NAME. To begin with it: signoff init --starter NAME."
        )
        return
    if name not in STARTERS:
        raise BadInput(no_starter(name))
    click.echo(starter_cases(name) if cases else starter_policy(name), nl=False)


@policy.command("kept")
@click.argument("digest", required=False)
@with_home
@examples("signoff policy kept", "signoff policy kept sha256:4f0c > policy.yaml")
def kept(digest: str | None, home: Path | None) -> None:
    """List the versions of the policy that the database keeps, or print the one with DIGEST.

    Newest first, by when each was loaded for the first time. The beginning of a digest is enough. Works without a
    policy file, so that a lost one can be put back.
    """
    from signoff.app import kept_policies
    from signoff.config import find_home
    from signoff.domain.canonical import sha256

    versions = run(kept_policies, find_home(home).database)
    if digest is None:
        for one in versions:
            click.echo(f"{one.digest}  first loaded {one.loaded_at}")
        return
    wanted = digest if digest.startswith("sha256:") else f"sha256:{digest}"
    found = [one for one in versions if one.digest.startswith(wanted)]
    if len(found) != 1:
        what = "There is no version" if not found else f"There are {len(found)} versions"
        raise BadInput(f"{what} whose digest begins with {wanted}. See `signoff policy kept`.")
    if sha256(found[0].text.encode("utf-8")) != found[0].digest:
        raise Failure(
            "The database does not hold the text with that digest any more. See `signoff audit verify`."
        )
    click.echo(found[0].text, nl=False)
