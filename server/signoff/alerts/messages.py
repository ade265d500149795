"""What an alert says: what, why, how long, and a link. Never arguments, never a token in the subject.

The name of a tool is the agent's words. It is shown in one line, cut with a count, with hidden characters as
escapes and with nothing that a mail program or a chat makes a link or a mention of.
"""

from __future__ import annotations

from dataclasses import dataclass

from signoff.desk.deliver import Errand
from signoff.domain.alert import AlertKind
from signoff.domain.characters import one_line

MAX_TOOL_CHARS = 80
MAX_NAME_CHARS = 60
MAX_WHY_CHARS = 200
MAX_SHORT_CHARS = 160  # one SMS

# Look-alikes: `<` starts Slack's and Discord's mentions and links, `@` a mention; `://` is what makes a URL clickable anywhere.
_DEFUSED = str.maketrans({"<": "\u2039", ">": "\u203a"})


@dataclass(frozen=True, slots=True)
class Message:
    """One alert in words."""

    subject: str
    """One line without the link."""
    body: str
    """Plain text of several lines."""
    short: str
    """For channels that count letters: subject and link, at most 160 characters where the link leaves room."""


def alert_message(errand: Errand) -> Message:
    """Put an alert into words."""
    case, alert = errand.case, errand.alert
    tool = quoted(case.tool, MAX_TOOL_CHARS)
    left = time_left(errand.seconds_left)
    if alert.kind == "expired":
        return _expired(errand, tool)
    asks = f"{quoted(errand.agent_name, MAX_NAME_CHARS)} asks for a decision"
    if alert.kind == "fresh_link":
        subject = f"signoff: your fresh link for {tool}"
        opening = "You asked for a fresh link. It replaces the one before."
    else:
        says, opening = _WORDS[alert.kind]
        subject = f"signoff [{case.urgency}] {tool} {says}, {left} left"
        opening = opening.format(asks=asks)
    lines = [
        opening,
        "",
        f"What: {tool}",
        f"Why: {quoted(errand.why, MAX_WHY_CHARS)}",
        f"Urgency: {case.urgency}",
        f"Time left: {left}",
        "",
        "Decide here. The link is yours alone and opens once:",
        errand.link_url,
        "",
        f"{alert.id} · {errand.footer}",
    ]
    return Message(subject, "\n".join(lines), _short(subject, errand.link_url))


# What the subject says of the tool, and how the message begins.
_WORDS: dict[AlertKind, tuple[str, str]] = {
    "opened": ("waits for you", "{asks}."),
    "escalated": ("has had no answer and waits for you", "{asks}, and has had no answer so far."),
    "repeated": ("still waits for you", "{asks}, and nobody has said that they look at it."),
    "handed_over": ("was given to you", "{asks}. A colleague gave the case to you."),
}


def _expired(errand: Errand, tool: str) -> Message:
    """Say that it is over; there is nothing to decide, and the link is that of the page."""
    subject = f"signoff [{errand.case.urgency}] {tool} has expired, nobody decided in time"
    lines = [
        "Nobody decided in time. The case has expired, and nothing runs.",
        "",
        f"What: {tool}",
        f"Why it was asked: {quoted(errand.why, MAX_WHY_CHARS)}",
        f"Urgency: {errand.case.urgency}",
        "",
        "What happened, for whoever is signed in:",
        errand.link_url,
        "",
        f"{errand.alert.id} · {errand.footer}",
    ]
    return Message(subject, "\n".join(lines), _short(subject, errand.link_url))


def _short(subject: str, link: str) -> str:
    room = MAX_SHORT_CHARS - len(link) - 1
    if room < len("signoff"):
        return f"signoff {link}"
    return f"{subject if len(subject) <= room else subject[: room - 1] + '…'} {link}"


def time_left(seconds: int) -> str:
    """Return a time to decide as people say it, never more than there is: `4 min`, `1 h 30 min`, `2 d 3 h`."""
    if seconds < 60:
        return f"{max(seconds, 0)} s"
    minutes = seconds // 60
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def quoted(text: str, most: int) -> str:
    """Return somebody else's text in one harmless line; what is cut off is counted."""
    shown = text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"
    shown = one_line(shown).translate(_DEFUSED).replace("://", ":\u2044\u2044").replace("www.", "www\u2024")
    return (
        shown.replace("@everyone", "@ everyone").replace("@here", "@ here").replace("@channel", "@ channel")
    )
