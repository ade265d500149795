"""For auditors: search decisions, verify the log now, download evidence."""

from __future__ import annotations

import re
import secrets
import tempfile
from collections.abc import AsyncGenerator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import IO, cast
from urllib.parse import urlencode

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from signoff.audit.evidence import Disclosure
from signoff.audit.report import Report
from signoff.desk.auditing import (
    EXPORTERS,
    SEARCHERS,
    VERIFIERS,
    Found,
    Verifying,
    check_verifies,
    disclosures,
    hand_out,
    last_verifications,
    search_decisions,
)
from signoff.desk.evidence import Wanted
from signoff.domain.case import STATUSES
from signoff.domain.clock import from_text, to_text
from signoff.domain.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    LimitExceeded,
    NotFound,
    SignoffError,
)
from signoff.domain.people import SignIn
from signoff.operators.evidence import evidence_page
from signoff.operators.forms import fields_of
from signoff.operators.problems import Problem, problem_of
from signoff.operators.sign_in import Door, who_fully
from signoff.store.insight import Search

DAYS_SHOWN = 30
PROGRESS_EVERY_S = 0.5
CHUNK_BYTES = 256 * 1024
_CASE = re.compile(r"esc_[0-9A-Za-z]{1,40}")


def audit_routes(door: Door) -> list[Route]:
    """Return the routes of the auditors' pages; the log for machines has its own (`follow.py`)."""
    verifying = Verifying()
    return [
        Route("/audit", partial(show, door)),
        Route("/audit/verify", partial(show_verify, door)),
        Route("/audit/verify", partial(verify, door, verifying), methods=["POST"]),
        Route("/audit/evidence", partial(show_evidence, door)),
        Route("/audit/evidence", partial(download, door), methods=["POST"]),
    ]


# Search


async def show(door: Door, request: Request) -> Response:
    """Answer GET /audit?status=&queue=&person=&trigger=&text=&from=&to=&after=."""
    sign_in = await who_fully(door, request)
    if not sign_in.person.roles & SEARCHERS and sign_in.person.roles & VERIFIERS:
        return RedirectResponse("/audit/verify", status_code=303)
    given = {name: value.strip() for name, value in request.query_params.items()}
    today = door.desk.clock.now().astimezone(UTC).date()
    problem, found = None, None
    try:
        found = await search_decisions(door.desk, sign_in, _search(given, today))
    except InvalidRequest as error:
        problem = problem_of(error)
        found = Found((), {}, (), more=False)
    values = {
        "person": sign_in.person,
        "now": door.desk.clock.now(),
        "found": found,
        "given": given,
        "from": given.get("from") or (today - timedelta(days=DAYS_SHOWN)).isoformat(),
        "to": given.get("to") or today.isoformat(),
        "statuses": STATUSES[1:],
        "queues": sorted(door.desk.policy.current().policy.queues),
        "triggers": [one.id for one in door.desk.policy.current().policy.triggers],
        "next": _next(given, found) if found.more else "",
        "may_export": bool(sign_in.person.roles & EXPORTERS),
        "problem": problem,
        "at": "search",
    }
    return door.render.page("audit.html", values, status=200 if problem is None else problem.status)


def _search(given: dict[str, str], today: date) -> Search:
    begins = _day(given, "from") or today - timedelta(days=DAYS_SHOWN)
    ends = _day(given, "to") or max(today, begins)
    if ends < begins:
        raise InvalidRequest("ends before it begins.", field="to")
    return Search(
        since=_midnight(begins),
        until=_midnight(ends) + timedelta(days=1),
        status=given.get("status", ""),
        queue=given.get("queue", ""),
        person_id=given.get("person", ""),
        trigger=given.get("trigger", ""),
        text=given.get("text", ""),
        after=_after(given.get("after", "")),
    )


def _day(given: dict[str, str], field: str) -> date | None:
    text = given.get(field, "")
    if not text:
        return None
    try:
        made = date.fromisoformat(text)
    except ValueError:
        made = date.min
    if not 1970 <= made.year <= 9000:
        raise InvalidRequest("write a day, such as 2026-11-23.", field=field)
    return made


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _after(text: str) -> tuple[datetime, str] | None:
    if not text:
        return None
    at, _, case_id = text.partition("~")
    try:
        return from_text(at), case_id
    except ValueError:
        raise InvalidRequest("is no page of this search. Search again.", field="after") from None


def _next(given: dict[str, str], found: Found) -> str:
    last = found.cases[-1]
    at = to_text(last.decided_at) if last.decided_at is not None else ""
    asked = {name: value for name, value in given.items() if value and name != "after"}
    return "/audit?" + urlencode({**asked, "after": f"{at}~{last.id}"})


# Verify now


async def show_verify(door: Door, request: Request) -> Response:
    """Answer GET /audit/verify."""
    sign_in = await who_fully(door, request)
    return await _verify_page(door, sign_in)


async def verify(door: Door, verifying: Verifying, request: Request) -> Response:
    """Answer POST /audit/verify: a page that grows while the log is verified, and ends with what came of it."""
    sign_in = await who_fully(door, request)
    check_verifies(sign_in)
    return _Growing(door, verifying, sign_in)


async def _verify_page(door: Door, sign_in: SignIn) -> Response:
    values = {
        "person": sign_in.person,
        "now": door.desk.clock.now(),
        "last": await last_verifications(door.desk, sign_in),
        "marker": "",
        "at": "verify",
    }
    return door.render.page("audit_verify.html", values)


class _Growing(Response):
    """Sends the head of the page, a line whenever there is progress to tell, and the report.

    So progress is seen without a script, and nothing runs that nobody waits for.
    """

    media_type = "text/html"

    def __init__(self, door: Door, verifying: Verifying, sign_in: SignIn) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._door, self._verifying, self._sign_in = door, verifying, sign_in
        self._done = (0, 0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        marker = secrets.token_hex(16)
        values = {
            "person": self._sign_in.person,
            "now": self._door.desk.clock.now(),
            "last": [],
            "marker": marker,
            "at": "verify",
        }
        whole = bytes(self._door.render.page("audit_verify.html", values).body).decode()
        head, _, tail = whole.partition(marker)
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await _send(send, head)
        ended = anyio.Event()
        results: list[Report | SignoffError] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._verify, results, ended)
            told = (0, 0)
            while not ended.is_set():
                with anyio.move_on_after(PROGRESS_EVERY_S):
                    await ended.wait()
                if self._done != told:
                    told = self._done
                    await _send(send, self._part("progress", done=told[0], of=told[1]))
        await _send(send, self._part("report", result=results[0]) + tail)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _verify(self, results: list[Report | SignoffError], ended: anyio.Event) -> None:
        try:
            results.append(
                await self._verifying.verify(self._door.desk, self._sign_in, on_progress=self._note)
            )
        except SignoffError as error:
            results.append(error)
        finally:
            ended.set()

    def _note(self, done: int, of: int) -> None:
        self._done = (done, of)

    def _part(self, part: str, **values: object) -> str:
        template = self._door.render.environment.get_template("audit_report.html")
        values = {"done": 0, "of": 0, "result": None, **values}
        return template.render({**values, "part": part, "failed": isinstance(values["result"], SignoffError)})


async def _send(send: Send, text: str) -> None:
    await send({"type": "http.response.body", "body": text.encode(), "more_body": True})


# Evidence


async def show_evidence(door: Door, request: Request) -> Response:
    """Answer GET /audit/evidence?case=ID."""
    sign_in = await who_fully(door, request)
    return _evidence_form(door, sign_in, given=dict(request.query_params))


async def download(door: Door, request: Request) -> Response:
    """Answer POST /audit/evidence: the file of a case, a range, or the whole log."""
    sign_in = await who_fully(door, request)
    form = await fields_of(request)
    folder = await anyio.to_thread.run_sync(partial(tempfile.TemporaryDirectory, prefix="signoff-evidence-"))
    try:
        wanted, name = _wanted(form)
        out = Path(folder.name) / name
        await hand_out(
            door.desk,
            sign_in,
            wanted,
            out=out,
            summary=evidence_page,
            payloads=cast("Disclosure", form.get("payloads", "masked")),  # the desk refuses what is none
        )
        file = await anyio.to_thread.run_sync(_opened, out)
    except (Conflict, Forbidden, InvalidRequest, LimitExceeded, NotFound) as error:
        return _evidence_form(door, sign_in, given=form, problem=problem_of(error))
    finally:
        # The open file is all that is left of it: nothing lies about if the browser goes away.
        await anyio.to_thread.run_sync(folder.cleanup)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(_chunks(file), media_type="application/zip", headers=headers)


def _opened(path: Path) -> IO[bytes]:
    return path.open("rb")


async def _chunks(file: IO[bytes]) -> AsyncGenerator[bytes]:
    with file:
        while data := await anyio.to_thread.run_sync(file.read, CHUNK_BYTES):
            yield data


def _wanted(form: dict[str, str]) -> tuple[Wanted, str]:
    what = form.get("what", "case")
    if what == "all":
        return Wanted(), "evidence-log.zip"
    if what == "range":
        first, last = _number(form, "first"), _number(form, "last")
        return Wanted(first=first, last=last), f"evidence-events-{first}-{last}.zip"
    case = form.get("case", "").strip()
    if not _CASE.fullmatch(case):
        raise InvalidRequest("write the case's id, esc_ and 26 characters.", field="case")
    return Wanted(case=case), f"evidence-{case}.zip"


def _number(form: dict[str, str], field: str) -> int:
    text = form.get(field, "").strip()
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise InvalidRequest("write the number of an event, from 0.", field=field)
    return int(text)


def _evidence_form(
    door: Door, sign_in: SignIn, *, given: dict[str, str], problem: Problem | None = None
) -> Response:
    if not sign_in.person.roles & EXPORTERS:
        raise Forbidden("Only auditors hand out evidence.")
    values = {
        "person": sign_in.person,
        "now": door.desk.clock.now(),
        "given": given,
        "choices": disclosures(door.desk, sign_in),
        "problem": problem,
        "at": "evidence",
    }
    return door.render.page("audit_evidence.html", values, status=200 if problem is None else problem.status)
