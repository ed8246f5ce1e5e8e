"""`headwater plot --service` against a real query service: the same picture, from its answers."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from click.testing import CliRunner, Result

from infra.cli import cli
from infra.plotting.answers import SERVED, Answers
from infra.plotting.chart import Line
from infra.plotting.series import Asked
from infra.service_client import ServiceClient
from services.query.times import time_text
from tests.services.live_server import MINUTE, LiveServer, served
from tests.services.query_lake import Reading, numbered
from tests.services.test_query_service import START

SPIKE = 4321.5
SECOND = 1_000_000


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    live = LiveServer(tmp_path_factory.mktemp("plot"))
    rows = [
        Reading(START + n * MINUTE // 4, SPIKE if n == 3333 else n % 9.0)
        for n in range(5000)
        if not 1000 < n < 1400
    ]
    rows += [Reading(START + n * MINUTE, 2.0, device="meter.m2") for n in range(9)]
    rows += [Reading(START, "idle", metric="state")]
    live.lake.land(numbered(rows))
    (live.queries.settings.home / "stack.json").write_text('{"mode": "light"}')
    with served(live):
        yield live


def plot(live: LiveServer, *arguments: str, code: int = 0, url: str = "") -> Result:
    address = url or f"http://127.0.0.1:{live.port}"
    environment = {"HEADWATER_HOME": str(live.queries.settings.home), "HEADWATER_DEBUG": "false"}
    command = ["plot", *arguments, f"--service={address}"]
    result = CliRunner().invoke(cli, command, env=environment)
    assert result.exit_code == code, result.output
    return result


def line(live: LiveServer) -> Line:
    client = ServiceClient("query", f"http://127.0.0.1:{live.port}", live.queries.local_key)
    return Answers(client).line(Asked("meter.m1", "kwh"), SERVED, "m1")


def test_spike_of_one_reading_is_in_the_line_and_the_gap_breaks_it(live: LiveServer) -> None:
    drawn = line(live)
    assert max(drawn.values) == SPIKE
    assert 500 < len(drawn.times) <= 1000
    (broken,) = drawn.breaks
    assert drawn.times[broken] - drawn.times[broken - 1] > (drawn.times[-1] - drawn.times[0]) / 20


def test_terminal_and_picture_compare_devices(live: LiveServer, tmp_path: Path) -> None:
    text = plot(live, "meter.m1,meter.m2", "kwh").stdout
    assert "kwh of meter.m1, meter.m2, extremes kept, 2026-05-31" in text
    assert "meter.m2" in text
    plot(live, "meter.m1,meter.m2", "kwh", "--png", str(tmp_path / "a.png"))
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG\r\n")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("meter.m1", "kw"), "kwh"),
        (("meter.m1", "state"), "is text"),
        (("meter.m7", "kwh"), "there is no device 'meter.m7'"),
        (("meter.m1", "kwh", "--from", "2026-07-01"), "has nothing in that time"),
    ],
)
def test_what_cannot_be_drawn_says_why(
    live: LiveServer, arguments: tuple[str, ...], reason: str
) -> None:
    assert reason in plot(live, *arguments, code=1).stderr


def test_windows_are_the_services_choice(live: LiveServer) -> None:
    assert "leave out --window" in plot(live, "a", "b", "--window", "hour", code=2).stderr


def test_service_that_is_away_is_named(live: LiveServer) -> None:
    away = plot(live, "meter.m1", "kwh", code=1, url="http://127.0.0.1:1")
    assert "query at http://127.0.0.1:1 does not answer" in away.stderr


def test_span_in_which_no_window_is_whole_is_as_it_was_told_first() -> None:
    points = [{"time": f"2026-01-01T0{hour}:00:00Z", "value": 1.0} for hour in (5, 9)]
    told = [points, [], [], []]
    said = {"type": "number", "truncated": False, "bucket_s": 86400.0}
    client = SimpleNamespace(ask=lambda *_: {**said, "points": told.pop(0)})
    extent = Answers(cast(ServiceClient, client)).extent(Asked("meter.m1", "kwh"))
    assert (extent.first.hour, extent.last.hour) == (5, 9)


def test_part_that_the_service_leaves_out_is_named(tmp_path: Path) -> None:
    live = LiveServer(tmp_path, most_raw_rows=1000)
    live.lake.land(numbered([Reading(START + n * SECOND, 1.0) for n in range(1500)]))
    (tmp_path / "stack.json").write_text('{"mode": "light"}')
    begin, end = (time_text(at) for at in (START, START + 1800 * SECOND))
    with served(live):
        whole = plot(live, "meter.m1", "kwh", code=1)
        part = plot(live, "meter.m1", "kwh", "--from", begin, "--to", end)
    assert "ask for a part of it with --from and --to" in whole.stderr
    assert "left out: a part of kwh of meter.m1" in part.stderr
