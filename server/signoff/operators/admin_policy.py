"""For admins and auditors: the versions of the policy, what changed in each, and what another would have said."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from signoff.desk.policy_versions import (
    DAYS,
    MOST_REPLAYED,
    Replayed,
    policy_version,
    policy_versions,
    replay_policy,
)
from signoff.domain.errors import InvalidRequest, PolicyInvalid
from signoff.domain.people import SignIn
from signoff.operators.forms import fields_of
from signoff.operators.problems import Problem, problem_of
from signoff.operators.sign_in import Door, who_fully
from signoff.triggers.replay import VERDICTS

CONTEXT_LINES = 3


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a difference between two texts."""

    kind: Literal["same", "old", "new", "place"]
    text: str


def line_diff(before: str, after: str) -> list[Line]:
    """Return how a text changed, line by line, with a little of what stayed around each change."""
    made = []
    found = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=CONTEXT_LINES)
    for number, line in enumerate(found):
        if number < 2:  # the names of the two files
            continue
        kind: Literal["same", "old", "new", "place"] = "same"
        if line.startswith("@@"):
            kind = "place"
        elif line[:1] in "+-":
            kind = "new" if line[0] == "+" else "old"
        made.append(Line(kind, line))
    return made


async def show(door: Door, request: Request) -> Response:
    """Answer GET /admin/policy."""
    return await _page(door, await who_fully(door, request))


async def show_one(door: Door, request: Request) -> Response:
    """Answer GET /admin/policy/DIGEST."""
    sign_in = await who_fully(door, request)
    version, before = await policy_version(door.desk, sign_in, request.path_params["digest"])
    changed = None
    if before is not None:
        changed = await anyio.to_thread.run_sync(line_diff, before.text, version.text)
    values = {
        "person": sign_in.person,
        "now": door.desk.clock.now(),
        "version": version,
        "before": before,
        "changed": changed,
        "days": DAYS,
        "at": "policy",
    }
    return door.render.page("admin_policy_version.html", values)


async def replay(door: Door, request: Request) -> Response:
    """Answer POST /admin/policy/try: `policy` is a text, or `digest` a version that was in force."""
    sign_in = await who_fully(door, request)
    form = await fields_of(request)
    days = form.get("days", "")
    text = form.get("policy", "")
    try:
        if "digest" in form:
            text = (await policy_version(door.desk, sign_in, form["digest"]))[0].text
        _check_some(text)
        # A form sends its lines with CR LF, and a policy's digest is over its bytes.
        text = text.replace("\r\n", "\n")
        found = await replay_policy(door.desk, sign_in, text, days=int(days) if days in map(str, DAYS) else 7)
    except PolicyInvalid as error:
        return await _page(door, sign_in, problems=error.problems, given=text, days=days)
    except InvalidRequest as error:
        return await _page(door, sign_in, problem=problem_of(error), given=text, days=days)
    return await _page(door, sign_in, found=found, given=text, days=days)


def _check_some(text: str) -> None:
    if not text.strip():
        raise InvalidRequest("paste the policy that you want to try.", field="policy")


async def _page(
    door: Door,
    sign_in: SignIn,
    *,
    problem: Problem | None = None,
    problems: list[str] | None = None,
    found: Replayed | None = None,
    given: str | None = None,
    days: str = "7",
) -> Response:
    versions = await policy_versions(door.desk, sign_in)
    current = door.desk.policy.current()
    values = {
        "person": sign_in.person,
        "now": door.desk.clock.now(),
        "versions": versions,
        "current": current,
        "file_problem": door.desk.policy.problem,
        "problem": problem,
        "problems": problems or [],
        "found": found,
        "changed": None if given is None else await anyio.to_thread.run_sync(line_diff, current.text, given),
        "given": current.text if given is None else given,
        "days": DAYS,
        "chosen": days,
        "verdicts": VERDICTS,
        "most": MOST_REPLAYED,
        "at": "policy",
    }
    bad = problem is not None or bool(problems)
    return door.render.page("admin_policy.html", values, status=422 if bad else 200)
