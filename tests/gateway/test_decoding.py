"""What the gateway takes in one pass is what landing can read, and nothing else."""

import pytest

from gateway.decoding import examined, refused
from telemetry.records import JSON

TIMES = [
    "2026-11-21T08:00:00Z", "2026-11-21 08:00:00", "2026-11-21T08:00:00+14:00", "20261121T080000Z",
    "0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00-14:00", "0001-01-01T00:00:00",
    "9999-12-31T23:59:59-14:00", "9999-12-31T23:59:59+14:00", "9999-12-31T23:59:59.9999999Z",
    "2026-11-21T08:00:60Z", "2026-02-30T00:00:00Z", "1764000000", "",
]  # fmt: skip


@pytest.mark.parametrize("said", TIMES)
def test_time_is_taken_where_landing_reads_it(said: str) -> None:
    payload = b'{"ts":"%s","metrics":{"a":1}}' % said.encode()

    is_read = isinstance(examined(payload, JSON, ("d1",)), int)

    assert (refused(payload, JSON, ("d1",)) is None) == is_read
