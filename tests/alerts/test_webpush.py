"""Messages to browsers: encrypted for them alone, signed by us, and sent nowhere but to the public internet."""

from __future__ import annotations

import base64
import io
import json
import socket
import stat
from collections.abc import Generator
from pathlib import Path
from typing import Any

import anyio
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from tests._support.browser_keys import Browser
from tests._support.clock import HandClock
from tests._support.endpoint import Endpoint, serving
from tests._support.tls import Authority
from tests.alerts.test_messages import BASE, told, worded

from signoff.alerts.channels import Channels, check_address
from signoff.alerts.vapid import VAPID_KEY, b64url, from_b64url, open_vapid
from signoff.alerts.webpush import (
    MAX_PAYLOAD_BYTES,
    PushSender,
    Subscription,
    encrypted,
    payload_of,
    public_address,
)
from signoff.audit.keys import KeyExposed, KeyInvalid
from signoff.domain.alert import Failed, Sent
from signoff.domain.errors import InvalidRequest
from signoff.domain.shown_address import masked

ENDPOINT = "https://push.example.com/send/abc?x=1"


def test_the_example_of_the_specification_comes_out_byte_for_byte() -> None:
    """RFC 8291, section 5 and appendix A."""
    subscription = Subscription(
        "https://push.example.net/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV",
        from_b64url(
            "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
        ),
        from_b64url("BTBZMqHH6r4Tts7J_aSIgg"),
    )
    private = ec.derive_private_key(
        int.from_bytes(from_b64url("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"), "big"), ec.SECP256R1()
    )

    made = encrypted(
        b"When I grow up, I want to be a watermelon",
        subscription,
        salt=from_b64url("DGv6ra1nlYgDCS1FRnbzlw"),
        private=private,
    )

    assert b64url(made) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6Tlz"
        "AC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


def test_a_browser_reads_what_was_encrypted_for_it_and_no_other_can() -> None:
    browser, other = Browser(ENDPOINT), Browser(ENDPOINT)
    subscription = Subscription(ENDPOINT, from_b64url(browser.p256dh), from_b64url(browser.auth))

    first, second = encrypted(b"hello", subscription), encrypted(b"hello", subscription)

    assert browser.read(first) == b"hello"
    assert first[:16] != second[:16]
    assert first[21:86] != second[21:86]  # each message has a key of its own
    with pytest.raises(Exception, match=r".*"):
        other.read(first)


def test_a_push_holds_title_text_and_page_and_no_token() -> None:
    message = worded(told("opened"))

    made = json.loads(payload_of(message))

    assert set(made) == {"title", "body", "url"}
    assert made["url"] == f"{BASE}/cases/esc_1"
    assert "sss" not in payload_of(message).decode()
    assert made["title"] == "signoff [high] wire_transfer waits for you, 30 min left"
    assert made["body"].endswith(f"\n{message.headers['X-Signoff-Alert']} · audit 137 eH22nAG2")


def test_a_push_fits_what_every_service_takes() -> None:
    message = worded(told("opened", tool="\u202e支" * 500, agent_name="支" * 500))

    assert len(payload_of(message)) <= MAX_PAYLOAD_BYTES


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def service(authority: Authority) -> Generator[Endpoint]:
    """A push service of our own."""
    with serving(authority.server("push.example.com")) as endpoint:
        endpoint.status = 201
        yield endpoint


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    folder = tmp_path / "keys"
    folder.mkdir()
    return folder


def sender(keys: Path, clock: HandClock, authority: Authority, service: Endpoint) -> PushSender:
    vapid = open_vapid(keys, contact="mailto:admin@example.com")
    return PushSender(vapid, clock, resolve=lambda host: ("127.0.0.1", service.port), tls=authority.client())


async def push(push_sender: PushSender, address: str) -> Sent | Failed:
    channels = Channels(io.StringIO(), push=push_sender)
    with anyio.fail_after(20):
        return await channels.send(address, worded(told("opened")))


async def test_a_service_gets_an_encrypted_message_and_who_sends_it(
    keys: Path, clock: HandClock, authority: Authority, service: Endpoint
) -> None:
    browser = Browser(ENDPOINT)
    push_sender = sender(keys, clock, authority, service)

    assert await push(push_sender, browser.address) == Sent()

    (got,) = service.received
    assert (got.method, got.path) == ("POST", "/send/abc?x=1")
    assert got.headers["content-encoding"] == "aes128gcm"
    assert int(got.headers["ttl"]) > 0
    assert json.loads(browser.read(got.body))["title"].startswith("signoff [high]")
    scheme, _, parameters = got.headers["authorization"].partition(" ")
    given = dict(one.strip().split("=", 1) for one in parameters.split(","))
    assert scheme == "vapid"
    assert given["k"] == push_sender.vapid.public
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), from_b64url(given["k"]))
    claims: dict[str, Any] = jwt.decode(
        given["t"],
        point,
        algorithms=["ES256"],
        audience="https://push.example.com",
        options={"verify_exp": False},
    )
    assert claims["sub"] == "mailto:admin@example.com"
    assert 0 < claims["exp"] - clock.now().timestamp() <= 24 * 3600


@pytest.mark.parametrize(
    ("status", "permanent", "gone"),
    [(404, True, True), (410, True, True), (400, True, False), (403, True, False), (429, False, False), (500, False, False), (301, False, False)],
)  # fmt: skip
async def test_an_answer_says_whether_to_try_again(
    keys: Path,
    clock: HandClock,
    authority: Authority,
    service: Endpoint,
    status: int,
    permanent: bool,
    gone: bool,
) -> None:
    service.status = status
    service.headers = {"Location": "https://push.example.com/elsewhere"}

    failed = await push(sender(keys, clock, authority, service), Browser(ENDPOINT).address)

    assert isinstance(failed, Failed)
    assert (failed.permanent, failed.gone) == (permanent, gone)
    assert "push.example.com" not in failed.why
    assert len(service.received) == 1  # a redirect is not followed


async def test_a_service_that_cannot_prove_its_name_gets_nothing(
    keys: Path, clock: HandClock, authority: Authority, service: Endpoint
) -> None:
    browser = Browser("https://other.example.com/send/abc")

    failed = await push(sender(keys, clock, authority, service), browser.address)

    assert isinstance(failed, Failed)
    assert "certificate" in failed.why
    assert service.received == []


async def test_a_process_without_a_push_key_keeps_the_alert_for_one_that_has_it() -> None:
    failed = await Channels(io.StringIO()).send(Browser(ENDPOINT).address, worded(told("opened")))

    assert isinstance(failed, Failed)
    assert not failed.permanent


REFUSED = [
    "http://push.example.com/x",
    "https://push.example.com:8443/x",
    "https://user@push.example.com/x",
    "https://user:password@push.example.com/x",
    "https://127.0.0.1/x",
    "https://127.1/x",
    "https://0x7f000001/x",
    "https://2130706433/x",
    "https://[::1]/x",
    "https://[::ffff:127.0.0.1]/x",
    "https://localhost/x",
    "https://push/x",
    "https:///x",
    "https://push.example.com/x y",
    "https://push.example.com/x\r\nHost: y",
    "https://push.example.com\\@127.0.0.1/x",
    "https://pu\u0455h.example.com/x",
    "https://[::1",
    "https://push.example.com:port/x",
    "file:///etc/passwd",
    "//push.example.com/x",
    "https://push.example.com/" + "x" * 1000,
    "",
]


@pytest.mark.parametrize("endpoint", REFUSED)
def test_an_endpoint_that_is_no_host_of_the_public_internet_is_refused(endpoint: str) -> None:
    browser = Browser(endpoint)

    with pytest.raises(InvalidRequest) as refused:
        check_address(browser.address)

    assert refused.value.field == "subscription"
    assert "passwd" not in refused.value.message


@pytest.mark.parametrize(
    "keys",
    ["", "a.b", "AAAA.AAAA", "!!!!.AAAAAAAAAAAAAAAAAAAAAA", b64url(b"\x04" + b"\x01" * 64) + "." + b64url(b"x" * 16)],
)  # fmt: skip
def test_keys_that_are_no_keys_are_refused(keys: str) -> None:
    with pytest.raises(InvalidRequest, match="P-256"):
        check_address(f"webpush:{ENDPOINT}#{keys}")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "::1", "fe80::1",
        "fd00::1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "2001:0:7f00:1::1",
    ],
)  # fmt: skip
def test_a_name_that_leads_inside_is_not_connected_to_even_if_one_of_its_addresses_is_public(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    def resolved(host: str, port: int, **more: Any) -> list[Any]:
        return [(socket.AF_INET, 1, 6, "", (one, port)) for one in ("8.8.8.8", address)]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)

    with pytest.raises(OSError, match="public internet"):
        public_address("rebound.example.com")


def test_a_public_name_is_connected_to_at_the_address_that_was_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def resolved(host: str, port: int, **more: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, 1, 6, "", ("8.8.8.8", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)

    assert public_address("push.example.com") == ("8.8.8.8", 443)
    assert asked == ["push.example.com"]


def test_the_push_key_is_made_once_and_is_its_owners_only(keys: Path) -> None:
    first = open_vapid(keys, contact="https://signoff.example.com").public

    assert open_vapid(keys, contact="https://signoff.example.com").public == first
    assert stat.S_IMODE((keys / VAPID_KEY).stat().st_mode) == 0o600
    assert len(base64.urlsafe_b64decode(first + "=")) == 65


def test_a_push_key_that_others_can_read_or_that_is_none_is_not_used(keys: Path) -> None:
    open_vapid(keys, contact="https://signoff.example.com")
    (keys / VAPID_KEY).chmod(0o644)
    with pytest.raises(KeyExposed):
        open_vapid(keys, contact="https://signoff.example.com")

    (keys / VAPID_KEY).chmod(0o600)
    (keys / VAPID_KEY).write_text("no key", encoding="utf-8")
    with pytest.raises(KeyInvalid):
        open_vapid(keys, contact="https://signoff.example.com")


def test_an_address_of_a_browser_is_shown_without_its_endpoint_and_keys() -> None:
    browser = Browser(ENDPOINT)
    shown = masked(browser.address)

    assert shown.startswith("webpush:… a browser (")
    for secret in ("push.example.com", "abc", browser.p256dh, browser.auth):
        assert secret not in shown
