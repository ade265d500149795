"""What an alert says: what, why, how long, and a link. Never arguments, never a token in the subject.

The name of a tool is the agent's words. It is shown in one line, cut with a count, with hidden characters as
escapes and with nothing that a mail program or a chat makes a link or a mention of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from signoff.desk.deliver import Errand, Notice
from signoff.domain.alert import CLOSING, Alert, DeadLetter, Digest, Silence
from signoff.domain.characters import one_line
from signoff.domain.clock import to_text

MAX_TOOL_CHARS = 80
MAX_NAME_CHARS = 60
MAX_WHY_CHARS = 200
MAX_AGENTS = 5
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
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of a mail: the alert's id, the same in every repeat, and the case, by which mail programs make threads."""


def alert_message(errand: Errand) -> Message:
    """Put an alert into words."""
    case, alert = errand.case, errand.alert
    tool = quoted(case.tool, MAX_TOOL_CHARS)
    left = time_left(errand.seconds_left)
    if alert.kind in CLOSING:
        return _ended(errand)
    agent = quoted(errand.agent_name, MAX_NAME_CHARS)
    subject, opening = {
        "fresh_link": (
            f"signoff: your fresh link for {tool}",
            "You asked for a fresh link. It replaces the one before.",
        ),
        "escalated": (
            f"signoff [{case.urgency}] nobody answered: {tool} waits for you, {left} left",
            f"{agent} asks for a decision. Those who were asked first did not answer, or could not be reached.",
        ),
        "repeated": (
            f"signoff [{case.urgency}] again: {tool} waits for you, {left} left",
            f"{agent} still waits for a decision.",
        ),
        "handed_over": (
            f"signoff [{case.urgency}] handed to you: {tool}, {left} left",
            f"A colleague handed you this case: {agent} asks for a decision.",
        ),
    }.get(
        alert.kind,
        (f"signoff [{case.urgency}] {tool} waits for you, {left} left", f"{agent} asks for a decision."),
    )
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
    return _message(subject, lines, errand.link_url, alert)


def _ended(errand: Errand) -> Message:
    """Put into words how a case ended that somebody was alerted to."""
    tool = quoted(errand.case.tool, MAX_TOOL_CHARS)
    by = ", ".join(quoted(name, MAX_NAME_CHARS) for name in errand.by)
    how = errand.case.status + (f" by {by}" if by else "")
    if errand.case.status == "expired":
        how = "expired: nobody decided in time, and nothing runs"
    subject = f"signoff: {tool} was {how}" if errand.case.status != "expired" else f"signoff: {tool} {how}"
    lines = [
        f"{subject.removeprefix('signoff: ')}. There is nothing left to do.",
        "",
        errand.link_url,
        "",
        f"{errand.alert.id} · {errand.footer}",
    ]
    return _message(subject, lines, errand.link_url, errand.alert)


def notice_message(notice: Notice) -> Message:
    """Put an alert into words that is about no case."""
    about = notice.about
    if isinstance(about, Digest):
        subject, said = _digest(about)
    elif isinstance(about, DeadLetter):
        subject, said = _dead_letter(about)
    elif isinstance(about, Silence):
        subject, said = _silence(about)
    else:
        subject, said = "signoff: a test", ["This is a test. Alerts reach you here."]
    lines = [*said, "", notice.link_url, "", f"{notice.alert.id} · {notice.footer}"]
    return _message(subject, lines, notice.link_url, notice.alert)


def _digest(about: Digest) -> tuple[str, list[str]]:
    what = []
    if about.waiting:
        what.append(
            f"{about.waiting} case{'' if about.waiting == 1 else 's'} wait{'s' * (about.waiting == 1)} for you"
        )
    if about.ended:
        what.append(f"{about.ended} ended")
    subject = f"signoff: {', '.join(what)}"
    lines = [f"{', '.join(what)}. So many came at once that they are one message.", ""]
    for name, count in about.agents[:MAX_AGENTS]:
        lines.append(f"{quoted(name, MAX_NAME_CHARS)}: {count}")
    if len(about.agents) > MAX_AGENTS:
        lines.append(f"and {len(about.agents) - MAX_AGENTS} more agents")
    if about.cases:
        lines.append("")
    lines += [
        f"{quoted(one.tool, MAX_TOOL_CHARS)}, {one.urgency}, {time_left(one.seconds_left)} left: {one.page_url}"
        for one in about.cases
    ]
    if about.soonest_s is not None:
        lines += ["", f"The first to expire does so in {time_left(about.soonest_s)}."]
    lines += ["", "Decide in your inbox:"]
    return subject, lines


def _dead_letter(about: DeadLetter) -> tuple[str, list[str]]:
    name = quoted(about.person_name, MAX_NAME_CHARS)
    subject = f"signoff: alerts do not reach {name}"
    tries = f"{about.tries} {'try' if about.tries == 1 else 'tries'}"
    lines = [
        f"An alert to {name} over {about.channel} was given up after {tries}:",
        quoted(about.why, MAX_WHY_CHARS),
    ]
    if about.more:
        lines.append(f"{about.more} more to the same address within the hour.")
    lines += [
        "",
        f"Have the address checked (signoff people address), then: signoff alerts retry {about.alert_id}",
    ]
    return subject, lines


def _silence(about: Silence) -> tuple[str, list[str]]:
    count = f"{about.waiting} alert{'' if about.waiting == 1 else 's'}"
    seen = "never" if about.last_beat_at is None else f"at {to_text(about.last_beat_at)[:19]}Z"
    return f"signoff: {count} wait{'s' * (about.waiting == 1)} and nobody sends them", [
        f"{count} {'is' if about.waiting == 1 else 'are'} due since {to_text(about.since)[:19]}Z, and the process that"
        f" sends them was last seen {seen}.",
        "",
        "Look at the server: signoff doctor",
    ]


def _message(subject: str, lines: list[str], link: str, alert: Alert) -> Message:
    headers = {"X-Signoff-Alert": alert.id}
    if alert.escalation_id is not None:
        thread = f"<{alert.escalation_id}@signoff>"
        headers |= {"X-Signoff-Case": alert.escalation_id, "In-Reply-To": thread, "References": thread}
    return Message(subject, "\n".join(lines), _short(subject, link), headers)


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
