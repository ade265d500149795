"""Mood and asking for a person: read from what users wrote, and not guessed where nobody can tell."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from signoff.domain.errors import PolicyInvalid
from signoff.domain.verdict import Verdict
from signoff.triggers.load import load_policy

Signal = Callable[..., Any]


def talk(*texts: str, language: str | None = None) -> dict[str, Any]:
    subject = {} if language is None else {"subject": {"language": language}}
    return {"messages": [{"role": "user", "content": text} for text in texts], **subject}


@pytest.mark.parametrize(
    ("text", "language", "low", "high"),
    [
        ("This is the worst service I have ever had. You are useless!", None, -1, -0.5),
        ("I am FURIOUS. I hate this company!!!", None, -1, -0.5),
        ("Thank you so much, you are wonderful", None, 0.5, 1),
        ("Please change my flight to Friday", None, -0.2, 0.5),
        ("terrible, horrible, awful", None, -1, -0.5),
        ("This is not good", None, -1, -0.1),
        ("worst service ever", "en", -1, -0.3),
        ("worst service ever", "en-GB", -1, -0.3),
        ("worst service ever", "EN_us", -1, -0.3),
        (":(", None, -1, -0.3),
        ("4711", None, 0, 0),
    ],
)  # fmt: skip
def test_english_has_a_mood(signal: Signal, text: str, language: str | None, low: float, high: float) -> None:
    assert low <= signal("{sentiment: last_user_message}", bundle=talk(text, language=language)) <= high


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Das ist der schlechteste Service, den ich je hatte. Ich bin sehr wütend!", None),
        ("Die Firma war fun, aber die Rechnung ist falsch", None),
        ("C'est un service horrible et je suis très en colère", None),
        ("Este servicio es terrible y estoy muy enfadado", None),
        ("Questo servizio è orribile e sono molto arrabbiato", None),
        ("Это ужасный сервис", None),
        ("最悪のサービスだ", None),
        ("هذه خدمة سيئة", None),
        ("asdf qwer zxcv", None),
        ("This is the worst service I have ever had", "de"),
        ("This is the worst service I have ever had", "xx"),
        ("Das ist der schlechteste Service, den ich je hatte", "en"),
        ("Это ужасный сервис", "en"),
    ],
)  # fmt: skip
def test_another_language_or_none_that_is_known_has_no_mood(
    signal: Signal, text: str, language: str | None
) -> None:
    assert signal("{sentiment: last_user_message}", bundle=talk(text, language=language)) is None


def test_the_last_message_decides_or_the_lowest_of_the_last_five(signal: Signal) -> None:
    angry, calm = "I hate this, it is the worst!", "Please send it to my home, thank you"
    told = talk(angry, calm)

    assert signal("{sentiment: last_user_message}", bundle=told) > 0
    assert signal("{sentiment: user_messages}", bundle=told) < -0.5
    assert signal("{sentiment: user_messages}", bundle=talk(angry, *[calm] * 5)) > 0


def test_what_the_agent_said_is_not_the_users_mood(signal: Signal) -> None:
    bundle = {"messages": [{"role": "assistant", "content": "I hate this terrible bug"}]}

    assert signal("{sentiment: user_messages}", bundle=bundle) is None
    assert signal("{sentiment: user_messages}") is None


@pytest.mark.parametrize("text", ["I hate this. " * 120, "a" * 10_001, "😡" * 300])
def test_a_message_too_long_to_read_makes_the_rule_fire(ask: Callable[..., Verdict], text: str) -> None:
    head = "signals:\n  mood: {sentiment: last_user_message}"

    verdict = ask("  - {id: x, when: signals.mood < -0.5, then: escalate}", bundle=talk(text), head=head)

    assert [one.reason for one in verdict.fired] == ["error: the signal mood cannot be computed"]


def test_a_policy_that_needs_the_extra_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("vaderSentiment")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if "site-packages" not in path])

    with pytest.raises(PolicyInvalid) as caught:
        load_policy("version: 1\nsignals:\n  m: {sentiment: user_messages}\ntriggers: []\n", source="p.yaml")

    assert (
        "p.yaml:3:6: signals.m: sentiment needs an extra: pip install 'signoff[signals]'"
        in caught.value.problems
    )


@pytest.mark.parametrize(
    "text",
    [
        "I want to speak to a human", "Can I talk to a real person please?", "Let me speak with your manager.",
        "transfer me to an agent", "Please connect me with a representative", "Get me a human!", "human please", "Agent",
        "I'd like to talk to someone", "I need a real person", "Is there a live agent?", "I'm tired of talking to a bot",
        "put me through to customer service", "\uff29 want to talk to a \uff48uman", "I want to\nspeak to   a supervisor",
        "I WANT A MANAGER. I want a manager now", "talk to a hu\u200bman",
        "Ich möchte mit einem Menschen sprechen", "Kann ich bitte mit einem Mitarbeiter reden?", "Verbinden Sie mich bitte",
        "Ich will einen echten Menschen", "Ich rede mit keinem Bot",
        "Je veux parler à un humain", "Je voudrais parler avec un conseiller", "Passez-moi un responsable",
        "Quiero hablar con una persona", "Necesito hablar con un agente", "Páseme con su supervisor",
        "quiero una persona de verdad",
    ],
)  # fmt: skip
def test_a_user_who_asks_for_a_person_is_heard(signal: Signal, text: str) -> None:
    assert signal("{asks_for_human: last_user_message}", bundle=talk(text)) is True


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Please change the name of the passenger to Ann", None, False),
        ("I want to book a flight for two people", None, False),
        ("The agent at the airport was nice to us", None, False),
        ("I talked to a friend about this and we will fly on Monday", None, False),
        ("I don't want to talk to a human, just refund me the money", None, False),
        ("What is human rights law?", None, False),
        ("Ich möchte bitte meine Rechnung sehen und sie bezahlen", None, False),
        ("Je veux annuler ma réservation pour le vol de demain", None, False),
        ("Quiero cancelar mi vuelo de mañana por favor", None, False),
        ("4711", None, False),
        ("refund", "en", False),
        ("Chcę rozmawiać z człowiekiem", None, None),
        ("Я хочу поговорить с человеком", None, None),  # noqa: RUF001 -- Russian
        ("refund", None, None),
        ("refund", "pl", None),
        ("Ik wil mijn vlucht naar het zuiden annuleren", None, None),
    ],
)  # fmt: skip
def test_no_person_is_asked_for_or_nobody_can_tell(
    signal: Signal, text: str, language: str | None, expected: bool | None
) -> None:
    assert signal("{asks_for_human: last_user_message}", bundle=talk(text, language=language)) is expected


def test_only_the_users_last_message_asks(signal: Signal) -> None:
    bundle = talk("I want to speak to a human", "Never mind, I found it in the app")

    assert signal("{asks_for_human: last_user_message}", bundle=bundle) is False
    assert signal("{asks_for_human: last_user_message}") is None


def test_a_very_long_message_is_not_called_content(ask: Callable[..., Verdict]) -> None:
    head = "signals:\n  asked: {asks_for_human: last_user_message}"

    verdict = ask(
        "  - {id: x, when: signals.asked, then: escalate}", bundle=talk("the and " * 600), head=head
    )

    assert verdict.outcome == "escalate"


def test_a_policy_loads_without_what_only_a_rule_needs() -> None:
    script = (
        "import sys\n"
        "import signoff.triggers.load as load\n"
        "load.load_policy('version: 1\\nsignals:\\n  m: {sentiment: user_messages}\\ntriggers: []\\n', source='p')\n"
        "assert not [name for name in sys.modules if name.startswith(('vaderSentiment', 'requests')) or name.endswith('_findings')]\n"
    )

    subprocess.run([sys.executable, "-c", script], check=True)  # noqa: S603 -- our own text
