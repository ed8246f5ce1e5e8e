"""Names of many boots in columns, and 64 bits that stand for each."""

from collections.abc import Sequence
from typing import NamedTuple, Self, TypeAlias

import numpy as np
import polars as pl
import pyarrow.compute as pc

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
        return self._begin(UNIQUE)

    @property
    def is_counted(self) -> np.ndarray:
        """Tell which devices number their messages."""
        found: np.ndarray = ~(self._begin(HASHED) | self.is_unique)
        return found

    def _begin(self, word: str) -> np.ndarray:
        flags = pc.starts_with(self.boot.to_arrow(), word)
        found: np.ndarray = flags.to_numpy(zero_copy_only=False)
        return found


def hashed(*columns: pl.Series) -> list[np.ndarray]:
    """Return 64 bits for each value of some columns, of all of them at once."""
    frame = pl.DataFrame([column.alias(str(at)) for at, column in enumerate(columns)])
    return [column.to_numpy() for column in frame.select(pl.all().hash()).get_columns()]


def _marks(*columns: pl.Series) -> np.ndarray:
    mixed = np.zeros(len(columns[0]), dtype=np.uint64)
    for column in hashed(*columns):
        mixed = mixed * ODD + column
    return mixed


def boot_marks(boots: Sequence[Boot | Key]) -> np.ndarray:
    """Return the marks of boots, or of the boots of keys, one by one."""
    columns = ([boot[at] for boot in boots] for at in range(3))
    return _marks(*(pl.Series(values=column, dtype=pl.String) for column in columns))


PROBE = int(boot_marks([("headwater", "probe", "1")])[0])
"""Another version of polars may hash otherwise: marks saved with another probe are void."""
