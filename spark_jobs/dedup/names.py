"""Names of many boots in columns, and 64 bits that stand for each."""

from collections.abc import Sequence
from typing import NamedTuple, Self, TypeAlias

import numpy as np
import polars as pl

from telemetry.message import PLACE_BOOT

Boot: TypeAlias = tuple[str, str, str]
"""(tenant, device_full, boot)"""
Key: TypeAlias = tuple[str, str, str, int]
"""(tenant, device_full, boot, seq)"""
HASHED = "h:"
UNIQUE = PLACE_BOOT
UNCOUNTED = (HASHED, UNIQUE)
ODD = np.uint64(0x9E3779B97F4A7C15)


class BootNames(NamedTuple):
    """Boots by column, each once, with the mark of each.

    Two boots may share a mark: to both is said what is true of one of them.
    """

    tenant: pl.Series
    device_full: pl.Series
    boot: pl.Series
    marks: np.ndarray

    @classmethod
    def of(cls, tenant: pl.Series, device_full: pl.Series, boot: pl.Series) -> Self:
        """Name boots by three columns of texts."""
        return cls(tenant, device_full, boot, _marks(tenant, device_full, boot))

    def at(self, place: int) -> Boot:
        """Return the name of one."""
        return self.tenant[place], self.device_full[place], self.boot[place]

    @property
    def is_unique(self) -> np.ndarray:
        """Tell which messages have a key that no other can have."""
        return self.boot.str.starts_with(UNIQUE).to_numpy()

    @property
    def is_counted(self) -> np.ndarray:
        """Tell which devices number their messages."""
        found: np.ndarray = ~(self.boot.str.starts_with(HASHED).to_numpy() | self.is_unique)
        return found


def _marks(*columns: pl.Series) -> np.ndarray:
    mixed = np.zeros(len(columns[0]), dtype=np.uint64)
    for column in columns:
        mixed = mixed * ODD + column.hash().to_numpy()
    return mixed


def boot_marks(boots: Sequence[Boot | Key]) -> np.ndarray:
    """Return the marks of boots, or of the boots of keys, one by one."""
    columns = ([boot[at] for boot in boots] for at in range(3))
    return _marks(*(pl.Series(values=column, dtype=pl.String) for column in columns))


PROBE = int(boot_marks([("headwater", "probe", "1")])[0])
"""Another version of polars may hash otherwise: marks saved with another probe are void."""
