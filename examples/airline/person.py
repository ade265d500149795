"""The people's side: a browser without a screen that opens the link of an alert and uses the case page."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlsplit

import httpx2

LINK = re.compile(r"https?://\S+/d/\S+#\S+")


@dataclass
class Form:
    """A form as it stands in a page."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    """What a browser would send if nothing were touched."""


class Page(HTMLParser):
    """Reads the forms of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._text_of: str | None = None
        self._inside = False
        self._skipped = 0
        """How many elements deep in the fields of the arguments; here they are changed as JSON."""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "div" and (self._skipped or given.get("class") == "arguments"):
            self._skipped += 1
        if tag == "form":
            self.forms.append(Form(given.get("action", "")))  # a dialog's goes nowhere
            self._inside = True
        name = given.get("name")
        if not self._inside or self._skipped or name is None or tag not in ("input", "textarea"):
            return
        form = self.forms[-1]
        form.fields[name] = given.get("value", "")
        if tag == "textarea":
            self._text_of = name

    def handle_data(self, data: str) -> None:
        if self._text_of is not None:
            # The first line break in a text area belongs to the markup (HTML standard, "textarea").
            known = self.forms[-1].fields[self._text_of]
            self.forms[-1].fields[self._text_of] = known + (data if known else data.removeprefix("\n"))

    def handle_endtag(self, tag: str) -> None:
        if tag == "div" and self._skipped:
            self._skipped -= 1
        if tag == "form":
            self._inside = False
        if tag == "textarea":
            self._text_of = None

    def form(self, *, ending: str, **fields: str) -> Form:
        """Find the form that goes to an address and carries some values."""
        for one in self.forms:
            if one.action.endswith(ending) and fields.items() <= one.fields.items():
                return one
        raise RuntimeError(f"there is no form for {ending} with {fields}")


class Browser:
    """One person's browser."""

    def __init__(self, http: httpx2.AsyncClient, name: str) -> None:
        self.name = name
        self._http = http

    async def open(self, alert: str) -> Page:
        """Follow the link in an alert to its case, as a click does."""
        found = LINK.search(alert)
        if found is None:
            raise RuntimeError(f"the alert to {self.name} has no link")
        link = urlsplit(found[0])
        door = Page(await self._get(link.path)).form(ending=link.path)
        return Page(await self._post(door.action, {**door.fields, "secret": link.fragment}))

    async def approve(self, page: Page, note: str) -> None:
        """Approve the action as it was proposed."""
        form = page.form(ending="/decide", choice="approve")
        await self._decide(form, {"note": note} if "note" in form.fields else {}, "You approved this.")

    async def reject(self, page: Page, note: str) -> None:
        """Reject the action; the agent reads the note."""
        form = page.form(ending="/decide", choice="reject")
        await self._decide(form, {"note": note}, "You rejected this.")

    async def modify(self, page: Page, changed: dict[str, object], note: str) -> None:
        """Change arguments, look at the preview, and approve that."""
        form = page.form(ending="/decide", choice="modify")
        sent = {"raw": json.dumps({**json.loads(form.fields["raw"]), **changed}), "note": note}
        preview = form.action.removesuffix("/decide") + "/preview"
        shown = Page(await self._post(preview, {**form.fields, **sent}))
        await self._decide(shown.form(ending="/decide"), {}, "You approved this with changes.")

    async def _decide(self, form: Form, filled: dict[str, str], expected: str) -> None:
        if expected not in await self._post(form.action, {**form.fields, **filled}):
            raise RuntimeError(f"the page does not say: {expected}")

    async def _get(self, path: str) -> str:
        return _read(await self._http.get(path))

    async def _post(self, path: str, fields: dict[str, str]) -> str:
        own = {"Origin": str(self._http.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
        return _read(await self._http.post(path, data=fields, headers=own))


def _read(response: httpx2.Response) -> str:
    if response.status_code != 200:
        raise RuntimeError(f"{response.url.path} answered {response.status_code}")
    return response.text
