"""What leaves the house: datasets of decided cases, and receipts that others present."""

from __future__ import annotations

import base64
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from signoff.cli.commands import BadInput, Failure, examples, run, with_home

if TYPE_CHECKING:
    from signoff.audit.checkpoint import Checkpoint
    from signoff.audit.keys import Jwks, PublicKeys
    from signoff.audit.receipt import Receipt
    from signoff.config import Config, Home
    from signoff.datasets.manifest import Manifest

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
FORMATS = ("openai-chat", "trl-dpo", "jsonl")
MAX_TOKEN_FILE_BYTES = 64 * 1024


@click.command()
@click.option(
    "--format", "format_", type=click.Choice(FORMATS), required=True, help="What trainers or readers expect."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The directory to write into.",
)
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]),
    help="Leave out what was decided before, UTC.",
)
@with_home
@examples(
    "signoff export --format openai-chat --out ./dataset",
    "signoff export --format trl-dpo --out ./november --since 2026-11-01",
)
def export(format_: str, out: Path, since: datetime | None, home: Path | None) -> None:
    """Export decided cases as a dataset with a manifest.

    The directory must be empty or new. What should be looked at before a model learns from it stands in
    quarantine.jsonl, with reasons.
    """
    from signoff.config import find_home, load_config

    config = load_config(find_home(home))
    manifest = run(_export, config, format_, out, since.replace(tzinfo=UTC) if since else None)
    click.echo(manifest.summary())
    click.echo(f"  {out}")


async def _export(config: Config, format_: str, out: Path, since: datetime | None) -> Manifest:
    from signoff.app import open_desk
    from signoff.cli.progress import progress
    from signoff.datasets.export import export

    async with open_desk(config) as desk:
        with progress("Exporting") as on_progress:
            return await export(desk, format=format_, out=out, on_progress=on_progress, since=since)


@click.command("verify-receipt")
@click.argument("token")
@click.option(
    "--action", type=_FILE,
    help="A JSON file with the action about to run, {tool, arguments, server?}: the receipt must approve exactly it.",
)  # fmt: skip
@click.option(
    "--jwks", type=_FILE, help="The issuer's public keys (keys/receipt.pub), instead of the home's."
)
@click.option(
    "--operators", type=_FILE,
    help="The passkeys of people, kept elsewhere (`signoff people pin`): everybody whom the receipt names must have"
    " signed it.",
)  # fmt: skip
@click.option(
    "--proof", type=_FILE, help="The proof that came with the receipt: the signed log must hold the decision."
)
@click.option(
    "--key", type=_FILE, help="The log's public key (keys/log.pub) for --proof, instead of the home's."
)
@with_home
@examples(
    "signoff verify-receipt receipt.jwt --action refund.json",
    "signoff verify-receipt receipt.jwt --proof decision.tlog-proof",
    "signoff verify-receipt eyJhbGciOiJFZDI1NTE5… --jwks receipt.pub",
)
def verify_receipt(
    token: str,
    action: Path | None,
    jwks: Path | None,
    operators: Path | None,
    proof: Path | None,
    key: Path | None,
    home: Path | None,
) -> None:
    """Check a receipt, offline.

    TOKEN is the token itself, a file that holds it, or - for stdin. No private key is needed. Exit code 1 where it
    does not hold: not signed by these keys, expired, given for another action, not signed by the people it names,
    or not in the log that the proof names.
    """
    from signoff.audit.receipt import verify
    from signoff.cli.audit import public_keys
    from signoff.config import find_home
    from signoff.domain.action import Action
    from signoff.domain.canonical import parse_json
    from signoff.domain.clock import SystemClock

    digest = None
    if action is not None:
        from pydantic import ValidationError

        try:
            digest = Action.model_validate(parse_json(action.read_bytes(), field="action")).checked().digest
        except ValidationError as error:
            where = ".".join(str(part) for part in error.errors()[0]["loc"])
            raise BadInput(f"{action} is no action: {where}: {error.errors()[0]['msg']}") from None
    found, given = find_home(home), _token(token)
    receipt = verify(given, _jwks(found, jwks), now=SystemClock().now(), action_digest=digest)
    signed = None if operators is None else _count_signatures(receipt, operators)
    checkpoint = None if proof is None else _check_proof(proof, given, receipt, keys=public_keys(found, key))
    _print_receipt(receipt, checkpoint, checked_action=digest is not None, signed=signed)


def _count_signatures(receipt: Receipt, path: Path) -> int:
    """Check that the people whom a receipt names signed it, and say how many did."""
    from signoff.audit.operators import check_receipt, read_operators

    return check_receipt(receipt, read_operators(path.read_bytes()))


def _check_proof(path: Path, token: str, receipt: Receipt, *, keys: PublicKeys) -> Checkpoint:
    from signoff.audit.checkpoint import CheckpointInvalid
    from signoff.audit.receipt_proof import check_receipt_proof
    from signoff.audit.tlog_proof import MAX_PROOF_CHARS, ProofInvalid

    with path.open("rb") as file:
        text = file.read(MAX_PROOF_CHARS).decode("utf-8", errors="replace")
    try:
        return check_receipt_proof(text, token=token, receipt=receipt, keys=keys.log)
    except (ProofInvalid, CheckpointInvalid) as error:
        raise Failure(f"The receipt is signed, but {path} does not prove it: {error.message}") from None


def _token(given: str) -> str:
    if given == "-":
        return sys.stdin.read(MAX_TOKEN_FILE_BYTES).strip()
    if given.count(".") == 2 and given.startswith("eyJ"):
        return given
    path = Path(given)
    if not path.is_file():
        raise BadInput(f"{given} is neither a receipt nor a file that holds one.")
    return path.read_bytes()[:MAX_TOKEN_FILE_BYTES].decode("utf-8", errors="replace").strip()


def _jwks(home: Home, path: Path | None) -> Jwks:
    from signoff.audit.keys import KeyInvalid, load_public, public_jwk

    if path is not None:
        try:
            keys = json.loads(path.read_bytes())["keys"]
            return {"keys": [public_jwk(_from_base64url(key["x"])) for key in keys]}
        except (ValueError, KeyError, TypeError):
            raise KeyInvalid(path, "not a JWK set of Ed25519 keys") from None
    return load_public(home.keys).receipts_in_use


def _from_base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _print_receipt(
    receipt: Receipt, checkpoint: Checkpoint | None, *, checked_action: bool, signed: int | None
) -> None:
    deciders: Any = "the policy"
    if receipt.decided_by != "policy":
        deciders = ", ".join(f"{one.id} ({', '.join(one.roles)})" for one in receipt.decided_by)
    click.echo(click.style("The receipt holds.", fg="green"))
    click.echo(f"  case         {receipt.escalation_id}")
    click.echo(f"  outcome      {receipt.outcome}")
    click.echo(f"  decided by   {deciders}, assurance {receipt.assurance}")
    click.echo(f"  may run      {receipt.action_digest or 'nothing'}")
    click.echo(f"  valid until  {receipt.expires_at:%Y-%m-%d %H:%M:%S} UTC")
    click.echo(f"  log          {receipt.issuer}, event {receipt.audit_seq}")
    if signed is not None:
        click.echo(f"  passkeys     {signed} signed it, with pinned keys")
    elif receipt.passkey:
        click.echo(f"  passkeys     {len(receipt.passkey)} signatures, not checked: name --operators")
    if checkpoint is not None:
        click.echo(f"  proven       in the log, under its signed checkpoint of {checkpoint.size} events")
    if not checked_action and receipt.action_digest is not None:
        click.echo("Compare the digest with the action about to run, or name it with --action.")
