"""Each table's suite as a blocking check, run by one `spark-submit` for all that are asked for."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias, TypedDict, cast

import dagster as dg

from orchestration import remedies
from orchestration.spark import POOL, Context, SparkSubmit, Told
from orchestration.tables import asset_key, table_name
from telemetry import tables
from telemetry.tables import TABLES, Table

Link: TypeAlias = dg.UrlMetadataValue | dg.PathMetadataValue
NAME = "suite"
SHOWN = 10


class SuiteResult(TypedDict):
    """What the quality job reports of one table."""

    success: bool
    expectations: int
    failed: list[str]
    warnings: list[str]
    rows: int
    seconds: float


def check_keys(checked: Iterable[Table]) -> list[dg.AssetCheckKey]:
    """Return the keys of the checks of some tables."""
    return [dg.AssetCheckKey(asset_key(table.name), NAME) for table in checked]


def suites() -> dg.AssetChecksDefinition:
    """Return the checks of all tables; a run of some starts Spark once."""

    @dg.multi_asset_check(
        name="run_suites",
        specs=[_spec(table) for table in TABLES],
        can_subset=True,
        pool=POOL,
        description="Holds tables to their suites, over what changed since they last held.",
    )
    def run_suites(
        context: dg.AssetCheckExecutionContext, spark: dg.ResourceParam[SparkSubmit]
    ) -> Iterator[dg.AssetCheckResult]:
        names = sorted(table_name(key.asset_key) for key in context.selected_asset_check_keys)
        yield from held(context, spark, names)

    return run_suites


def held(
    context: Context, spark: SparkSubmit, names: Sequence[str], *days: str
) -> Iterator[dg.AssetCheckResult]:
    """Hold tables to their suites in one job, and yield how each came out."""
    asked = [argument for name in names for argument in ("--tables", name)]
    told = spark.run(context, "quality", "--exit-zero", *asked, *days)
    results = cast(Mapping[str, SuiteResult], told["tables"])
    pages = str(told["pages"])
    overview = pages_link(spark.data_docs, "", pages)
    context.op_execution_context.log_event(_materialization(results, overview))
    for name in names:
        yield _result(name, results[name], pages_link(spark.data_docs, name, pages))


def pages_link(served_at: str, table: str, pages: str) -> Link:
    """Lead to the newest result of a table, or of all: where it is served, or else to a file."""
    if not served_at:
        return dg.MetadataValue.path(pages)
    return dg.MetadataValue.url(f"{served_at}suites/{table}" if table else served_at)


def follow(
    context: Context, spark: SparkSubmit, tables: Iterable[Table], *days: str
) -> Iterator[dg.AssetCheckEvaluation]:
    """Hold what a batch job has touched to its suites; one that does not hold fails the step."""
    results = held(context, spark, [table.name for table in tables], *days)
    yield from (_evaluation(result) for result in results)


def told(asset: dg.AssetKey, name: str, figures: Told) -> dg.AssetCheckResult:
    """Return what a job found of the table that it makes; one that fails it fails the step."""
    wrong = cast(Sequence[str], figures.get("wrong", ()))
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=name,
        passed=bool(figures["success"]),
        description="; ".join(wrong[:SHOWN]),
        metadata={"wrong": _list(wrong), **_what_to_do(remedies.CONSERVED if wrong else "")},
    )


def _evaluation(result: dg.AssetCheckResult) -> dg.AssetCheckEvaluation:
    assert result.asset_key is not None
    return dg.AssetCheckEvaluation(
        asset_key=result.asset_key,
        check_name=NAME,
        passed=result.passed,
        description=result.description,
        metadata=result.metadata,
        blocking=True,
    )


def _spec(table: Table) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name=NAME,
        asset=asset_key(table.name),
        blocking=True,
        description=f"{table.name} is as declared: structure, key, ranges, freshness, volume.",
    )


def _what_to_do(remedy: str) -> Mapping[str, dg.MarkdownMetadataValue]:
    return {"what to do": dg.MetadataValue.md(remedy)} if remedy else {}


def _result(name: str, result: SuiteResult, pages: Link) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=result["success"],
        asset_key=asset_key(name),
        check_name=NAME,
        description="; ".join(result["failed"][:SHOWN]),
        metadata={
            **_what_to_do("" if result["success"] else remedies.of_table(name)),
            "expectations": result["expectations"],
            "failed": _list(result["failed"]),
            "warnings": _list(result["warnings"]),
            "rows": result["rows"],
            "seconds": result["seconds"],
            "data docs": pages,
        },
    )


def _list(sentences: Sequence[str]) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md("\n".join(f"- {sentence}" for sentence in sentences) or "none")


def _materialization(results: Mapping[str, SuiteResult], pages: Link) -> dg.AssetMaterialization:
    return dg.AssetMaterialization(
        asset_key(tables.QUALITY.name),
        metadata={
            "tables": len(results),
            "expectations": sum(result["expectations"] for result in results.values()),
            "failed": sum(len(result["failed"]) for result in results.values()),
            "warnings": sum(len(result["warnings"]) for result in results.values()),
            "data docs": pages,
        },
    )
