"""What holds for every command."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import orjson
import pytest
from click.testing import CliRunner, Result
from tests._support.cases import approve
from tests.cli.conftest import environment

from signoff.app import open_desk
from signoff.cli import signoff
from signoff.config import Config, Home
from signoff.desk.people import list_people, local_agent
from signoff.desk.request import request_approval
from signoff.desk.wait import wait_for_decision
from signoff.domain.action import Action
from signoff.domain.bundle import Material
from signoff.domain.people import SignIn


def commands(group: click.Group, *names: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    if group.invoke_without_command:
        yield names, group
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, *names, name)
        else:
            yield (*names, name), command


EVERY = list(commands(signoff))


@pytest.mark.parametrize("names", [names for names, _ in EVERY], ids=" ".join)
def test_every_command_has_help_with_an_example_and_takes_a_home(names: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(signoff, [*names, "--help"])

    assert shown.exit_code == 0
    example = shown.output.partition("Example:")[2]
    assert f"signoff {' '.join(names)}" in example
    assert "--home" in shown.output


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["people", "--help"]], ids=" ".join)
def test_help_loads_nothing_that_it_does_not_need(arguments: list[str], home: Home) -> None:
    loaded = modules_after(home, f"signoff({arguments!r}, standalone_mode=False)")

    assert not loaded & {"pydantic", "mcp", "anyio", "cryptography", "aiosqlite", "signoff.app"}


def test_an_agents_server_loads_no_page_and_no_channel(home: Home) -> None:
    loaded = modules_after(home, "signoff(['mcp'], standalone_mode=False)")

    assert "signoff.agents.mcp_server" in loaded
    assert not loaded & {
        "apprise",
        "fastapi",
        "jinja2",
        "signoff.operators",
        "signoff.alerts.channels",
        "jsonschema",
    }


def modules_after(home: Home, work: str) -> set[str]:
    script = f"import sys\nfrom signoff.cli import signoff\n{work}\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", script],
        env=environment(home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


def test_what_signoff_refuses_is_one_line_without_a_traceback(home: Home) -> None:
    refused = CliRunner().invoke(signoff, ["people", "link", "nobody", "--home", str(home.path)])

    assert refused.exit_code == 1
    assert refused.stderr.startswith("signoff: There is no person called nobody.")
    assert "Traceback" not in refused.output


def test_what_init_prints_for_claude_desktop_starts_from_an_empty_environment(
    home: Home, tmp_path: Path
) -> None:
    made = subprocess.run(
        [sys.executable, "-m", "signoff", "init"],
        env=environment(home),
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    )
    server = orjson.loads(made.stdout.partition("Claude Desktop (claude_desktop_config.json):")[2])
    wanted = server["mcpServers"]["signoff"]
    (tmp_path / "elsewhere").mkdir()

    started = subprocess.run(  # noqa: S603 - our own program
        [wanted["command"], *wanted["args"]],
        env={"HOME": str(tmp_path / "elsewhere"), "PYTHONPATH": environment(home)["PYTHONPATH"]},
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )

    assert started.returncode == 0, started.stderr
    assert Path(wanted["command"]).is_absolute()
    assert wanted["args"][-2:] == ["--home", str(home.path)]
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_home_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = CliRunner().invoke(signoff, ["init", "--home", str(tmp_path / "file" / "home")])

    assert refused.exit_code == 1
    assert "cannot be made" in refused.stderr


async def test_a_receipt_is_checked_against_the_action_and_the_key(config: Config, tmp_path: Path) -> None:
    action = Action(tool="issue_refund", arguments={"order": "A-1042", "amount": "1240.00"})
    async with open_desk(config) as desk:
        agent = await local_agent(desk, "ada")
        case = await request_approval(desk, agent, action, Material())
        (person,) = await list_people(desk)
        await approve(desk, SignIn(person, "session"), case.escalation_id, note="Charged twice.")
        told = await wait_for_decision(desk, agent, case.escalation_id)
    token, wanted, other = tmp_path / "receipt.jwt", tmp_path / "action.json", tmp_path / "other.json"
    token.write_text(told.receipt or "", encoding="utf-8")
    wanted.write_bytes(orjson.dumps({"tool": action.tool, "arguments": action.arguments}))
    other.write_bytes(
        orjson.dumps({"tool": action.tool, "arguments": {"order": "A-1043", "amount": "1240.00"}})
    )
    jwks = config.home.keys / "receipt.pub"

    held = verify_receipt(token, "--action", wanted, "--jwks", jwks)
    assert (held.exit_code, "The receipt holds." in held.output) == (0, True)
    assert case.escalation_id in held.output
    for arguments, said in (
        ((token, "--action", other, "--jwks", jwks), "does not approve this action"),
        ((other, "--jwks", jwks), "This is not a receipt"),
        ((token, "--jwks", other), "not a JWK set"),
        ((token, "--jwks", jwks, "--action", token), "not JSON"),
    ):
        refused = verify_receipt(*arguments)
        assert refused.exit_code in (1, 2)
        assert said in refused.stderr, refused.stderr


def verify_receipt(*arguments: object) -> Result:
    return CliRunner().invoke(signoff, ["verify-receipt", *map(str, arguments)])


def test_a_tampered_row_cannot_write_over_what_the_verifier_says_of_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from signoff.audit.report import Problem, Report
    from signoff.cli.audit import _print_report

    forged = Problem(
        None, "esc_\x1b[2J\x1b[H\nEverything holds.\n\x1b[8m", "a case is stored that no event opened"
    )
    report = Report(
        events=1, checkpoints=0, payloads=0, erased=0, cases=0, root=bytes(32), newest=None,
        problems=(forged,), problem_count=1,
    )  # fmt: skip

    _print_report(report, tmp_path / "signoff.db")

    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "\nEverything holds." not in printed
    assert "no event opened" in printed
