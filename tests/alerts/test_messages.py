"""What an alert says, and what it never says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import get_args

import pytest
from tests._support.cases import ask

from signoff.alerts.messages import alert_message, notice_message, quoted, time_left
from signoff.desk.deliver import Errand, Notice, lease
from signoff.desk.desk import Desk
from signoff.domain.action import Action
from signoff.domain.alert import About, Alert, AlertKind, DeadLetter, Digest, InBrief, Silence
from signoff.domain.people import Agent, SignIn


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


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("escalated", "signoff [high] nobody answered: wire_transfer waits for you, 30 min left"),
        ("repeated", "signoff [high] again: wire_transfer waits for you, 30 min left"),
        ("handed_over", "signoff [high] handed to you: wire_transfer, 30 min left"),
        ("fresh_link", "signoff: your fresh link for wire_transfer"),
    ],
)
async def test_each_kind_says_why_it_comes(desk: Desk, ada: Agent, kind: AlertKind, said: str) -> None:
    errand = await errand_for(desk, ada, wire())
    message = alert_message(replace(errand, alert=replace(errand.alert, kind=kind)))

    assert message.subject == said
    assert errand.link_url in message.body
    assert message.headers["X-Signoff-Alert"] == errand.alert.id


@pytest.mark.parametrize(
    ("status", "by", "said"),
    [
        ("approved", ("Omar",), "signoff: wire_transfer was approved by Omar"),
        ("modified", ("Omar", "Sofia"), "signoff: wire_transfer was modified by Omar, Sofia"),
        ("cancelled", (), "signoff: wire_transfer was cancelled"),
        ("expired", (), "signoff: wire_transfer expired: nobody decided in time, and nothing runs"),
    ],
)
async def test_a_follow_up_says_how_it_ended_and_by_whom(
    desk: Desk, ada: Agent, status: str, by: tuple[str, ...], said: str
) -> None:
    errand = await errand_for(desk, ada, wire())
    kind: AlertKind = "expired" if status == "expired" else "decided"
    ended = replace(
        errand,
        alert=replace(errand.alert, kind=kind),
        case=replace(errand.case, status=status),  # type: ignore[arg-type]
        by=by,
        link_url="http://127.0.0.1:8717/cases/esc_1",
    )
    message = alert_message(ended)

    assert message.subject == said
    assert "nothing left to do" in message.body
    assert len(message.short) <= 160


NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "about", "subject", "parts"),
    [
        (
            "digest",
            Digest(
                495,
                2,
                (("Ada", 400), ("a<b", 95)),
                125,
                (InBrief("pay\u202e", "Ada", "normal", 125, "http://127.0.0.1:8717/cases/esc_1"),),
            ),
            "signoff: 495 cases wait for you, 2 ended",
            (
                "Ada: 400",
                "a\u2039b: 95",
                "does so in 2 min",
                "pay⟦U+202E⟧, normal, 2 min left: http://127.0.0.1:8717/cases/esc_1",
            ),
        ),
        ("digest", Digest(1, 0, (("Ada", 1),), 10), "signoff: 1 case waits for you", ("Ada: 1",)),
        ("digest", Digest(0, 7, (), None), "signoff: 7 ended", ()),
        (
            "dead_letter",
            DeadLetter("alr_7", "Omar", "ntfy", 12, "no answer within 30 s", 3),
            "signoff: alerts do not reach Omar",
            ("after 12 tries", "no answer within 30 s", "3 more", "signoff alerts retry alr_7"),
        ),
        (
            "heartbeat",
            Silence(2, NOON, None),
            "signoff: 2 alerts wait and nobody sends them",
            ("2026-11-25T12:00:00Z", "never", "signoff doctor"),
        ),
        ("test", None, "signoff: a test", ("Alerts reach you here",)),
    ],
)
async def test_a_notice_says_what_it_is_about_and_leads_to_the_inbox(
    kind: AlertKind, about: About | None, subject: str, parts: tuple[str, ...], omar: SignIn
) -> None:
    alert = Alert("alr_1", kind, None, omar.person.id, "ntfy://omar", "normal", NOON, 1)
    message = notice_message(Notice(alert, omar.person, about, "http://127.0.0.1:8717/", "audit 1 x"))

    assert message.subject == subject
    for part in (*parts, "http://127.0.0.1:8717/", "alr_1 · audit 1 x"):
        assert part in message.body
    assert message.headers == {"X-Signoff-Alert": "alr_1"}
    assert len(message.short) <= 160
