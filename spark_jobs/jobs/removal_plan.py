"""What dedup is about to remove, noted first: what a killed run removed is counted by the next."""

import os
import uuid
from pathlib import Path

import polars as pl

from spark_jobs.commit_info import Txn
from spark_jobs.lake import Lake
from telemetry.errors import HeadwaterError
from telemetry.tables import BY_NAME, DEVICE_DUPLICATES

_RUN, _IS_REMOVED = "run", "is removed"


class RemovalPlan:
    """One file, there from before the first removal until all that it names is counted."""

    def __init__(self, path: Path, lake: Lake) -> None:
        self.txn = Txn("dedup/none", 0)
        self._path = path
        self._lake = lake

    def begin(self, found: pl.DataFrame) -> pl.DataFrame:
        """Note what is removed next; return it with what was removed before and never counted."""
        uncounted = self._uncounted(found)
        self.txn = Txn(f"dedup/{uuid.uuid4().hex}", 0)
        noted = [
            rows.with_columns(
                pl.lit(self.txn.app_id).alias(_RUN), pl.lit(is_removed).alias(_IS_REMOVED)
            )
            for rows, is_removed in ((uncounted, True), (found, False))
        ]
        self._write(pl.concat(noted))
        return pl.concat([uncounted, found])

    def _uncounted(self, like: pl.DataFrame) -> pl.DataFrame:
        if not self._path.exists():
            return like.clear()
        noted = self._noted()
        if noted.is_empty() or self._is_done(DEVICE_DUPLICATES.name, noted[_RUN][0]):
            return like.clear()
        run = noted[_RUN][0]
        rewritten = [name for name in noted["source"].unique() if self._is_done(name, run)]
        gone = noted.filter(pl.col(_IS_REMOVED) | pl.col("source").is_in(rewritten))
        return gone.select(like.columns)

    def _noted(self) -> pl.DataFrame:
        try:
            return pl.read_ipc(self._path.read_bytes())
        except (OSError, pl.exceptions.PolarsError) as error:
            raise HeadwaterError(
                f"{self._path} cannot be read ({error}): delete it and run `headwater job dedup"
                " --all`. Silver has lost nothing; what a killed run removed is not counted in"
                f" {DEVICE_DUPLICATES.name} then"
            ) from error

    def _is_done(self, table: str, run: str) -> bool:
        return self._lake.committed(BY_NAME[table], run) is not None

    def _write(self, noted: pl.DataFrame) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".new")
        with temporary.open("wb") as file:
            noted.write_ipc(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)

    def forget(self) -> None:
        """Forget it: all that was removed is counted, and its gold restated."""
        self._path.unlink(missing_ok=True)
