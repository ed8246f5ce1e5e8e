"""From rows to messages: the bytes that are sent, and the device that they are of."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import orjson

from infra.publish.cells import ReadCell, Value, cell_reader
from infra.publish.layout import Layout
from infra.publish.lines import BadLine, NumberedLine
from infra.publish.options import PublishOptions
from infra.publish.plan import FilePlan
from infra.publish.rows import Cell, Lines, Row, flat, is_message
from infra.publish.times import ReadTime, time_reader
from telemetry.devices import check_name, full_name
from telemetry.errors import DeviceError


class Made(NamedTuple):
    """A record to be: its line, device and payload, and whether its key is file and line."""

    number: int
    device_full: str
    value: bytes
    is_keyed_by_line: bool


def made(plan: FilePlan, lines: Lines, options: PublishOptions) -> Iterator[Made | BadLine]:
    """Make a record of every line that can be read."""
    names = DeviceNames(options.product)
    default = options.device or plan.source.device
    if plan.form is None:
        return _raw(lines, names.full(default))
    make = MessageMaker(plan, options, names, default)
    return (row if isinstance(row, BadLine) else make(row) for row in plan.rows(lines))


def _raw(lines: Lines, device_full: str) -> Iterator[Made | BadLine]:
    for line in lines:
        if isinstance(line, NumberedLine):
            yield Made(line.number, device_full, line.text, False)
        else:
            yield line


class DeviceNames:
    """Full names of devices as files call them."""

    def __init__(self, product: str | None) -> None:
        self._product = product
        self._known: dict[str, str] = {}

    def full(self, name: str) -> str:
        """Return the full name; raise `DeviceError` for what is none."""
        found = self._known.get(name)
        if found is None:
            is_full = self._product is None or name.startswith(f"{self._product}.")
            whole = name if is_full else full_name(self._product or "default", name)
            found = self._known[name] = check_name(whole)
        return found


class MessageMaker:
    """Makes one message of a row; a line that already is a message keeps its bytes."""

    def __init__(
        self, plan: FilePlan, options: PublishOptions, names: DeviceNames, device: str
    ) -> None:
        self._boot = plan.boot
        self._names = names
        self._device = device
        self._device_field = options.device_column
        comma = plan.table.decimal_comma if plan.table else False
        reader = _RowReader(plan.layout, options, decimal_comma=comma) if plan.layout else None
        self._reader = reader
        self._is_json = plan.table is None

    def __call__(self, row: Row) -> Made | BadLine:
        """Return the message, or what is wrong with the line."""
        try:
            if self._is_json and is_message(row.cells):
                return self._passed_on(row)
            if self._reader is None:
                return BadLine(row.number, "no metrics, in a file whose other lines are messages")
            cells = flat(row.cells) if self._is_json else row.cells
            device = self._reader.device(cells) or self._device
            name = self._names.full(device)
            message = self._reader.message(cells, self._boot, row.number)
            return Made(row.number, name, orjson.dumps(message), self._reader.is_keyed_by_line)
        except (ValueError, DeviceError) as error:
            return BadLine(row.number, str(error))

    def _passed_on(self, row: Row) -> Made:
        named = row.cells.get(self._device_field) if self._device_field else None
        device = named or row.cells.get("device") or row.cells.get("device_id") or self._device
        name = self._names.full(str(device))
        if row.cells.get("seq") is not None:
            return Made(row.number, name, row.text.strip(), False)
        has_boot = row.cells.get("boot") is not None
        absent = {"seq": row.number} if has_boot else {"boot": self._boot, "seq": row.number}
        return Made(row.number, name, _with_key(row, absent), not has_boot)


def _with_key(row: Row, absent: Mapping[str, object]) -> bytes:
    """Put what is absent in front of the message's fields, which stay as they are."""
    if any(name in row.cells for name in absent):
        return orjson.dumps({**row.cells, **absent})
    text = row.text.strip()
    return orjson.dumps(absent)[:-1] + b"," + text[1:]


class _RowReader:
    """Reads the cells of a row by the file's layout."""

    def __init__(self, layout: Layout, options: PublishOptions, *, decimal_comma: bool) -> None:
        self._layout = layout
        missing = options.metric.missing
        self._metrics: list[tuple[str, ReadCell]] = [
            (name, cell_reader(kind, missing=missing, decimal_comma=decimal_comma))
            for name, kind in layout.metrics.items()
        ]
        self._time: ReadTime | None = time_reader(layout.time) if layout.time else None
        self._place: list[tuple[str, str]] = []
        if layout.lat_column and layout.lng_column:
            self._place = [("lat", layout.lat_column), ("lng", layout.lng_column)]
        self._degrees = cell_reader("double", missing=missing, decimal_comma=decimal_comma)
        self._known = self._known_columns() if not options.metric.columns else None
        self.is_keyed_by_line = layout.boot_column is None and layout.seq_column is None

    def _known_columns(self) -> frozenset[str]:
        layout = self._layout
        times = layout.time.options.columns if layout.time else ()
        single = (layout.device_column, layout.boot_column, layout.seq_column)
        named = (*layout.metrics, *layout.left_out, *times, *single)
        places = (layout.lat_column, layout.lng_column)
        return frozenset(name for name in (*named, *places, "") if name is not None)

    def device(self, cells: Mapping[str, Cell]) -> str | None:
        """Return the device's name as the row gives it."""
        column = self._layout.device_column
        if column is None:
            return None
        cell = cells.get(column)
        name = "" if cell is None else str(cell).strip()
        if not name:
            raise ValueError(f"no device in {column}")
        return name

    def message(self, cells: Mapping[str, Cell], boot: str, number: int) -> dict[str, object]:
        """Return the row as a message, with the boot and line number where it has no key."""
        message: dict[str, object] = {"v": 1}
        if self._time:
            message["ts"] = self._time(cells)
        own_boot, seq = self._boot(cells), self._seq(cells)
        if seq is None:
            message |= {"boot": own_boot or boot, "seq": number}
        else:
            message |= {"boot": own_boot, "seq": seq} if own_boot else {"seq": seq}
        message["metrics"] = self._values(cells)
        if self._place:
            message |= self._position(cells)
        return message

    def _values(self, cells: Mapping[str, Cell]) -> dict[str, Value]:
        if self._known is not None and not self._known.issuperset(cells):
            unknown = ", ".join(sorted(set(cells) - self._known))
            raise ValueError(f"fields that the first lines have not: {unknown} (--metric-column)")
        values: dict[str, Value] = {}
        for name, read in self._metrics:
            try:
                value = read(cells.get(name))
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
            if value is not None:
                values[name] = value
        if not values:
            raise ValueError("no metric has a value")
        return values

    def _boot(self, cells: Mapping[str, Cell]) -> str | None:
        cell = cells.get(self._layout.boot_column) if self._layout.boot_column else None
        return None if cell is None else str(cell) or None

    def _seq(self, cells: Mapping[str, Cell]) -> int | None:
        column = self._layout.seq_column
        cell = cells.get(column) if column else None
        if cell is None or cell == "":
            return None
        if not str(cell).strip().isdecimal() or int(str(cell)) >= 2**63:
            raise ValueError(f"seq {str(cell)[:40]!r} is no whole number from 0")
        return int(str(cell))

    def _position(self, cells: Mapping[str, Cell]) -> dict[str, Value]:
        found = {name: self._degrees(cells.get(column)) for name, column in self._place}
        known = {name: value for name, value in found.items() if value is not None}
        # Half of a place would have the whole message rejected.
        return known if len(known) == len(found) else {}
