"""Templates and static files, loaded once; every English word of the pages stands in `templates/`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import resources
from typing import Any

from jinja2 import BytecodeCache, Environment, PackageLoader, StrictUndefined
from jinja2.bccache import Bucket
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from signoff.domain.characters import pieces
from signoff.domain.errors import NotFound
from signoff.domain.shown_address import masked
from signoff.operators import present
from signoff.operators.areas import Navigation, here
from signoff.operators.trace import duration

MEDIA_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}
FOR_EVER = "public, max-age=31536000, immutable"


class _Compiled(BytecodeCache):
    """Templates that this process compiled: each app has an environment of its own, and all have the same templates."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill a bucket from what is kept."""
        kept = self._kept.get(bucket.key)
        if kept is not None:
            bucket.bytecode_from_string(kept)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what a bucket holds."""
        self._kept[bucket.key] = bucket.bytecode_to_string()


_COMPILED = _Compiled()


@dataclass(frozen=True)
class Render:
    """Makes pages and hands out static files."""

    environment: Environment
    static: Mapping[str, bytes]
    digest: str
    """Over all static files: it is part of their address, so a browser may keep them for ever."""
    read_only: Callable[[], str | None] = lambda: None
    """Why nothing is stored now, for every page to say; None where everything is as it should be."""

    def page(self, name: str, values: Mapping[str, Any], *, status: int = 200) -> Response:
        """Return a page made from a template; every value in it is escaped."""
        made = self.environment.get_template(name).render(
            {"now": None, "person": here().person, "read_only": self.read_only(), **values}
        )
        return HTMLResponse(made, status_code=status)

    def colours(self) -> list[str]:
        """Return the names of the design tokens that are colours."""
        tokens = self.static["tokens.css"].decode("utf-8")
        return list(dict.fromkeys(re.findall(r"--([a-z0-9-]+): #", tokens)))

    def lead_to(self, served: Iterable[str]) -> None:
        """Offer the areas whose entrances are among the paths that answer a GET."""
        self.environment.globals["areas"] = Navigation(served).entries

    async def file(self, request: Request) -> Response:
        """Return a static file.

        Raises:
            NotFound: No such file in this version.
        """
        name, digest = request.path_params["name"], request.path_params["digest"]
        if digest != self.digest or name not in self.static:
            raise NotFound("There is no such file.")
        suffix = name[name.rindex(".") :]
        return Response(
            self.static[name], media_type=MEDIA_TYPES[suffix], headers={"Cache-Control": FOR_EVER}
        )


def load(read_only: Callable[[], str | None]) -> Render:
    """Read all static files and make the environment for the templates."""
    folder = resources.files("signoff.operators") / "static"
    static = {
        file.name: file.read_bytes()
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.endswith(tuple(MEDIA_TYPES))
    }
    whole = hashlib.sha256()
    for name, data in static.items():
        whole.update(f"{name}\n{len(data)}\n".encode() + data)
    digest = whole.hexdigest()[:16]
    environment = Environment(
        loader=PackageLoader("signoff.operators"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        bytecode_cache=_COMPILED,
    )
    environment.filters.update(
        shown=present.shown,
        argument=lambda text: present.shown(text, edges=True),
        pieces=pieces,
        from_right=present.from_right,
        span=present.span,
        seconds=lambda seconds: present.span(timedelta(seconds=seconds)),
        instant=present.instant,
        machine=present.machine_instant,
        rows=present.rows,
        json_text=present.json_text,
        kind=present.kind_of,
        at=_at,
        duration=duration,
        masked_address=masked,
    )
    environment.globals["asset"] = lambda name: f"/static/{digest}/{name}"
    environment.globals["here"] = here
    return Render(environment, static, digest, read_only)


def _at(text: str) -> datetime:
    """Read the time of an event."""
    return datetime.fromisoformat(text)
