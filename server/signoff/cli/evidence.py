"""Evidence for strangers: files of a case or a range, and single proofs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from signoff.cli.commands import BadInput, Failure, examples, run, with_home

if TYPE_CHECKING:
    from signoff.audit.evidence import Disclosure, EvidenceFile, Facts
    from signoff.audit.evidence_check import EvidenceReport
    from signoff.audit.keys import PublicKeys
    from signoff.audit.operators import Operators
    from signoff.config import Config
    from signoff.desk.evidence import Wanted

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
MAX_NOTE_BYTES = 200_000


@click.command("export")
@click.option("--case", "case_id", help="Everything about one case, by its id.")
@click.option("--from", "first", type=click.IntRange(min=0), help="From this event number on.")
@click.option("--to", "last", type=click.IntRange(min=0), help="Up to and with this event number.")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]),
    help="From the first event at or after, UTC.",
)
@click.option("--all", "whole", is_flag=True, help="The whole log.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The file to write."
)
@click.option(
    "--mask", is_flag=True, help="Hide what the policy's masks hide; such parts cannot be compared."
)
@click.option("--without-payloads", is_flag=True, help="Leave out what agents and people wrote.")
@click.option(
    "--checkpoint", "checkpoints", multiple=True, type=_FILE,
    help="A signed checkpoint that the reader kept: the file then shows that the log still begins so. May be repeated.",
)  # fmt: skip
@with_home
@examples(
    "signoff audit export --case esc_01KAT… --out case.zip",
    "signoff audit export --from 1200 --to 1300 --out range.zip --without-payloads",
    "signoff audit export --since 2026-11-01 --out november.zip --checkpoint october.txt",
    "signoff audit export --all --out log.zip",
)
def export(
    case_id: str | None,
    first: int | None,
    last: int | None,
    since: datetime | None,
    whole: bool,
    out: Path,
    mask: bool,
    without_payloads: bool,
    checkpoints: tuple[Path, ...],
    home: Path | None,
) -> None:
    """Write an evidence file: events, proofs, payloads, receipts, policies and keys, for a stranger to check.

    It is checked by `signoff audit verify --bundle`, or by the verify_log.py inside it with Python alone. The export
    itself becomes an event. Without --mask and --without-payloads the file holds everything that was written.
    """
    from signoff.config import find_home, load_config
    from signoff.desk.evidence import Wanted

    if mask and without_payloads:
        raise BadInput("--mask and --without-payloads are two ways to say less; name one of them.")
    ranged = first is not None or last is not None
    if [case_id is not None, since is not None or ranged, whole].count(True) != 1 or (
        since and first is not None
    ):
        raise BadInput("Say what to export: --case ID, or --from and --to, or --since (and --to), or --all.")
    wanted = Wanted(case_id, first or 0, last, since.replace(tzinfo=UTC) if since else None)
    payloads: Disclosure = "masked" if mask else "withheld" if without_payloads else "disclosed"
    made = run(
        _export, load_config(find_home(home)), wanted, out, payloads, [_note(one) for one in checkpoints]
    )
    what = (
        f"case {made.escalation}"
        if made.scope == "case"
        else "the whole log"
        if made.scope == "log"
        else "a range"
    )
    click.echo(f"{out}")
    click.echo(f"  {what}: {made.events} events, signed in a log of {made.size}")
    click.echo(f"  payloads {made.payloads}")
    click.echo(
        f"Give it away with the log's public key apart from it. To check: signoff audit verify --bundle {out}"
    )


async def _export(
    config: Config, wanted: Wanted, out: Path, payloads: Disclosure, checkpoints: list[str]
) -> Facts:
    from signoff.app import open_desk
    from signoff.cli.progress import progress
    from signoff.desk.evidence import export_evidence
    from signoff.operators.evidence import evidence_page

    async with open_desk(config) as desk:
        with progress("Exporting") as on_progress:
            return await export_evidence(
                desk,
                wanted,
                out=out,
                summary=evidence_page,
                payloads=payloads,
                checkpoints=checkpoints,
                on_progress=on_progress,
            )


@click.command("prove")
@click.argument("what")
@with_home
@examples("signoff audit prove 1207 > 1207.tlog-proof", "signoff audit prove esc_01KAT…")
def prove(what: str, home: Path | None) -> None:
    """Print the proof that an event is in the signed log (c2sp.org/tlog-proof), with the event in its `extra` line.

    WHAT is an event number, or a case's id: then one proof follows the other, in the order of the log, with an empty
    line between.
    """
    from signoff.config import find_home, load_config

    for number, text in enumerate(run(_prove, load_config(find_home(home)), what)):
        click.echo(f"\n{text}" if number else text, nl=False)


async def _prove(config: Config, what: str) -> list[str]:
    from signoff.app import open_desk
    from signoff.desk.prove import proofs_of

    async with open_desk(config) as desk:
        return [proof.text for proof in await proofs_of(desk, what)]


def verify_bundle(
    path: Path, checkpoints: tuple[Path, ...], *, keys: PublicKeys | None, operators: Operators | None
) -> None:
    """Verify an evidence file, and say what it shows and what it cannot.

    Raises:
        Failure: It does not hold.
    """
    from signoff.audit.evidence import EvidenceFile
    from signoff.audit.evidence_check import check_evidence

    with path.open("rb") as file:
        evidence = EvidenceFile(file)
        trusted = keys if keys is not None else _own_keys(evidence)
        report = check_evidence(evidence, trusted, [_note(one) for one in checkpoints], operators=operators)
        _print(path, evidence, report, own_keys=keys is None)
    if not report.ok:
        first = report.first_bad_event
        raise Failure(
            "The evidence does not hold." + ("" if first is None else f" First bad event: {first}.")
        )


def _own_keys(evidence: EvidenceFile) -> PublicKeys:
    from signoff.audit.checkpoint import parse_verifier_key
    from signoff.audit.evidence import EvidenceInvalid
    from signoff.audit.keys import PublicKeys, parse_jwks

    log, receipts = evidence.keys_text()
    verifiers = tuple(parse_verifier_key(line) for line in log.split("\n") if line)
    if not verifiers:
        raise EvidenceInvalid("keys/log.pub is empty.", field="bundle")
    return PublicKeys(verifiers, None if receipts is None else parse_jwks(receipts, Path("keys/receipt.pub")))


def _note(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(MAX_NOTE_BYTES).decode("utf-8", errors="replace")


def _print(path: Path, evidence: EvidenceFile, report: EvidenceReport, *, own_keys: bool) -> None:
    from signoff.domain.characters import one_line

    facts, head = evidence.facts, report.checkpoint
    about = {
        "case": f"case {facts.escalation}",
        "log": "the whole log",
        "range": f"{facts.first} to {facts.last}",
    }
    click.echo(f"{path}")
    click.echo(f"  about        {one_line(about[facts.scope])} of {one_line(facts.log)}")
    click.echo(
        f"  events       {report.events}" + ("" if head is None else f", signed in a log of {head.size}")
    )
    absent = {"masked": report.masked, "withheld": report.withheld, "erased": report.erased}
    others = "".join(f", {count} {word}" for word, count in absent.items() if count)
    click.echo(f"  payloads     {report.payloads} as committed{others}")
    click.echo(f"  receipts     {report.receipts}")
    click.echo(f"  policies     {report.policies}")
    if report.human_signatures or report.operators_pinned:
        whose = "with pinned keys" if report.operators_pinned else "with keys that the log itself names"
        click.echo(f"  passkeys     {report.human_signatures} decisions signed by people, {whose}")
    if report.compared:
        click.echo(f"  checkpoints  {report.compared} kept elsewhere, and the log still begins so")
    for problem in report.problems:
        click.echo(f"  ! {one_line(str(problem))}")
    if report.problem_count > len(report.problems):
        click.echo(f"  … and {report.problem_count - len(report.problems)} more")
    if not report.ok:
        return
    click.echo(click.style("Everything in it holds.", fg="green"))
    if facts.scope != "log":
        click.echo("It shows that these events are in the signed log, and not that there are no others.")
    if own_keys:
        click.echo(
            "The keys came from the file itself. Whoever makes up a log can make up keys: compare with --key."
        )
    if not report.compared:
        click.echo(
            "That others are shown the same log, only a checkpoint kept elsewhere tells: --checkpoint."
        )
