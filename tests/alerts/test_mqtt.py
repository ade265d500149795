"""Alerts to a real MQTT broker that runs in the test's own process."""

from __future__ import annotations

import io
import logging
import socket

import anyio
import pytest
from tests.alerts.test_messages import told

from signoff.alerts.channels import Channels
from signoff.alerts.messages import alert_message
from signoff.domain.alert import Failed, Sent

broker_of = pytest.importorskip("amqtt.broker", reason="amqtt, the broker, is not installed")
client_of = pytest.importorskip("amqtt.client", reason="amqtt, the broker, is not installed")
pytest.importorskip("paho.mqtt", reason="paho-mqtt, the extra `mqtt`, is not installed")

pytestmark = [
    pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:amqtt"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


async def test_a_subscriber_of_the_topic_gets_the_alert() -> None:
    logging.getLogger("amqtt").setLevel(logging.ERROR)
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    broker = broker_of.Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    message = alert_message(told("opened"))
    with anyio.fail_after(30):
        await broker.start()
        client = client_of.MQTTClient()
        try:
            await client.connect(f"mqtt://127.0.0.1:{port}/")
            await client.subscribe([("signoff/omar", 1)])
            sent = await Channels(io.StringIO()).send(f"mqtt://127.0.0.1:{port}/signoff/omar?qos=1", message)
            got = await client.deliver_message()
        finally:
            await client.disconnect()
            await broker.shutdown()

    assert sent == Sent()
    assert got.topic == "signoff/omar"
    assert message.link in got.data.decode()


async def test_a_broker_that_is_not_there_is_tried_again() -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    with anyio.fail_after(30):
        failed = await Channels(io.StringIO()).send(
            f"mqtt://127.0.0.1:{port}/signoff/omar", alert_message(told("opened"))
        )

    assert isinstance(failed, Failed)
    assert not failed.permanent
