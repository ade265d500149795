"""What an alert says, and what it never says."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from tests._support.cases import ask

from signoff.alerts.messages import alert_message, quoted, time_left
from signoff.desk.deliver import Errand, lease
from signoff.desk.desk import Desk
from signoff.domain.action import Action
from signoff.domain.alert import AlertKind
from signoff.domain.people import Agent


async def errand_for(desk: Desk, agent: Agent, action: Action) -> Errand:
    await ask(desk, agent, action)
    (errand,) = await lease(desk, "test")
    return errand


def wire(*, tool: str = "wire_transfer", country: str = "DE") -> Action:
    return Action(
        tool=tool, arguments={"amount": 12500, "country": country, "iban": "DE02120300000000202051"}
    )


async def test_an_alert_says_what_why_and_how_long_and_carries_the_link(desk: Desk, ada: Agent) -> None:
    errand = await errand_for(desk, ada, wire())
    message = alert_message(errand)

    assert message.subject == "signoff [high] wire_transfer waits for you, 30 min left"
    for part in (
        "Ada asks",
        "What: wire_transfer",
        "Why: Wire above 10,000",
        errand.link_url,
        errand.alert.id,
    ):
        assert part in message.body
    assert message.body.endswith(f"{errand.alert.id} · {errand.footer}")


async def test_an_alert_holds_no_argument_and_its_subject_no_link(desk: Desk, ada: Agent) -> None:
    errand = await errand_for(desk, ada, wire(country="Atlantis"))
    message = alert_message(errand)

    secret = errand.link_url.partition("#")[2]
    assert "12500" not in message.body + message.subject
    assert "Atlantis" not in message.body + message.subject
    assert "DE0212" not in message.body + message.subject
    assert secret in message.body
    assert secret not in message.subject
    assert "\n" not in message.subject


async def test_each_kind_of_alert_says_what_it_is_about(desk: Desk, ada: Agent) -> None:
    errand = await errand_for(desk, ada, wire())
    said = {
        kind: alert_message(replace(errand, alert=replace(errand.alert, kind=kind)))
        for kind in get_args(AlertKind)
    }
    assert (
        len({one.subject for one in said.values()}) == len({one.body for one in said.values()}) == len(said)
    )
    assert "has had no answer" in said["escalated"].subject
    assert "nobody has said that they look at it" in said["repeated"].body
    assert "A colleague gave the case to you" in said["handed_over"].body
    assert said["expired"].subject == "signoff [high] wire_transfer has expired, nobody decided in time"
    assert "Decide here" not in said["expired"].body
    assert all(len(one.short) <= 160 for one in said.values())


async def test_a_short_message_keeps_the_link_whole(desk: Desk, ada: Agent) -> None:
    errand = await errand_for(desk, ada, wire())
    message = alert_message(errand)

    assert message.short.endswith(errand.link_url)
    assert len(message.short) <= 160


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("refund\nSubject: you won", "refund⟦U+000A⟧Subject: you won"),
        ("pay\u202eyap", "pay⟦U+202E⟧yap"),
        ("a\u200bb", "a⟦U+200B⟧b"),
        ("a\U000e0041b", "a⟦U+E0041⟧b"),
        ("a\u3164b", "a⟦U+3164⟧b"),
        ("go to https://evil.example/d/1", "go to https:\u2044\u2044evil.example/d/1"),
        (
            "<!channel> <https://evil.example|open>",
            "\u2039!channel\u203a \u2039https:\u2044\u2044evil.example|open\u203a",
        ),
        ("@everyone", "@ everyone"),
        ("x" * 12, "xxxxxxxxxx… (12 characters)"),
    ],
)
def test_foreign_text_stays_one_harmless_line(text: str, shown: str) -> None:
    most = 10 if text.startswith("xx") else 100

    assert quoted(text, most) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (1799, "29 min"), (5400, "1 h 30 min"), (183600, "2 d 3 h")],
)
def test_time_left_is_never_more_than_there_is(seconds: int, shown: str) -> None:
    assert time_left(seconds) == shown
