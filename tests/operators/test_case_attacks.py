"""Whatever agents and customers write: it becomes no element, no attribute, and nothing in it stays unseen."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from tests._support.attacks import HIDDEN, LOOKALIKES, PAYLOADS, everywhere
from tests.conftest import Cast
from tests.operators.conftest import SignedIn, Visitor, ask

from signoff.desk.desk import Desk
from signoff.domain.characters import pieces

CONTROLS = {"input", "textarea", "option", "select"}
"""In these stands what is sent back: it must be what the agent sent, to the letter."""
OURS = {
    "a", "aside", "b", "body", "button", "code", "dd", "details", "div", "dl", "dt", "fieldset", "form", "h1", "h2",
    "h3", "head", "header", "html", "input", "label", "legend", "li", "link", "main", "meta", "nav", "ol", "option", "p",
    "path", "pre", "rect", "script", "section", "select", "span", "summary", "svg", "table", "tbody", "td", "template", "textarea", "bdi", "circle", "kbd", "dialog", "noscript",
    "th", "thead", "time", "title", "tr", "ul",
}  # fmt: skip


class Page(HTMLParser):
    """What a browser makes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.said: list[str] = []
        self.open_controls = 0
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.open_controls += tag in ("textarea", "option")

    def handle_endtag(self, tag: str) -> None:
        self.open_controls -= tag in ("textarea", "option")

    def handle_data(self, data: str) -> None:
        if not self.open_controls:
            self.said.append(data)


PARTS = ("", "/modify", "/parts/action", "/parts/steps", "/parts/messages", "/parts/value?at=/arguments",
         "/parts/value?at=/arguments/text", "/parts/value?at=/bundle/state")  # fmt: skip


async def pages_of(omar: Visitor, case: str, parts: tuple[str, ...] = PARTS) -> list[Page]:
    made = []
    for part in parts:
        response = await omar.get(f"/cases/{case}{part}")
        assert response.status_code == 200, part
        made.append(Page(response.text))
    return made


@pytest.mark.parametrize("payload", PAYLOADS)
async def test_an_attack_in_every_field_is_text_on_every_page(
    desk: Desk, cast: Cast, signed_in: SignedIn, payload: str
) -> None:
    action, bundle, schema = everywhere(payload)
    case = await ask(desk, cast.ada, action, bundle, response_schema=schema)
    omar = await signed_in("Omar")

    pages = await pages_of(omar, case)

    for page in pages:
        assert set(page.tags) <= OURS
        for tag, name, value in page.attributes:
            assert not name.startswith("on"), (tag, name)
            assert name not in ("style", "srcdoc", "formtarget"), (tag, name)
            if name in ("href", "src", "action", "formaction"):
                assert value.startswith(("/", "#")), (tag, name, value)
            if name in ("id", "class", "name", "for", "form", "aria-label", "title"):
                assert "<" not in value, (tag, name, value)
                assert "javascript" not in value, (tag, name, value)
        assert sum(tag == "script" for tag in page.tags) <= 5
    said = "".join(pages[0].said)
    expected = "".join(piece.text for piece in pieces(payload)).strip()
    assert said.count(expected) >= 20


@pytest.mark.parametrize("name", HIDDEN)
async def test_a_character_that_nobody_sees_is_marked_in_every_field(
    desk: Desk, cast: Cast, signed_in: SignedIn, name: str
) -> None:
    character = HIDDEN[name]
    text = f"pay{character}now"
    mark = f"pay⟦U+{ord(character):04X}⟧now"
    action, bundle, schema = everywhere(text)
    case = await ask(desk, cast.ada, action, bundle, response_schema=schema)
    omar = await signed_in("Omar")

    pages = await pages_of(omar, case, PARTS[:5])

    for page in pages:
        assert character not in "".join(page.said).replace("\r\n", "")
        for tag, attribute, value in page.attributes:
            assert character not in value or (tag in CONTROLS and attribute in ("value", "data-old", "data-key")), (
                tag, attribute, value,
            )  # fmt: skip
    case_page, _, action_part = pages[:3]
    assert "".join(case_page.said).count(mark) >= 40
    assert "Look here first" in "".join(case_page.said)
    assert mark in "".join(action_part.said) or "pay\\" in "".join(action_part.said)  # as JSON writes it


@pytest.mark.parametrize("name", LOOKALIKES)
async def test_a_letter_that_imitates_another_is_marked_in_every_field(
    desk: Desk, cast: Cast, signed_in: SignedIn, name: str
) -> None:
    text = f"send it to {LOOKALIKES[name]} today"
    mark = "".join(piece.text for piece in pieces(text))
    assert "⟦" in mark
    action, bundle, schema = everywhere(text)
    case = await ask(desk, cast.ada, action, bundle, response_schema=schema)
    omar = await signed_in("Omar")

    for page in await pages_of(omar, case, PARTS[:5]):
        assert text not in "".join(page.said)
    said = "".join(Page((await omar.get(f"/cases/{case}")).text).said)
    assert said.count(mark) >= 30


async def test_spaces_at_the_end_and_stacked_marks_are_seen(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    arguments = {
        "amount": 12000,
        "country": "FR ",
        "zalgo": "a" + "\u0301" * 9,
        "file_path": "x",
        "content": "a\nb \t\n",
    }
    case = await ask(desk, cast.ada, {"tool": "wire_transfer", "arguments": arguments})
    omar = await signed_in("Omar")

    said = "".join(Page((await omar.get(f"/cases/{case}")).text).said)

    assert "FR⟦space x 1⟧" in said
    assert "⟦U+0301⟧" in said
    assert "b⟦space x 2⟧" in said
