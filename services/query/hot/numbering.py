"""Numbers of series: small keys in the place of long names."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

METRIC_BITS = 24
ENTRY_BYTES = 250
"""About what a name takes with its place among the others."""


class Numbering:
    """Numbers of devices and metrics; each keeps its own. One thread adds, any number may look."""

    def __init__(self) -> None:
        self._devices: dict[tuple[str, str], int] = {}
        self._metrics: dict[str, int] = {}

    @property
    def memory(self) -> int:
        """Return about how many bytes of memory they take."""
        return ENTRY_BYTES * (len(self._devices) + len(self._metrics))

    def series(self, tenant: str, device_full: str, metric: str) -> int | None:
        """Return the number of a series; None: none of its rows was ever held."""
        device, kind = self._devices.get((tenant, device_full)), self._metrics.get(metric)
        return None if device is None or kind is None else device << METRIC_BITS | kind

    def numbers(self, rows: pa.Table) -> NDArray[np.int64]:
        """Return the series of each row, whose texts are numbers into dictionaries."""
        tenants, tenant = _coded(rows, "tenant")
        devices, device = _coded(rows, "device_full")
        metrics, metric = _coded(rows, "metric")
        pairs, places = np.unique(tenant * len(devices) + device, return_inverse=True)
        known = [
            self._devices.setdefault(
                (tenants[pair // len(devices)], devices[pair % len(devices)]), len(self._devices)
            )
            for pair in pairs.tolist()
        ]
        kinds = [self._metrics.setdefault(name, len(self._metrics)) for name in metrics]
        of_device, of_metric = np.array(known, np.int64), np.array(kinds, np.int64)
        found: NDArray[np.int64] = of_device[places] << METRIC_BITS | of_metric[metric]
        return found


def _coded(rows: pa.Table, name: str) -> tuple[list[str], NDArray[np.int64]]:
    column = rows.column(name).chunk(0)
    return column.dictionary.to_pylist(), column.indices.to_numpy().astype(np.int64)
