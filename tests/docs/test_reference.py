"""What the product can say is documented: error codes, event types, and the receipt snippet runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from mcp import Client

from signoff.agents.mcp_server import build_mcp_server
from signoff.audit.keys import create_keys
from signoff.audit.receipt import Decider, Receipt, issue
from signoff.cli import signoff as signoff_command
from signoff.config import ANCHORS, GROUPS, Settings
from signoff.desk.desk import Desk
from signoff.domain.action import action_digest
from signoff.domain.errors import SignoffError
from signoff.domain.people import Agent

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "server" / "signoff"
DIGEST = "sha256:" + "0" * 64


def subclasses(cls: type[SignoffError]) -> set[type[SignoffError]]:
    return {cls}.union(*(subclasses(one) for one in cls.__subclasses__()))


def documented(page: str) -> set[str]:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return set(re.findall(r"^\| `([a-z_.]+)` \|", text, re.MULTILINE))


def test_every_error_code_is_documented_and_every_documented_code_exists() -> None:
    codes = {one.code for one in subclasses(SignoffError) if one.__module__.startswith("signoff.")}

    assert documented("errors.md") == codes


def test_every_event_type_is_documented_and_every_documented_type_exists() -> None:
    written: set[str] = set()
    for path in SOURCE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        written |= set(re.findall(r'\bDraft\(\s*"([a-z_]+\.[a-z_]+)"', text))

    assert documented("events.md") == written


def snippet_of_receipts(name: str) -> Callable[..., bool]:
    """Return a function that stands in the documentation of receipts."""
    text = (ROOT / "docs" / "receipts.md").read_text(encoding="utf-8")
    made: dict[str, Callable[..., bool]] = {}
    for snippet in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(snippet, "receipts.md", "exec"), made)  # noqa: S102 -- the documentation is what is tested
    return made[name]


def test_the_receipt_snippet_accepts_the_approved_call_and_no_other(tmp_path: Path) -> None:
    may_run = snippet_of_receipts("may_run")
    keys = create_keys(tmp_path / "keys", origin="signoff.example/docs")
    now = datetime.now(UTC)  # noqa: TID251 -- the snippet reads the machine's clock
    receipt = Receipt(
        issuer=keys.origin,
        escalation_id="esc_1",
        agent_id="agt_1",
        issued_at=now,
        expires_at=now + timedelta(minutes=10),
        id="dec_1",
        outcome="approved",
        action_digest=action_digest("refund", {"cents": 500}, server=None),
        proposed_digest=DIGEST,
        decided_by=(Decider("per_1", ("operator",)),),
        assurance="link",
        policy_digest=DIGEST,
        audit_seq=1,
    )
    token = issue(receipt, keys.receipt)

    assert may_run(token, "refund", {"cents": 500}, keys.jwks(), "agt_1")
    assert not may_run(token, "refund", {"cents": 501}, keys.jwks(), "agt_1")
    assert not may_run(token, "refund", {"cents": 500}, keys.jwks(), "agt_2")


def test_every_setting_is_documented_and_every_documented_setting_exists() -> None:
    known = {f"{group}.{name}" for group, model in GROUPS.items() for name in model.model_fields}
    known |= set(Settings.model_fields) - set(GROUPS)
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    table = text.partition("| setting |")[2]

    assert set(re.findall(r"^\| `([a-z_.]+)` \|", table, re.MULTILINE)) == known


def test_every_key_of_an_anchor_is_documented_and_every_documented_key_exists() -> None:
    known = {name for inner in ANCHORS.values() for name in inner.model_fields}
    table = (ROOT / "docs" / "transparency.md").read_text(encoding="utf-8").partition("| key | for |")[2]

    assert set(re.findall(r"^\| `([a-z_]+)` \|", table, re.MULTILINE)) == known


def test_every_command_is_documented_and_every_documented_command_exists() -> None:
    made: set[str] = set()

    def walk(command: click.Command, words: str) -> None:
        if not isinstance(command, click.Group):
            made.add(words)
            return
        if command.invoke_without_command:
            made.add(words)
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            walk(inner, f"{words} {name}")

    walk(signoff_command, "signoff")
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")

    assert set(re.findall(r"^\| `(signoff [a-z -]+)` \|", text, re.MULTILINE)) == made


async def test_every_tool_resource_and_prompt_is_documented(desk: Desk, ada: Agent) -> None:
    text = (ROOT / "docs" / "mcp.md").read_text(encoding="utf-8")

    async def identify(_: object) -> Agent:
        return ada

    async with Client(build_mcp_server(desk, identify)) as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        templates = {one.uri_template for one in (await client.list_resource_templates()).resource_templates}
        prompts = {one.name for one in (await client.list_prompts()).prompts}

    assert tools == set(
        re.findall(r"^\| `([a-z_]+)` \| [a-z]", text.partition("| `status` |")[0], re.MULTILINE)
    )
    for name in templates | prompts:
        assert f"`{name}`" in text
