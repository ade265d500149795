"""axe-core, run in a page: what a machine can say about whether everybody can use it."""

from __future__ import annotations

from importlib import resources
from typing import Any

from playwright.async_api import Page

# Read as a file: the package around it is not typed, and nothing of it but the script is needed.
_SCRIPT = (resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_RUN = """(only) => axe.run(document, { resultTypes: ["violations"], runOnly: only })"""
SERIOUS = frozenset({"serious", "critical"})


async def barriers(page: Page, *, least: frozenset[str] = SERIOUS, of_colours: bool = False) -> list[str]:
    """Return what axe finds of these impacts, a line each: rule, impact, how it goes on, where.

    Args:
        of_colours: Look at contrasts only: nothing else differs between the light and the dark page.
    """
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(_SCRIPT)
    only = {"type": "rule", "values": ["color-contrast"]} if of_colours else {"type": "tag", "values": _RULES}
    told: dict[str, Any] = await page.evaluate(_RUN, only)
    return [
        f"{one['id']} ({one['impact']}): {one['help']}: {node['html'][:160]}"
        for one in told["violations"]
        if one["impact"] in least
        for node in one["nodes"]
    ]
