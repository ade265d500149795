"""The labels by which people tell their addresses apart, and which addresses take links.

push=ntfys://ntfy.example.com/omar-7fk2        a label and an Apprise URL
mailtos://…                                    without one, the kind of channel is the label: mail
"""

from __future__ import annotations

import re
from datetime import datetime

from signoff.domain.alert import TERMINAL
from signoff.domain.people import Person

SEALED = "sealed:"
"""What begins an address as it lies in the database (`store/sealing.py`); no channel takes one."""
LABEL = re.compile(r"[a-z][a-z0-9_-]{0,19}")
_LABELLED = re.compile(rf"({LABEL.pattern})=(.*)", re.DOTALL)
_KINDS = {
    "terminal": ("terminal",),
    "mail": ("mailto", "mailtos"),
    "push": ("ntfy", "ntfys", "gotify", "gotifys", "pover", "pbul", "webpush"),
    "sms": ("twilio", "vonage", "nexmo", "msgbird", "sinch", "sns"),
}
_KIND_OF = {schema: kind for kind, schemas in _KINDS.items() for schema in schemas}


def split_label(text: str) -> tuple[str, str]:
    """Return label and URL of `LABEL=URL`, or of a URL alone, whose label is its kind."""
    found = _LABELLED.fullmatch(text)
    return (found[1], found[2]) if found else (kind_of(text), text)


def kind_of(url: str) -> str:
    """Return the kind of channel behind an address: terminal, mail, push, sms or chat."""
    return _KIND_OF.get(url.partition(":")[0].lower(), "chat")


def takes_links(person: Person, url: str, now: datetime) -> bool:
    """Say whether a link that signs in as a person may go to an address: not where somebody else has just given it.

    Nor where it is none of theirs any more. The terminal belongs to whoever runs the server.
    """
    return url == TERMINAL or any(
        one.url == url and (one.no_links_until is None or now >= one.no_links_until)
        for one in person.addresses
    )
