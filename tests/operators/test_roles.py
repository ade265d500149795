"""The table of roles: every role, every verb and every field, through the pages and at the desk.

    operator     own queues, with the policy's masks; decides within what a trigger requires, acknowledges, hands over
    supervisor   all queues; the same, and reassigns, overrides, decides what operators may not, pauses an agent
    auditor      every case; decides nothing
    admin        no case

Roles add up: what one of them may do or see is enough, and no more than what one of them may.
"""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp
from tests.conftest import Cast
from tests.operators.conftest import SignedIn, Visitor, ask, case_link, text_of
from tests.promises import promise

from signoff.alerts.channels import Channels
from signoff.app.alerting import alerting
from signoff.desk.addresses import health_of_addresses
from signoff.desk.checkpoints import publish_checkpoint
from signoff.desk.desk import Desk, DeskSettings
from signoff.desk.inbox import inbox
from signoff.desk.look import look
from signoff.desk.people import add_agent, add_person
from signoff.domain.errors import NotFound
from signoff.domain.people import Role, SignIn
from signoff.operators.web import build_pages

POLICY = """\
version: 1
queues:
  payments:
    tiers: [{alert: [role:operator]}]
  refunds:
    tiers: [{alert: [role:operator]}]
triggers:
  - {id: wire, tools: [wire_transfer], then: escalate, queue: payments}
  - {id: big, tools: [big_wire], then: escalate, queue: payments, require: {role: supervisor}}
"""


@dataclass(frozen=True)
class Viewer:
    """Somebody with some roles, and what is expected of them."""

    roles: tuple[Role, ...]
    queues: tuple[str, ...] = ()
    sees: bool = True
    decides: bool = False
    supervises: bool = False


VIEWERS = {
    "an operator of the queue": Viewer(("operator",), ("payments", "other"), decides=True),
    "an operator of every queue": Viewer(("operator",), decides=True),
    "an operator of another queue": Viewer(("operator",), ("refunds",), sees=False),
    "a supervisor": Viewer(("supervisor",), decides=True, supervises=True),
    "a supervisor of another queue": Viewer(("supervisor",), ("refunds",), decides=True, supervises=True),
    "an auditor": Viewer(("auditor",)),
    "an admin": Viewer(("admin",), sees=False),
    "an admin and operator": Viewer(("admin", "operator"), ("payments",), decides=True),
    "an admin and operator of another queue": Viewer(("admin", "operator"), ("refunds",), sees=False),
    "an admin and auditor": Viewer(("admin", "auditor")),
    "an auditor and operator of another queue": Viewer(("auditor", "operator"), ("refunds",)),
    "a supervisor and auditor": Viewer(("auditor", "supervisor"), decides=True, supervises=True),
    "everything at once": Viewer(
        ("operator", "supervisor", "auditor", "admin"), decides=True, supervises=True
    ),
}


@pytest.fixture
def settings() -> DeskSettings:
    return DeskSettings(base_url="http://127.0.0.1:8717", undo_s=10)


@pytest.fixture
def policy_path(tmp_path: Any) -> Any:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY, encoding="utf-8")
    return path


@pytest.fixture
def pages(desk: Desk) -> ASGIApp:
    return build_pages(desk, alerting(desk, Channels(io.StringIO())))


@dataclass
class Stage:
    """A viewer before a case that is theirs to try, and a colleague to hand it to."""

    desk: Desk
    browser: Visitor
    viewer: SignIn
    colleague: SignIn
    case: str

    async def fields(self) -> dict[str, str]:
        """Return what a form of the case page carries; of the colleague's page for whoever sees none."""
        try:
            view = await look(self.desk, self.viewer, self.case)
        except NotFound:
            view = await look(self.desk, self.colleague, self.case)
        return {"version": str(view.case.version), "view_digest": view.view_digest}

    async def post(self, verb: str, **more: str) -> httpx.Response:
        return await self.browser.post(f"/cases/{self.case}/{verb}", data={**await self.fields(), **more})

    async def decided_by_the_colleague(self) -> None:
        from tests._support.cases import approve

        await approve(self.desk, self.colleague, self.case)


Verb = Callable[[Stage], Awaitable[httpx.Response]]
CHANGED = {"a0": "11000", "a1": "FR"}


async def _undo_anothers(stage: Stage) -> httpx.Response:
    await stage.decided_by_the_colleague()
    return await stage.browser.post(f"/cases/{stage.case}/undo")


async def _undo_ones_own(stage: Stage) -> httpx.Response:
    decided = await stage.post("decide", choice="approve")
    if decided.status_code != 303:
        return decided
    undone = await stage.browser.post(f"/cases/{stage.case}/undo")
    assert (await look(stage.desk, stage.viewer, stage.case)).case.is_open
    return undone


SEES, DECIDES, SUPERVISES, NOBODY = "sees", "decides", "supervises", "nobody"
VERBS: dict[str, tuple[str, str, Verb]] = {
    "look": ("/cases/{escalation_id}", SEES, lambda one: one.browser.get(f"/cases/{one.case}")),
    "look at an image": (
        "/cases/{escalation_id}/attachments/{number}",
        SEES,
        lambda one: one.browser.get(f"/cases/{one.case}/attachments/0"),
    ),
    "look at a part": (
        "/cases/{escalation_id}/parts/{part}",
        SEES,
        lambda one: one.browser.get(f"/cases/{one.case}/parts/action"),
    ),
    "look at the form": (
        "/cases/{escalation_id}/modify",
        SEES,
        lambda one: one.browser.get(f"/cases/{one.case}/modify"),
    ),
    "approve": (
        "/cases/{escalation_id}/decide",
        DECIDES,
        lambda one: one.post("decide", choice="approve"),
    ),
    "reject": (
        "/cases/{escalation_id}/decide",
        DECIDES,
        lambda one: one.post("decide", choice="reject", note="No"),
    ),
    "modify": (
        "/cases/{escalation_id}/decide",
        DECIDES,
        lambda one: one.post("decide", choice="modify", note="Less", **CHANGED),
    ),
    "preview": (
        "/cases/{escalation_id}/preview",
        SEES,
        lambda one: one.post("preview", note="Less", **CHANGED),
    ),
    "ask the agent": (
        "/cases/{escalation_id}/ask",
        DECIDES,
        lambda one: one.post("ask", question="Is the account known?"),
    ),
    "see how a question stands": (
        "/cases/{escalation_id}/questions",
        SEES,
        lambda one: one.browser.get(f"/cases/{one.case}/questions"),
    ),
    "change a form": (
        "/cases/{escalation_id}/form",
        SEES,
        lambda one: one.post("form", choice="modify", edit="check"),
    ),
    "see what a form changes": (
        "/cases/{escalation_id}/changes",
        SEES,
        lambda one: one.post("changes", **CHANGED),
    ),
    "undo one's own": ("/cases/{escalation_id}/undo", DECIDES, _undo_ones_own),
    "undo another's": ("/cases/{escalation_id}/undo", NOBODY, _undo_anothers),
    "acknowledge": ("/cases/{escalation_id}/acknowledge", DECIDES, lambda one: one.post("acknowledge")),
    "hand over": (
        "/cases/{escalation_id}/hand-over",
        DECIDES,
        lambda one: one.post("hand-over", to=one.colleague.person.id),
    ),
    "reassign": (
        "/cases/{escalation_id}/reassign",
        SUPERVISES,
        lambda one: one.post("reassign", to=one.colleague.person.id),
    ),
    "move to a queue": (
        "/cases/{escalation_id}/reassign",
        SUPERVISES,
        lambda one: one.post("reassign", queue="refunds"),
    ),
    "override": ("/cases/{escalation_id}/override", SUPERVISES, lambda one: one.post("override")),
    "pause the agent": (
        "/cases/{escalation_id}/pause-agent",
        SUPERVISES,
        lambda one: one.post("pause-agent"),
    ),
}
"""The route, who may, and how it is done; the pages have no other verb on a case, as a test holds."""
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
IMAGE = {"attachments": [{"name": "a.png", "media_type": "image/png", "data": PIXEL}]}


def may(viewer: Viewer, needed: str) -> bool:
    """Say whether a viewer may do what needs to see, to decide or to supervise."""
    return {SEES: viewer.sees, DECIDES: viewer.decides, SUPERVISES: viewer.supervises, NOBODY: False}[needed]


async def state_of(desk: Desk, case: str) -> tuple[Any, Any]:
    async with desk.store.reading() as reader:
        found = await reader.case(case)
        assert found is not None
        return found, await reader.agent(found.agent_id)


@pytest.fixture
async def colleague(desk: Desk, cast: Cast) -> SignIn:
    return SignIn(await add_person(desk, "Olga", roles=["operator"]), "session")


@promise("only-that-human")
@pytest.mark.parametrize("name", VIEWERS)
async def test_each_role_may_do_what_the_table_says_and_nothing_else(
    desk: Desk, cast: Cast, signed_in: SignedIn, colleague: SignIn, name: str
) -> None:
    viewer = VIEWERS[name]
    person = await add_person(desk, "Vera", roles=viewer.roles, queues=viewer.queues)
    browser: Visitor = await signed_in("Vera")
    for verb, (_, needed, do) in VERBS.items():
        agent, _ = await add_agent(desk, f"agent for {verb}", owner=None)
        case = await ask(desk, agent, material=IMAGE)
        stage = Stage(desk, browser, SignIn(person, "session"), colleague, case)
        before = await state_of(desk, case)

        response = await do(stage)

        after = await state_of(desk, case)
        if verb == "undo another's":
            before = after  # the colleague's decision, which stands
            assert after[0].status == "approved"
        if may(viewer, needed):
            assert response.status_code in (200, 303), (verb, text_of(response.text))
            assert (after != before) is (needed != SEES), verb
        else:
            assert response.status_code == (403 if viewer.sees else 404), (verb, text_of(response.text))
            assert after == before, verb


@promise("only-that-human")
async def test_what_needs_a_supervisor_no_other_role_decides(
    desk: Desk, cast: Cast, signed_in: SignedIn, colleague: SignIn
) -> None:
    for number, (name, viewer) in enumerate(VIEWERS.items()):
        person = await add_person(desk, f"Vera {number}", roles=viewer.roles, queues=viewer.queues)
        browser: Visitor = await signed_in(person.name)
        for verb in ("approve", "reject", "modify", "acknowledge", "hand over"):
            case = await ask(
                desk, cast.bea, {"tool": "big_wire", "arguments": {"amount": 12000, "country": "FR"}}
            )
            supervisor = replace(cast.sofia)
            response = await VERBS[verb][2](Stage(desk, browser, SignIn(person, "session"), supervisor, case))
            wanted = 303 if viewer.supervises else 403 if viewer.sees else 404
            assert response.status_code == wanted, (name, verb, text_of(response.text))


@promise("only-that-human")
@pytest.mark.parametrize("name", VIEWERS)
async def test_an_inbox_lists_what_its_person_sees(
    desk: Desk, cast: Cast, signed_in: SignedIn, name: str
) -> None:
    viewer = VIEWERS[name]
    person = await add_person(desk, "Vera", roles=viewer.roles, queues=viewer.queues)
    case = await ask(desk, cast.ada)

    listed = [line.case.id for line in (await inbox(desk, SignIn(person, "session"))).pending]
    page = await (await signed_in("Vera")).get("/")

    assert (case in listed) is viewer.sees
    assert page.status_code == 200
    assert (case in page.text) is viewer.sees


@promise("only-that-human")
async def test_whoever_is_not_signed_in_may_nothing(
    desk: Desk, cast: Cast, visitor: Callable[[], Visitor], colleague: SignIn
) -> None:
    stranger = SignIn(replace(cast.omar.person, roles=frozenset()), "session")
    for verb, (_, _, do) in VERBS.items():
        case = await ask(desk, cast.bea, material=IMAGE)
        response = await do(Stage(desk, visitor(), stranger, colleague, case))
        assert response.status_code == 401, verb
    assert (await visitor().get("/")).status_code == 401


async def test_the_table_holds_every_verb_that_a_case_page_has(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    routes: list[Route] = []

    def noted(**given: Any) -> Starlette:
        routes.extend(given["routes"])
        return Starlette(**given)

    monkeypatch.setattr("signoff.operators.web.Starlette", noted)
    build_pages(desk)

    # Whoever has no passkey gets no challenge, whatever their role (test_passkeys.py); it decides nothing.
    assert {one.path for one in routes if one.path.startswith("/cases/")} == {
        "/cases/{escalation_id}/challenge",
        *(path for path, _, _ in VERBS.values()),
    }


ADMINS, READERS_OF_THE_LOG = frozenset[Role]({"admin"}), frozenset[Role]({"admin", "auditor"})
OTHER_PAGES: dict[tuple[str, str], frozenset[Role] | None] = {
    ("GET", "/"): None,
    ("GET", "/settings"): None,
    ("POST", "/settings/test"): None,
    ("GET", "/admin/alerts"): ADMINS,
    ("POST", "/admin/alerts/test"): ADMINS,
    ("GET", "/audit/tile/entries/000.p/5"): READERS_OF_THE_LOG,
}
"""Pages about no case: method, path, and which roles may; None stands for everybody who is signed in."""


@promise("only-that-human")
@pytest.mark.parametrize("name", VIEWERS)
async def test_each_role_may_use_the_pages_of_its_role_and_no_others(
    desk: Desk, cast: Cast, signed_in: SignedIn, name: str
) -> None:
    viewer = VIEWERS[name]
    await add_person(desk, "Vera", roles=viewer.roles, queues=viewer.queues)
    browser: Visitor = await signed_in("Vera")
    await publish_checkpoint(desk)
    whose = {one.person.name: one for one in await health_of_addresses(desk)}
    for (method, path), roles in OTHER_PAGES.items():
        tested = whose["Omar" if roles else "Vera"]

        response = await browser.request(
            method, path, data={"address": tested.id} if method == "POST" else None
        )

        allowed = roles is None or bool(roles & set(viewer.roles))
        wanted = 403 if not allowed else 303 if method == "POST" else 200
        assert response.status_code == wanted, (path, text_of(response.text))
        if method == "POST":
            now = {one.id: one.health.state for one in await health_of_addresses(desk)}
            assert (now[tested.id] == "good") is allowed, path


@promise("only-that-human")
async def test_a_stranger_and_a_magic_link_open_no_page_about_no_case(
    desk: Desk, cast: Cast, visitor: Callable[[], Visitor]
) -> None:
    await add_person(desk, "Vera", roles=["operator", "supervisor", "auditor", "admin"])
    await ask(desk, cast.ada)
    linked = visitor()
    assert (await linked.open_link(await case_link(desk, "Vera"))).status_code == 303
    address = next(one.id for one in await health_of_addresses(desk) if one.person.name == "Vera")
    for method, path in OTHER_PAGES:
        data = {"address": address} if method == "POST" else None
        assert (await visitor().request(method, path, data=data)).status_code == 401, path
        wanted = 303 if path == "/" else 403  # back to its case
        assert (await linked.request(method, path, data=data)).status_code == wanted, path


FIELDS: dict[str, tuple[str, str]] = {
    "action.arguments.iban": ("DE02-canary-iban", ""),
    "bundle.reasoning": ("canary-thought", ""),
    "bundle.messages[*].content": ("canary-message", ""),
    "bundle.state": ("canary-state", ""),
    "bundle.subject.id": ("canary-subject-id", ""),
    "bundle.subject.name": ("canary-subject-name", ""),
    "bundle.confidence": ("0.4321", "43%"),
    "bundle.confidence_source": ("ensemble", "from several models"),
    "bundle.alternatives": ("canary_alternative", ""),
    "bundle.risk.blast_radius": ("canary-radius", ""),
    "bundle.attachments": ("canary-attachment", ""),
    "bundle.wants_human": ("canary-wish", ""),
    "bundle.session_id": ("canary-session", ""),
}
"""Each place that a mask can hide: what stands there, and what the page makes of it."""
FILLED = {
    "reasoning": [{"kind": "thought", "text": "canary-thought"}],
    "messages": [{"role": "user", "content": "canary-message"}],
    "state": {"step": "canary-state"},
    "subject": {"id": "canary-subject-id", "name": "canary-subject-name"},
    "confidence": 0.4321,
    "confidence_source": "ensemble",
    "alternatives": [{"tool": "canary_alternative"}],
    "risk": {"blast_radius": "canary-radius"},
    "attachments": [{"name": "note", "media_type": "text/plain", "data": "canary-attachment"}],
    "wants_human": "canary-wish",
    "session_id": "canary-session",
}
ACTION = {"tool": "pay", "arguments": {"iban": "DE02-canary-iban", "amount": 5}}
HIDE_FROM: tuple[tuple[Role, ...], ...] = (
    ("operator",),
    ("auditor",),
    ("supervisor",),
    ("operator", "auditor"),
    ("operator", "supervisor", "auditor"),
)
READERS: tuple[tuple[Role, ...], ...] = (
    ("operator",),
    ("supervisor",),
    ("auditor",),
    ("operator", "admin"),
    ("operator", "auditor"),
    ("supervisor", "auditor"),
    ("operator", "supervisor", "auditor", "admin"),
)


@promise("only-that-human")
@pytest.mark.parametrize("turn", range(len(HIDE_FROM)))
async def test_each_role_sees_each_field_unless_the_policy_hides_it_from_all_their_roles(
    desk: Desk, cast: Cast, signed_in: SignedIn, policy_path: Any, turn: int
) -> None:
    """Over the five turns, every field is hidden from every set of roles once, before every reader."""
    hidden_from = {path: HIDE_FROM[(number + turn) % len(HIDE_FROM)] for number, path in enumerate(FIELDS)}
    masks = "".join(
        f'  - {{path: "{path}", hide_from: [{", ".join(roles)}]}}\n' for path, roles in hidden_from.items()
    )
    triggers = (
        "triggers:\n  - {id: pay, tools: [pay], when: \"action.arguments.iban != ''\", then: escalate}\n"
    )
    policy_path.write_text(f"version: 1\nmasks:\n{masks}{triggers}", encoding="utf-8")
    desk.policy.current()
    assert desk.policy.problem is None
    case = await ask(desk, cast.ada, ACTION, FILLED)
    for number, roles in enumerate(READERS):
        person = await add_person(desk, f"Reader {number}", roles=roles)
        view = await look(desk, SignIn(person, "session"), case)
        browser: Visitor = await signed_in(person.name)
        page = (await browser.get(f"/cases/{case}")).text
        carried = {"version": str(view.case.version), "view_digest": view.view_digest}
        sent = {f"a{list(view.proposed_arguments).index('amount')}": "4", "note": "Less"}
        change = await browser.post(f"/cases/{case}/preview", data={**carried, **sent})
        assert change.status_code == 200, text_of(change.text)
        elsewhere = (await browser.get("/")).text + change.text
        for path, (value, shown) in FIELDS.items():
            visible = not set(roles) - {"admin"} <= set(hidden_from[path])
            assert (value in str((view.document, view.proposed_arguments))) is visible, (roles, path)
            assert ((shown or value) in page) is visible, (roles, path)
            assert visible or value not in elsewhere, (roles, path)
