"""The service `fast` in tests: started as the stack starts it, and what it tells."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import polars as pl
from kafka import KafkaConsumer

from edge.rule_files import RuleFiles
from infra.environment import child_environment
from infra.processes import words_below
from spark_jobs.lake import Lake
from telemetry.alerts import Alert
from telemetry.devices import FIRST_VALID_FROM
from telemetry.rules.form import rule_from_dict
from telemetry.rules.rule import VersionedRule
from telemetry.settings import Settings
from telemetry.tables import DEVICES
from telemetry.topics import ALERTS

STARTS_WITHIN_S = 120.0


class Told:
    """All alerts of the topic so far: when each was written, by its id."""

    def __init__(self, bootstrap: str) -> None:
        self.all: list[Alert] = []
        """Those that are told again as well."""
        self.alerts: dict[str, tuple[Alert, int]] = {}
        self._consumer = KafkaConsumer(
            ALERTS.name, bootstrap_servers=bootstrap, auto_offset_reset="earliest"
        )

    def close(self) -> None:
        """Let go of the topic."""
        self._consumer.close()

    def read(self) -> None:
        """Read on."""
        for some in self._consumer.poll(timeout_ms=500).values():
            for record in some:
                alert = Alert.from_json(record.value)
                self.all.append(alert)
                self.alerts.setdefault(alert.id, (alert, record.timestamp))

    def until(self, is_true: Callable[[], object], complaint: str) -> None:
        """Read on until something is true."""
        give_up = time.monotonic() + STARTS_WITHIN_S
        while not is_true():
            assert time.monotonic() < give_up, complaint
            self.read()

    def of_version(self, version: int) -> list[tuple[Alert, int]]:
        """Return what a version of the rule has told, and when."""
        return [each for each in self.alerts.values() if each[0].rule_version == version]

    def until_version(self, version: int) -> None:
        """Read on until a version tells."""
        self.until(lambda: self.of_version(version), f"version {version} tells nothing")


class Lane:
    """The service `fast` on a home of its own, started as the stack starts it."""

    def __init__(self, home: Path, bootstrap: str, names: Iterable[str]) -> None:
        self.settings = Settings(home=home, kafka=bootstrap, fast_renew_s=30)
        lake = Lake(self.settings.lake_root)
        lake.create(DEVICES)
        known = [
            {
                **dict.fromkeys(DEVICES.column_names),
                **{"tenant": "default", "device_full": name, "device": name},
                **{"product": "default", "zone": "north", "valid_from": FIRST_VALID_FROM},
            }
            for name in names
        ]
        lake.append(DEVICES, pl.DataFrame(known), None)
        self._log = home / "fast.log"
        self.process = self.start()

    def start(self) -> "subprocess.Popen[bytes]":
        """Start it; it waits for a rule."""
        environment = {**os.environ, **child_environment(self.settings)}
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "infra.fast_lane"],
                env=environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        return self.process

    def put(self, declared: Mapping[str, object], version: int = 1, *, on: bool = True) -> None:
        """Put a version of a rule to work."""
        kept = VersionedRule(rule_from_dict({**declared, "lane": "fast"}), version, is_on=on)
        RuleFiles(self.settings.registry_dir).put(kept)

    def has_jvm(self) -> bool:
        """Tell whether Spark's application runs."""
        words = words_below(self.process.pid).values()
        return any("java" in each[0] for each in words if each)

    def kill(self) -> None:
        """Kill all of it at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
