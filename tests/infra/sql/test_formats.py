"""Forms of results."""

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from infra.sql.formats import Format, plain, write
from infra.sql.result import Result, unique_names


def written(form: Format, *rows: tuple[object, ...]) -> str:
    names = tuple("abcdefgh"[: len(rows[0])]) if rows else ("a",)
    out = io.StringIO()
    write(Result(names, iter(rows)), form, out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05.000000Z"),
        (datetime(2026, 1, 2, 3, 4, 5, 6), "2026-01-02T03:04:05.000006Z"),  # noqa: DTZ001
        (
            datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=2))),
            "2026-01-02T01:00:00.000000Z",
        ),
        (datetime(1, 1, 1, 3, tzinfo=UTC), "0001-01-01T03:00:00.000000Z"),
        (date(2026, 1, 2), "2026-01-02"),
        (2**62, 2**62),
        (Decimal("12"), 12),
        (Decimal("1.50"), 1.5),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        (b"\x00\xff", "AP8="),
        ({"k": [b"\x00", None]}, {"k": ["AA==", None]}),
        (True, True),
    ],
)
def test_values_in_the_terms_of_json(value: object, expected: object) -> None:
    assert plain(value) == expected
    assert type(plain(value)) is type(expected)


def test_json_is_an_array_of_objects() -> None:
    assert json.loads(written("json", (1, "x"), (2, None))) == [
        {"a": 1, "b": "x"},
        {"a": 2, "b": None},
    ]
    assert json.loads(written("json")) == []


def test_csv_quotes_what_must_be_and_leaves_null_empty() -> None:
    assert written("csv", (None, 'a,"b"', [1], True)) == 'a,b,c,d\n,"a,""b""",[1],true\n'


def test_csv_tells_an_empty_text_from_null() -> None:
    assert written("csv", ("", None), (None, ""), (None, None)) == 'a,b\n"",\n,""\n,\n'


def test_csv_has_a_line_that_readers_see_for_each_row() -> None:
    rows = written("csv", (None,), ("x",), ("",), ("a\nb",)).partition("\n")[2]
    assert rows == '""\nx\n""\n"a\nb"\n'
    assert [len(row) for row in csv.reader(io.StringIO(rows))] == [1, 1, 1, 1]


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "'="])
def test_csv_has_no_text_that_a_spreadsheet_takes_for_a_formula(begin: str) -> None:
    text = f"{begin}cmd|' /C calc'!A0"
    ((_, found),) = csv.reader(io.StringIO(written("csv", (1, text)).partition("\n")[2]))
    assert found == f"'{text}"


def test_csv_leaves_numbers_times_and_other_texts_as_they_are() -> None:
    row = (-1, -1.5, Decimal("-2.5"), date(2026, 1, 2), b"\xf8", "a=b", "'tis", [-1])
    assert written("csv", row).partition("\n")[2] == (
        "-1,-1.5,-2.5,2026-01-02,+A==,a=b,'tis,[-1]\n"
    )


def test_table_cuts_nothing_where_there_is_no_terminal() -> None:
    assert "x" * 300 in written("table", ("x" * 300, None))
    assert "NULL" in written("table", (None,))


@pytest.mark.parametrize("said", ["[red]", r"\[red] \\[/b]", "[/x]", ":warning: [b]"])
def test_table_takes_words_as_they_are(said: str) -> None:
    assert said in written("table", (said,))


def test_table_has_no_letters_that_a_terminal_obeys() -> None:
    drawn = written("table", ("a\x1b]0;owned\x07b\x9bc\td",))
    assert r"a\x1b]0;owned\x07b\x9bc\td" in drawn
    assert not any(letter in drawn for letter in "\x1b\x07\x9b")


def test_names_that_come_again_are_numbered() -> None:
    assert unique_names(["a", "b", "a"]) == ("a", "b", "a_2")
    assert unique_names(["a", "a", "a_2"]) == ("a", "a_3", "a_2")
