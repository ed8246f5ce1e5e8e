"""The plan for a file: what its first lines and the options say about how to read it."""

import codecs
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from infra.publish.foreign import refuse_foreign
from infra.publish.layout import Layout, guess_layout
from infra.publish.lines import BadLine, NumberedLine, SourceFile
from infra.publish.options import FileForm, PublishOptions
from infra.publish.rows import Lines, Row, Rows, flat, is_message, json_rows
from infra.publish.table_form import TableForm, guess_form
from infra.publish.table_rows import table_rows
from telemetry.errors import HeadwaterError

SAMPLE_LINES = 10_000
SAMPLE_BYTES = 32 << 20
FORM_LINES = 50


@dataclass(frozen=True, slots=True)
class FilePlan:
    """How to read one file; no `layout` means that its lines are raw or are messages already."""

    source: SourceFile
    digest: str
    form: FileForm | None
    table: TableForm | None = None
    layout: Layout | None = None

    @property
    def boot(self) -> str:
        """Boot of the messages that this file makes."""
        return f"f:{self.digest[:16]}"

    def rows(self, lines: Lines) -> Rows:
        """Read the file's rows."""
        return table_rows(lines, self.table) if self.table else json_rows(lines)


def plan_file(source: SourceFile, options: PublishOptions) -> FilePlan:
    """Look at a file's first lines and decide how to read it."""
    if options.raw:
        return FilePlan(source, "", None)
    with source.reading() as reader:
        sample = _sample(reader.lines())
    try:
        return _plan(source, sample, options)
    except HeadwaterError as error:
        raise type(error)(f"{source.name}: {error}") from error


def _sample(lines: Lines) -> list[NumberedLine | BadLine]:
    sample, size = [], 0
    for line in islice(lines, SAMPLE_LINES):
        sample.append(line)
        size += len(line.text) if isinstance(line, NumberedLine) else 0
        if size > SAMPLE_BYTES:
            break
    return sample


def _plan(source: SourceFile, sample: Lines, options: PublishOptions) -> FilePlan:
    texts = [line.text for line in sample if isinstance(line, NumberedLine) and line.text.strip()]
    texts[:1] = [text.removeprefix(codecs.BOM_UTF8) for text in texts[:1]]
    refuse_foreign(texts[:FORM_LINES])
    form = options.table.form or _form(texts)
    if form == "ndjson":
        rows = _found(json_rows(sample))
        return FilePlan(source, source.digest(), form, None, _json_layout(rows, options))
    encoding = options.table.encoding
    first = [text.decode(encoding, "replace").removesuffix("\r") for text in texts[:FORM_LINES]]
    table = guess_form(first, options.table)
    _check_header(table, texts)
    rows = _found(table_rows(sample, table))
    layout = guess_layout(table.columns, rows, options, decimal_comma=table.decimal_comma)
    return FilePlan(source, source.digest(), form, table, layout)


def _check_header(table: TableForm, texts: Sequence[bytes]) -> None:
    if not table.has_header or not texts:
        return
    try:
        texts[0].decode(table.encoding)
    except UnicodeDecodeError as error:
        raise HeadwaterError(
            f"the header is not {table.encoding} at byte {error.start + 1}: say --encoding cp1252"
            " (Windows), latin-1 …"
        ) from error


def _form(texts: Sequence[bytes]) -> FileForm:
    first = texts[:FORM_LINES]
    objects = sum(1 for text in first if text.lstrip().startswith(b"{"))
    return "ndjson" if objects * 2 > len(first) else "csv"


def _found(rows: Iterable[Row | BadLine]) -> list[Row]:
    return [row for row in rows if isinstance(row, Row)]


def _json_layout(rows: Sequence[Row], options: PublishOptions) -> Layout | None:
    flat_rows = [row._replace(cells=flat(row.cells)) for row in rows if not is_message(row.cells)]
    if not flat_rows:
        return None
    columns = list(dict.fromkeys(name for row in flat_rows for name in row.cells))
    return guess_layout(columns, flat_rows, options)
