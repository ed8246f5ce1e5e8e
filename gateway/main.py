"""The gateway's process: its parts put together, and run until told to stop."""

import asyncio
import gc
import signal
import sys
import time
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

import uvloop

from edge.key_file import read_key_ring
from edge.local_key import local_key
from edge.open_files import allow_all_open_files
from edge.outboxes import stack_mode
from gateway.authentication import Authentication, Development
from gateway.coap.listener import listen_coap
from gateway.coap.site import tuning
from gateway.commands import downlink_of
from gateway.counters import Counters
from gateway.directory import Directory
from gateway.entrance import Entrance
from gateway.feeds import Feed, Record
from gateway.following import registry_feed
from gateway.http.listener import HttpListener
from gateway.ingest import Ingest
from gateway.limits import Limits, Rate
from gateway.mqtt.connecting import Desk, MqttOptions
from gateway.mqtt.kept import KeptSessions
from gateway.mqtt.listener import MqttListener
from gateway.mqtt.sessions import Sessions
from gateway.outlet import Outlet
from gateway.outlets import open_outlets
from gateway.polling import Poller
from gateway.rules_file import RulesFile
from gateway.secure import server_context
from gateway.telling import Teller, open_account, open_teller
from telemetry.sealing import KeyRing
from telemetry.settings import Settings
from telemetry.topics import COMMANDS

TICK_S = 1.0
FLUSH_S = 10.0
COLLECT_AFTER = 100_000


@dataclass(slots=True)
class Gateway:
    """Everything that runs."""

    entrance: Entrance
    mqtt: MqttListener
    outlets: list[Outlet]
    poller: Poller
    rules: RulesFile
    teller: Teller

    async def tick(self) -> None:
        """Keep time for sessions, wills and credentials."""
        while True:
            await asyncio.sleep(TICK_S)
            self.mqtt.tick()
            if self.rules.refresh():
                self.entrance.go_by(self.rules.rules)
            self.entrance.lives.expire(time.time())
            gauges = self.entrance.counters.gauges
            gauges["mqtt_connections"] = len(self.mqtt.sockets)
            gauges["mqtt_sessions"] = len(self.mqtt.desk.sessions)
            gauges["mqtt_waiting_bytes"] = self.mqtt.desk.sessions.room.held
            gauges["records_taken"] = self.entrance.ingest.taken
            await self.teller.tick()


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    # Nothing on a message's way is part of a cycle, so the collector need not look often.
    gc.set_threshold(COLLECT_AFTER, 50, 100)
    # Many systems begin at 1,024, which would be the most devices.
    allow_all_open_files()
    uvloop.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    serving = asyncio.create_task(_served(settings))
    try:
        await until_stopped(stopped, [serving])
    finally:
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving


async def _served(settings: Settings) -> None:
    """Serve until cancelled; then hear nobody any more before sessions and account are closed."""
    gateway = assemble(settings)
    async with AsyncExitStack() as closing, AsyncExitStack() as feeds:
        if stack_mode(settings) == "full":
            await follow(settings, gateway, feeds)
        closing.push_async_callback(_close, gateway)
        async with AsyncExitStack() as listeners:
            await _listen(settings, gateway, listeners)
            print("gateway: ready", file=sys.stderr, flush=True)  # noqa: T201
            await asyncio.gather(gateway.tick(), *_draining(gateway))


async def until_stopped(stopped: asyncio.Event, working: Sequence["asyncio.Task[None]"]) -> None:
    """Wait until told to stop, or raise what ended work that never ends.

    A gateway that keeps no time any more would let nobody go whose credential has ended.
    """
    waiting = asyncio.create_task(stopped.wait())
    done, _ = await asyncio.wait({waiting, *working}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    for task in done.intersection(working):
        task.result()


async def _close(gateway: Gateway) -> None:
    if gateway.mqtt.desk.sessions.kept is not None:
        gateway.mqtt.desk.sessions.kept.close()
    await gateway.teller.close(FLUSH_S)
    for outlet in gateway.outlets:
        outlet.close(FLUSH_S)


def _draining(gateway: Gateway) -> list[Coroutine[None, None, None]]:
    """Have what lies on disk handed on to Kafka, where there is such an outlet."""
    drains = [getattr(outlet, "drain", None) for outlet in gateway.outlets]
    return [drain() for drain in drains if drain is not None]


def assemble(settings: Settings) -> Gateway:
    """Put the parts together; nothing listens yet."""
    counters, directory = Counters(), Directory(_ring(settings))
    by_class = open_outlets(settings, settings.gateway_dir, counters)
    outlets = list(dict.fromkeys(by_class.values()))
    poller = Poller(outlets)
    ingest = Ingest(by_class, counters, account=open_account(settings.gateway_dir))
    ingest.polled_by(poller.wake)
    poller.ingest = ingest
    entrance = Entrance(
        directory, _authentication(settings, directory), _limits(settings), ingest, counters
    )
    options = MqttOptions(longest_keep_alive_s=settings.gateway_keep_alive_s)
    sessions = Sessions(counters, KeptSessions(settings.gateway_dir / "sessions.db"))
    sessions.restore(time.time())
    mqtt = MqttListener(Desk(entrance, sessions, options))
    poller.after = mqtt.flush
    rules = RulesFile(settings.gateway_rules or settings.gateway_dir / "rules.json")
    rules.refresh()
    entrance.rules = rules.rules
    teller = open_teller(settings, settings.gateway_dir, ingest, outlets)
    return Gateway(entrance, mqtt, outlets, poller, rules, teller)


def _ring(settings: Settings) -> KeyRing | None:
    path = settings.registry_key_file
    return read_key_ring(path) if path.exists() else None


def _authentication(settings: Settings, directory: Directory) -> Authentication:
    mode, token = settings.gateway_development, settings.gateway_development_token
    development = Development(
        token.get_secret_value() if token and mode == "token" else None,
        mode == "anonymous",
        settings.gateway_plain_tokens or mode != "off",
    )
    return Authentication(
        directory,
        profile=settings.gateway_profile,
        development=development,
        local_key=local_key(settings.gateway_dir),
    )


def _limits(settings: Settings) -> Limits:
    def rate(per_s: float) -> Rate:
        return Rate(per_s, per_s * settings.gateway_burst_s)

    return Limits(
        rate(settings.gateway_device_rate),
        rate(settings.gateway_tenant_rate),
        rate(settings.gateway_rate),
    )


async def follow(settings: Settings, gateway: Gateway, stack: AsyncExitStack) -> None:
    """Read the registry to its end, then follow it and the commands."""
    downlinks = gateway.entrance.downlinks

    def commanded(records: list[Record]) -> None:
        for record in records:
            downlink = downlink_of(record)
            found = downlink is not None and downlinks.deliver(downlink)
            if not found:
                gateway.entrance.counters.add("downlinks", channel="nobody")
        gateway.mqtt.flush()

    bootstrap, group = settings.kafka_bootstrap, settings.gateway_group
    registry = registry_feed(bootstrap, gateway.entrance.directory, group=group)
    commands = Feed(bootstrap, COMMANDS.name, commanded, group=group, begin="committed")
    stack.push_async_callback(registry.close)
    stack.push_async_callback(commands.close)
    await registry.caught_up.wait()
    # Who is answered "ready" may send a command at once.
    await commands.begun.wait()


async def _listen(settings: Settings, gateway: Gateway, stack: AsyncExitStack) -> None:
    host, entrance = settings.gateway_host, gateway.entrance
    stack.push_async_callback(gateway.mqtt.close)
    await gateway.mqtt.listen(host, settings.port("gateway_mqtt"))
    secure = server_context(settings, entrance.directory)
    if secure is not None:
        await gateway.mqtt.listen(host, settings.port("gateway_mqtts"), secure)
    timers = tuning(settings.gateway_coap_ack_timeout_s, settings.gateway_coap_retransmits)
    coap = await listen_coap(entrance, host, settings.port("gateway_coap"), timers)
    stack.push_async_callback(coap.shutdown)
    stack.push_async_callback(HttpListener(entrance, settings).close)
