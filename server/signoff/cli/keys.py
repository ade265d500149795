"""The keys that sign checkpoints and receipts."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from signoff.cli.commands import BadInput, Commands, examples, run, with_home

if TYPE_CHECKING:
    from signoff.audit.rotation import Purpose, Rotation
    from signoff.config import Config
    from signoff.desk.rotate import KeyLine

PURPOSE_NAMES = ("log", "receipt")

keys = Commands(
    "keys",
    help="What signs checkpoints and receipts: list, rotate, revoke; and what seals addresses: reseal.",
)


def _config(home: Path | None) -> Config:
    from signoff.config import find_home, load_config

    return load_config(find_home(home))


@keys.command("list")
@with_home
@examples("signoff keys list")
def list_keys(home: Path | None) -> None:
    """List the signing keys: purpose, id, whether it signs now, when it was made, until when it signs."""
    for one in run(_list_keys, _config(home)):
        made = f"made {one.made_at[:19]}Z" if one.made_at else "made with the home"
        until = f"  until {one.used_until[:19]}Z" if one.used_until else ""
        click.echo(f"{one.purpose:<8} {one.id}  {one.state}  {made}{until}")


async def _list_keys(config: Config) -> list[KeyLine]:
    from signoff.app import open_desk
    from signoff.desk.rotate import list_keys

    async with open_desk(config) as desk:
        return await list_keys(desk)


@keys.command("rotate")
@click.option(
    "--purpose", type=click.Choice(PURPOSE_NAMES), required=True, help="Which key is to be followed."
)
@click.option(
    "--overlap", default="7d", show_default=True,
    help="How long checkpoints carry both signatures: a whole number and s, m, h or d; 1m to 365d.",
)  # fmt: skip
@with_home
@examples("signoff keys rotate --purpose log", "signoff keys rotate --purpose receipt --overlap 1d")
def rotate(purpose: Purpose, overlap: str, home: Path | None) -> None:
    """Make a new key that follows the current one. Nothing has to be restarted.

    The log records the rotation, signed by both keys; what older keys have signed verifies for ever. Keep a copy of
    the keys directory afterwards.
    """
    from signoff.domain.clock import parse_duration

    try:
        lasts = parse_duration(overlap)
    except ValueError as error:
        raise BadInput(f"--overlap: {error}") from None
    made = run(_rotate, _config(home), purpose, lasts)
    click.echo(f"The {purpose} key was rotated. The one before counts until {made.until[:19]}Z.")
    click.echo(f"New public key: {made.new}")


async def _rotate(config: Config, purpose: Purpose, overlap: timedelta) -> Rotation:
    from signoff.app import open_desk
    from signoff.desk.rotate import rotate_key

    async with open_desk(config) as desk:
        return await rotate_key(desk, purpose, overlap=overlap)


@keys.command("reseal")
@with_home
@examples("signoff keys reseal")
def reseal(home: Path | None) -> None:
    """Seal everybody's addresses under a new key. Nothing has to be restarted.

    The key before stays in keys/address.key until the next time, for what other processes write at this moment.
    """
    click.echo(f"Sealed everybody's addresses under the new key {run(_reseal, _config(home))}.")


async def _reseal(config: Config) -> str:
    from signoff.app import reseal_addresses

    return await reseal_addresses(config)


@keys.command("revoke")
@click.argument("key_id")
@click.option(
    "--from", "from_seq", type=int,
    help="The event number from which on its signatures do not count; the next one without it.",
)  # fmt: skip
@with_home
@examples("signoff keys revoke 838b4423", "signoff keys revoke 838b4423 --from 1200")
def revoke(key_id: str, from_seq: int | None, home: Path | None) -> None:
    """Let the signatures of a key that was rotated out count no more. KEY_ID is what `signoff keys list` prints.

    For a key that somebody else has got hold of. Rotate it first. It signs no checkpoints any more, also within the
    overlap, and leaves /.well-known/jwks.json.
    """
    revoked = run(_revoke, _config(home), key_id, from_seq)
    click.echo(f"Revoked the {revoked.purpose} key {revoked.id}.")


async def _revoke(config: Config, key_id: str, from_seq: int | None) -> KeyLine:
    from signoff.app import open_desk
    from signoff.desk.rotate import revoke_key

    async with open_desk(config) as desk:
        return await revoke_key(desk, key_id, from_seq=from_seq)
