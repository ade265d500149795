"""A person's own alerts: where they go, how that goes, and this browser as one more place."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from signoff.desk.addresses import AddressHealth, address_health, health_of_addresses, subscribe, unsubscribe
from signoff.domain.errors import Forbidden, NotFound
from signoff.domain.people import SignIn
from signoff.operators.alerting import Alerting
from signoff.operators.forms import fields_of
from signoff.operators.sign_in import Door, who_fully


async def show(door: Door, request: Request) -> Response:
    """Answer GET /settings."""
    sign_in = await who_fully(door, request)
    mine = [one for one in await health_of_addresses(door.desk) if one.person.id == sign_in.person.id]
    tested = request.query_params.get("tested")
    values = {
        "person": sign_in.person,
        "now": door.desk.clock.now(),
        "addresses": mine,
        "tested": next((one for one in mine if one.id == tested), None),
        "push_key": door.alerting.push_key if door.alerting is not None else "",
        "can_test": door.alerting is not None,
    }
    return door.render.page("settings.html", values)


async def add_browser(door: Door, request: Request) -> Response:
    """Answer POST /settings/browsers: send alerts to this browser, too."""
    sign_in = await who_fully(door, request)
    form = await fields_of(request)
    address = needed(door).browser_address(
        form.get("endpoint", ""), form.get("p256dh", ""), form.get("auth", "")
    )
    await subscribe(door.desk, sign_in, address)
    return RedirectResponse("/settings", status_code=303)


async def remove_browser(door: Door, request: Request) -> Response:
    """Answer POST /settings/browsers/remove: send no more alerts to a browser."""
    sign_in = await who_fully(door, request)
    await unsubscribe(door.desk, sign_in, (await fields_of(request)).get("address", ""))
    return RedirectResponse("/settings", status_code=303)


async def test(door: Door, request: Request) -> Response:
    """Answer POST /settings/test: send a test alert to an address of one's own."""
    sign_in = await who_fully(door, request)
    tested = await address_health(door.desk, (await fields_of(request)).get("address", ""))
    if tested.person.id != sign_in.person.id:
        raise NotFound("There is no such address any more.")
    return await send_and_show(door, sign_in, tested, page="/settings")


async def send_and_show(door: Door, sign_in: SignIn, tested: AddressHealth, *, page: str) -> Response:
    """Send a test alert and lead back to the page, which says how it went."""
    await needed(door).send_test(tested, sign_in.actor)
    return RedirectResponse(f"{page}?tested={tested.id}", status_code=303)


def needed(door: Door) -> Alerting:
    """Return what sends alerts.

    Raises:
        Forbidden: Nothing does in this process.
    """
    if door.alerting is None:
        raise Forbidden("This process sends no alerts. Run `signoff serve`.")
    return door.alerting
