"""`headwater publish` as a person sees it, on a light home without streams."""

import gzip
import hashlib
from pathlib import Path

import orjson
import pytest

from edge.registry_files import RegistryFiles
from telemetry.durations import format_duration
from telemetry.message import decode
from telemetry.products import Metric
from tests.infra.publishing import Home, counts, light_home

CSV = "device,time,kw,state\nd1,2024-01-01 00:00:00,1.5,idle\nd2,2024-01-01 00:01:00,2,busy\n"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return light_home(tmp_path)


def boot(path: str) -> str:
    return "f:" + hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]


def registry(home: Home) -> RegistryFiles:
    return RegistryFiles(home.path / "registry")


def test_csv_becomes_messages_keyed_by_file_and_line(home: Home) -> None:
    path = home.file("plant.csv", CSV)
    result = home.publish(path, "--product", "pump")

    assert counts(result) == {"read": 2, "published": 2, "bad_lines": 0}
    assert [key for key, _ in home.records()] == ["pump.d1", "pump.d2"]
    assert home.messages()[0] == {
        "v": 1,
        "ts": "2024-01-01T00:00:00Z",
        "boot": boot(path),
        "seq": 2,
        "metrics": {"kw": 1.5, "state": "idle"},
    }
    assert home.messages()[1]["seq"] == 3


def test_guesses_are_shown_before_and_a_summary_after(home: Home) -> None:
    result = home.publish(home.file("plant.csv", CSV), "--product", "pump")
    lines = result.stderr.splitlines()
    assert lines[0].endswith("plant.csv: CSV, delimiter comma, with a header")
    assert lines[1] == "  device   column device"
    assert lines[2] == "  time     time (ISO 8601, UTC where it names no zone)"
    assert lines[3] == "  metrics  kw (double), state (string)"
    assert lines[4] == "product pump: new, lateness unbounded, retention history"
    assert lines[5].startswith("2 of 2 lines published and acknowledged")


def test_product_is_enrolled_as_history_with_the_schema_of_the_columns(home: Home) -> None:
    path = home.file("plant.csv", CSV)
    home.publish(path, "--product", "pump", "--unit", "kw=kW", "--sentinel", "-200")

    pump = registry(home).products()["default", "pump"]
    assert format_duration(pump.lateness) == format_duration(pump.max_age) == "unbounded"
    assert pump.retention_class == "history"
    assert pump.versions[0].metrics == {
        "kw": Metric("kw", "double", "kW", sentinels=(-200.0,)),
        "state": Metric("state", "string"),
    }
    assert {d.device_full for d in registry(home).devices()} == {"pump.d1", "pump.d2"}


def test_known_product_is_left_alone_and_its_types_hold(home: Home) -> None:
    home.publish(home.file("a.csv", CSV), "--product", "pump", "--type", "kw=string")
    before = registry(home).products()
    home.publish(home.file("b.csv", CSV), "--product", "pump", "--sentinel", "9")

    assert registry(home).products() == before
    assert home.messages()[-1]["metrics"] == {"kw": "2", "state": "busy"}


def test_what_a_known_product_will_reject_is_said_before(home: Home) -> None:
    home.publish(home.file("a.csv", CSV), "--product", "pump")
    known = "product pump: known, left as it is (lateness unbounded, maximum age unbounded)"
    again = home.publish(home.file("a.csv", CSV), "--product", "pump")
    assert known in again.stderr.splitlines()

    other = CSV.replace("kw", "kwh", 1)
    result = home.publish(home.file("b.csv", other), "--product", "pump")
    rejected = "; it has no metric kwh: messages with one will be rejected"
    assert known + rejected in result.stderr


def test_unit_in_a_column_name_is_taken(home: Home) -> None:
    home.publish(home.file("a.csv", "Torque [Nm],x\n1,2\n"), "--product", "mill", "--no-time")
    metrics = registry(home).products()["default", "mill"].versions[0].metrics
    assert metrics["Torque [Nm]"].unit == "Nm"


def test_half_of_a_place_is_left_out_and_the_reading_is_sent(home: Home) -> None:
    path = home.file("cars.csv", "car,lat,lon,kmh\na,48.1,11.5,50\nb,48.1,,60\nc,,,70\n")
    home.publish(path, "--device-column", "car", "--product", "car")

    places = [(found.get("lat"), found.get("lng")) for found in home.messages()]
    assert places == [(48.1, 11.5), (None, None), (None, None)]
    assert all(decoded.reasons == () for _, value in home.records() for decoded in decode(value))


def test_file_without_a_device_is_a_device(home: Home) -> None:
    home.publish(home.file("speed.csv", "timestamp,value\n2014-04-01 00:00:00,1\n"))
    assert home.records()[0][0] == "speed"


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (["--device", "d9"], "d9"),
        (["--device", "pump.d9"], "pump.d9"),
        (["--device", "d9", "--product", "pump"], "pump.d9"),
        (["--device", "pump.d9", "--product", "pump"], "pump.d9"),
    ],
)
def test_given_device_has_all_lines(home: Home, arguments: list[str], key: str) -> None:
    home.publish(home.file("speed.csv", "timestamp,value\n2014-04-01,1\n"), *arguments)
    assert home.records()[0][0] == key
    assert [d.device_full for d in registry(home).devices()] == [key]


def test_bad_line_is_reported_and_the_rest_published(home: Home) -> None:
    text = (
        CSV + "d3,2024-01-01,x,idle\nd 4,2024-01-01,1,idle\nd5,soon,1,idle\nd6\nd7,2024-01-02,,\n"
    )
    path = home.file("plant.csv", text + "d8,2024-01-02,1,\n")
    result = home.publish(path, "--product", "pump", code=1)

    assert counts(result) == {"read": 8, "published": 3, "bad_lines": 5}
    assert "plant.csv, line 4: kw: 'x' is no number" in result.stderr
    assert "plant.csv, line 5: 'pump.d 4' is not a device name" in result.stderr
    assert "plant.csv, line 6: 'soon' is no time" in result.stderr
    assert "plant.csv, line 7: 1 cells where the file has 4 columns" in result.stderr
    assert "plant.csv, line 8: no metric has a value" in result.stderr
    assert home.messages()[-1]["metrics"] == {"kw": 1.0}


def test_only_the_first_bad_lines_are_shown(home: Home) -> None:
    path = home.file("a.csv", "device,x\n" + "d,1\n" * 30 + "d,1,1\n" * 25)
    result = home.publish(path, "--product", "p", code=1)
    assert result.stderr.count("3 cells where") == 20
    assert "further bad lines are only counted" in result.stderr
    assert counts(result)["bad_lines"] == 25


def test_message_lines_keep_their_bytes(home: Home) -> None:
    whole = b'{"metrics":{"x":1.50}, "boot":"b","seq":7,"device":"d1"}'
    numbered = b'{"seq":8, "metrics":{"x":1e3}}'
    bare = b' {"metrics": {"x":2}, "ts":"2024-01-01T00:00:00Z"} '
    path = home.file("m.ndjson", b"\n".join([whole, numbered, bare, b"rubbish"]))
    result = home.publish(path, "--product", "pump", "--device", "d2", code=1)

    assert counts(result) == {"read": 4, "published": 3, "bad_lines": 1}
    added = b'{"boot":"%s","seq":3,' % boot(path).encode()
    assert home.records() == [
        ("pump.d1", whole),
        ("pump.d2", numbered),
        ("pump.d2", added + b'"metrics": {"x":2}, "ts":"2024-01-01T00:00:00Z"}'),
    ]
    assert registry(home).products()["default", "pump"].versions == ()


def test_null_key_of_a_message_is_an_absent_one(home: Home) -> None:
    path = home.file("m.ndjson", '{"seq":null,"metrics":{"x":1}}\n{"boot":"b","metrics":{"x":1}}')
    home.publish(path)
    assert [(m["boot"], m["seq"]) for m in home.messages()] == [(boot(path), 1), ("b", 2)]


def test_message_lines_take_their_device_from_a_field(home: Home) -> None:
    path = home.file("m.ndjson", '{"who":"d7","metrics":{"x":1}}')
    home.publish(path, "--device-column", "who", "--product", "pump")
    assert home.records()[0][0] == "pump.d7"


def test_flat_json_objects_are_rows(home: Home) -> None:
    lines = ['{"sensor":5,"ts":1328862600,"t":{"in":20.5,"out":null},"ok":true}'] * 2
    path = home.file("flat.ndjson", "\n".join(lines))
    home.publish(path, "--product", "air")

    assert home.records()[0][0] == "air.5"
    assert home.messages()[0] == {
        "v": 1,
        "ts": "2012-02-10T08:30:00Z",
        "boot": boot(path),
        "seq": 1,
        "metrics": {"t.in": 20.5, "ok": True},
    }


def test_field_that_the_first_lines_have_not_is_a_bad_line(home: Home) -> None:
    lines = ['{"x":1}'] * 10_000 + ['{"x":1,"new":1}', '{"x":2}']
    path = home.file("flat.ndjson", "\n".join(lines))
    result = home.publish(path, "--product", "p", code=1)
    assert counts(result) == {"read": 10_002, "published": 10_001, "bad_lines": 1}
    assert "line 10001: fields that the first lines have not: new" in result.stderr


def test_raw_lines_go_out_untouched(home: Home) -> None:
    lines = [b'{"metrics":{"x":1}}', b"", b"\xff\x00", b"cr\r", b"", b"last"]
    path = home.file("raw", b"\n".join(lines))
    result = home.publish(path, "--raw", "--device", "poison")

    assert counts(result) == {"read": 6, "published": 6, "bad_lines": 0}
    assert home.records() == [("poison", line) for line in lines]


def test_raw_empty_line_at_the_end_counts(home: Home) -> None:
    home.publish(home.file("raw", b"a\n\n"), "--raw", "--device", "d")
    assert home.records() == [("d", b"a"), ("d", b"")]


def test_stdin_and_gzip_are_read(home: Home) -> None:
    packed = home.file("a.csv.gz", gzip.compress(CSV.encode()))
    home.publish(packed, "--product", "pump")
    result = home.publish("-", "--product", "pump", stdin=CSV.encode())
    assert counts(result) == {"read": 2, "published": 2, "bad_lines": 0}
    assert home.messages()[0]["boot"] == boot(packed)
    assert home.messages()[2]["boot"] == "f:" + hashlib.sha256(CSV.encode()).hexdigest()[:16]


def test_columns_of_a_file_without_a_header_are_named(home: Home) -> None:
    path = home.file("engines.txt", "1 1 0.5 \n1 2 0.6 \n2 1 0.7 \n")
    arguments = ["--columns", "unit,cycle,s1", "--device-column", "unit", "--time-column", "cycle"]
    unit = ["--time-unit", "min", "--time-start", "2000-01-01"]
    home.publish(path, "--product", "engine", *arguments, *unit)
    assert [key for key, _ in home.records()] == ["engine.1", "engine.1", "engine.2"]
    assert home.messages()[1]["ts"] == "2000-01-01T00:02:00Z"
    assert [message["seq"] for message in home.messages()] == [1, 2, 3]


def test_metric_of_two_files_has_one_type(home: Home) -> None:
    one = home.file("a.csv", "device,x\nd,1\n")
    two = home.file("b.csv", "device,x\nd,word\n")
    home.publish(one, two, "--product", "p")
    assert [message["metrics"] for message in home.messages()] == [{"x": "1"}, {"x": "word"}]


def test_record_names_its_sender_in_headers(home: Home) -> None:
    home.publish(home.file("plant.csv", CSV), "--product", "pump")
    headers = {one["key"]: one["value"] for one in next(home.rows())["headers"]}
    assert headers["tenant"] == b"default"
    assert headers["product"] == b"pump"
    assert headers["device"] == b"d1"
    assert headers["content_type"] == b"application/json"
    assert headers["received_at"].isdigit()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--raw"], "--raw needs --device"),
        (["--raw", "--device", "d", "--time-column", "t"], "takes no columns"),
        (["--device", "a b"], "is not a device name"),
        (["--device", "x.d", "--product", "y"], "is of product x, not of y"),
        (["--product", "a.b"], "--product"),
        (["--sentinel", "-200"], "name it with --product"),
        (["--type", "kw=float"], "double, int, string, bool"),
        (["--unit", "kw", "--product", "p"], "COLUMN=VALUE"),
        (["--time-unit", "min"], "needs --time-column"),
        (["--no-time", "--time-column", "time"], "contradict"),
        (["--time-start", "soon"], "is no ISO time"),
        (["--encoding", "klingon"], "is not known"),
        (["--rate", "0"], "--rate"),
    ],
)
def test_wrong_use_ends_with_2(home: Home, arguments: list[str], reason: str) -> None:
    result = home.publish(home.file("plant.csv", CSV), *arguments, code=2)
    assert reason in result.stderr
    assert result.stdout == ""
    assert home.records() == []


def test_missing_file_is_wrong_use(home: Home) -> None:
    result = home.publish(str(home.path / "none.csv"), code=2)
    assert "does not exist" in result.stderr


def test_unknown_column_enrols_nothing(home: Home) -> None:
    path = home.file("plant.csv", CSV)
    result = home.publish(path, "--product", "pump", "--metric-column", "KW", code=1)
    assert "there is no column 'KW'" in result.stderr
    assert ("default", "pump") not in registry(home).products()


def test_home_without_a_stack_says_what_to_run(tmp_path: Path) -> None:
    home = Home(tmp_path)
    result = home.publish(home.file("plant.csv", CSV), code=1)
    assert result.stderr.startswith("error: no stack was started in")


def test_empty_file_is_nothing_to_publish(home: Home) -> None:
    result = home.publish(home.file("empty.csv", ""), "--product", "p")
    assert orjson.loads(result.stdout) == {"read": 0, "published": 0, "bad_lines": 0}
