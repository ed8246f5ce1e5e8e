"""Packs small files of days that are open, as `headwater job compact` does, and nothing else."""

from collections.abc import Sequence
from datetime import date

from spark_jobs import packing
from spark_jobs.idle_time import take_idle_time_only
from spark_jobs.jobs.compact import planned
from spark_jobs.lake import Lake
from telemetry.tables import Table


def pack_open(root: str, tables: Sequence[Table]) -> None:
    """Pack, in a process of its own; a closed day is not touched: Spark sorts it at night."""
    take_idle_time_only()
    lake = Lake(root)
    for table in tables:
        for group in packing.groups(planned(lake, table, date.min).small, table):
            packing.pack(lake, table, group)
