"""For admins: everybody's addresses, masked, how sending to each goes, and a test of each."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from signoff.desk.addresses import address_health, check_may_manage, health_of_addresses
from signoff.operators.forms import fields_of
from signoff.operators.settings import send_and_show
from signoff.operators.sign_in import Door, who_fully


async def show(door: Door, request: Request) -> Response:
    """Answer GET /admin/alerts."""
    sign_in = await who_fully(door, request)
    check_may_manage(sign_in)
    found = await health_of_addresses(door.desk)
    tested = request.query_params.get("tested")
    values = {
        "person": sign_in.person,
        "now": door.desk.clock.now(),
        "addresses": found,
        "failing": sum(one.health.state == "failing" for one in found),
        "tested": next((one for one in found if one.id == tested), None),
        "can_test": door.alerting is not None,
        "at": "alerts",
        "templates": door.alerting.template_problems() if door.alerting is not None else [],
    }
    return door.render.page("admin_alerts.html", values)


async def test(door: Door, request: Request) -> Response:
    """Answer POST /admin/alerts/test: send a test alert to somebody's address."""
    sign_in = await who_fully(door, request)
    check_may_manage(sign_in)
    tested = await address_health(door.desk, (await fields_of(request)).get("address", ""))
    return await send_and_show(door, sign_in, tested, page="/admin/alerts")
