"""Devices are looked up once a batch, however many messages each of them sends."""

from collections import Counter

import pyarrow as pa

from spark_jobs.transforms.fleet import Fleet
from spark_jobs.transforms.judged import judged
from spark_jobs.transforms.judgement import as_one
from spark_jobs.transforms.words import Places
from telemetry.devices import Device
from telemetry.records import record_headers
from tests.spark_jobs.odd_records import FLEET, Sent, batch_of
from tests.telemetry.builders import NOW, TOLERANCE

DEVICES, EACH = 5, 40
NAMES = [f"meter.n{number}" for number in range(DEVICES)]


class Counting(Fleet):
    """A fleet that counts the rows that it is asked for, by column."""

    asked: Counter[str]

    def said(self, name: str, rows: Places) -> pa.Array:
        self.asked[name] += len(rows)
        return super().said(name, rows)


def test_devices_are_looked_up_once_a_batch() -> None:
    known = [Device(name, zone=f"zone of {name}", lat=48.0, lng=11.0) for name in NAMES]
    fleet = Counting.of(FLEET.products.values(), known, FLEET.first_use)
    fleet.asked = Counter()
    fleet.find(pa.array(["default"]), pa.array(NAMES[:1]))
    sent = [
        Sent(
            None,
            b'{"seq":%d,"metrics":{"kwh":%d}}' % (number, number % 40),
            record_headers(NAMES[number % DEVICES], received_at=NOW, protocol="mqtt"),
        )
        for number in range(DEVICES * EACH)
    ]
    fleet.asked.clear()
    found = as_one(judged([batch_of(sent)], fleet, tolerance_us=TOLERANCE))

    assert found.messages["reasons"].combine_chunks().flatten().to_pylist() == []
    zones = [f"zone of {NAMES[number % DEVICES]}" for number in range(DEVICES * EACH)]
    said = found.messages.select(["offset", "zone"]).sort_by("offset")
    assert said["zone"].to_pylist() == zones
    asked = {name: fleet.asked[name] for name in ("zone", "customer", "lat", "lng", "firmware")}
    assert asked == dict.fromkeys(asked, DEVICES)
