"""Alerts through Apprise's own plugins to servers that run here.

SMTP and MQTT are real servers. ntfy, Gotify, Telegram, Twilio, WhatsApp, Slack and the others with an HTTP API are local
endpoints: what is checked is what the plugin sends, over TLS with its certificate checked. A plugin whose host is fixed is
led to the endpoint by the test's own connector; nothing in the product knows of it.
"""

from __future__ import annotations

import io
import json
import re
import socket
import ssl
from collections.abc import Generator
from dataclasses import replace
from email.message import Message as Mail
from urllib.parse import parse_qs, unquote_plus

import anyio
import pytest
from aiosmtpd.controller import Controller
from tests._support.endpoint import Endpoint, serving
from tests._support.tls import Authority
from tests.alerts.conftest import Mailbox
from tests.alerts.test_messages import BASE, told, worded

from signoff.alerts.channels import Channels
from signoff.alerts.messages import Message
from signoff.domain.alert import Failed, Sent

# Apprise imports it where it is still there.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

HOSTS = (
    "api.telegram.org", "api.twilio.com", "graph.facebook.com", "hooks.slack.com", "discord.com",
    "api.pushover.net", "chat.googleapis.com", "push.example.com", "localhost", "signoff-tests.zulipchat.com",
    "api.ciscospark.com", "webexapis.com", "api.pushbullet.com", "msgapi.threema.ch", "rest.nexmo.com", "rest.messagebird.com",
    "us.sms.api.sinch.com", "sns.us-east-1.amazonaws.com",
)  # fmt: skip


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust our own authority, as an administrator would on this machine."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.ca_file))


@pytest.fixture
def endpoint(authority: Authority, trusted: None, monkeypatch: pytest.MonkeyPatch) -> Generator[Endpoint]:
    """An endpoint that every connection of Apprise's ends at, whatever host it is for."""
    import urllib3.util.connection as connector

    connect = connector.create_connection
    with serving(authority.server(*HOSTS)) as made:
        monkeypatch.setattr(
            connector,
            "create_connection",
            lambda address, *args, **more: connect(("127.0.0.1", made.port), *args, **more),
        )
        yield made


@pytest.fixture
def message() -> Message:
    return worded(told("opened"))


LINK = f"{BASE}/d/lnk_01k9zr6m2t8vq4x7c3b5n1w0ye#{'s' * 43}"


async def sent(address: str, message: Message) -> Sent | Failed:
    with anyio.fail_after(30):
        return await Channels(io.StringIO()).send(address, message)


def smtp(box: Mailbox, tls: ssl.SSLContext | None, *, needed: bool) -> Controller:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    return Controller(box, hostname="127.0.0.1", port=port, tls_context=tls, require_starttls=needed)


def part(mail: Mail, kind: str) -> str:
    (found,) = [one for one in mail.walk() if one.get_content_type() == kind]
    payload = found.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()


async def test_a_mail_leaves_under_starttls_with_the_servers_certificate_checked(
    authority: Authority, trusted: None, message: Message
) -> None:
    box = Mailbox()
    server = smtp(box, authority.server("localhost"), needed=True)
    server.start()
    try:
        address = f"mailtos://localhost:{server.port}?from=signoff@example.com&to=omar@example.com"
        assert await sent(address, message) == Sent()
    finally:
        server.stop()

    (mail,) = box.mails
    assert mail["Subject"] == "signoff [high] wire_transfer waits for you, 30 min left"
    assert mail["Message-ID"]
    assert mail["X-Signoff-Alert"] == "alr_01k9zr6m2t8vq4x7c3b5n1w0ye"
    assert mail["References"] == "<esc_1@signoff>"
    assert f'href="{LINK}"' in part(mail, "text/html")
    text = part(mail, "text/plain").replace("\r\n", "\n")
    assert LINK in text
    assert re.search(r"^What: wire_transfer$", text, re.MULTILINE)
    assert re.search(r"^alr_\w+ · audit 137 eH22nAG2$", text, re.MULTILINE)
    assert "{" not in text


async def test_a_mail_server_that_cannot_prove_who_it_is_gets_nothing(
    authority: Authority, message: Message
) -> None:
    box = Mailbox()
    server = smtp(box, authority.server("localhost"), needed=True)
    server.start()
    try:
        address = f"mailtos://localhost:{server.port}?from=signoff@example.com&to=omar@example.com"
        failed = await sent(address, message)
    finally:
        server.stop()

    assert isinstance(failed, Failed)
    assert box.mails == []


async def test_a_mail_is_not_sent_in_the_clear_where_tls_was_asked_for(message: Message) -> None:
    box = Mailbox()
    server = smtp(box, None, needed=False)
    server.start()
    try:
        address = f"mailtos://localhost:{server.port}?from=signoff@example.com&to=omar@example.com"
        failed = await sent(address, message)
    finally:
        server.stop()

    assert isinstance(failed, Failed)
    assert box.mails == []


async def test_a_mail_leaves_without_tls_where_the_address_says_so(message: Message) -> None:
    box = Mailbox()
    server = smtp(box, None, needed=False)
    server.start()
    try:
        address = f"mailto://localhost:{server.port}?from=signoff@example.com&to=omar@example.com"
        assert await sent(address, message) == Sent()
    finally:
        server.stop()

    assert len(box.mails) == 1


async def test_ntfy_gets_a_title_without_the_link_and_a_short_text_with_it(
    endpoint: Endpoint, message: Message
) -> None:
    assert await sent("ntfys://push.example.com/omar-7fk2", message) == Sent()

    (got,) = endpoint.received
    told = json.loads(got.text)
    assert told["topic"] == "omar-7fk2"
    assert told["title"] == "signoff [high] wire_transfer waits for you, 30 min left"
    assert (
        told["message"]
        == f"Ada asks for a decision. Wire above 10,000. 30 min left.\n{LINK}\n{message.trace}"
    )
    assert "x-icon" not in got.headers  # an icon would be fetched from somebody else's host


async def test_gotify_gets_its_form_and_its_token_in_a_header(endpoint: Endpoint, message: Message) -> None:
    assert await sent("gotifys://push.example.com/AbCdEfGhIjKlMnO", message) == Sent()

    (got,) = endpoint.received
    assert got.path == "/message"
    assert got.headers["x-gotify-key"] == "AbCdEfGhIjKlMnO"
    assert json.loads(got.text)["message"].endswith(f"{LINK}\n{message.trace}")


async def test_telegram_gets_html_that_it_understands_and_the_link_as_one(
    endpoint: Endpoint, message: Message
) -> None:
    endpoint.answer = b'{"ok": true, "result": {}}'
    address = "tgram://123456789:abcdefg_hijklmnop-abcdefg_hijklmnop/12315544/"

    assert await sent(address, message) == Sent()

    (got,) = endpoint.received
    told = json.loads(got.text)
    assert got.path.startswith("/bot123456789:")
    assert told["chat_id"] == 12315544
    assert told["parse_mode"] == "HTML"
    assert told["text"].startswith("<b>wire_transfer waits for you, 30 min left</b> [high]")
    assert f'<a href="{LINK}">Open</a>' in told["text"]
    assert set(re.findall(r"</?(\w+)", told["text"])) <= {"b", "a", "code"}


async def test_telegram_is_not_asked_for_whoever_wrote_to_the_bot_last(
    endpoint: Endpoint, message: Message
) -> None:
    failed = await sent("tgram://123456789:abcdefg_hijklmnop-abcdefg_hijklmnop", message)

    assert isinstance(failed, Failed)
    assert failed.permanent
    assert endpoint.received == []


async def test_twilio_gets_one_sms_of_160_letters_link_included(endpoint: Endpoint, message: Message) -> None:
    account = "AC" + "a" * 32
    assert await sent(f"twilio://{account}:{'b' * 32}@+15551234567/+15559876543", message) == Sent()

    (got,) = endpoint.received
    told = parse_qs(got.text)
    assert got.path == f"/2010-04-01/Accounts/{account}/Messages.json"
    assert told["To"] == ["+15559876543"]
    (body,) = told["Body"]
    assert len(body) <= 160
    assert body == f"signoff high, 30 min left (1w0ye): wire_transfer {LINK}"


async def test_whatsapp_gets_its_form_to_one_number(endpoint: Endpoint, message: Message) -> None:
    assert await sent(f"whatsapp://{'a' * 40}@123456789012345/+15559876543", message) == Sent()

    (got,) = endpoint.received
    told = json.loads(got.text)
    assert got.headers["authorization"] == f"Bearer {'a' * 40}"
    assert told["to"] == "+15559876543"
    assert LINK in told["text"]["body"]


async def test_slack_gets_plain_text_in_which_nothing_is_a_mention(endpoint: Endpoint) -> None:
    endpoint.answer = b"ok"
    message = worded(told("opened", tool="<!channel> *now*"))

    assert await sent("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", message) == Sent()

    (got,) = endpoint.received
    told_ = json.loads(got.text)
    (attachment,) = told_["attachments"]
    assert told_["mrkdwn"] is False
    assert LINK in attachment["text"]
    assert "<" not in attachment["title"] + attachment["text"]
    assert "github" not in got.text  # no icon from somebody else's host


@pytest.mark.parametrize(
    "address",
    [
        "gchat://workspace/key/token",
        "rockets://hook/abc@push.example.com/%23general",
        "workflows://push.example.com:443/flow/signature",
        "discord://123456789012345678/" + "a" * 60,
        "mmosts://push.example.com/abcdefghijklmnopqrstuvwxyz",
        "pover://" + "u" * 30 + "@" + "a" * 30,
    ],
)
async def test_a_chat_gets_the_link_as_it_is_without_escapes_in_it(
    endpoint: Endpoint, address: str, message: Message
) -> None:
    endpoint.answer = b'{"status": 1}'
    assert await sent(address, message) == Sent()

    (got,) = endpoint.received
    whole = parse_qs(got.text)["message"][0] if address.startswith("pover") else got.text
    assert LINK in whole
    assert "github" not in whole


async def test_a_redirect_is_not_followed_and_is_no_delivery(endpoint: Endpoint, message: Message) -> None:
    endpoint.status = 302
    endpoint.headers = {"Location": "https://push.example.com/elsewhere"}

    failed = await sent("ntfys://push.example.com/omar", message)

    assert isinstance(failed, Failed)
    assert [one.path for one in endpoint.received] == ["/"]


async def test_a_server_with_another_hosts_certificate_gets_nothing(
    endpoint: Endpoint, message: Message
) -> None:
    failed = await sent("ntfys://other.example.com/omar", message)

    assert isinstance(failed, Failed)
    assert endpoint.received == []


async def test_a_title_longer_than_its_service_takes_is_cut_and_not_the_message_lost(
    endpoint: Endpoint, message: Message
) -> None:
    long = replace(message, subject="x" * 300)

    assert await sent("gotifys://push.example.com/AbCdEfGhIjKlMnO", long) == Sent()

    (got,) = endpoint.received
    assert json.loads(got.text)["title"] == "x" * 249 + "…"


@pytest.mark.parametrize(
    "address",
    [
        "zulip://bot@signoff-tests/" + "a" * 32 + "/alerts",
        "webex://" + "a" * 80,
        "matrixs://" + "a" * 36 + "@push.example.com/?mode=hookshot",
        "pbul://" + "a" * 32,
        "signals://push.example.com/+15551234567/+15559876543",
        "threema://*THEMAID@" + "a" * 16 + "/+15559876543",
        "vonage://AC" + "a" * 8 + ":" + "b" * 16 + "@15551234567/15559876543",
        "msgbird://" + "a" * 25 + "/15551234567/15559876543",
        "sinch://" + "a" * 32 + ":" + "b" * 32 + "@15551234567/15559876543",
        "sns://" + "A" * 20 + "/" + "b" * 40 + "/us-east-1/15559876543",
    ],
    ids=lambda address: address.partition(":")[0],
)
async def test_a_channel_gets_the_whole_link(endpoint: Endpoint, address: str, message: Message) -> None:
    assert await sent(address, message) == Sent()

    (got,) = endpoint.received
    assert LINK in unquote_plus(f"{got.path} {got.text}")
    assert "github" not in got.text
