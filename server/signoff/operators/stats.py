"""Statistics: charts about cases, each with its table and its CSV file."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from signoff.desk.attentiveness import ENOUGH_APPROVALS, ENOUGH_CANARIES, AttentionView, attentiveness
from signoff.desk.stats import PERIODS, Group, Stats, stats
from signoff.domain.errors import NotFound
from signoff.operators.charts import HOURS_PX, ROW_PX, Cell, Chart, Kind, bars, first_rows, hour_marks
from signoff.operators.csv_table import csv_file, csv_text
from signoff.operators.sign_in import Door, who_fully

ANSWERS = ("approved", "modified", "rejected", "expired", "cancelled", "pending")


def stats_routes(door: Door) -> list[Route]:
    """Return the routes of the statistics."""
    return [
        Route("/stats", partial(show, door)),
        Route("/stats/people", partial(people, door)),
        Route("/stats/people.csv", partial(download_people, door)),
        Route("/stats/{chart}.csv", partial(download, door)),
    ]


async def show(door: Door, request: Request) -> Response:
    """Answer GET /stats?days=30."""
    sign_in = await who_fully(door, request)
    found = await stats(door.desk, sign_in, days=_days(request))
    values = {
        "person": sign_in.person,
        "now": found.now,
        "stats": found,
        "periods": PERIODS,
        "charts": charts_of(found),
        "bars": bars,
        "hour_marks": hour_marks,
        "row_px": ROW_PX,
        "hours_px": HOURS_PX,
        "at": "stats",
    }
    return door.render.page("stats.html", values)


async def download(door: Door, request: Request) -> Response:
    """Answer GET /stats/CHART.csv?days=30: what the chart shows, row by row.

    Raises:
        NotFound: There is no such chart.
    """
    sign_in = await who_fully(door, request)
    found = await stats(door.desk, sign_in, days=_days(request))
    chart = charts_of(found).get(request.path_params["chart"])
    if chart is None:
        raise NotFound("There is no such chart.")
    words = door.render.environment.get_template("stats_words.html").module.COLUMNS  # type: ignore[attr-defined]
    text = csv_text([words[name] for name in chart.columns], chart.rows)
    return csv_file(f"signoff-{chart.id}-{found.days}-days.csv", text)


async def people(door: Door, request: Request) -> Response:
    """Answer GET /stats/people?days=30: one's own numbers, for supervisors everybody's."""
    sign_in = await who_fully(door, request)
    found = await attentiveness(door.desk, sign_in, days=_days(request))
    values = {
        "person": sign_in.person,
        "now": found.now,
        "found": found,
        "periods": PERIODS,
        "enough_canaries": ENOUGH_CANARIES,
        "enough_approvals": ENOUGH_APPROVALS,
        "at": "people",
    }
    return door.render.page("stats_people.html", values)


async def download_people(door: Door, request: Request) -> Response:
    """Answer GET /stats/people.csv?days=30: the table of the page."""
    sign_in = await who_fully(door, request)
    found = await attentiveness(door.desk, sign_in, days=_days(request))
    words = door.render.environment.get_template("stats_words.html").module.PEOPLE  # type: ignore[attr-defined]
    return csv_file(f"signoff-attention-{found.days}-days.csv", csv_text(words, _attention_rows(found)))


def _attention_rows(found: AttentionView) -> list[tuple[Cell, ...]]:
    return [
        (
            one.person.name,
            one.decided,
            one.choices["approve"],
            one.choices["modify"],
            one.choices["reject"],
            one.median_s,
            one.fast,
            one.timed_approvals,
            one.caught,
            one.caught + one.missed,
        )
        for one in found.people
    ]


def _days(request: Request) -> int:
    given = request.query_params.get("days", "")
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 5 else 30


def charts_of(found: Stats) -> dict[str, Chart]:
    """Return every chart by its id, in the order of the page."""
    hours = tuple((hour, found.opened_at_hour[hour], found.decided_at_hour[hour]) for hour in range(24))
    made = [
        _chart("time-by-queue", "spans", ("queue", "decided", "p50", "p95"), _times(found.queues)),
        _chart("time-by-trigger", "spans", ("trigger", "decided", "p50", "p95"), _times(found.triggers)),
        Chart("load-by-hour", "hours", ("hour", "opened", "decided"), hours),
        _chart("answers-by-trigger", "shares", ("trigger", *ANSWERS), _answers(found.triggers)),
        _chart("answers-by-queue", "shares", ("queue", *ANSWERS), _answers(found.queues)),
        _chart(
            "always-approved",
            "list",
            ("trigger", "always", "at_most", "fast"),
            [(one.trigger, one.decided, one.at_most, one.fast) for one in found.always_approved],
        ),
    ]
    return {one.id: one for one in made}


def _chart(id_: str, kind: Kind, columns: tuple[str, ...], rows: list[tuple[Cell, ...]]) -> Chart:
    shown, left_out = first_rows(rows)
    return Chart(id_, kind, columns, shown, left_out)


def _times(groups: tuple[Group, ...]) -> list[tuple[Cell, ...]]:
    return [
        (one.name, one.decided, one.percentile(0.5), one.percentile(0.95)) for one in groups if one.decided
    ]


def _answers(groups: tuple[Group, ...]) -> list[tuple[Cell, ...]]:
    return [(one.name, *(one.ended[status] for status in ANSWERS)) for one in groups]  # type: ignore[index]
