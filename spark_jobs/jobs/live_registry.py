"""The registry as landing sees it: files, their history in `dim.devices`, and first use."""

import logging
from datetime import UTC, datetime

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from edge.registry_files import RegistryFiles
from spark_jobs.commit_info import Txn
from spark_jobs.jobs.corrections import mark_back_dated
from spark_jobs.lake import Lake
from spark_jobs.transforms.device_history import changed, grown, history_rows, unheard_since
from spark_jobs.transforms.fleet import COLUMNS, Fleet, ordered
from telemetry.devices import Device
from telemetry.durations import micros
from telemetry.errors import HeadwaterError
from telemetry.products import DEFAULT_PRODUCT, Product
from telemetry.tables import DEVICES, FIRST_USE

log = logging.getLogger(__name__)


class LiveRegistry:
    """Follows the registry's files; `edition` counts the changes that workers must hear of."""

    def __init__(self, files: RegistryFiles, lake: Lake) -> None:
        self._files = files
        self._lake = lake
        self._fingerprint: str | None = None
        self._products: dict[tuple[str, str], Product] = {}
        self._news: dict[tuple[str, str], Device] = {}
        self._passed: list[Device] = []
        self._first_use: dict[tuple[str, str], dict[str, str]] = {}
        self._remember(lake.scan(FIRST_USE).collect())
        self.edition = 0
        self.error: str | None = None
        self.fleet = Fleet((), ordered(_versions(lake)))
        files.keep_passed(unheard_since(pc.max(self.fleet.rows["valid_from"]).as_py()))

    def refresh(self, now: datetime | None = None) -> None:
        """Take up what has changed; a file that cannot be read leaves all as it was.

        Only the first time does it raise: there is nothing yet to judge by.
        """
        fingerprint = self._files.fingerprint()
        if fingerprint == self._fingerprint:
            return
        try:
            products = self._files.products()
            at = now or datetime.now(UTC)
            self._news |= {(d.tenant, d.device_full): d for d in self._files.news()}
            self._passed += self._files.passed()
        except (HeadwaterError, OSError) as error:
            if not self.edition:
                raise
            if self.error != str(error):
                log.error("the registry cannot be read, the last one holds: %s", error)
            self.error = str(error)
            return
        versions = self._grown(at)
        self._news.clear()
        self._passed.clear()
        self._fingerprint, self._products = fingerprint, products
        if self._files.wrong and self.error != self._files.wrong:
            log.error("a file of devices is left as it was: %s", self._files.wrong)
        self.error = self._files.wrong
        self._renew(versions)

    def _grown(self, at: datetime) -> pa.Table:
        """Take up what is new of devices; return the rows of all their versions."""
        history = self.fleet.histories(self._news)
        versions = changed(history, self._news.values(), at, self._passed)
        if not versions:
            return self.fleet.rows
        mark_back_dated(self._lake, versions, at)
        after = grown(history, versions)
        touched = {(version.tenant, version.device_full) for version in versions}
        rows = self.fleet.with_histories({key: after[key] for key in touched})
        self._lake.replace(DEVICES, history_rows(rows), None, None)
        return rows

    def _renew(self, versions: pa.Table | None = None) -> None:
        products = self._products.values()
        if versions is None or versions is self.fleet.rows:
            self.fleet = self.fleet.beside(products, self._first_use)
        else:
            self.fleet = Fleet(products, versions, self._first_use)
        self.edition += 1

    def fix(self, fixed: pl.DataFrame, txn: Txn | None) -> None:
        """Persist types that a batch has fixed, and judge by them from now on."""
        if fixed.is_empty():
            return
        self._lake.append(FIRST_USE, fixed.select(FIRST_USE.column_names), txn)
        self._remember(fixed)
        self._renew()

    def recall(self) -> None:
        """Take up types that another process has fixed."""
        self._remember(self._lake.scan(FIRST_USE).collect())
        self._renew()

    def _remember(self, uses: pl.DataFrame) -> None:
        columns = uses.select("tenant", "product", "metric", "type")
        for tenant, product, metric, type_ in columns.iter_rows():
            self._first_use.setdefault((tenant, product), {}).setdefault(metric, type_)

    @property
    def types(self) -> dict[tuple[str, str], dict[str, str]]:
        """Types that first use has fixed, by (tenant, product) and metric."""
        return self._first_use

    def product(self, tenant: str, key: str) -> Product:
        """Return a product that messages were accepted for."""
        return self.fleet.product(tenant, key) or DEFAULT_PRODUCT

    @property
    def dedup_horizon_us(self) -> int | None:
        """The longest horizon of all products in microseconds, None for ever."""
        horizons = [micros(product.dedup_horizon) for product in self._products.values()]
        bounded = [horizon for horizon in horizons if horizon is not None]
        return max(bounded) if len(bounded) == len(horizons) else None


def _versions(lake: Lake) -> pa.Table:
    rows = lake.scan(DEVICES).select(*COLUMNS).collect().to_arrow()
    return rows.cast(pa.schema([*COLUMNS.items()]))
