"""What an alert says: what, why, how long, and a link. Never arguments, never a token in a title.

The name of a tool is the agent's words. It is shown in one line, cut with a count, with hidden characters as
escapes and with nothing that a mail program or a chat makes a link or a mention of (`quote.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from signoff.alerts.facts import Facts, facts_of, facts_of_notice
from signoff.alerts.quote import quoted, time_left
from signoff.alerts.wording import Wording
from signoff.desk.deliver import Errand, Notice

__all__ = ["Message", "alert_message", "message_of", "notice_message", "quoted", "time_left"]

BUILT_IN = Wording()


@dataclass(frozen=True, slots=True)
class Message:
    """One alert in words, in the forms that channels take; a form that is empty is sent as the plain text."""

    subject: str
    """One line without the link."""
    body: str
    """Plain text of several lines."""
    short: str
    """For channels that count letters: words and link, at most 160 of the GSM alphabet where the link leaves room."""
    html: str = ""
    """A mail's body."""
    push: str = ""
    """A sentence or two under the title of a push notification; no link."""
    trace: str = ""
    """The alert's id, the same in every repeat, and the newest checkpoint; the forms without a link do not hold it."""
    telegram: str = ""
    """Telegram's HTML, title included."""
    slack: str = ""
    chat: str = ""
    """Markdown."""
    link: str = ""
    """Stands in all of them but subject and push."""
    page: str = ""
    """Where a person who is signed in goes; holds no token."""
    person: str = ""
    """Whom it is for; said on the terminal, which several people may share."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of a mail: the alert's id, the same in every repeat, and the case, by which mail programs make threads."""


def alert_message(errand: Errand, wording: Wording = BUILT_IN) -> Message:
    """Put an alert into words."""
    return message_of(facts_of(errand), wording)


def notice_message(notice: Notice, wording: Wording = BUILT_IN) -> Message:
    """Put an alert into words that is about no case."""
    return message_of(facts_of_notice(notice), wording)


def message_of(facts: Facts, wording: Wording = BUILT_IN) -> Message:
    """Put what an alert may tell into words."""
    words = wording.words(facts)
    return Message(
        subject=words.subject,
        body=words.text,
        short=words.sms,
        html=words.html,
        push=words.push,
        trace=facts.trace,
        telegram=words.telegram,
        slack=words.slack,
        chat=words.chat,
        link=facts.link,
        page=facts.page,
        person=facts.values["person"],
        headers=_headers(facts),
    )


def _headers(facts: Facts) -> dict[str, str]:
    made = {"X-Signoff-Alert": str(facts.values["id"])}
    if facts.case_id is not None:
        thread = f"<{facts.case_id}@signoff>"
        made |= {"X-Signoff-Case": facts.case_id, "In-Reply-To": thread, "References": thread}
    return made
