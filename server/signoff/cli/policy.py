"""The policy file, checked before it counts, and the versions of it that counted."""

from __future__ import annotations

from pathlib import Path

import click

from signoff.cli.commands import BadInput, Commands, Failure, examples, run, with_home

policy = Commands("policy", help="The triggers: check a policy file, get an earlier one back.")


@policy.command("check")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=False)
@click.option("--current", is_flag=True, help="Check the policy of the home instead of FILE.")
@with_home
@examples("signoff policy check policy.yaml", "signoff policy check --current")
def check(file: Path | None, current: bool, home: Path | None) -> None:
    """Check a policy FILE and print every problem as file:line:column.

    Exit code 0: it can be used. 1: it has problems, and nothing would be decided by it.
    """
    from signoff.domain.errors import PolicyInvalid
    from signoff.triggers.watch import PolicyFile

    if (file is None) != current:
        raise click.UsageError("Name one FILE, or --current.")
    if file is None:
        from signoff.config import check_policy_kept, create_home, find_home

        found = find_home(home)
        create_home(found)
        check_policy_kept(found)
        file = found.policy_file
    try:
        loaded = PolicyFile(file).current()
    except PolicyInvalid as error:
        for problem in error.problems:
            click.echo(problem)
        count = len(error.problems)
        raise Failure(f"{file} has {count} problem{'s' if count != 1 else ''}.") from None
    triggers = loaded.policy.triggers
    shadow = sum(trigger.mode == "shadow" for trigger in triggers)
    click.echo(f"{file}: {len(triggers)} triggers ({shadow} in shadow mode), {loaded.digest}")


@policy.command("starters")
@click.argument("name", required=False)
@examples("signoff policy starters", "signoff policy starters payments > policy.yaml")
def starters(name: str | None) -> None:
    """List the policies to begin with, or print the one called NAME."""
    from signoff.triggers.starters import STARTERS, starter_policy

    if name is None:
        for known, what in STARTERS.items():
            click.echo(f"{known:16}{what}")
        return
    if name not in STARTERS:
        raise BadInput(f"There is no starter policy '{name}'. There are {', '.join(STARTERS)}.")
    click.echo(starter_policy(name), nl=False)


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
