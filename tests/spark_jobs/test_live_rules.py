"""What gold is asked for changes with products alone, however many devices are registered."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from edge.registry_files import RegistryFiles
from spark_jobs.jobs.live_rules import LiveRules
from telemetry.devices import Device
from telemetry.products import Product

METER = Product("meter", lateness=timedelta(seconds=30))


def test_devices_change_nothing_of_what_products_ask_for(tmp_path: Path) -> None:
    files = RegistryFiles(tmp_path)
    files.put_product(METER)
    live = LiveRules(RegistryFiles(tmp_path))
    assert live.renew(), "it is asked for the first time"
    assert not live.renew()

    for number in range(3):
        files.enrol([Device(f"meter.d{number}")])
        assert not live.renew()

    files.put_product(replace(METER, dedup_horizon=timedelta(days=2)))
    assert not live.renew(), "of that gold hears nothing"
    files.put_product(replace(METER, lateness=timedelta(seconds=60)))
    assert live.renew()
    lateness = dict(live.asked.select("product", "lateness").iter_rows())
    assert lateness["meter"] == timedelta(seconds=60)
    assert not live.renew()
