"""Files of devices, a line each: what was read of one, and what came to it since."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, TypeAlias

import orjson

from edge.durable_files import mark_of
from telemetry.devices import Device, device_from_dict, device_to_dict
from telemetry.errors import DeviceError, HeadwaterError

DeviceKey: TypeAlias = tuple[str, str]
"""(tenant, device_full)"""
_TAIL = 4096


class ReadFile(NamedTuple):
    """What a file held when it was read: the newest line of each device.

    `touched` are the devices of which that may be new, `passed` the lines among those read now that
    later ones took the place of. The next look goes on behind `size`, if the file ends there as
    `tail` says.
    """

    mark: str
    inode: int
    size: int
    lines: int
    tail: bytes
    devices: dict[DeviceKey, Device]
    touched: tuple[DeviceKey, ...]
    passed: tuple[Device, ...] = ()


NOT_READ = ReadFile("", 0, 0, 0, b"", {}, ())


def read_file(
    path: Path, before: ReadFile | None, *, is_appended: bool, since: datetime | None
) -> ReadFile:
    """Read a file, or where it only ever is appended to, what came since it was read before.

    `since` None: the file is not dated, it says of no device from when it is so. Else `passed` has
    lines that hold from then on.
    """
    mark = mark_of(path)
    if before and before.mark == mark:
        return before._replace(touched=(), passed=())
    with path.open("rb") as file:
        inode = path.stat().st_ino
        start = lines = 0
        devices: dict[DeviceKey, Device] = {}
        if before and is_appended and before.inode == inode:
            file.seek(before.size - len(before.tail))
            if file.read(len(before.tail)) == before.tail:
                start, lines, devices = before.size, before.lines, before.devices
        file.seek(start)
        content = file.read()
    added: dict[DeviceKey, Device] = {}
    passed: list[Device] = []
    for device in parse(path, content, lines, breaks_off=is_appended):
        key = device.tenant, device.device_full
        gone = added.get(key)
        if gone and gone.valid_from and since and gone.valid_from >= since:
            passed.append(gone)
        added[key] = device if since else undated(device)
    touched = (*added, *(before.devices if before and not start else ()))
    devices |= added
    whole = content[: content.rfind(b"\n") + 1]
    tail = ((before.tail if before and start else b"") + whole)[-_TAIL:]
    size, lines = start + len(whole), lines + whole.count(b"\n")
    return ReadFile(mark, inode, size, lines, tail, devices, touched, tuple(passed))


def parse(path: Path, content: bytes, before: int = 0, *, breaks_off: bool) -> Iterator[Device]:
    """Yield the devices of lines; raise `DeviceError` that names one that is none.

    `before` is how many lines of the file stand before them. Where processes write it, the last
    one may break off.
    """
    lines = content.split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield device_from_dict(orjson.loads(line))
        except (HeadwaterError, orjson.JSONDecodeError, AttributeError) as error:
            if breaks_off and number == len(lines):
                return  # a writer was killed in this line; nobody was told that it stood there
            raise DeviceError(f"{path}, line {before + number}: {error}") from error


def undated(device: Device) -> Device:
    """Return what is said of a device, without since when."""
    return replace(device, valid_from=None)


def lines_of(devices: Iterable[Device]) -> bytes:
    """Return a line a device."""
    return b"".join(orjson.dumps(device_to_dict(device)) + b"\n" for device in devices)
