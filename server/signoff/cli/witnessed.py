"""What witnesses say of a log that was verified."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from signoff.cli.commands import BadInput, Failure

if TYPE_CHECKING:
    from collections.abc import Iterable

    from signoff.audit.cosignature import Cosignature, WitnessKey


def witness_keys(given: tuple[str, ...], quorum: int | None) -> list[WitnessKey]:
    """Read the public keys of witnesses, each once.

    Raises:
        BadInput: The quorum is larger than there are witnesses.
        CheckpointInvalid: A text is no such key.
    """
    if not given and quorum is None:
        return []
    from signoff.audit.cosignature import parse_witness_key

    # By the key itself: one witness under two names would count twice.
    keys = {key.public: key for key in map(parse_witness_key, given)}
    if quorum is not None and quorum > len(keys):
        raise BadInput(f"--quorum: {quorum} of {len(keys)} witnesses; name more of them with --witness.")
    return list(keys.values())


def print_witnessed(notes: Iterable[str], keys: list[WitnessKey], quorum: int | None) -> None:
    """Say up to which event each witness, and enough of them, cosigned; the notes are known to be of the log.

    Raises:
        Failure: Fewer than the quorum did.
    """
    if not keys:
        return
    newest = _newest(notes, keys)
    needed = quorum or len(keys)
    for key in keys:
        if key.name in newest:
            size, made = newest[key.name]
            click.echo(f"  witness      {key.name} cosigned {size} events at {made.at:%Y-%m-%d %H:%M:%S} UTC")
        else:
            click.echo(f"  ! witness    {key.name} cosigned nothing of this log that is kept here")
    if len(newest) < needed:
        raise Failure(f"{len(newest)} of {len(keys)} witnesses cosigned this log, and {needed} must have.")
    # Whoever cosigned a larger tree saw that the smaller one lies in it.
    covered = sorted((size for size, _ in newest.values()), reverse=True)[needed - 1]
    click.echo(
        f"Witnessed by {needed} of {len(keys)}: the first {covered} events are those that they saw, and no others."
    )


def _newest(notes: Iterable[str], keys: list[WitnessKey]) -> dict[str, tuple[int, Cosignature]]:
    from signoff.audit.checkpoint import CheckpointInvalid, parse_checkpoint, parse_note
    from signoff.audit.cosignature import cosignatures_of

    made: dict[str, tuple[int, Cosignature]] = {}
    for note in notes:
        try:
            size = parse_checkpoint(parse_note(note).text).size
            found = cosignatures_of(note, keys)
        except CheckpointInvalid as error:
            raise Failure(f"A checkpoint with cosignatures does not hold: {error.message}") from None
        for one in found:
            if one.key.name not in made or made[one.key.name][0] < size:
                made[one.key.name] = (size, one)
    return made
