"""Alerts to a real MQTT broker that runs in the test's own process."""

from __future__ import annotations

import gc
import io
import logging
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests._support.tls import Authority
from tests.alerts.test_messages import told, worded

from signoff.alerts.channels import Channels
from signoff.domain.alert import Failed, Sent

broker_of = pytest.importorskip("amqtt.broker", reason="amqtt, the broker, is not installed")
client_of = pytest.importorskip("amqtt.client", reason="amqtt, the broker, is not installed")
mqtt_of = pytest.importorskip("apprise.plugins.mqtt")
pytest.importorskip("paho.mqtt", reason="paho-mqtt, the extra `mqtt`, is not installed")

pytestmark = [
    pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:amqtt"),
    pytest.mark.filterwarnings("ignore:ssl.PROTOCOL_TLS is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def collected() -> Generator[None]:
    """Let go of the sockets that paho leaves to the garbage collector, while their warning is expected."""
    yield
    gc.collect()


@asynccontextmanager
async def broker(listener: dict[str, Any]) -> AsyncGenerator[tuple[int, Any]]:
    """Run a broker, and yield its plain port with a client that listens to one topic."""
    logging.getLogger("amqtt").setLevel(logging.ERROR)
    port = free_port()
    made = broker_of.Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}, "other": listener},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    await made.start()
    client = client_of.MQTTClient()
    try:
        await client.connect(f"mqtt://127.0.0.1:{port}/")
        await client.subscribe([("signoff/omar", 1)])
        yield port, client
    finally:
        await client.disconnect()
        await made.shutdown()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


async def test_a_subscriber_of_the_topic_gets_the_alert() -> None:
    message = worded(told("opened"))
    with anyio.fail_after(30):
        async with broker({"type": "tcp", "bind": f"127.0.0.1:{free_port()}"}) as (port, client):
            sent = await Channels(io.StringIO()).send(f"mqtt://127.0.0.1:{port}/signoff/omar?qos=1", message)
            got = await client.deliver_message()

    assert sent == Sent()
    assert got.topic == "signoff/omar"
    assert message.link in got.data.decode()


@pytest.mark.parametrize("trusted", [True, False])
async def test_a_broker_behind_tls_gets_the_alert_only_if_it_proves_who_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool
) -> None:
    ours, other = Authority(tmp_path / "ours"), Authority(tmp_path / "other")
    ours.server("localhost")
    pem = str(tmp_path / "ours" / "localhost.pem")
    # The plugin looks for the machine's authorities in fixed places.
    trust = str((ours if trusted else other).ca_file)
    monkeypatch.setattr(mqtt_of.NotifyMQTT, "CA_CERTIFICATE_FILE_LOCATIONS", [trust])
    port = free_port()
    listener = {"type": "tcp", "bind": f"127.0.0.1:{port}", "ssl": True, "certfile": pem, "keyfile": pem}
    message = worded(told("opened"))
    with anyio.fail_after(30):
        async with broker(listener) as (_, client):
            sent = await Channels(io.StringIO()).send(f"mqtts://localhost:{port}/signoff/omar?qos=1", message)
            assert isinstance(sent, Sent if trusted else Failed)
            if trusted:
                got = await client.deliver_message()
                assert message.link in got.data.decode()


async def test_a_broker_that_is_not_there_is_tried_again() -> None:
    port = free_port()
    with anyio.fail_after(30):
        failed = await Channels(io.StringIO()).send(
            f"mqtt://127.0.0.1:{port}/signoff/omar", worded(told("opened"))
        )

    assert isinstance(failed, Failed)
    assert not failed.permanent
