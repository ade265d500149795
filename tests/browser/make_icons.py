"""Draws the icons of the installed app from the one drawing there is, `static/icon.svg`; run by `make icons`.

Home screens want PNG, and some cut a shape of their own out of it: for them the drawing fills the square and keeps
its mark within the inner circle of four fifths (W3C, Web App Manifest, "maskable").
"""

from __future__ import annotations

from pathlib import Path

import anyio
from playwright.async_api import async_playwright
from tests.browser.conftest import ARGUMENTS, CHROMIUM

STATIC = Path(__file__).parents[2] / "server" / "signoff" / "operators" / "static"
# Name, size, and how much of the square the drawing's own square fills; beyond 1 its rounded corners are cut off.
ICONS = [
    ("icon-192.png", 192, 1.0),
    ("icon-512.png", 512, 1.0),
    ("icon-maskable-512.png", 512, 1.25),
    ("icon-touch-180.png", 180, 1.25),
]


async def draw() -> None:
    """Write every icon beside its drawing."""
    drawing = (STATIC / "icon.svg").read_text(encoding="utf-8")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for name, size, fills in ICONS:
            page = await browser.new_page(viewport={"width": size, "height": size})
            # A mark that stays as large as in the drawing, on a square that reaches over the edges.
            inner = drawing.replace(
                '<rect width="26" height="26" rx="7"',
                f'<rect x="{13 - 13 * fills}" y="{13 - 13 * fills}" width="{26 * fills}" height="{26 * fills}" rx="{7 if fills == 1 else 0}"',
            )
            await page.set_content(
                f"<style>body{{margin:0}}svg{{display:block;width:{size}px;height:{size}px}}</style>{inner}"
            )
            await page.screenshot(path=STATIC / name, omit_background=True)
        await browser.close()


if __name__ == "__main__":
    anyio.run(draw)
