"""Where connections on one machine come from."""

import sys
from collections import Counter

import pytest

from edge.loopback import PER_ADDRESS, source_of


@pytest.mark.skipif(sys.platform != "linux", reason="127.0.0.1 is the only loopback address")
def test_ten_thousand_connections_leave_room_on_each_address() -> None:
    sources = Counter(source_of("127.0.0.1", number) for number in range(10_000))

    assert max(sources.values()) == PER_ADDRESS
    assert len(sources) == 3
    assert all(source and source[0].startswith("127.0.0.") for source in sources)


@pytest.mark.parametrize("host", ["10.1.2.3", "gateway.example", "::1"])
def test_the_system_chooses_towards_others(host: str) -> None:
    assert source_of(host, 7) is None
