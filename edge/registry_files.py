"""The registry as files: a JSON file a product, and NDJSON of devices in which later lines win.

Where the registry runs as a service, `registry.ndjson` is its own word on every device, and
`enrolled.ndjson` is what others have enrolled since it last looked: it takes that up and drops it.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain, compress
from pathlib import Path
from typing import BinaryIO

import orjson

from edge.durable_files import fsync_folder, mark_of, replace_durably
from edge.registry_lines import NOT_READ, DeviceKey, ReadFile, lines_of, parse, read_file, undated
from telemetry.devices import Device, device_from_dict
from telemetry.errors import HeadwaterError, ProductError
from telemetry.products import (
    DEFAULT_PRODUCT,
    NAME,
    Product,
    product_from_dict,
    product_to_dict,
)

ProductKey = tuple[str, str]
ENROLLED = "enrolled.ndjson"
PROJECTED = "registry.ndjson"
LONGEST_LINE = 1 << 20
_NEVER = datetime.max.replace(tzinfo=UTC)


class RegistryFiles:
    """Products and devices below one folder; safe for several processes at once."""

    def __init__(self, root: Path, *, leaves_wrong: bool = False) -> None:
        """With `leaves_wrong`, a file of people's own that cannot be read is as it was before.

        Else whoever asks for devices hears of it.
        """
        self._leaves_wrong = leaves_wrong
        self.wrong: str | None = None
        """What was left as it was at the last look, and why."""
        self._since = _NEVER
        self._passed: list[Device] = []
        self._products_dir = root / "products"
        self._devices_dir = root / "devices"
        self._read: dict[str, ReadFile] = {}
        self._known: dict[DeviceKey, Device] = {}
        self._news: set[DeviceKey] = set()

    def products(self) -> dict[ProductKey, Product]:
        """Return all products by tenant and key; `default` is there though it has no file."""
        products = {(DEFAULT_PRODUCT.tenant, DEFAULT_PRODUCT.key): DEFAULT_PRODUCT}
        for path in sorted(self._products_dir.glob("*/*.json")):
            product = _read_product(path)
            products[product.tenant, product.key] = product
        return products

    def devices(self) -> Iterator[Device]:
        """Yield the newest line of every device."""
        return iter(list(self._newest().values()))

    def news(self) -> list[Device]:
        """Return the newest line of each device that has one since this was asked last.

        The first time, and where a file was replaced, these are all of them.
        """
        known, news = self._newest(), self._news
        self._news = set()
        return [known[key] for key in news if key in known]

    def keep_passed(self, since: datetime) -> None:
        """Have `passed` return what holds from a moment on; until this is asked nothing is kept."""
        self._since = since

    def passed(self) -> list[Device]:
        """Return what the registry said of devices after the look before, but for the newest.

        It comes in the registry's order: whoever looks at times only would never hear of it. Of a
        device that others have enrolled anew meanwhile there is nothing.
        """
        passed, self._passed = self._passed, []
        own = self._read[PROJECTED].devices if PROJECTED in self._read else {}
        keys = ((device.tenant, device.device_full) for device in passed)
        is_own = [self._known.get(key) == own.get(key) for key in keys]
        return [*compress(passed, is_own)]

    def device(self, device_full: str, tenant: str = "default") -> Device | None:
        """Return the newest line of one device."""
        return self._newest().get((tenant, device_full))

    def put_product(self, product: Product) -> bool:
        """Write a product durably; return False if it stood there already."""
        for name in (product.tenant, product.key):
            if not NAME.fullmatch(name):
                raise ProductError(f"{name!r} is not a name: use letters, digits, _ - :")
        path = self._products_dir / product.tenant / f"{product.key}.json"
        text = orjson.dumps(product_to_dict(product), option=orjson.OPT_INDENT_2) + b"\n"
        if path.is_file() and path.read_bytes() == text:
            return False
        with self._writing():
            replace_durably(path, text)
        return True

    def enrol(self, devices: Iterable[Device], *, keep_known: bool = False) -> int:
        """Append devices that are new or changed (only new ones if `keep_known`); count them."""
        with self._writing(), self._locked():
            known = self._newest()
            written: dict[DeviceKey, Device] = {}
            for device in devices:
                key = (device.tenant, device.device_full)
                before = written.get(key) or known.get(key)
                if before is None or (not keep_known and undated(device) != undated(before)):
                    written[key] = device
            if written:
                self._append(written)
        return len(written)

    def _append(self, written: dict[DeviceKey, Device]) -> None:
        _append_durably(self._devices_dir / ENROLLED, lines_of(written.values()))

    @property
    def is_projected(self) -> bool:
        """Say whether a registry has put its own word here."""
        return (self._devices_dir / PROJECTED).exists()

    def project(self, devices: Iterable[Device]) -> None:
        """Append the registry's own word on devices; `valid_from` says from when it holds."""
        with self._writing(), self._locked():
            _append_durably(self._devices_dir / PROJECTED, lines_of(devices))

    def compact(self) -> None:
        """Keep one line a device of the registry's own word."""
        path = self._devices_dir / PROJECTED
        with self._writing(), self._locked():
            if not path.exists():
                return
            newest = {(d.tenant, d.device_full): d for d in _read_devices(path)}
            replace_durably(path, lines_of(newest.values()))

    def enrolled(self, seen: str = "") -> tuple[list[Device], str]:
        """Return what was enrolled behind a mark, and the mark of all that is there."""
        path = self._devices_dir / ENROLLED
        with self._locked():
            if not path.exists():
                return [], ""
            inode, size = path.stat().st_ino, path.stat().st_size
            mark = f"{inode}:{size}"
            behind = _size_seen(seen, inode)
            return (list(_read_devices(path, behind)) if size > behind else []), mark

    def drop_enrolled(self, mark: str) -> None:
        """Drop what was enrolled up to a mark."""
        path = self._devices_dir / ENROLLED
        with self._writing(), self._locked():
            if not path.exists():
                return
            rest = path.read_bytes()[_size_seen(mark, path.stat().st_ino) :]
            if rest:
                replace_durably(path, rest)
            else:
                path.unlink()

    def foreign(self) -> Iterator[Iterator[Device]]:
        """Yield the devices of each of people's own files."""
        for path in self._device_files():
            if path.name not in (PROJECTED, ENROLLED):
                yield _read_devices(path)

    def product_files(self) -> Iterator[tuple[Path, bytes]]:
        """Yield each product's file and its content."""
        for path in sorted(self._products_dir.glob("*/*.json")):
            yield path, path.read_bytes()

    def fingerprint(self, *, without: str = "") -> str:
        """Return a token that changes whenever a file does; costs a stat a file."""
        paths = [*self._products_dir.glob("*/*.json"), *self._devices_dir.glob("*.ndjson")]
        paths = [path for path in paths if path.name != without]
        return ";".join(f"{path.name}:{mark_of(path)}" for path in sorted(paths))

    def _newest(self) -> dict[DeviceKey, Device]:
        before, self.wrong = self._read, None
        self._read = {
            path.name: self._read_file(path, before.get(path.name)) for path in self._device_files()
        }
        self._passed += chain(*(each.passed for each in self._read.values()))
        gone = [each.devices for name, each in before.items() if name not in self._read]
        touched = chain(*gone, *(each.touched for each in self._read.values()))
        files = [*self._read.values()][::-1]
        for key in dict.fromkeys(touched):
            newest = next((each.devices[key] for each in files if key in each.devices), None)
            if newest is None:
                self._known.pop(key, None)
            elif newest != self._known.get(key):
                self._known[key] = newest
                self._news.add(key)
        return self._known

    def _read_file(self, path: Path, before: ReadFile | None) -> ReadFile:
        is_appended = path.name in (PROJECTED, ENROLLED)
        since = self._since if path.name == PROJECTED else None
        try:
            return read_file(path, before, is_appended=is_appended, since=since)
        except HeadwaterError as error:
            if is_appended or not self._leaves_wrong:
                raise
            self.wrong = str(error)
            return (before or NOT_READ)._replace(touched=(), passed=())

    def _device_files(self) -> list[Path]:
        paths = self._devices_dir.glob("*.ndjson")
        ranks = {PROJECTED: 1, ENROLLED: 2}
        return sorted(paths, key=lambda path: (ranks.get(path.name, 0), path.name))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise HeadwaterError(f"the registry cannot be written: {error}") from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._devices_dir.mkdir(parents=True, exist_ok=True)
        with (self._devices_dir / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _size_seen(mark: str, inode: int) -> int:
    seen_inode, _, size = mark.partition(":")
    return int(size) if size and seen_inode == str(inode) else 0


def _read_product(path: Path) -> Product:
    return read_product(path, path.read_bytes())


def read_product(path: Path, content: bytes) -> Product:
    """Read the content of a product's file; raise `ProductError` that names the file."""
    try:
        return product_from_dict(orjson.loads(content))
    except (HeadwaterError, orjson.JSONDecodeError, AttributeError) as error:
        raise ProductError(f"{path}: {error}") from error


def _read_devices(path: Path, behind: int = 0) -> Iterator[Device]:
    """Yield the devices of a file; only the registry itself says from when they hold."""
    is_appended = path.name in (PROJECTED, ENROLLED)
    for device in parse(path, path.read_bytes()[behind:], breaks_off=is_appended):
        yield device if path.name == PROJECTED else undated(device)


def _append_durably(path: Path, lines: bytes) -> None:
    is_new = not path.exists()
    with path.open("ab+") as file:
        _finish_last_line(file)
        file.write(lines)
        file.flush()
        os.fsync(file.fileno())
    if is_new:
        fsync_folder(path.parent)


def _finish_last_line(file: BinaryIO) -> None:
    """End the last line if it is whole, cut it off if a killed writer left only a part of it."""
    size = file.seek(0, os.SEEK_END)
    start = max(0, size - LONGEST_LINE)
    file.seek(start)
    head, newline, last = file.read().rpartition(b"\n")
    if not last:
        return
    try:
        device_from_dict(orjson.loads(last))
        file.write(b"\n")
    except (HeadwaterError, orjson.JSONDecodeError, AttributeError):
        file.truncate(start + len(head) + len(newline))
