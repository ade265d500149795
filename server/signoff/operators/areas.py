"""The areas of the pages: what stands in the navigation, for whom, and which one a page belongs to.

Every page gets it without asking: the guard notes the path that is answered, and `who` whoever asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass

from signoff.domain.people import Person, Role, SignIn


@dataclass(frozen=True, slots=True)
class Area:
    """One entry of the navigation."""

    title: str
    entrances: Mapping[str, frozenset[Role] | None]
    """Where one comes in, by role; None for everybody. The first that is served and fits is meant."""
    parts: tuple[str, ...]
    """What the paths of its pages begin with."""


# Who sees an entry; what somebody may not do, each page refuses by itself.
AREAS = (
    Area("Inbox", {"/": None}, ("/cases/", "/alike", "/together")),
    Area("Audit", {"/audit": frozenset({"auditor", "supervisor", "admin"})}, ("/audit",)),
    Area("Stats", {"/stats": None}, ("/stats", "/canaries")),
    Area(
        "Admin",
        {
            "/admin": frozenset({"admin"}),
            "/admin/agents": frozenset({"supervisor"}),
            "/admin/policy": frozenset({"auditor"}),
        },
        ("/admin", "/people", "/style"),
    ),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as one person meets it on one page."""

    title: str
    path: str
    current: bool
    """The page itself is the entrance, or one of the pages behind it."""
    is_page: bool
    """The page is the entrance."""


@dataclass
class Here:
    """What is answered now, and to whom."""

    path: str
    sign_in: SignIn | None = None

    @property
    def person(self) -> Person | None:
        """Return the person, if this session opens more than one case."""
        return self.sign_in.person if self.sign_in is not None and self.sign_in.only_case is None else None


_here: ContextVar[Here | None] = ContextVar("here", default=None)


def note_path(path: str) -> None:
    """Note what is answered from here on in this task."""
    _here.set(Here(path))


def note_sign_in(sign_in: SignIn) -> None:
    """Note who it is answered to."""
    here = _here.get()
    if here is not None:
        here.sign_in = sign_in


def here() -> Here:
    """Return what is answered now."""
    return _here.get() or Here("")


class Navigation:
    """The areas whose entrances are served."""

    def __init__(self, served: Iterable[str]) -> None:
        """Take the paths that answer a GET."""
        self._served = frozenset(served)

    def entries(self) -> list[Entry]:
        """Return the areas for whoever is here; none for strangers, and none for a link that opens one case."""
        at = here()
        if at.person is None:
            return []
        found = [(area, self._entrance(area, at.person)) for area in AREAS]
        return [
            Entry(area.title, entrance, _is_in(at.path, area, entrance), at.path == entrance)
            for area, entrance in found
            if entrance is not None
        ]

    def _entrance(self, area: Area, person: Person) -> str | None:
        for path, roles in area.entrances.items():
            if path in self._served and (roles is None or roles & person.roles):
                return path
        return None


def _is_in(path: str, area: Area, entrance: str) -> bool:
    return path == entrance or any(
        path == part or path.startswith(part if part.endswith("/") else f"{part}/") for part in area.parts
    )
