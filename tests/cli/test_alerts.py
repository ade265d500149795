"""Alerts from the terminal: how they read, whether they arrive."""

from __future__ import annotations

import anyio
import pytest
from click.testing import CliRunner, Result
from tests.alerts.conftest import Mailbox, address_of, mailbox

from signoff.app import open_desk
from signoff.cli import signoff
from signoff.config import Config
from signoff.desk.people import list_people, local_agent, set_addresses
from signoff.desk.request import request_approval
from signoff.domain.action import Action
from signoff.domain.bundle import Material

__all__ = ["mailbox"]

# Apprise imports it where it is still there.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


def run(config: Config, *arguments: str) -> Result:
    return CliRunner().invoke(signoff, [*arguments, "--home", str(config.home.path)])


def a_case(config: Config) -> str:
    """Open a case in a home, and return its id."""

    async def opened() -> str:
        async with open_desk(config) as desk:
            agent = await local_agent(desk, "claude")
            action = Action(tool="wire_transfer", arguments={"iban": "DE02120300000000202051"})
            asked = await request_approval(desk, agent, action, Material(wants_human="unsure"))
            return asked.escalation_id

    return anyio.run(opened)


def send_to(config: Config, address: str) -> str:
    """Send the first person's alerts to one address, and return their name."""

    async def changed() -> str:
        async with open_desk(config) as desk:
            (person,) = await list_people(desk)
            await set_addresses(desk, person.name, (address,))
            return person.name

    return anyio.run(changed)


@pytest.mark.parametrize(
    ("channel", "shows"),
    [
        ("mail", "<!doctype html>"),
        ("sms", "signoff "),
        ("push", "claude asks for a decision."),
        ("telegram", "<code>wire_transfer</code>"),
        ("slack", "What: wire_transfer"),
        ("chat", "What: `wire_transfer`"),
        ("text", "What: wire_transfer"),
    ],
)
def test_an_alert_can_be_looked_at_before_it_is_sent(config: Config, channel: str, shows: str) -> None:
    case = a_case(config)

    shown = run(config, "alerts", "preview", case, "--channel", channel)

    assert shown.exit_code == 0
    assert shows in shown.output
    assert "DE0212" not in shown.output
    assert "/d/lnk_" in shown.output
    assert channel == "sms" or "audit " in shown.output


def test_a_preview_opens_nothing_and_leaves_no_trace(config: Config) -> None:
    case = a_case(config)

    async def size() -> int:
        async with open_desk(config) as desk, desk.store.reading() as reader:
            return (await reader.head()).size

    before = anyio.run(size)
    shown = run(config, "alerts", "preview", case, "--kind", "decided", "--channel", "push")

    assert "wire_transfer" in shown.output
    assert "#" not in shown.output
    assert anyio.run(size) == before


def test_a_preview_of_a_case_that_is_not_there_says_so(config: Config) -> None:
    shown = run(config, "alerts", "preview", "esc_none")

    assert shown.exit_code == 1
    assert "There is no case esc_none." in shown.output


def test_a_test_alert_arrives_and_health_says_so(config: Config, mailbox: tuple[Mailbox, int]) -> None:
    box, port = mailbox
    name = send_to(config, address_of(port))

    shown = run(config, "alerts", "test", name, "mailto")

    assert shown.exit_code == 0, shown.output
    assert "omar@example.com" in shown.output
    (mail,) = box.mails
    assert mail["Subject"] == "signoff: a test, nothing to decide"
    assert "last sent" in run(config, "alerts", "health").output


def test_no_test_is_sent_that_cannot_be_recorded(config: Config, mailbox: tuple[Mailbox, int]) -> None:
    """The database was put back from a copy, so nothing may be written."""
    box, port = mailbox
    name = send_to(config, address_of(port))
    database = config.home.database
    yesterday = database.read_bytes()
    assert run(config, "people", "add", "sofia").exit_code == 0
    assert run(config, "audit", "checkpoint").exit_code == 0
    database.write_bytes(yesterday)

    shown = run(config, "alerts", "test", name)

    assert shown.exit_code == 1
    assert "No test was sent, because it could not be recorded. signoff is read-only here" in shown.output
    assert box.mails == []


def test_an_address_that_fails_is_named_with_why_and_how_often(
    config: Config, mailbox: tuple[Mailbox, int]
) -> None:
    box, port = mailbox
    name = send_to(config, address_of(port))
    box.answer = "451 try later"

    for _ in range(2):
        shown = run(config, "alerts", "test", name)
        assert shown.exit_code == 1
        assert "1 of 1 did not take it." in shown.output
    health = run(config, "alerts", "health")

    assert health.exit_code == 1
    assert "2 failed in a row" in health.output
    assert "last failed" in health.output
    doctor = run(config, "doctor")
    assert "1 of 1 addresses did not take the last alert" in doctor.output

    box.answer = "250 OK"
    assert run(config, "alerts", "test", name).exit_code == 0
    assert "in a row" not in run(config, "alerts", "health").output
