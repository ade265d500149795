"""Where alerts may go, and that they arrive."""

from __future__ import annotations

import io
import socket
from dataclasses import replace
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.alerts.conftest import Mailbox, address_of, text_of

from signoff.alerts.channels import SCHEMAS, Channels, check_address
from signoff.alerts.messages import Message
from signoff.domain.alert import Failed, Sent
from signoff.domain.errors import InvalidRequest
from signoff.domain.shown_address import masked

# Apprise imports it where it is still there.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

MESSAGE = Message("A subject", "One line\nhttp://127.0.0.1:8717/d/lnk_1#secret\n", "A subject http://x/d/1#s")

REFUSED = [
    "",
    "omar@example.com",
    "terminal",
    "file:///etc/passwd",
    "dbus://",
    "gnome://",
    "glib://",
    "kde://",
    "macosx://",
    "windows://",
    "syslog://",
    "rsyslog://host",
    "json://host/path",
    "jsons://host",
    "xml://host",
    "form://host",
    "forms://host",
    "apprise://host/token",
    "apprises://host/token",
    "mqtt://host/topic?retain=yes",
    "mqtts://host/topic?client_id=signoff",
    # Apprise reads these otherwise than a browser would.
    "ntfy://topic/#?redirect=yes",
    "ntfy://topic?priority=high;redirect=yes",
    "ntfy://topic?priority=high#&redirect=yes",
    "ntfy://topic?priority=high;;redirect=yes",
    "ntfy://topic?&redirect=yes",
    "mailto://u:p@example.com#?%2BX-Header=1&bcc=other@example.com",
    "mailto://u:p@example.com?to=a@example.com;b@example.com",
    "mailto://u:p@example.com?from=x%0d%0aBcc:%20b@example.com",
    "mailto://u:p@example.com?name=x%250aBcc:%20b@example.com",
    "ntfy://host/topic?token=x%0d%0aX-Header:1",
    "https://discord.com/api/webhooks/1/2",
    "ntfy://topic?redirect=yes",
    "ntfy://topic?Redirect=yes",
    "ntfys://host/topic?verify=no",
    "ntfy://topic?attach=file:///etc/passwd",
    "ntfy://topic?click=https://evil.example",
    "ntfy://topic?actions=view",
    "ntfy://topic?email=other@example.com",
    "mailto://u:p@example.com?+X-Header=1",
    "mailto://u:p@example.com?%2BX-Header=1",
    "mailto://u:p@example.com?-X-Header=1",
    "mailto://u:p@example.com?:X-Header=1",
    "mailto://u:p@example.com?cc=other@example.com",
    "mailto://u:p@example.com?bcc=other@example.com",
    "mailto://u:p@example.com?to=a@example.com,b@example.com",
    "mailto://u:p@example.com?to=a@example.com%2Cb@example.com",
    "mailto://u:p@example.com?to=a@example.com%252Cb@example.com",
    "mailto://u:p@example.com?to=a@example.com&to=b@example.com",
    "mailto://u:p@example.com?pgp=yes&pgppub=/etc/passwd",
    "slack://A/B/C?template=/etc/passwd",
    "tgram://1:a/2?template=/etc/passwd",
    "discord://1/2?avatar_url=https://evil.example",
    "workflows://host/a/b?template=file:///etc/passwd",
    "ntfy://a ntfy://b",
    "ntfy://a\nntfy://b",
    "ntfy://a,ntfy://b",
    "ntfy://a/ntfy://b",
    "ntfy://topic?retry=5",
    "ntfy://" + "x" * 3000,
]


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_that_is_no_plain_single_target_is_refused(address: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_address(address)

    assert refused.value.field == "address"
    assert "evil" not in refused.value.message


@pytest.mark.parametrize(
    "address",
    [
        "terminal:",
        "mailtos://user:password@example.com?to=omar@example.com",
        "mailto://127.0.0.1:2525?from=signoff@example.com&to=omar@example.com",
        "ntfys://ntfy.example.com/omar?priority=high",
        "pover://user@token",
        "tgram://123456789:abcdefg_hijklmnop/12315544/",
        "slack://TokenA/TokenB/TokenC/Channel",
        "workflows://host:443/workflow/signature",
        "twilio://sid:token@15551234567/15559876543",
        "mqtts://user:password@mqtt.example.com/signoff/omar?qos=1",
    ],
)
def test_an_ordinary_address_is_taken(address: str) -> None:
    assert check_address(address) == address


def services() -> Any:
    """Return what Apprise knows, by schema."""
    from apprise.manager_plugins import NotificationManager

    made: Any = NotificationManager
    return made()


def test_every_schema_is_one_of_apprise() -> None:
    assert set(SCHEMAS) <= set(services().schemas())


def test_every_parameter_is_one_of_its_service() -> None:
    known = services()
    common = {"user", "pass"}  # URLBase.post_process_parse_url_results
    for schema, names in SCHEMAS.items():
        assert names <= set(known[schema].template_args) | common, schema


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("terminal:", "terminal:"),
        ("mailtos://user:hunter2@example.com?to=omar@example.com", "mailtos://… omar@example.com ("),
        ("ntfys://token@ntfy.example.com/topic", "ntfys://… ("),
        ("slack://TokenA/TokenB/TokenC", "slack://… ("),
    ],
)
def test_a_shown_address_holds_no_secret(address: str, shown: str) -> None:
    assert masked(address).startswith(shown)
    for secret in ("hunter2", "token@", "topic", "TokenA"):
        assert secret not in masked(address)


def test_two_addresses_are_told_apart_though_masked() -> None:
    assert masked("ntfy://one-topic") != masked("ntfy://other-topic")


async def test_the_terminal_gets_the_whole_message_in_a_frame() -> None:
    terminal = io.StringIO()

    assert await Channels(terminal).send("terminal:", MESSAGE) == Sent()
    assert "│ A subject" in terminal.getvalue()
    assert "│ http://127.0.0.1:8717/d/lnk_1#secret" in terminal.getvalue()


async def test_a_terminal_that_people_share_says_whom_an_alert_is_for() -> None:
    terminal = io.StringIO()

    await Channels(terminal).send("terminal:", replace(MESSAGE, person="Omar"))
    await Channels(terminal).send("terminal:", MESSAGE)

    named, unnamed = terminal.getvalue().split("└")[:2]
    assert "│ A subject\n│ For Omar\n│\n│ One line" in named
    assert "For" not in unnamed


async def test_a_closed_terminal_is_a_failure_and_not_an_error() -> None:
    terminal = io.StringIO()
    terminal.close()

    assert await Channels(terminal).send("terminal:", MESSAGE) == Failed("the terminal cannot be written")


async def test_a_refused_address_in_the_store_fails_for_good_without_a_try() -> None:
    failed = await Channels(io.StringIO()).send("json://127.0.0.1", MESSAGE)

    assert isinstance(failed, Failed)
    assert failed.permanent


QUERIES = st.lists(
    st.tuples(
        st.sampled_from(["&", ";", "?", "#?", "#&", "%26", "%3F", "/#?", "&&"]),
        st.sampled_from(
            [
                "redirect",
                "+X-H",
                "%2BX-H",
                "priority",
                "to",
                "verify",
                "re%64irect",
                "attach",
                "cc",
                "-h",
                ":p",
            ]
        ),
        st.sampled_from(["=yes", "", "=no#", "=%23", "=a;b"]),
    ),
    max_size=4,
)


@given(QUERIES)
def test_apprise_never_reads_a_parameter_that_was_not_looked_at(
    parts: list[tuple[str, str, str]],
) -> None:
    from apprise.plugins import url_to_dict

    address = "ntfy://host/topic" + "".join(map("".join, parts))
    try:
        check_address(address)
    except InvalidRequest:
        return
    read = url_to_dict(address)  # type: ignore[no-untyped-call]
    assert set((read or {}).get("qsd", {})) <= SCHEMAS["ntfy"] | {"to"}


async def test_a_mail_arrives_with_its_link_whole_and_its_subject_clean(mailbox: tuple[Mailbox, int]) -> None:
    box, port = mailbox
    with anyio.fail_after(20):
        assert await Channels(io.StringIO()).send(address_of(port), MESSAGE) == Sent()

    (mail,) = box.mails
    assert mail["Subject"] == "A subject"
    assert mail["To"] == "omar@example.com"
    assert "http://127.0.0.1:8717/d/lnk_1#secret" in text_of(mail)


async def test_a_mail_that_the_server_turns_down_is_tried_again(mailbox: tuple[Mailbox, int]) -> None:
    box, port = mailbox
    box.answer = "451 try later"
    with anyio.fail_after(20):
        failed = await Channels(io.StringIO()).send(address_of(port), MESSAGE)

    assert isinstance(failed, Failed)
    assert not failed.permanent
    assert "example.com" not in failed.why


async def test_a_server_that_says_nothing_costs_the_time_limit_and_no_more() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with anyio.fail_after(3):
            failed = await Channels(io.StringIO(), time_limit_s=0.2).send(
                address_of(silent.getsockname()[1]), MESSAGE
            )

    assert failed == Failed("no answer within 0.2 s")


@pytest.mark.parametrize(
    "address",
    [
        "mailto://{host}:{port}?from=signoff@example.com&to=omar@example.com",
        "gotify://{host}:{port}/AbCdEfGhIjKlMnO",
        "ntfy://{host}:{port}/omar",
    ],
)
@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("127.0.0.1", "the server cannot be reached on port {port}; check the port"),
        ("nowhere.invalid", "the name of the server cannot be found"),
    ],
)
async def test_a_server_that_cannot_be_reached_is_told_from_one_that_turns_down(
    address: str, host: str, why: str
) -> None:
    with socket.socket() as taken:  # bound and not listening: it refuses
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        failed = await Channels(io.StringIO()).send(address.format(host=host, port=port), MESSAGE)

    assert isinstance(failed, Failed)
    assert not failed.permanent
    assert failed.why.startswith(why.format(port=port))


@pytest.mark.parametrize("host", ["a..b", f"{'a' * 64}.com", "%2E"])
async def test_a_server_whose_name_can_be_none_is_a_failure_and_not_an_error(host: str) -> None:
    address = f"mailto://omar:pw@example.com?smtp={host}&to=omar@example.com"

    failed = await Channels(io.StringIO()).send(address, MESSAGE)

    assert isinstance(failed, Failed)
    assert "a..b" not in failed.why


async def test_a_server_that_is_reached_through_a_proxy_is_not_looked_for_without_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")

    failed = await Channels(io.StringIO()).send("gotify://nowhere.invalid/AbCdEfGhIjKlMnO", MESSAGE)

    assert isinstance(failed, Failed)
    assert "did not take it" in failed.why
