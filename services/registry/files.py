"""The home's registry files: what others put there is taken up, and what holds is put there."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from sqlalchemy import delete, insert, select

from edge.registry_files import PROJECTED, RegistryFiles, read_product
from services.registry.devices import enrol
from services.registry.products import put_unheld
from services.registry.store import Store, Writing
from services.registry.tables import FILE_MARKS
from telemetry.changes import ChangeRecord, DeviceBody, ProductBody, TenantBody, decode_change
from telemetry.devices import SETTLES_AFTER, Device
from telemetry.errors import ProductError
from telemetry.products import Product

ACTOR = "files"
ENROLLED_MARK = "devices/enrolled"
AT_ONCE = 5_000


class Files:
    """The files of one home, as a sink of changes and as a source of them."""

    name = "files"

    def __init__(self, root: Path, store: Store, now: Callable[[], datetime]) -> None:
        self._root = root
        self._files = RegistryFiles(root)
        self._store = store
        self._now = now
        self._seen: str | None = None

    def has_lost_all(self) -> bool:
        """Say whether the registry's own word is gone from the home."""
        return not self._files.is_projected

    def take(self, records: Sequence[ChangeRecord]) -> None:
        """Put products and devices into the files; nothing else stands there."""
        bodies = [change.body for record in records if (change := decode_change(*record))]
        for body in bodies:
            if isinstance(body, ProductBody):
                self._put_product(body.product())
        valid_from = self._now() + SETTLES_AFTER
        named = [body.device for body in bodies if isinstance(body, DeviceBody)]
        self._files.project(replace(device, valid_from=valid_from) for device in named)

    def _put_product(self, product: Product) -> None:
        """Write a product's file, unless it says the same in somebody's own words."""
        path = self._root / "products" / product.tenant / f"{product.key}.json"
        if not path.is_file() or read_product(path, path.read_bytes()) != product:
            self._files.put_product(product)
        with self._store.writing(ACTOR, self._now()) as writing:
            _mark(writing, self._relative(path), _digest(path.read_bytes()))

    def take_up(self) -> int:
        """Take what others put into the files since; return how many things that were."""
        fingerprint = self._files.fingerprint(without=PROJECTED)
        if fingerprint == self._seen:
            return 0
        taken = self._products() + self._foreign() + self._enrolled()
        self._seen = fingerprint
        return taken

    def _products(self) -> int:
        marks, taken, wrong = self._marks(), 0, []
        for path, content in self._files.product_files():
            name, digest = self._relative(path), _digest(content)
            if marks.get(name) == digest:
                continue
            try:
                product = read_product(path, content)
            except ProductError as error:
                wrong.append(error)
                continue
            with self._store.writing(ACTOR, self._now()) as writing:
                _own(writing, [product.tenant])
                put_unheld(writing, product)
                _mark(writing, name, digest)
            taken += 1
        if wrong:
            raise wrong[0]
        return taken

    def _foreign(self) -> int:
        """Enrol what people's own files name and nobody knows."""
        return self._enrol(list(self._files.foreign()), keep_known=True)

    def _enrolled(self) -> int:
        """Take what was enrolled; `settle` drops it."""
        devices, mark = self._files.enrolled(self._marks().get(ENROLLED_MARK, ""))
        return self._enrol(devices, mark=mark)

    def settle(self) -> None:
        """Drop what was enrolled and taken up, once the registry's own word says it."""
        mark = self._marks().get(ENROLLED_MARK)
        with self._store.reading() as reading:
            is_said = self._store.position(self.name) >= reading.edition()
        if mark and is_said:
            self._files.drop_enrolled(mark)
            with self._store.writing(ACTOR, self._now()) as writing:
                _mark(writing, ENROLLED_MARK, None)

    def _enrol(self, devices: Sequence[Device], *, keep_known: bool = False, mark: str = "") -> int:
        """Enrol group by group; the last group's transaction notes the mark."""
        taken = 0
        for start in range(0, len(devices), AT_ONCE):
            group = devices[start : start + AT_ONCE]
            with self._store.writing(ACTOR, self._now()) as writing:
                _own(writing, {device.tenant for device in group})
                taken += len(enrol(writing, group, keep_known=keep_known))
                if mark and start + AT_ONCE >= len(devices):
                    _mark(writing, ENROLLED_MARK, mark)
        return taken

    def _marks(self) -> dict[str, str]:
        with self._store.reading() as reading:
            query = select(FILE_MARKS.c.path, FILE_MARKS.c.mark)
            return {path: mark for path, mark in reading.connection.execute(query)}

    def _relative(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()


def _own(writing: Writing, tenants: Sequence[str] | set[str]) -> None:
    """Make the tenants that the files name."""
    for tenant in tenants:
        if writing.get("tenant", tenant, tenant) is None:
            writing.put(tenant, tenant, TenantBody(), "add")


def _mark(writing: Writing, path: str, mark: str | None) -> None:
    connection = writing.connection
    connection.execute(delete(FILE_MARKS).where(FILE_MARKS.c.path == path))
    if mark is not None:
        connection.execute(insert(FILE_MARKS).values(path=path, mark=mark))


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()
