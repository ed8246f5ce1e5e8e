"""Each table's suite as a blocking check, run by one `spark-submit` for all that are asked for."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TypedDict, cast

import dagster as dg

from orchestration.spark import POOL, SparkSubmit
from orchestration.tables import asset_key, table_name
from telemetry import tables
from telemetry.tables import TABLES, Table

NAME = "suite"


class SuiteResult(TypedDict):
    """What the quality job reports of one table."""

    success: bool
    expectations: int
    failed: list[str]
    rows: int
    seconds: float
    docs: str


def check_keys(checked: Iterable[Table]) -> list[dg.AssetCheckKey]:
    """Return the keys of the checks of some tables."""
    return [dg.AssetCheckKey(asset_key(table.name), NAME) for table in checked]


def suites() -> dg.AssetChecksDefinition:
    """Return the checks of all tables; a run of a few starts Spark once."""

    @dg.multi_asset_check(
        name="run_suites",
        specs=[_spec(table) for table in TABLES],
        can_subset=True,
        pool=POOL,
        description="Holds tables to their suites, over the partitions that changed.",
    )
    def quality(
        context: dg.AssetCheckExecutionContext, spark: dg.ResourceParam[SparkSubmit]
    ) -> Iterator[dg.AssetCheckResult]:
        names = sorted(table_name(key.asset_key) for key in context.selected_asset_check_keys)
        asked = [argument for name in names for argument in ("--tables", name)]
        messages = spark.run(context, "quality", "--exit-zero", *asked).get_custom_messages()
        results = cast(Mapping[str, SuiteResult], messages[-1]["tables"])
        context.op_execution_context.log_event(_materialization(results))
        yield from (_result(name, results[name]) for name in names if name in results)

    return quality


def _spec(table: Table) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name=NAME,
        asset=asset_key(table.name),
        blocking=True,
        description=f"{table.name} is as declared: structure, key, ranges, freshness, volume.",
    )


def _result(name: str, result: SuiteResult) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=result["success"],
        asset_key=asset_key(name),
        check_name=NAME,
        metadata={
            "expectations": result["expectations"],
            "failed": dg.MetadataValue.md("\n".join(f"- {text}" for text in result["failed"])),
            "rows": result["rows"],
            "seconds": result["seconds"],
            "data docs": dg.MetadataValue.path(result["docs"]),
        },
    )


def _materialization(results: Mapping[str, SuiteResult]) -> dg.AssetMaterialization:
    return dg.AssetMaterialization(
        asset_key(tables.QUALITY.name),
        metadata={
            "tables": len(results),
            "expectations": sum(result["expectations"] for result in results.values()),
            "failed": sum(len(result["failed"]) for result in results.values()),
        },
    )
