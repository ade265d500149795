"""The first administrator's first page: a name, where alerts reach them, a passkey if they like, and what comes next."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from signoff.desk.passkeys import fingerprint, my_passkeys
from signoff.desk.set_up import add_own_address, check_sets_up, name_yourself
from signoff.domain.address import kind_of
from signoff.domain.alert import TERMINAL
from signoff.domain.errors import Conflict, Forbidden, InvalidRequest
from signoff.domain.people import SignIn
from signoff.operators.forms import fields_of
from signoff.operators.problems import Problem, problem_of
from signoff.operators.sign_in import Door, who_fully

PAGE = "/set-up"


async def show(door: Door, request: Request) -> Response:
    """Answer GET /set-up, for whoever came by the link that the server printed, and for nobody else."""
    return await _page(door, request, await _who_sets_up(door, request))


async def rename(door: Door, request: Request) -> Response:
    """Answer POST /set-up/name."""
    sign_in = await _who_sets_up(door, request)
    form = await fields_of(request)
    try:
        await name_yourself(door.desk, sign_in, form.get("name", "").strip())
    except (Conflict, InvalidRequest) as error:
        return await _page(door, request, sign_in, problem=problem_of(error), at="name", given=form)
    return RedirectResponse(f"{PAGE}?said=name", status_code=303)


async def add_address(door: Door, request: Request) -> Response:
    """Answer POST /set-up/address."""
    sign_in = await _who_sets_up(door, request)
    form = await fields_of(request)
    try:
        await add_own_address(door.desk, sign_in, _checked(door, form.get("address", "").strip()))
    except (Conflict, Forbidden, InvalidRequest) as error:
        return await _page(door, request, sign_in, problem=problem_of(error), at="address", given=form)
    return RedirectResponse(f"{PAGE}?said=address", status_code=303)


def _checked(door: Door, address: str) -> str:
    if door.alerting is None:
        raise Forbidden("Addresses are added with `signoff people address`.")
    return door.alerting.check_address(address)


async def _who_sets_up(door: Door, request: Request) -> SignIn:
    sign_in = await who_fully(door, request)
    check_sets_up(sign_in)
    return sign_in


async def _page(
    door: Door,
    request: Request,
    sign_in: SignIn,
    *,
    problem: Problem | None = None,
    at: str = "",
    given: dict[str, str] | None = None,
) -> Response:
    held = await my_passkeys(door.desk, sign_in)
    said = request.query_params.get("said", "")
    # Only kinds: an address may hold passwords, and whoever looks over a shoulder reads the page, too.
    kinds = [kind_of(one.url) for one in sign_in.person.addresses if one.url != TERMINAL]
    values = {
        "person": sign_in.person,
        "passkeys": door.site.passkeys(request.headers.get("host")),
        "host": request.headers.get("host", ""),
        "held": [(one, fingerprint(one)) for one in held if one.state != "revoked"],
        "by_terminal": any(one.url == TERMINAL for one in sign_in.person.addresses),
        "kinds": kinds,
        "takes_address": door.alerting is not None,
        "base_url": door.desk.settings.base_url,
        "said": said if said in ("name", "address", "added") else "",
        "problem": problem,
        "at": at,
        "given": given or {},
    }
    return door.render.page("set_up.html", values, status=200 if problem is None else problem.status)
