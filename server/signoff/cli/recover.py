"""`signoff audit recover`: two people let the log go on from a database that is not the one that was signed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from signoff.cli.commands import BadInput, Failure, examples, run, with_home

if TYPE_CHECKING:
    from signoff.config import Config
    from signoff.desk.desk import Desk
    from signoff.desk.recover import Recovered


@click.command("recover")
@click.option("--propose", is_flag=True, help="First step: say why, and name who will confirm.")
@click.option("--confirm", "code", help="Second step: the code that the confirming person got.")
@click.option("--by", required=True, help="Your name, as `signoff people list` has it.")
@click.option("--with", "confirmer", help="With --propose: name of the second person.")
@click.option("--reason", help="With --propose: what happened. Kept beside the log.")
@with_home
@examples(
    "signoff audit recover --propose --by sofia --with omar --reason 'disk died, restored the backup of Monday'",
    "signoff audit recover --confirm 3f9a… --by omar",
)
def recover(
    propose: bool,
    code: str | None,
    by: str,
    confirmer: str | None,
    reason: str | None,
    home: Path | None,
) -> None:
    """Open a new epoch of the log on a database that lacks what was signed; two people have to want it.

    Put the newest database back instead, if there is one. What the old history had beyond this database is given up:
    the first event of the new epoch says so, with the old checkpoint and both names, and every verification repeats it.
    """
    from signoff.config import find_home, load_config

    config = load_config(find_home(home))
    if propose == (code is not None):
        raise BadInput("Say either --propose or --confirm CODE.")
    if propose:
        if confirmer is None or reason is None:
            raise BadInput("--propose needs --with NAME and --reason TEXT.")
        run(_propose, config, by, confirmer, reason)
        return
    assert code is not None  # noqa: S101 - checked above
    made = run(_confirm, config, by, code)
    lost = max(made.old.size - made.seq, 0)
    click.echo(f"Recovered: event {made.seq} opens epoch {made.epoch}.")
    click.echo(
        f"  given up   the history with the checkpoint of {made.old.size} events; {lost} of them {'is' if lost == 1 else 'are'} lost"
    )
    if made.erased_again:
        click.echo(f"  erased     {made.erased_again} times again what the old copy had brought back")
    click.echo("Verify it with `signoff audit verify`, and tell whoever holds an older checkpoint.")


async def _propose(config: Config, by: str, confirmer: str, reason: str) -> None:
    from signoff.app import open_desk
    from signoff.app.recovery import propose_recovery
    from signoff.desk.people import person_named
    from signoff.domain.address import takes_links
    from signoff.domain.alert import TERMINAL

    async with open_desk(config) as desk:
        second = await person_named(desk, confirmer)
        addresses = [
            one.url
            for one in second.addresses
            if one.url != TERMINAL and takes_links(second, one.url, desk.clock.now())
        ]
        code = await propose_recovery(
            desk, config, by=by, confirmer=confirmer, reason=reason,
            assurance="link" if addresses else "none",
        )  # fmt: skip
        if addresses:
            await _send(desk, addresses, confirmer, code)
            click.echo(f"Proposed. The code went to {confirmer}, who has an hour to confirm:")
            click.echo(f"  signoff audit recover --confirm CODE --by {confirmer}")
            return
    click.echo(
        f"Proposed. {confirmer} has no address but this terminal, so give them this code. Within an hour:"
    )
    click.echo(f"  signoff audit recover --confirm {code} --by {confirmer}")


async def _send(desk: Desk, addresses: list[str], name: str, code: str) -> None:
    """Send the code where only the second person reads; one address that takes it is enough."""
    from signoff.alerts.channels import Channels
    from signoff.alerts.messages import Message
    from signoff.domain.alert import Sent

    text = f"signoff: confirm the recovery of the audit log with the code {code}"
    body = (
        f"{text}\n\nSomebody proposed to go on from an old copy of the database, and named you to confirm it."
        " Do so only if you know why: what was decided since that copy is given up.\n\n"
        f"signoff audit recover --confirm {code} --by {name}"
    )
    channels = Channels(sys.stdout)
    sent = [await channels.send(one, Message("signoff: confirm a recovery", body, text)) for one in addresses]
    if not any(isinstance(one, Sent) for one in sent):
        raise Failure(f"The code could not be sent to {name}. Name somebody else with --with.")


async def _confirm(config: Config, by: str, code: str) -> Recovered:
    from signoff.app import open_desk
    from signoff.app.recovery import confirm_recovery

    async with open_desk(config) as desk:
        return await confirm_recovery(desk, config, by=by, code=code)
