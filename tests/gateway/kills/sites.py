"""A broker, a gateway before it, and relays around the gateway."""

import json
import threading
from collections import Counter
from pathlib import Path

from tests.brokers import Broker
from tests.gateway.kills.devices import CoapDevice, Device, HttpDevice, MqttDevice, messages
from tests.gateway.kills.gateways import GatewayProcess
from tests.gateway.kills.landed import TopicReader
from tests.gateway.kills.points import HELD_BY_KAFKA, Point, set_trap
from tests.gateway.kills.relays import Relay, by_length
from tests.gateway.kills.silver import rows_of_silver

PROTOCOLS = ("mqtt 1", "mqtt 2", "http", "coap")
IN_FLIGHT = 6


class Site:
    """Everything that a kill needs; the gateway knows the broker by way of a relay alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.proved: dict[str, list[bytes]] = {}
        """By device what it has had acknowledged, and the topic has once."""
        self.back = Relay(by_length)
        self.broker = Broker(folder / "broker", relay_port=self.back.port)
        self.back.target = self.broker.relayed_port
        self.gateway = GatewayProcess(folder / "gateway", f"127.0.0.1:{self.back.port}")
        self.reader = TopicReader(self.broker.settings.kafka_bootstrap)
        self.fronts = {name: Relay() for name in ("mqtt", "http", "coap")}
        for name, relay in self.fronts.items():
            relay.target = self.gateway.port(name)
        self.gateway.wait_until_ready()

    def device(self, protocol: str, name: str) -> Device:
        """Return a device that reaches the gateway by its protocol's relay."""
        spoken, _, qos = protocol.partition(" ")
        port = self.fronts[spoken].port
        if spoken == "mqtt":
            return MqttDevice(name, port, qos=int(qos))
        return HttpDevice(name, port) if spoken == "http" else CoapDevice(name, port)

    def strike(self, protocol: str, point: Point, name: str) -> None:
        """Kill the gateway at a point while messages are on their way, and prove what is left."""
        device, front = self.device(protocol, name), self.fronts[protocol.partition(" ")[0]]
        try:
            device.send(messages(name, 0, 3))
            trap = set_trap(point, device, front=front, back=self.back, kill=self.gateway.kill)
            if point is Point.BEFORE_AUTHENTICATION:
                device.lose_connection()
            victims = messages(name, 3, IN_FLIGHT)
            sending = threading.Thread(target=device.send, args=[victims])
            sending.start()
            assert trap.sprung.wait(30), f"the gateway was never at {point}"
            try:
                self._check_point(point, device, victims)
            finally:
                # The next one must not fail because this one did.
                trap.release()
                self.gateway.restart()
                sending.join(60)
            device.send(messages(name, 3 + IN_FLIGHT, 3))
        finally:
            device.close()
        self.check(device, messages(name, 0, 6 + IN_FLIGHT))

    def _check_point(self, point: Point, device: Device, victims: list[bytes]) -> None:
        """Hold the point to its name: what the topic and the device know while nobody serves."""
        self.gateway.process.wait(10)
        self.reader.refresh()
        there = self.reader.of(device.name)
        assert (not there.keys().isdisjoint(victims)) == (point in HELD_BY_KAFKA)
        if point is not Point.AFTER:
            assert device.acknowledged.isdisjoint(victims)

    def check(self, device: Device, sent: list[bytes]) -> None:
        """Prove that each message was acknowledged, and that the topic has one key for each."""
        self.reader.refresh()
        assert device.acknowledged == set(sent)
        assert self.reader.of(device.name) == dict.fromkeys(sent, 1)
        self.proved[device.name] = sent

    def prove_silver(self) -> None:
        """Land the topic, and prove that silver has one row for each acknowledged message."""
        bootstrap = self.broker.settings.kafka_bootstrap
        found = rows_of_silver(self._folder / "lake", bootstrap, self.proved)
        assert self.proved
        for name, sent in self.proved.items():
            wanted = Counter(json.loads(one)["metrics"]["n"] for one in sent)
            assert found[name] == wanted, f"{name}: {found[name]}, not {wanted}"

    def close(self) -> None:
        """End all of it."""
        self.reader.close()
        self.gateway.close()
        self.broker.kill()
        for relay in (*self.fronts.values(), self.back):
            relay.close()
