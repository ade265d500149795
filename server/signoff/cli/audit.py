"""The audit log: verify it, sign a checkpoint of it, and hand out what it says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from signoff.cli.checkpoint import checkpoint
from signoff.cli.commands import BadInput, Commands, Failure, examples, run, with_home
from signoff.cli.evidence import export, prove, verify_bundle
from signoff.cli.progress import progress
from signoff.cli.witnessed import print_witnessed, witness_keys

if TYPE_CHECKING:
    from signoff.audit.keys import PublicKeys
    from signoff.audit.operators import Operators
    from signoff.audit.report import Report
    from signoff.config import Home

audit = Commands(
    "audit",
    help="The proof: verify the log, sign its checkpoint, export evidence, recover it.",
    found_in={"recover": "signoff.cli.recover"},
)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@audit.command("verify")
@click.option("--db", type=_FILE, help="Verify this database instead of the home's.")
@click.option("--bundle", type=_FILE, help="Verify an evidence file instead, made by `signoff audit export`.")
@click.option(
    "--checkpoint", "checkpoints", multiple=True, type=_FILE,
    help="A signed checkpoint kept elsewhere; only such a one shows a restored old copy. May be repeated.",
)  # fmt: skip
@click.option("--key", type=_FILE, help="The log's public key (keys/log.pub), instead of the home's.")
@click.option(
    "--operators", type=_FILE,
    help="The passkeys of people, kept elsewhere (`signoff people pin`): only they show an invented approval.",
)  # fmt: skip
@click.option(
    "--witness", "witnesses", multiple=True, metavar="VKEY",
    help="The public key of a witness: say up to where it cosigned this log. May be repeated.",
)  # fmt: skip
@click.option(
    "--quorum",
    type=click.IntRange(min=1),
    help="How many of the witnesses must have cosigned. Default: all of them.",
)
@with_home
@examples(
    "signoff audit verify",
    "signoff audit verify --db backup/signoff.db --checkpoint anchor.txt --key log.pub",
    "signoff audit verify --bundle case.zip --key log.pub",
    "signoff audit verify --witness witness.example.com/w1+5a8c…+BF…",
)
def verify(
    db: Path | None,
    bundle: Path | None,
    checkpoints: tuple[Path, ...],
    key: Path | None,
    operators: Path | None,
    witnesses: tuple[str, ...],
    quorum: int | None,
    home: Path | None,
) -> None:
    """Verify the whole log: chain, tree, checkpoints, and every stored payload, case, decision, receipt and policy.

    Works beside a running server, on a copy, and without private keys. Exit code 1 and the number of the first bad
    event where something does not hold.
    """
    from signoff.config import find_home

    found = find_home(home)
    if bundle is not None:
        if db is not None:
            raise BadInput("--db and --bundle are two things to verify; name one of them.")
        if witnesses or quorum is not None:
            raise BadInput("An evidence file holds no cosignatures; --witness is for a database.")
        verify_bundle(
            bundle,
            checkpoints,
            keys=public_keys(found, key) if key or found.keys.exists() else None,
            operators=read_pins(operators),
        )
        return
    path = db or found.database
    cosigners = witness_keys(witnesses, quorum)
    anchors = _anchors(found, checkpoints, whole=db is None)
    if cosigners:
        anchors += run(_cosigned, path)
    report = run(_verify, path, public_keys(found, key), anchors, read_pins(operators))
    _print_report(report, path)
    if not report.ok:
        raise Failure(_verdict(report))
    print_witnessed(anchors, cosigners, quorum)


async def _cosigned(path: Path) -> list[str]:
    from signoff.app import cosigned_notes

    return await cosigned_notes(path)


def read_pins(path: Path | None) -> Operators | None:
    """Read a file of `signoff people pin`."""
    from signoff.audit.operators import read_operators

    return None if path is None else read_operators(path.read_bytes())


async def _verify(path: Path, keys: PublicKeys, anchors: list[str], operators: Operators | None) -> Report:
    from signoff.app import verify_database

    with progress("Verifying") as on_progress:
        return await verify_database(
            path, keys, on_progress=on_progress, anchors=anchors, operators=operators
        )


def public_keys(home: Home, key: Path | None) -> PublicKeys:
    """Return the keys to verify with: the home's, or the log's key in a file."""
    from signoff.audit.checkpoint import CheckpointInvalid, parse_verifier_key
    from signoff.audit.keys import KeyInvalid, PublicKeys, load_public

    if key is None:
        return load_public(home.keys)
    try:
        lines = key.read_text(encoding="utf-8").split("\n")
        verifiers = tuple(parse_verifier_key(line) for line in lines if line)
    except (CheckpointInvalid, ValueError) as error:
        raise KeyInvalid(key, str(error)) from None
    if not verifiers:
        raise KeyInvalid(key, "it is empty")
    # A stranger may hold the log's key only; receipts are then compared with their digests in the log.
    return PublicKeys(verifiers, None)


def _anchors(home: Home, checkpoints: tuple[Path, ...], *, whole: bool) -> list[str]:
    """Return the checkpoints to hold the log against; the home's own only for the home's own database."""
    from signoff.audit.keys import last_signed

    files = [*checkpoints]
    if whole:
        kept = (home.anchor_file, *sorted(home.anchor_file.parent.glob("*.checkpoint")))
        files += [file for file in kept if file.exists()]
    notes = [file.read_text(encoding="utf-8", errors="replace") for file in files]
    signed = last_signed(home.keys) if whole else None
    return [*notes, signed] if signed is not None else notes


def _print_report(report: Report, path: Path) -> None:
    import base64

    from signoff.domain.characters import one_line

    click.echo(f"{path}")
    click.echo(f"  events       {report.events}")
    click.echo(f"  checkpoints  {report.checkpoints} signed and part of the tree")
    click.echo(
        f"  payloads     {report.payloads} as committed"
        + (f", {report.erased} erased" if report.erased else "")
    )
    click.echo(f"  cases        {report.cases}")
    if report.human_signatures:
        vouched = "pinned keys" if report.operators_pinned else "keys that the server vouches for"
        click.echo(f"  passkeys     {report.human_signatures} decisions signed by people, with {vouched}")
    click.echo(f"  root         {base64.b64encode(report.root).decode()}")
    for one in report.recoveries:
        click.echo(
            f"  recovered    at event {one.seq}, epoch {one.epoch}: a checkpoint of {one.old.size} events was given up"
            f" by {' and '.join(one_line(who) for who in one.people)}; {one.lost} {'event is' if one.lost == 1 else 'events are'} lost"
        )
    if report.newest is not None and report.newest.size < report.events:
        click.echo(f"  unsigned     {report.events - report.newest.size} events after the newest checkpoint")
    if report.ok:
        click.echo(click.style("Everything holds.", fg="green"))
        return
    for problem in report.problems:
        # It may quote a tampered row, which must not write over what is said of it.
        click.echo(f"  ! {one_line(str(problem))}")
    if report.problem_count > len(report.problems):
        click.echo(f"  … and {report.problem_count - len(report.problems)} more")


def _verdict(report: Report) -> str:
    if report.first_bad_event is not None:
        return f"The log does not hold. First bad event: {report.first_bad_event}."
    return "The log does not hold: what is stored beside it disagrees."


audit.add_command(checkpoint)


audit.add_command(export)
audit.add_command(prove)
