"""The demo's person with `--auto`: opens the magic link and decides on the very pages that a browser gets.

Plain HTTP and the standard library's HTML parser. It sends what a browser would: the form's fields as they stand
in the page, its own Origin, and the cookie that opening the link gave it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlsplit

import anyio
import httpx2

from signoff.cli.story import Story

NOTE = "Both charges are in the ledger; one is hers."
READING_S = 1.5  # a decision within a second of looking is kept out of datasets, and rightly


class PageSurprise(Exception):
    """A page was not what a person would expect there."""


@dataclass(slots=True)
class Form:
    """One form of a page."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    """What a browser would send if the person touched nothing."""


class FormParser(HTMLParser):
    """Collects the forms of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._open: Form | None = None
        self._textarea: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take the start of a form or one of its fields."""
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(given.get("action", ""))
            self.forms.append(self._open)
        form = self._open
        name = given.get("name", "")
        if form is None or not name or "disabled" in given:
            return
        kind = given.get("type", "text")
        if tag == "textarea":
            form.fields[name] = ""
            self._textarea = name
        elif tag == "input" and (kind not in ("radio", "checkbox") or "checked" in given):
            form.fields[name] = given.get("value", "")

    def handle_data(self, data: str) -> None:
        """Take the text of a text area."""
        if self._open is not None and self._textarea is not None:
            held = self._open.fields[self._textarea]
            # HTML drops one line break at the start of a text area.
            self._open.fields[self._textarea] = held + (data if held else data.removeprefix("\n"))

    def handle_endtag(self, tag: str) -> None:
        """Close what is open."""
        if tag == "form":
            self._open = None
        elif tag == "textarea":
            self._textarea = None


async def play_person(link: str, story: Story) -> None:
    """Open a magic link and approve its case.

    Args:
        link: As it stands in the alert, secret included.

    Raises:
        PageSurprise: A page was not as expected.
    """
    parts = urlsplit(link)
    origin = f"{parts.scheme}://{parts.netloc}"
    own = {"Origin": origin, "Sec-Fetch-Site": "same-origin"}
    async with httpx2.AsyncClient(base_url=origin, follow_redirects=True, timeout=30.0) as browser:
        # What stands after the # is never sent by a GET: no proxy, scanner or log on the way sees the secret.
        door = await browser.get(parts.path)
        story.say(
            "person",
            "I open the link. That alone decides nothing: a mail scanner may do it too.",
        )
        form = _form(door, lambda form: form.action.endswith(parts.path))
        opened = await browser.post(form.action, data={**form.fields, "secret": parts.fragment}, headers=own)
        story.say(
            "person",
            "One click, and I see what would run, why it was stopped, and what the agent thought.",
        )
        form = _form(opened, _approves)
        await anyio.sleep(READING_S)
        sent = {**form.fields, "note": NOTE}
        decided = await browser.post(form.action, data=sent, headers=own)
        if decided.status_code != 200 or any(map(_approves, _forms(decided))):
            raise PageSurprise(f"the decision was not taken (status {decided.status_code})")
        story.say("person", f"I approve, with a reason: “{NOTE}”")


def _approves(form: Form) -> bool:
    return form.action.endswith("/decide") and form.fields.get("choice") == "approve"


def _form(page: httpx2.Response, wanted: Callable[[Form], bool]) -> Form:
    if page.status_code != 200:
        raise PageSurprise(f"{page.url.path} was answered with {page.status_code}")
    for form in _forms(page):
        if wanted(form):
            return form
    raise PageSurprise(f"{page.url.path} has not the form that was expected")


def _forms(page: httpx2.Response) -> list[Form]:
    parser = FormParser()
    parser.feed(page.text)
    return parser.forms
