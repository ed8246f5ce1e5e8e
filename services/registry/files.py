"""The home's registry files: what others put there is taken up, and what holds is put there."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from edge.registry_files import PROJECTED, RegistryFiles, read_product
from services.registry.devices import enrol
from services.registry.file_marks import digest, mark, marks, own
from services.registry.products import put_unheld
from services.registry.rule_projection import ACTOR, RuleProjection
from services.registry.store import Store
from telemetry.changes import ChangeRecord, DeviceBody, ProductBody, RuleBody, decode_change
from telemetry.devices import SETTLES_AFTER, Device
from telemetry.errors import HeadwaterError, ProductError
from telemetry.products import Product

ENROLLED_MARK = "devices/enrolled"
AT_ONCE = 5_000


class Files:
    """The files of one home, as a sink of changes and as a source of them."""

    name = "files"

    def __init__(self, root: Path, store: Store, now: Callable[[], datetime]) -> None:
        self._root = root
        self._files = RegistryFiles(root)
        self._rules = RuleProjection(root, store, now)
        self._store = store
        self._now = now
        self._seen: str | None = None

    def has_lost_all(self) -> bool:
        """Say whether the registry's own word is gone from the home."""
        return not self._files.is_projected

    def edition(self) -> int:
        """Return 0: files do not say of which edition they are."""
        return 0

    def take(self, records: Sequence[ChangeRecord]) -> None:
        """Put products, rules and devices into the files; nothing else stands there."""
        changes = [change for record in records if (change := decode_change(*record))]
        devices: list[Device] = []
        for change in changes:
            body = change.body
            if isinstance(body, ProductBody):
                self._put_product(body.product())
            elif isinstance(body, RuleBody):
                self._rules.put(body.kept())
            elif isinstance(body, DeviceBody):
                # By its commit: a line may be written late, or all of them anew.
                devices.append(replace(body.device, valid_from=change.changed_at + SETTLES_AFTER))
        self._files.project(devices)

    def _put_product(self, product: Product) -> None:
        """Write a product's file, unless it says the same in somebody's own words."""
        path = self._root / "products" / product.tenant / f"{product.key}.json"
        if not _says(path, product):
            self._files.put_product(product)
        with self._store.writing(ACTOR, self._now()) as writing:
            mark(writing, self._relative(path), digest(path.read_bytes()))

    def take_up(self) -> int:
        """Take what others put into the files since; return how many things that were."""
        fingerprint = self._files.fingerprint(without=PROJECTED) + self._rules.fingerprint()
        if fingerprint == self._seen:
            return 0
        taken, wrong = 0, []
        for take_up in (self._products, self._foreign, self._enrolled, self._rules.take_up):
            try:
                taken += take_up()
            except HeadwaterError as error:
                # It must not hold up what others have enrolled.
                wrong.append(error)
        if wrong:
            raise wrong[0]
        self._seen = fingerprint
        return taken

    def _products(self) -> int:
        seen, taken, wrong = marks(self._store), 0, []
        for path, content in self._files.product_files():
            name, found = self._relative(path), digest(content)
            if seen.get(name) == found:
                continue
            try:
                product = read_product(path, content)
            except ProductError as error:
                wrong.append(error)
                continue
            with self._store.writing(ACTOR, self._now()) as writing:
                own(writing, [product.tenant])
                put_unheld(writing, product)
                mark(writing, name, found)
            taken += 1
        if wrong:
            raise wrong[0]
        return taken

    def _foreign(self) -> int:
        """Enrol what people's own files name and nobody knows, each file by itself."""
        taken, wrong = 0, []
        for devices in self._files.foreign():
            try:
                taken += self._enrol(list(devices), keep_known=True)
            except HeadwaterError as error:
                wrong.append(error)
        if wrong:
            raise wrong[0]
        return taken

    def _enrolled(self) -> int:
        """Take what was enrolled; `settle` drops it."""
        devices, read_to = self._files.enrolled(marks(self._store).get(ENROLLED_MARK, ""))
        return self._enrol(devices, read_to=read_to)

    def settle(self) -> None:
        """Drop what was enrolled and taken up, once the registry's own word says it."""
        seen = marks(self._store).get(ENROLLED_MARK)
        with self._store.reading() as reading:
            is_said = self._store.position(self.name) >= reading.edition()
        if seen and is_said:
            self._files.drop_enrolled(seen)
            with self._store.writing(ACTOR, self._now()) as writing:
                mark(writing, ENROLLED_MARK, None)

    def _enrol(
        self, devices: Sequence[Device], *, keep_known: bool = False, read_to: str = ""
    ) -> int:
        """Enrol group by group; the last group's transaction notes how far."""
        taken = 0
        for start in range(0, len(devices), AT_ONCE):
            group = devices[start : start + AT_ONCE]
            with self._store.writing(ACTOR, self._now()) as writing:
                own(writing, {device.tenant for device in group})
                taken += len(enrol(writing, group, keep_known=keep_known))
                if read_to and start + AT_ONCE >= len(devices):
                    mark(writing, ENROLLED_MARK, read_to)
        return taken

    def _relative(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()


def _says(path: Path, product: Product) -> bool:
    """Say whether a file declares a product; one that cannot be read says nothing."""
    try:
        return path.is_file() and read_product(path, path.read_bytes()) == product
    except ProductError:
        return False
