"""The design system's page: whoever may see it sees all of it."""

from __future__ import annotations

import re

import pytest
from tests.conftest import Cast
from tests.operators.conftest import NewVisitor, SignedIn, Visitor, text_of

from signoff.desk.desk import Desk
from signoff.desk.people import add_person
from signoff.operators.guard import HEADERS
from signoff.operators.render import load


@pytest.fixture
async def admin(desk: Desk, cast: Cast, signed_in: SignedIn) -> Visitor:
    await add_person(desk, "Dana", roles=["admin"])
    browser: Visitor = await signed_in("Dana")
    return browser


def sheet(name: str) -> str:
    text = load(lambda: None).static[name].decode("utf-8")
    return re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)


def classes_on(page: str) -> set[str]:
    return {name for found in re.findall(r'class="([^"]*)"', page) for name in found.split()}


APART = {
    "evidence.css": "an evidence file stands alone, with this sheet inside it: tests/browser/test_evidence.py looks at it"
}
"""Sheets whose components the page does not show, each with the reason."""


@pytest.mark.parametrize("name", [name for name in load(lambda: None).static if name.endswith(".css")])
async def test_every_component_of_every_page_is_shown(admin: Visitor, name: str) -> None:
    page = (await admin.get("/style")).text
    selectors = re.findall(r"([^{}]+)\{", sheet(name))
    there = {found for one in selectors for found in re.findall(r"\.([a-z][a-z0-9_-]*)", one)}

    missing = there - classes_on(page)
    linked = f"/{name}" in page
    assert (bool(missing), linked) == (name in APART, name not in APART), missing


async def test_no_two_components_on_it_have_one_id(admin: Visitor) -> None:
    ids = re.findall(r'\bid="([^"]*)"', (await admin.get("/style")).text)

    assert sorted(ids) == sorted(set(ids))


async def test_every_colour_is_shown_and_has_a_swatch_of_its_own(admin: Visitor) -> None:
    page = (await admin.get("/style")).text
    colours = set(re.findall(r"--([a-z0-9-]+): #", sheet("tokens.css")))

    assert {name.removeprefix("swatch--") for name in classes_on(page) if "swatch--" in name} == colours
    for name in colours:
        assert f".swatch--{name} {{ --it: var(--{name}); }}" in sheet("style.css")


async def test_no_style_names_a_colour_of_its_own() -> None:
    for name in load(lambda: None).static:
        if name.endswith(".css") and name not in ("tokens.css", "evidence.css"):
            on_screen = re.sub(r"@media print \{.*?\n\}", "", sheet(name), flags=re.DOTALL)
            assert re.findall(r"#[0-9a-fA-F]{3,8}\b(?![\w-]*\s*\{)|rgba?\(|hsl", on_screen) == [], name


@pytest.mark.parametrize("name", ["Omar", "Sofia", "Amir"])
async def test_only_admins_see_it(signed_in: SignedIn, name: str) -> None:
    browser = await signed_in(name)

    refused = await browser.get("/style")

    assert refused.status_code == 403
    assert "Only admins see the design system." in text_of(refused.text)


async def test_it_stands_under_the_same_policy_as_every_page(admin: Visitor, visitor: NewVisitor) -> None:
    assert (await admin.get("/style")).headers["content-security-policy"] == HEADERS[
        "Content-Security-Policy"
    ]
    assert (await visitor().get("/style")).status_code == 401
