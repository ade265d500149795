"""Run the table tests of a policy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from signoff.cli.commands import BadInput, Failure, examples, with_home

if TYPE_CHECKING:
    from signoff.triggers.tables import Mismatch, Ran, TableInvalid

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_MOST_NAMED = 12


@click.command()
@click.argument("file", type=_FILE)
@click.argument("cases", type=_FILE, required=False)
@click.option("--coverage", "show_coverage", is_flag=True, help="Print in how many cases each trigger fired.")
@click.option("--require-coverage", is_flag=True, help="Fail where a trigger fires in no case.")
@with_home
@examples(
    "signoff policy test policy.yaml",
    "signoff policy test policy.yaml refunds.tests.yaml --coverage",
    "signoff policy test policy.yaml --require-coverage",
)
def test(
    file: Path, cases: Path | None, show_coverage: bool, require_coverage: bool, home: Path | None
) -> None:
    """Run the table tests of a policy FILE: actions, and what the policy must say of each.

    CASES is a YAML file; policy.tests.yaml beside policy.yaml where none is named. Nothing is asked of anybody, and no
    database is read.

    Exit code 0: every case holds. 1: one does not, or (with --require-coverage) a trigger fires in none. 2: a file cannot
    be used.
    """
    from signoff.cli.policy_check import read_text
    from signoff.triggers.load import load_policy
    from signoff.triggers.tables import TableInvalid, coverage, read_table, run_case

    cases = cases or file.with_suffix(".tests.yaml")
    if not cases.is_file():
        raise BadInput(
            f"{cases}: no such file. Write the cases there, or name their file: signoff policy test {file} CASES"
        )
    policy = load_policy(read_text(file), source=str(file))
    text = read_text(cases)
    try:
        table = read_table(text, policy, source=str(cases))
    except TableInvalid as error:
        _show_problems(cases, text, error)
        count = len(error.problems)
        raise BadInput(f"{cases} has {count} problem{'' if count == 1 else 's'}.") from None
    click.echo(f"{cases}: {len(table)} case{'' if len(table) == 1 else 's'} against {file}")
    ran = []
    for ready in table:
        one = run_case(policy, ready)
        _show(one, cases)
        ran.append(one)
    counts = coverage(policy, ran)
    failed = sum(bool(one.mismatches) for one in ran)
    _summarize(len(ran), failed, counts, show_coverage=show_coverage)
    never = sum(not count for count in counts.values())
    if failed:
        raise Failure(f"{failed} of {len(ran)} cases failed.")
    if require_coverage and never:
        raise Failure(f"{never} of {len(counts)} triggers fire in no case.")


def _show_problems(cases: Path, text: str, error: TableInvalid) -> None:
    from signoff.cli.excerpt import show_problem

    lines = text.split("\n")
    for problem in error.problems:
        show_problem(str(cases), lines, line=problem.line, column=problem.column, message=problem.message)


def _show(one: Ran, cases: Path) -> None:
    name = one.ready.case.name
    if not one.mismatches:
        click.echo(f"  {click.style('ok', fg='green')}    {name}")
        return
    click.echo(f"  {click.style('FAIL', fg='red', bold=True)}  {name}  ({cases}:{one.ready.line})")
    for mismatch in one.mismatches:
        for line in _difference(mismatch):
            click.echo(f"          {line}")


def _difference(mismatch: Mismatch) -> list[str]:
    if not mismatch.missing and not mismatch.unexpected:
        lines = [f"{mismatch.what}: expected {mismatch.expected}, got {mismatch.got}"]
        if mismatch.hint:
            lines.append(f"  {mismatch.hint}")
        return lines
    lines = [f"{mismatch.what}:"]
    lines += [f"  - {name}  expected, did not fire" for name in mismatch.missing]
    lines += [f"  + {name}  fired, not expected" for name in mismatch.unexpected]
    return lines


def _summarize(total: int, failed: int, counts: Mapping[str, int], *, show_coverage: bool) -> None:
    result = click.style(f"{total - failed} passed", fg="green")
    if failed:
        result += f", {click.style(f'{failed} failed', fg='red', bold=True)}"
    never = [name for name, count in counts.items() if not count]
    click.echo(f"{result}; {len(counts) - len(never)} of {len(counts)} triggers fired in a case")
    if show_coverage:
        for name, count in counts.items():
            click.echo(f"  {count:>5}  {name}")
    elif never:
        more = f" and {len(never) - _MOST_NAMED} more (--coverage)" if len(never) > _MOST_NAMED else ""
        click.echo(f"  in no case: {', '.join(never[:_MOST_NAMED])}{more}")
