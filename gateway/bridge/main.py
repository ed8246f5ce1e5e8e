"""The bridge's process: its parts put together, and run until told to stop."""

import asyncio
import gc
import signal
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass

import uvloop
from filelock import FileLock, Timeout

from edge.outboxes import stack_mode
from gateway.bridge.connector import Connector
from gateway.bridge.health import HealthPage, health_app
from gateway.bridge.intake import Intake
from gateway.bridge.options import broker_address, client_context, login, session_file
from gateway.bridge.routes import Routes
from gateway.counters import Counters
from gateway.directory import Directory
from gateway.following import registry_feed
from gateway.ingest import Ingest
from gateway.outlet import Outlet
from gateway.outlets import open_outlets
from gateway.polling import Poller
from gateway.rules_file import RulesFile
from gateway.telling import Teller, open_account, open_teller
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

TICK_S = 1.0
FLUSH_S = 10.0
COLLECT_AFTER = 100_000


@dataclass(slots=True)
class Bridge:
    """Everything that runs."""

    directory: Directory
    routes: Routes
    ingest: Ingest
    connector: Connector
    outlets: list[Outlet]
    rules: RulesFile
    counters: Counters
    teller: Teller
    is_informed: bool = False
    """Whether what the registry knows is known here."""

    def complaint(self) -> str | None:
        """Say what keeps messages from landing; None if nothing does."""
        if not self.is_informed:
            return "waits for Kafka, to read what the registry knows"
        intake = self.connector.intake
        if intake.is_held:
            return f"{len(intake.pending)} messages are held: {intake.why}"
        return self.connector.complaint

    async def tick(self) -> None:
        """Read the rules again when they change, and keep the gauges."""
        while True:
            if self.rules.refresh():
                self.routes.rules = self.rules.rules
            gauges = self.counters.gauges
            gauges["bridge_waiting"] = len(self.connector.intake.pending)
            gauges["records_taken"] = self.ingest.taken
            await self.teller.tick()
            await asyncio.sleep(TICK_S)


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; one bridge a home, whose session has one name."""
    settings.bridge_dir.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(settings.bridge_dir / "lock", timeout=0):
            # Nothing on a message's way is part of a cycle, so the collector need not look often.
            gc.set_threshold(COLLECT_AFTER, 50, 100)
            uvloop.run(_serve(settings))
    except Timeout:
        raise HeadwaterError(
            f"another bridge runs in {settings.home}: one on another HEADWATER_HOME shares its load"
        ) from None


async def _serve(settings: Settings) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    bridge = assemble(settings)
    page = HealthPage(health_app(bridge.complaint, bridge.counters), settings.port("bridge"))
    working = asyncio.create_task(_work(settings, bridge))
    waiting = asyncio.create_task(stopped.wait())
    done, _ = await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if waiting in done:
        await bridge.connector.leave(FLUSH_S)
    working.cancel()
    await bridge.teller.close(FLUSH_S)
    for outlet in bridge.outlets:
        outlet.close(FLUSH_S)
    await page.close()
    if working in done:
        working.result()


async def _work(settings: Settings, bridge: Bridge) -> None:
    """Learn what the registry knows, then take messages for ever."""
    async with AsyncExitStack() as stack:
        if stack_mode(settings) == "full":
            feed = registry_feed(settings.kafka_bootstrap, bridge.directory, group="bridge")
            stack.push_async_callback(feed.close)
            await feed.caught_up.wait()
        bridge.is_informed = True
        print("bridge: ready", file=sys.stderr, flush=True)  # noqa: T201
        drains = [getattr(outlet, "drain", None) for outlet in bridge.outlets]
        async with asyncio.TaskGroup() as group:
            for drain in drains:
                if drain is not None:
                    group.create_task(drain())
            group.create_task(bridge.tick())
            group.create_task(bridge.connector.tick())
            group.create_task(bridge.connector.run())


def assemble(settings: Settings) -> Bridge:
    """Put the parts together; nothing is connected yet."""
    address = broker_address(settings)
    secure, session = client_context(settings, address), session_file(settings)
    counters, directory = Counters(), Directory()
    by_class = open_outlets(settings, settings.bridge_dir, counters)
    outlets = list(dict.fromkeys(by_class.values()))
    poller = Poller(outlets)
    ingest = Ingest(by_class, counters, account=open_account(settings.bridge_dir))
    ingest.polled_by(poller.wake)
    poller.ingest = ingest
    routes = Routes(directory, ingest, counters, tenant=settings.bridge_tenant)
    directory.on_change = lambda _change: routes.forget()
    intake = Intake(routes, counters, window=settings.bridge_window)
    own = login(settings, session.client_id)
    connector = Connector(address, own, intake, session, counters, secure)
    rules = RulesFile(settings.gateway_rules or settings.gateway_dir / "rules.json")
    rules.refresh()
    routes.rules = rules.rules
    teller = open_teller(settings, settings.bridge_dir, ingest, outlets)
    return Bridge(directory, routes, ingest, connector, outlets, rules, counters, teller)
