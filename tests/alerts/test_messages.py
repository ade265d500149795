"""What an alert says, and what it never says."""

from __future__ import annotations

import unicodedata
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests._support.cases import ask

from signoff.alerts.messages import Message, alert_message, notice_message, quoted, time_left
from signoff.alerts.sms import is_gsm
from signoff.desk.deliver import Errand, Notice, lease
from signoff.desk.desk import Desk
from signoff.domain.action import Action
from signoff.domain.alert import (
    ALERT_KINDS,
    ASKING,
    About,
    Alert,
    AlertKind,
    DeadLetter,
    Digest,
    InBrief,
    RightsChanged,
    Silence,
)
from signoff.domain.case import Escalation
from signoff.domain.people import Agent, Person
from signoff.domain.verdict import Requirement

BASE = "https://signoff.example.com"


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


async def test_a_short_message_keeps_the_link_whole(desk: Desk, ada: Agent) -> None:
    errand = await errand_for(desk, ada, wire())
    message = alert_message(errand)

    assert message.short.endswith(errand.link_url)
    assert len(message.short) <= 160


@pytest.mark.parametrize("kind", ALERT_KINDS)
@pytest.mark.parametrize("tool", ["wire_transfer", "x" * 200])
def test_every_form_shows_by_which_id_a_repeat_is_known(kind: AlertKind, tool: str) -> None:
    one = told(kind, tool=tool)

    message = worded(one)

    known = one.alert.id
    for form in (message.body, message.html, message.telegram, message.slack, message.chat, message.trace):
        assert known in form
    assert f"({known[-5:]})" in message.short
    assert message.headers["X-Signoff-Alert"] == known


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("refund\nSubject: you won", "refund⟦U+000A⟧Subject: you won"),
        ("pay\u202eyap", "pay⟦U+202E⟧yap"),
        ("a\u200bb", "a⟦U+200B⟧b"),
        ("a\U000e0041b", "a⟦U+E0041⟧b"),
        ("a\u3164b", "a⟦U+3164⟧b"),
        ("go to https://evil.example/d/1", "go to https:\u2044\u2044evil\u2024example/d/1"),
        (
            "<!channel> <https://evil.example|open>",
            "\u2039!channel\u203a \u2039https:\u2044\u2044evil\u2024example|open\u203a",
        ),
        ("@everyone", "@ everyone"),
        ("ask admin@evil.example", "ask admin@ evil\u2024example"),
        ("[pay](evil.example)", "[pay] (evil\u2024example)"),
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


HIDDEN = [
    "\r\nBcc: mallory@evil.example",
    "\nSubject: approved",
    "\r",
    "\x00",
    "\x07",
    "\x0b",
    "\x0c",
    "\x1b[2J",
    "\x1b]8;;https://evil.example\x07click\x1b]8;;\x07",
    "\x7f",
    "\x85",
    "\xa0",
    "\xad",
    "\u034f",
    "\u061c",
    "\u115f",
    "\u180e",
    "\u200b",
    "\u200d",
    "\u200e",
    "\u2028",
    "\u2029",
    "\u202a",
    "\u202d",
    "\u202e",
    "\u2060",
    "\u2066",
    "\u2069",
    "\u3000",
    "\u3164",
    "\ufe0f\ufe0f",
    "\ufeff",
    "\ufff9",
    "\U000e0041\U000e007f",
    "\t",
]


@pytest.mark.parametrize("payload", HIDDEN, ids=ascii)
@pytest.mark.parametrize("kind", ["opened", "decided", "dead_letter"])
def test_no_hidden_character_and_no_line_break_reaches_a_title_or_an_sms(
    payload: str, kind: AlertKind
) -> None:
    message = worded(told(kind, tool=f"refund{payload}payment", agent_name=f"bot{payload}s"))

    for line in (message.subject, message.push, message.short):
        assert payload not in line
        assert line.isprintable() or " " in line
        assert all(one == " " or unicodedata.category(one)[0] not in "CZ" for one in line)
    assert "U+" in message.subject or kind == "dead_letter"
    for body in (message.body, message.html, message.telegram, message.slack, message.chat):
        assert payload not in body.replace("\r\n", "\n") or payload == "\n"
        assert all(one in "\n " or unicodedata.category(one)[0] not in "CZ" for one in body)


def told(kind: AlertKind, *, tool: str = "wire_transfer", agent_name: str = "Ada") -> Errand | Notice:
    """Return an errand of any kind."""
    now = datetime(2026, 11, 23, 20, 31, tzinfo=UTC)
    case = Escalation(
        id="esc_1",
        agent_id="agt_1",
        version=1,
        status="approved" if kind == "decided" else "pending",
        tool=tool,
        server=None,
        summary="",
        action_digest="",
        masked=(),
        policy_digest="",
        triggers=(),
        queue="payments",
        urgency="high",
        tier=0,
        require=Requirement(),
        opened_at=now,
        deadline_at=now + timedelta(minutes=30),
        approval_valid_for=timedelta(minutes=10),
    )
    person = Person("per_1", "Omar", frozenset({"operator"}), frozenset(), (), now)
    alert = Alert("alr_01k9zr6m2t8vq4x7c3b5n1w0ye", kind, "esc_1", "per_1", "terminal:", "high", now, 1)
    brief = (InBrief(tool, agent_name, "high", 1800, f"{BASE}/cases/esc_1"),) * 3
    about: dict[str, About | None] = {
        "digest": Digest(500, 2, ((agent_name, 499), ("Bea", 1)), 240, brief),
        "dead_letter": DeadLetter("alr_1", agent_name, "mailtos", 10, "no answer within 30 s", 2),
        "rights_changed": RightsChanged("addresses", agent_name, "Anna", mine=False),
        "heartbeat": Silence(3, now, None),
        "test": None,
    }
    if kind in about:
        return Notice(alert, person, about[kind], f"{BASE}/", "audit 137 eH22nAG2")
    link = f"{BASE}/d/lnk_01k9zr6m2t8vq4x7c3b5n1w0ye#{'s' * 43}" if kind in ASKING else f"{BASE}/cases/esc_1"
    return Errand(
        alert=alert,
        person=person,
        case=case,
        link_url=link,
        why="Wire above 10,000",
        agent_name=agent_name,
        seconds_left=1800,
        footer="audit 137 eH22nAG2",
        page_url=f"{BASE}/cases/esc_1",
        by=("Sofia",),
    )


def worded(told_: Errand | Notice) -> Message:
    return alert_message(told_) if isinstance(told_, Errand) else notice_message(told_)


@pytest.mark.parametrize("kind", ALERT_KINDS)
def test_every_kind_is_worded_for_every_channel_with_link_id_and_anchor(kind: AlertKind) -> None:
    errand = told(kind)
    message = worded(errand)

    for body in (message.body, message.html, message.telegram, message.slack, message.chat):
        assert errand.link_url in body
        assert errand.alert.id in body
        assert errand.footer in body
    assert message.short.endswith(errand.link_url)
    assert len(message.short) <= 160
    assert is_gsm(message.short)
    for title in (message.subject, message.push):
        assert title
        assert "\n" not in title
        assert "/d/" not in title
        assert "sss" not in title
    assert "#" not in message.page


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("decided", ["wire_transfer: approved", "approved by Sofia"]),
        ("expired", ["nobody decided", "never an approval"]),
        ("escalated", ["was not answered", "have not answered in time"]),
        ("repeated", ["still waits for you"]),
        ("handed_over", ["was handed to you", "Sofia handed this case"]),
        ("answered", ["the agent has answered on wire_transfer", "Ada has answered your question"]),
        (
            "digest",
            [
                "500 cases wait for you, 2 ended",
                "Asked by Ada (499), Bea (1).",
                "The first expires in 4 min.",
                "and 497 more",
            ],
        ),
        (
            "dead_letter",
            ["alerts do not reach Ada", "after 10 tries: no answer within 30 s. So were 2 others"],
        ),
        ("rights_changed", ["Anna changed where alerts of Ada go", "ask at once"]),
        ("test", ["a test, nothing to decide"]),
        (
            "heartbeat",
            ["3 alerts wait and nobody sends them", "the first since 2026-11-23 20:31:00 UTC", "seen never"],
        ),
    ],
)
def test_a_kind_says_what_happened(kind: AlertKind, said: list[str]) -> None:
    message = worded(told(kind))

    for part in said:
        assert part in f"{message.subject}\n{message.body}"


def test_a_name_made_of_hidden_characters_makes_no_message_too_long_to_be_taken() -> None:
    message = worded(told("opened", tool="\u202e" * 5000, agent_name="\u200b" * 100))

    assert len(message.body) < 1900
    assert len(message.push) + len(message.link) + len(message.trace) < 1020
    assert "(5000 characters)" in message.body


def test_words_of_an_agent_cannot_format_a_chat_or_break_out_of_a_mail() -> None:
    message = worded(told("opened", tool="<b>*x*</b> `ok` [a](b) <script>", agent_name="_Ada_ & co"))

    assert "<script" not in message.html + message.telegram
    assert "_Ada_ &amp; co" in message.html
    assert "\\_Ada\\_ & co" in message.chat
    assert "`\u2039b\u203a*x*\u2039/b\u203a \u00b4ok\u00b4 [a] (b) \u2039script\u203a`" in message.chat


async def test_nothing_that_is_masked_or_secret_leaves_in_any_form(
    desk: Desk, ada: Agent, policy_path: Path
) -> None:
    with policy_path.open("a", encoding="utf-8") as policy:
        policy.write("masks:\n  - {path: action.arguments.iban, hide_from: [operator]}\n")
    action = Action(
        tool="wire_transfer",
        arguments={"amount": 12500, "country": "Atlantis", "iban": "DE02120300000000202051"},
        summary="Pay AKIAIOSFODNN7EXAMPLE now",
    )
    message = alert_message(await errand_for(desk, ada, action))

    everything = "\n".join(str(getattr(message, one.name)) for one in fields(message))
    for secret in ("12500", "Atlantis", "DE0212", "AKIA", "Pay "):
        assert secret not in everything
