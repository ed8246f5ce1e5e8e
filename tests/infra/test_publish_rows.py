"""Lines and rows of files that other people made."""

import csv
import gzip
import io
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.publish.lines import LONGEST_LINE, BadLine, NumberedLine, SourceFile, source_file
from infra.publish.options import TableOptions
from infra.publish.rows import Row, flat, json_rows
from infra.publish.table_form import TableForm, guess_form
from infra.publish.table_rows import table_rows
from telemetry.errors import HeadwaterError

CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\ufeff"))


def numbered(text: str | bytes) -> list[NumberedLine]:
    content = text.encode() if isinstance(text, str) else text
    lines = content.removesuffix(b"\n").split(b"\n")
    return [NumberedLine(number, line) for number, line in enumerate(lines, start=1)]


def form(*columns: str, delimiter: str = ",", has_header: bool = False) -> TableForm:
    return TableForm(delimiter, columns, has_header)


def cells(text: str | bytes, given_form: TableForm) -> list[tuple[int, list[object]] | BadLine]:
    return [
        (row.number, list(row.cells.values())) if isinstance(row, Row) else row
        for row in table_rows(numbered(text), given_form)
    ]


def guessed(text: str, **options: object) -> TableForm:
    return guess_form(text.splitlines(), TableOptions(**options))  # type: ignore[arg-type]


def read(path: Path, *, raw: bool = False) -> list[NumberedLine | BadLine]:
    with source_file(str(path), raw=raw) as source, source.reading() as reader:
        return list(reader.lines())


@given(st.lists(st.binary().map(lambda text: text.replace(b"\n", b"")), min_size=1))
def test_lines_are_split_at_the_newline_alone(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("lines") / "file.bin"
    path.write_bytes(b"\n".join([*lines, b""]))
    found = read(path, raw=True)
    assert found == [NumberedLine(number, text) for number, text in enumerate(lines, start=1)]


def test_last_line_needs_no_newline(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a\r\n\nb")
    assert [line[1] for line in read(tmp_path / "file")] == [b"a\r", b"", b"b"]


def test_line_that_is_too_long_is_bad_and_the_next_one_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * (LONGEST_LINE + 9) + b"\n" + b"y" * LONGEST_LINE)
    long, whole = read(tmp_path / "file")
    assert long == BadLine(1, "longer than 2,000,000 bytes")
    assert whole == NumberedLine(2, b"y" * LONGEST_LINE)


def test_damaged_gzip_gives_what_is_before_the_damage(tmp_path: Path) -> None:
    path = tmp_path / "file.csv.gz"
    path.write_bytes(gzip.compress(b"a\nb\n")[:-8])
    *good, bad = read(path)
    assert good == [NumberedLine(1, b"a"), NumberedLine(2, b"b")]
    assert isinstance(bad, BadLine)
    assert bad.number == 3


@pytest.mark.parametrize("name", ["nab.csv", "nab.csv.gz", "nab.ndjson", "folder/nab.txt.gz"])
def test_stem_has_no_ending(name: str) -> None:
    assert SourceFile(name, Path(name), is_gzip=False).stem == "nab"


@pytest.mark.parametrize(
    ("text", "delimiter", "columns"),
    [
        ("a,b\n1,2", ",", ("a", "b")),
        ("a;b;c\n1,5;2,5;x", ";", ("a", "b", "c")),
        ("a\tb c\n1\t2", "\t", ("a", "b c")),
        ("a|b\n1|2", "|", ("a", "b")),
        ("a b\n1  2", " ", ("a", "b")),
        ("a\n1\n2", ",", ("a",)),
        ("1 2 3\n4 5 6", " ", ("c1", "c2", "c3")),
        ("a,a,,a\n1,2,3,4", ",", ("a", "a_2", "", "a_3")),
        ('"x, y",z\n"1, 2",3', ",", ("x, y", "z")),
    ],
)
def test_delimiter_and_names_are_guessed(
    text: str, delimiter: str, columns: tuple[str, ...]
) -> None:
    found = guessed(text)
    assert (found.delimiter, found.columns) == (delimiter, columns)


def test_decimal_comma_is_guessed_where_the_comma_is_no_delimiter() -> None:
    assert guessed("a;b\n1,5;x\n2,5;y").decimal_comma
    assert not guessed("a;b\n1.5;x\n2.5;y").decimal_comma


def test_named_columns_mean_that_there_is_no_header() -> None:
    found = guessed("x y\n1 2", columns=("a", "b"))
    assert (found.has_header, found.columns) == (False, ("a", "b"))


def test_wrong_number_of_named_columns_is_an_error() -> None:
    with pytest.raises(HeadwaterError, match="names 3 columns, the first line has 2"):
        guessed("1 2\n3 4", columns=("a", "b", "c"))


def test_long_delimiter_is_an_error() -> None:
    with pytest.raises(HeadwaterError, match="one character"):
        guessed("a::b", delimiter="::")


def test_rows_have_the_number_of_their_line_with_the_header_counted() -> None:
    found = cells("a,b\n1,2\n\n3,4\r\n", form("a", "b", has_header=True))
    assert found == [(2, ["1", "2"]), (4, ["3", "4"])]


def test_line_of_another_width_is_bad_and_its_neighbours_are_read() -> None:
    found = cells("1,2\n3\n4,5,6\n7,8,\n9,10", form("a", "b"))
    assert found == [
        (1, ["1", "2"]),
        BadLine(2, "1 cells where the file has 2 columns"),
        BadLine(3, "3 cells where the file has 2 columns"),
        (4, ["7", "8"]),
        (5, ["9", "10"]),
    ]


def test_row_of_empty_cells_is_passed_over() -> None:
    assert cells(";;\n1;2;3", form("a", "b", "c", delimiter=";")) == [(2, ["1", "2", "3"])]


def test_record_over_several_lines_has_the_number_of_its_first() -> None:
    found = cells('1,"x\n\ny"\n2,z', form("a", "b"))
    assert found == [(1, ["1", "x\n\ny"]), (4, ["2", "z"])]


def test_quote_that_never_ends_costs_its_own_line_alone() -> None:
    found = cells('1,"x\n2,y\n3,z', form("a", "b"))
    assert found == [
        BadLine(1, "broken quotes: unexpected end of data"),
        (2, ["2", "y"]),
        (3, ["3", "z"]),
    ]


def test_quote_that_ends_in_a_later_record_costs_two_lines() -> None:
    found = cells('1,"x\n2,y\n3,"z\n4,w', form("a", "b"))
    assert [row.number for row in found if isinstance(row, BadLine)] == [1, 3]
    assert [row for row in found if not isinstance(row, BadLine)] == [
        (2, ["2", "y"]),
        (4, ["4", "w"]),
    ]


def test_bad_utf8_is_a_bad_line() -> None:
    found = cells(b"1,\xff\n2,b", form("a", "b"))
    assert found == [BadLine(1, "not utf-8 at byte 3 (see --encoding)"), (2, ["2", "b"])]


def test_byte_order_mark_is_no_part_of_the_first_cell() -> None:
    assert cells("\ufeff1,2", form("a", "b")) == [(1, ["1", "2"])]


@given(st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=20))
def test_what_a_csv_writer_wrote_is_read_back(rows: Sequence[tuple[str, str, str]]) -> None:
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    short = [row for row in rows if sum(cell.count("\n") for cell in row) < 60]
    if len(short) == len(rows) and rows:
        found = cells(text.getvalue(), form("a", "b", "c"))
        assert [row[1] for row in found if not isinstance(row, BadLine)] == [list(r) for r in rows]


@given(st.binary())
def test_no_bytes_stop_the_reader_and_every_line_is_accounted_for(text: bytes) -> None:
    lines = numbered(text)
    found = list(table_rows(lines, form("a", "b")))
    numbers = [row.number for row in found]
    assert numbers == sorted(set(numbers))
    assert set(numbers) <= {line.number for line in lines}


def test_json_lines_that_are_no_objects_are_bad() -> None:
    found = list(json_rows(numbered('{"a": 1}\n\n[1]\n{"a": NaN}\n{"b": 2}')))
    assert [row.number for row in found] == [1, 3, 4, 5]
    assert found[1] == BadLine(3, "not a JSON object")
    assert isinstance(found[2], BadLine)
    assert found[3] == Row(5, b'{"b": 2}', {"b": 2})


def test_nested_objects_become_dotted_names() -> None:
    assert flat({"a": {"b": 1, "c": {"d": 2}}, "e": 3}) == {"a.b": 1, "a.c.d": 2, "e": 3}
