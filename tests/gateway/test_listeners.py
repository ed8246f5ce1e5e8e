"""Other people's clients at the real ports."""

import asyncio
import json
import shutil
import ssl
import subprocess
import time
from pathlib import Path

import aiomqtt
import httpx
import pytest
from aiocoap import Context, Message
from aiocoap.numbers.codes import Code
from cryptography import x509
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from gateway.downlink import Downlink
from telemetry.changes import AuthorityBody
from tests.gateway.certificates import Authority
from tests.gateway.entrances import EDITIONS, MESSAGE, enrol, house
from tests.gateway.served import Served

MOSQUITTO = shutil.which("mosquitto_pub")
COAP = shutil.which("coap-client-notls") or shutil.which("coap-client")


@pytest.fixture(autouse=True)
def emptied(served: Served) -> None:
    served.house.outlet.taken.clear()


@pytest.mark.parametrize("version", [paho.MQTTv311, paho.MQTTv5])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_paho_publishes(served: Served, version: int, qos: int) -> None:
    client = paho.Client(CallbackAPIVersion.VERSION2, "c1", protocol=version)  # type: ignore[arg-type]
    client.username_pw_set("d1")
    client.connect("127.0.0.1", served.port("mqtt"))
    client.loop_start()
    for _ in range(5):
        client.publish("devices/d1/telemetry", MESSAGE, qos).wait_for_publish(5)
    give_up = time.monotonic() + 20
    while len(served.house.outlet.taken) < 5 and time.monotonic() < give_up:
        time.sleep(0.01)
    client.disconnect()
    client.loop_stop()

    assert [taken.value for taken in served.house.outlet.taken] == [MESSAGE] * 5


def test_aiomqtt_publishes_and_hears_its_command(served: Served) -> None:
    async def talk() -> bytes:
        port = served.port("mqtt")
        async with aiomqtt.Client("127.0.0.1", port, username="d2", identifier="a") as client:
            await client.subscribe("devices/d2/commands/#", qos=1)
            await client.publish("devices/d2/telemetry", MESSAGE, qos=1)
            command = Downlink("default", "d2", "commands/reboot", b"now")
            served.loop.call_soon_threadsafe(served.house.entrance.downlinks.deliver, command)
            served.loop.call_soon_threadsafe(served.mqtt.flush)
            message = await anext(aiter(client.messages))
            assert str(message.topic) == "devices/d2/commands/reboot"
            assert isinstance(message.payload, bytes)
            return message.payload

    assert asyncio.run(asyncio.wait_for(talk(), 10)) == b"now"


@pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto-clients is not installed")
def test_mosquitto_pub_sends_lines(served: Served) -> None:
    command = [str(MOSQUITTO), "-p", str(served.port("mqtt")), "-u", "d3", "-q", "1", "-l"]
    lines = b"\n".join([MESSAGE] * 100)
    subprocess.run([*command, "-t", "devices/d3/telemetry"], input=lines, check=True, timeout=20)
    assert len(served.house.outlet.taken) == 100


@pytest.mark.skipif(COAP is None, reason="libcoap's coap-client is not installed")
@pytest.mark.parametrize("size", [1, 200])
def test_coap_client_posts_block_by_block(served: Served, tmp_path: Path, size: int) -> None:
    body = json.dumps([{"seq": number, "metrics": {"a": number}} for number in range(size)])
    (tmp_path / "body").write_text(body)
    url = f"coap://127.0.0.1:{served.port('coap')}/devices/d4/telemetry?u=d4"
    command = [str(COAP), "-m", "post", "-t", "50", "-b", "256", "-f", str(tmp_path / "body")]
    done = subprocess.run([*command, url], capture_output=True, check=True, timeout=20)

    assert done.stdout + done.stderr == b""
    (taken,) = served.house.outlet.taken
    assert taken.value == body.encode()
    assert taken.headers["protocol"] == b"coap"


@pytest.mark.skipif(COAP is None, reason="libcoap's coap-client is not installed")
def test_coap_client_is_told_why_it_is_refused(served: Served) -> None:
    url = f"coap://127.0.0.1:{served.port('coap')}/devices/d9/telemetry?u=d4"
    command = [str(COAP), "-m", "post", "-e", "{}", url]
    done = subprocess.run(command, capture_output=True, check=True, timeout=20)

    assert b"4.03" in done.stderr + done.stdout


@pytest.mark.skipif(COAP is None, reason="libcoap's coap-client is not installed")
def test_coap_client_observes_its_commands(served: Served) -> None:
    url = f"coap://127.0.0.1:{served.port('coap')}/devices/d5/commands?u=d5"
    command = [str(COAP), "-m", "get", "-s", "3", "-B", "3", url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as client:
        for _ in range(100):
            downlink = Downlink("default", "d5", "commands/blink", b"twice;")

            async def deliver(downlink: Downlink = downlink) -> int:
                return served.house.entrance.downlinks.deliver(downlink)

            if served.do(deliver()):
                break
            served.do(asyncio.sleep(0.05))
        out, _ = client.communicate(timeout=20)

    assert b"twice;" in out


@pytest.mark.parametrize(("query", "counted"), [("", "connect_refusals"), ("?u=d8", "connects")])
def test_observation_over_coap_is_one_login(served: Served, query: str, counted: str) -> None:
    counters = served.house.entrance.counters

    def logins() -> float:
        lines = counters.exposition().splitlines()
        return sum(float(x.split()[-1]) for x in lines if counted in x and 'protocol="coap"' in x)

    async def observe() -> None:
        context = await Context.create_client_context(transports=["simple6"])
        uri = f"coap://127.0.0.1:{served.port('coap')}/devices/d8/commands{query}"
        asked = context.request(Message(code=Code.GET, uri=uri, observe=0))
        answer = await asked.response
        assert answer.code == (Code.CONTENT if query else Code.UNAUTHORIZED)
        await context.shutdown()

    before = logins()
    asyncio.run(asyncio.wait_for(observe(), 10))
    assert logins() - before == 1


def test_http_takes_a_post(served: Served) -> None:
    url = f"http://127.0.0.1:{served.port('http')}/devices/d6/telemetry"
    assert httpx.post(url, content=MESSAGE, auth=("d6", "")).status_code == 202


def test_ten_thousand_bytes_of_rubbish_close_a_connection_and_nothing_else(served: Served) -> None:
    async def rubbish() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port("mqtt"))
        writer.write(b"\xff" * 10_000)
        found = await reader.read()
        writer.close()
        return found

    assert asyncio.run(asyncio.wait_for(rubbish(), 10)) == b""
    test_http_takes_a_post(served)


def test_device_comes_in_by_its_certificate_over_tls(tmp_path: Path) -> None:
    authority = Authority()
    uri = x509.UniformResourceIdentifier("device:pk.d1")
    own, _ = authority.issue(tmp_path, "localhost", x509.DNSName("localhost"))
    devices, _ = authority.issue(tmp_path, "any", uri)
    one = house()
    enrol(one.directory, "pk.d1")
    one.directory.apply(
        EDITIONS.change("authority", "ca", AuthorityBody(authority.pem, None, True))
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(own)
    server.load_verify_locations(cadata=authority.pem)
    server.verify_mode = ssl.CERT_OPTIONAL
    running = Served(one, server)
    client_side = ssl.create_default_context(cadata=authority.pem)
    client_side.load_cert_chain(devices)

    async def talk() -> None:
        port = running.port("mqtts")
        async with aiomqtt.Client("localhost", port, tls_context=client_side) as client:
            await client.publish("devices/d1/telemetry", MESSAGE, qos=1)

    try:
        asyncio.run(asyncio.wait_for(talk(), 10))
    finally:
        running.stop()
    assert [taken.key for taken in one.outlet.taken] == [b"pk.d1"]
