"""The ledger that publish writes: what comes out where, before anything is sent."""

import hashlib
from pathlib import Path

import orjson
import pytest

from edge.outbox import OutRecord
from edge.registry_files import RegistryFiles
from infra.publish.pace import Pace
from infra.publish.sent_ledger import SentLedger
from telemetry.products import product_from_dict
from tests.infra.publishing import Home, light_home

T = '"ts":"2024-01-01T00:00:00Z"'


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return light_home(tmp_path)


def ledger(home: Home, *arguments: str, code: int = 0) -> list[dict[str, object]]:
    path = home.path / "ledger.ndjson"
    home.publish(*arguments, "--ledger", str(path), code=code)
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def expected(lines: list[dict[str, object]]) -> list[tuple[object, object]]:
    return [(line["expect"], line["reason"]) for line in lines if line["e"] == "sent"]


def put_product(home: Home, **fields: object) -> None:
    product = product_from_dict({"product": "pump", **fields})
    RegistryFiles(home.path / "registry").put_product(product)


def test_each_message_has_a_sent_line_and_an_ack(home: Home) -> None:
    path = home.file("a.csv", "device,time,kw\nd1,2024-01-01 00:00:00,1.5\n")
    sent, ack = ledger(home, path, "--product", "pump")

    value = home.records()[0][1]
    assert sent["e"] == "sent"
    assert sent["tenant"] == "default"
    assert sent["device"] == "pump.d1"
    assert sent["seq"] == 2
    assert sent["sha256"] == hashlib.sha256(value).hexdigest()
    assert sent["event_time"] == 1_704_067_200_000_000
    assert (sent["expect"], sent["reason"]) == ("silver", None)
    assert ack["e"] == "ack"
    assert [ack[name] for name in ("boot", "seq", "sha256")] == [
        sent[name] for name in ("boot", "seq", "sha256")
    ]
    assert isinstance(ack["at"], int)
    assert isinstance(sent["sent_at"], int)
    assert ack["at"] >= sent["sent_at"]


def test_message_without_time_has_no_event_time_of_its_own(home: Home) -> None:
    sent, _ = ledger(home, home.file("a.csv", "device,kw\nd1,1.5\n"), "--product", "pump")
    assert sent["event_time"] is None


def test_sentinel_is_silver(home: Home) -> None:
    path = home.file("a.csv", "device,kw\nd1,-200\n")
    lines = ledger(home, path, "--product", "pump", "--sentinel", "-200")
    assert expected(lines) == [("silver", None)]


def test_known_schema_decides_what_is_rejected_or_late(home: Home) -> None:
    metrics = {"kw": {"type": "double", "max": 10}}
    versions = [{"version": 1, "metrics": metrics}]
    ages = {"max_age": "unbounded", "retention": "forever"}
    put_product(home, versions=versions, lateness="30 s", **ages)
    texts = [f'{{{T},"metrics":{{"kw":{kw}}}}}' for kw in ("1", "11", '"x"')]
    path = home.file("m.ndjson", "\n".join([*texts, f'{{{T},"metrics":{{"kwh":1}}}}']))
    lines = ledger(home, path, "--device", "pump.d1")
    assert expected(lines) == [
        ("late", None),
        ("rejected", "range"),
        ("rejected", "type"),
        ("rejected", "unknown_metric"),
    ]


def test_same_key_is_a_duplicate_or_a_conflict(home: Home) -> None:
    one = '{"boot":"b","seq":1,"metrics":{"x":1}}'
    two = '{"boot":"b","seq":1,"metrics":{"x":2}}'
    lines = ledger(home, home.file("m.ndjson", "\n".join([one, one, two])), "--device", "d")
    assert expected(lines) == [("silver", None), ("duplicate", None), ("conflict", None)]


def test_rejected_message_takes_no_key(home: Home) -> None:
    texts = ['{"seq":1,"metrics":{"x":null}}', '{"seq":1,"metrics":{"x":1}}']
    lines = ledger(home, home.file("m.ndjson", "\n".join(texts)), "--device", "d")
    assert expected(lines) == [("rejected", "type"), ("silver", None)]


def test_first_use_fixes_a_type(home: Home) -> None:
    texts = ['{"metrics":{"x":1}}', '{"metrics":{"x":"one"}}']
    lines = ledger(home, home.file("m.ndjson", "\n".join(texts)), "--device", "d")
    assert expected(lines) == [("silver", None), ("rejected", "type")]


def test_the_same_file_twice_in_one_call_is_duplicates(home: Home) -> None:
    path = home.file("a.csv", "device,kw\nd1,1.5\n")
    lines = ledger(home, path, path, "--product", "pump")
    assert expected(lines) == [("silver", None), ("duplicate", None)]


def test_raw_lines_are_matched_by_their_bytes(home: Home) -> None:
    texts = [b"rubbish", b"", b'{"metrics":{"x":1}}', b'[{"seq":1,"metrics":{"x":1}},{}]']
    path = home.file("raw", b"\n".join(texts))
    lines = ledger(home, path, "--raw", "--device", "d")
    sent = [line for line in lines if line["e"] == "sent"]

    assert expected(lines) == [
        ("rejected", "malformed"),
        ("rejected", "empty"),
        ("silver", None),
        ("silver", None),
        ("rejected", "missing"),
    ]
    assert [line["seq"] for line in sent] == [None, None, None, 1, None]
    assert sent[0]["sha256"] == hashlib.sha256(b"rubbish").hexdigest()
    assert sent[4]["sha256"] == hashlib.sha256(b"{}").hexdigest()
    assert len(lines) == 10


def test_bad_line_has_no_entry(home: Home) -> None:
    path = home.file("a.csv", "device,kw\nd1,1.5\nd1,2\nd1,x\n")
    assert len(ledger(home, path, "--product", "pump", code=1)) == 4


def test_ledger_that_cannot_be_written_stops_before_anything_is_sent(home: Home) -> None:
    path = home.file("a.csv", "device,kw\nd1,1.5\n")
    result = home.publish(path, "--ledger", str(home.path / "none" / "ledger"), code=1)
    assert "cannot be written: No such file or directory" in result.stderr
    assert home.records() == []


class Clock:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def read(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize(("rate", "group"), [(5, 1), (100, 10), (1e6, 1_000)])
def test_pace_is_held_over_time(rate: float, group: int) -> None:
    clock = Clock()
    pace = Pace(rate, clock=clock.read, sleep=clock.sleep)
    assert pace.group(1_000) == group
    for _ in range(51):
        pace.wait(group)
    assert clock.now - 100.0 == pytest.approx(50 * group / rate)


def test_pace_does_not_make_up_for_a_long_pause() -> None:
    clock = Clock()
    pace = Pace(10, clock=clock.read, sleep=clock.sleep)
    pace.wait(1)
    clock.now += 60
    for _ in range(101):
        pace.wait(1)
    assert clock.now - 160.0 >= 8.9


def test_no_rate_is_as_fast_as_it_goes() -> None:
    clock = Clock()
    Pace(None, clock=clock.read, sleep=clock.sleep).wait(10**9)
    assert clock.now == 100.0


def test_what_a_device_sends_again_is_said_of_each_message(tmp_path: Path) -> None:
    path, files = tmp_path / "ledger.ndjson", RegistryFiles(tmp_path / "registry")
    record = OutRecord(b"d", b'[{"seq":1,"metrics":{"x":1}},{"seq":2,"metrics":{"x":1}}]', [])
    with SentLedger(path, files, tolerance_us=0, first_use={}) as kept:
        (acks,) = kept.sent([record], [True])
        kept.sent_again(acks, 7)

    lines = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    key = ("tenant", "device", "boot", "seq", "sha256")
    sent, again = ([line for line in lines if line["e"] == e] for e in ("sent", "again"))
    assert [line["at"] for line in again] == [7, 7]
    assert [[line[name] for name in key] for line in again] == [
        [line[name] for name in key] for line in sent
    ]
