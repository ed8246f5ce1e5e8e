"""`headwater publish` of files that other programs wrote."""

import bz2
import lzma
import os
import threading
import zipfile
from pathlib import Path

import pytest

from edge.registry_files import RegistryFiles
from tests.infra.publishing import Home, counts, light_home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return light_home(tmp_path)


def times(home: Home) -> list[object]:
    return [message.get("ts") for message in home.messages()]


def metrics(home: Home) -> list[object]:
    return [message["metrics"] for message in home.messages()]


def has_product(home: Home, key: str) -> bool:
    return ("default", key) in RegistryFiles(home.path / "registry").products()


def test_dates_are_read_in_the_order_that_their_numbers_show(home: Home) -> None:
    day_first = "Date;Time;CO\n03/04/2004;18.00.00;2,6\n13/04/2004;19.00.00;2\n"
    result = home.publish(home.file("a.csv", day_first), "--product", "air")
    assert "time     Date + Time (day before month, UTC where it names no zone)" in result.stderr
    assert times(home) == ["2004-04-03T18:00:00Z", "2004-04-13T19:00:00Z"]
    assert metrics(home) == [{"CO": 2.6}, {"CO": 2.0}]


def test_times_of_day_beside_dates_belong_to_them(home: Home) -> None:
    text = "x;Uhrzeit;Datum\n1;18:00:00;31.03.2004\n2;06:30:00;01.04.2004\n"
    home.publish(home.file("a.csv", text))
    assert times(home) == ["2004-03-31T18:00:00Z", "2004-04-01T06:30:00Z"]
    assert metrics(home) == [{"x": 1.0}, {"x": 2.0}]


def test_order_that_no_number_shows_is_the_one_of_neighbouring_times(home: Home) -> None:
    text = "when,x\n4/3/2024 1:00 PM,1\n4/4/2024 12:00 PM,1\n4/4/2024 1:00 PM,1\n"
    result = home.publish(home.file("a.csv", text))
    assert "month before day" in result.stderr
    assert "it may be the other way: --time-format" in result.stderr
    assert times(home)[:2] == ["2024-04-03T13:00:00Z", "2024-04-04T12:00:00Z"]


def test_index_without_a_name_is_the_time_if_it_holds_times(home: Home) -> None:
    home.publish(home.file("a.csv", ",x\n2024-01-01 00:00:00,1\n2024-01-01 00:01:00,2\n"))
    assert times(home) == ["2024-01-01T00:00:00Z", "2024-01-01T00:01:00Z"]
    assert metrics(home) == [{"x": 1.0}, {"x": 2.0}]


def test_first_line_with_a_time_is_no_header(home: Home) -> None:
    result = home.publish(home.file("a.csv", "2024-01-01 00:00,idle\n2024-01-01 00:01,busy\n"))
    assert counts(result) == {"read": 2, "published": 2, "bad_lines": 0}
    assert metrics(home) == [{"c2": "idle"}, {"c2": "busy"}]


def test_semicolons_part_decimal_commas_without_a_header(home: Home) -> None:
    home.publish(home.file("a.csv", "2024-01-01 00:00:00;1,5\n2024-01-01 00:05:00;2,5\n"))
    assert times(home) == ["2024-01-01T00:00:00Z", "2024-01-01T00:05:00Z"]
    assert metrics(home) == [{"c2": 1.5}, {"c2": 2.5}]


def test_column_whose_name_a_repeated_one_would_get_keeps_its_cells(home: Home) -> None:
    home.publish(home.file("a.csv", "device,a,a,a_2\nd,1,2,3\n"))
    assert metrics(home) == [{"a": 1.0, "a_3": 2.0, "a_2": 3.0}]


def test_header_in_another_encoding_is_refused_with_the_way_out(home: Home) -> None:
    text = "device,Temperatur °C\nd,1\nd,2\n".encode("cp1252")
    path = home.file("a.csv", text)
    result = home.publish(path, "--product", "p", code=1)
    assert "the header is not utf-8 at byte 19: say --encoding cp1252" in result.stderr
    assert home.records() == []

    home.publish(path, "--product", "p", "--encoding", "cp1252")
    assert metrics(home) == [{"Temperatur °C": 1.0}, {"Temperatur °C": 2.0}]


def test_cell_may_be_as_long_as_a_line(home: Home) -> None:
    note = "x" * 200_000
    result = home.publish(home.file("a.csv", f'device,note\nd,"{note}"\n'))
    assert counts(result)["published"] == 1
    assert metrics(home) == [{"note": note}]


def test_byte_order_mark_is_no_part_of_a_first_json_line(home: Home) -> None:
    home.publish(home.file("a.ndjson", b'\xef\xbb\xbf{"metrics":{"x":1},"seq":1}'))
    assert home.records() == [("a", b'{"metrics":{"x":1},"seq":1}')]


def test_name_of_a_file_that_is_no_devices_is_made_one(home: Home) -> None:
    result = home.publish(home.file("my pump (1).x.csv", "x\n1\n"), "--no-time", "--product", "p")
    assert "device   my_pump_1_x (the file's name)" in result.stderr
    assert home.records()[0][0] == "p.my_pump_1_x"


def test_pipe_is_read_whole(home: Home) -> None:
    pipe = home.path / "pipe"
    os.mkfifo(pipe)
    text = b"device,x\n" + b"d,1\n" * 50_000
    writer = threading.Thread(target=pipe.write_bytes, args=(text,))
    writer.start()
    result = home.publish(str(pipe))
    writer.join()
    assert counts(result) == {"read": 50_000, "published": 50_000, "bad_lines": 0}


def zipped(path: Path) -> bytes:
    with zipfile.ZipFile(path / "made.zip", "w") as archive:
        archive.writestr("a.csv", "device,x\nd,1\n")
    return (path / "made.zip").read_bytes()


@pytest.mark.parametrize(
    ("content", "way_out"),
    [
        (bz2.compress(b"device,x\nd,1\n"), "bzcat FILE"),
        (lzma.compress(b"device,x\nd,1\n"), "xzcat FILE"),
        (b"\x28\xb5\x2f\xfd\x04\x00i\x00\x00", "zstd -dc FILE"),
        (None, "unzip -p FILE"),
        ("device,x\nd,1\n".encode("utf-16"), "iconv -f UTF-16"),
        ("device,x\nd,1\n".encode("utf-16-le"), "iconv -f UTF-16"),
        (b"device,x\rd,1\rd,2\r", "tr '\\r' '\\n'"),
        (b'[{"device":"d","x":1},{"device":"d","x":2}]', "jq -c '.[]?'"),
        (b'[\n  {\n    "x": 1\n  }\n]\n', "jq -c"),
        (b'{\n  "device": "d",\n  "x": 1\n}\n', "jq -c"),
    ],
)
def test_what_is_no_table_is_refused_with_the_way_to_make_it_one(
    home: Home, content: bytes | None, way_out: str
) -> None:
    path = home.file("thing", zipped(home.path) if content is None else content)
    result = home.publish(path, "--product", "p", code=1)
    assert way_out in result.stderr
    assert not has_product(home, "p")
    assert home.records() == []
    assert "published" in home.publish(path, "--raw", "--device", "d").stdout


def test_truncated_json_in_the_first_line_is_a_bad_line(home: Home) -> None:
    result = home.publish(home.file("a.ndjson", '{\n{"x":1}\n{"x":2}\n'), code=1)
    assert counts(result) == {"read": 3, "published": 2, "bad_lines": 1}


def test_file_of_bad_lines_leaves_no_product_behind(home: Home) -> None:
    wrong = home.file("a.csv", "device,x\n" + "d 1,5\n" * 3)
    home.publish(wrong, "--product", "p", code=1)
    home.publish(home.file("empty.csv", "device,state\n"), "--product", "p")
    assert not has_product(home, "p")

    home.publish(home.file("b.csv", "device,state\nd,idle\n"), "--product", "p")
    assert has_product(home, "p")


def test_sentinel_of_a_known_product_is_not_taken_up_and_said_so(home: Home) -> None:
    path = home.file("a.csv", "device,x\nd,-200\n")
    home.publish(path, "--product", "p")
    result = home.publish(path, "--product", "p", "--sentinel", "-200")
    assert "--sentinel and --unit are of new products, its own hold" in result.stderr
