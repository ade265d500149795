"""Check a policy file, and describe the form of one to an editor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from signoff.cli.commands import BadInput, Failure, examples, with_home

if TYPE_CHECKING:
    from signoff.triggers.document import Problem
    from signoff.triggers.lint import Remark
    from signoff.triggers.load import LoadedPolicy

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.argument("file", type=_FILE, required=False)
@click.option("--current", is_flag=True, help="Check the policy of the home instead of FILE.")
@click.option("--notes", is_flag=True, help="Show notes too: what holds by design and may surprise.")
@click.option("--strict", is_flag=True, help="Fail on warnings too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for editors and CI.")
@with_home
@examples(
    "signoff policy check policy.yaml",
    "signoff policy check --current --notes",
    "signoff policy check policy.yaml --strict --json",
)
def check(
    file: Path | None, current: bool, notes: bool, strict: bool, as_json: bool, home: Path | None
) -> None:
    """Check a policy FILE: every problem with its line, the place in it, and what to write instead.

    Warnings are about rules that load and can never act, or that allow nearly everything; they do not stop a policy
    from being used.

    Exit code 0: it can be used. 1: it has problems, and nothing would be decided by it (or, with --strict, warnings).
    """
    from signoff.triggers.lint import lint
    from signoff.triggers.load import LoadedPolicy, examine_policy

    if (file is None) != current:
        raise click.UsageError("Name one FILE, or --current.")
    file = file or _policy_of(home)
    text = read_text(file)
    found = examine_policy(text, source=str(file))
    problems = [] if isinstance(found, LoadedPolicy) else found
    remarks = lint(found) if isinstance(found, LoadedPolicy) else []
    warnings = [remark for remark in remarks if remark.level == "warning"]
    if as_json:
        click.echo(json.dumps(_report(file, found, remarks), ensure_ascii=False, indent=2))
    else:
        _show(file, text, problems, remarks if notes else warnings)
        if isinstance(found, LoadedPolicy):
            _summarize(file, found, len(warnings), 0 if notes else len(remarks) - len(warnings))
    if problems:
        raise Failure(f"{file} has {_count(len(problems), 'problem')}.")
    if strict and warnings:
        raise Failure(f"{file} has {_count(len(warnings), 'warning')}.")


def _policy_of(home: Path | None) -> Path:
    from signoff.config import check_policy_kept, create_home, find_home

    found = find_home(home)
    create_home(found)
    check_policy_kept(found)
    return found.policy_file


def read_text(file: Path) -> str:
    """Return a file's text.

    Raises:
        BadInput: It is not UTF-8, or far larger than a policy may be.
    """
    from signoff.triggers.load import MAX_POLICY_BYTES

    with file.open("rb") as opened:
        data = opened.read(4 * MAX_POLICY_BYTES + 1)
    if len(data) > 4 * MAX_POLICY_BYTES:
        raise BadInput(f"{file} is larger than {4 * MAX_POLICY_BYTES // 1024} KB.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"{file} is not UTF-8 at byte {error.start}.") from None


def _show(file: Path, text: str, problems: list[Problem], remarks: list[Remark]) -> None:
    from signoff.cli.excerpt import show_problem
    from signoff.triggers.load import MAX_PROBLEMS

    lines = text.split("\n")
    for problem in problems[:MAX_PROBLEMS]:
        show_problem(str(file), lines, line=problem.line, column=problem.column, message=problem.message)
    if len(problems) > MAX_PROBLEMS:
        click.echo(f"… and {len(problems) - MAX_PROBLEMS} more problems")
    for remark in remarks:
        show_problem(
            str(file),
            lines,
            line=remark.line,
            column=remark.column,
            message=remark.message,
            level=remark.level,
        )


def _summarize(file: Path, loaded: LoadedPolicy, warnings: int, hidden: int) -> None:
    triggers = loaded.policy.triggers
    shadow = sum(trigger.mode == "shadow" for trigger in triggers)
    click.echo(f"{file}: {len(triggers)} triggers ({shadow} in shadow mode), {loaded.digest}")
    said = [_count(warnings, "warning")] if warnings else []
    if hidden:
        said.append(f"{_count(hidden, 'note')} (--notes shows {'them' if hidden > 1 else 'it'})")
    if said:
        click.echo(f"It can be used; {' and '.join(said)}.")


def _report(file: Path, found: LoadedPolicy | list[Problem], remarks: list[Remark]) -> dict[str, Any]:
    from signoff.cli.excerpt import split_message

    def one(level: str, line: int, column: int, message: str) -> dict[str, Any]:
        what, suggestion = split_message(message)
        return {"level": level, "line": line, "column": column, "message": what, "suggestion": suggestion}

    if isinstance(found, list):
        problems = [one("error", problem.line, problem.column, problem.message) for problem in found]
        return {"file": str(file), "usable": False, "problems": problems}
    return {
        "file": str(file),
        "usable": True,
        "digest": found.digest,
        "triggers": len(found.policy.triggers),
        "problems": [one(remark.level, remark.line, remark.column, remark.message) for remark in remarks],
    }


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


@click.command()
@with_home
@examples(
    "signoff policy schema > policy.schema.json",
)
def schema(home: Path | None) -> None:
    """Print the JSON Schema (2020-12) of a policy file, for editors that complete and check YAML.

    Begin the policy with `# yaml-language-server: $schema=policy.schema.json` and VS Code (with the YAML extension of
    Red Hat), Neovim, Helix and the JetBrains IDEs complete its keys. What stands in expressions, and what names something
    else in the file, only `signoff policy check` knows.
    """
    from signoff.triggers.schema import policy_schema

    click.echo(json.dumps(policy_schema(), ensure_ascii=False, indent=2))
