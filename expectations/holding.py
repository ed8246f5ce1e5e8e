"""Holds frames to expectations by Great Expectations, and keeps its pages of results."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import great_expectations as gx
import pandas as pd
from great_expectations.core import ExpectationSuite, ExpectationValidationResult
from great_expectations.core.batch_definition import BatchDefinition
from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
    ProgressBarsConfig,
)
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.expectations.metadata_types import FailureSeverity
from pyspark.sql import DataFrame

from expectations.overview import write_overview
from expectations.plain_pages import make_plain

Frame: TypeAlias = DataFrame | pd.DataFrame
Expectations: TypeAlias = Sequence[Expectation]
EXAMPLES = 3
LONGEST = 500


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an expectation held; what was seen, where it did not."""

    expectation: str
    success: bool
    critical: bool
    observed: str | None
    unexpected: int
    details: Mapping[str, str]


class Holder:
    """Great Expectations without a project: only the newest result of each suite is kept."""

    def __init__(self, folder: Path) -> None:
        self._results, self._pages = folder / "results", folder / "pages"
        self._context = gx.get_context(
            mode="ephemeral", project_config=_project(self._results, self._pages)
        )
        self._context.variables.progress_bars = ProgressBarsConfig(globally=False)
        sources = self._context.data_sources
        rows = sources.add_spark("lake", persist=False).add_dataframe_asset("rows")
        figures = sources.add_pandas("logs").add_dataframe_asset("figures")
        self._rows = rows.add_batch_definition_whole_dataframe("changed")
        self._figures = figures.add_batch_definition_whole_dataframe("newest")

    def hold_figures(self, name: str, frame: pd.DataFrame, expected: Expectations) -> list[Verdict]:
        """Hold a small frame to its suite."""
        results = self._run(name, self._figures, frame, expected, {"result_format": "SUMMARY"})
        return [_verdict(*pair) for pair in zip(expected, results, strict=True)]

    def hold_rows(
        self, name: str, frame: DataFrame, expected: Expectations, key: Sequence[str]
    ) -> list[Verdict]:
        """Hold a table's rows to its suite; what fails is asked again for examples by key.

        The first pass asks whether, which Spark answers for all expectations in a few jobs; how
        many and which costs some jobs for each, so only failures pay it.
        """
        results = self._run(name, self._rows, frame, expected, {"result_format": "BOOLEAN_ONLY"})
        failed = [place for place, result in enumerate(results) if not result.success]
        failures = f"{name} failures"
        self._forget(failures)
        if failed:
            again = [expected[place] for place in failed]
            which = {"result_format": "SUMMARY", "unexpected_index_column_names": list(key)}
            found = self._run(failures, self._rows, frame, again, which)
            results = [*results]
            for place, result in zip(failed, found, strict=True):
                results[place] = result
        return [_verdict(*pair) for pair in zip(expected, results, strict=True)]

    def write_pages(self) -> Path:
        """Build the pages of the newest results; return the first one."""
        shutil.rmtree(self._pages, ignore_errors=True)
        self._context.build_data_docs()
        make_plain(self._pages)
        return write_overview(self._results, self._pages)

    def _run(
        self,
        name: str,
        batch: BatchDefinition[Any],
        frame: Frame,
        expected: Expectations,
        result_format: Mapping[str, object],
    ) -> list[ExpectationValidationResult]:
        self._forget(name)
        suite = ExpectationSuite(name=name, expectations=[_fresh(one) for one in expected])
        self._context.suites.add(suite)
        definition = gx.ValidationDefinition(name=name, data=batch, suite=suite)
        self._context.validation_definitions.add(definition)
        held = definition.run(
            batch_parameters={"dataframe": frame}, result_format=dict(result_format)
        )
        by_id = {_configuration(result).id: result for result in held.results}
        return [by_id[one.id] for one in suite.expectations]

    def _forget(self, name: str) -> None:
        """Drop the earlier result of a suite; its store makes a folder of each part of a name."""
        shutil.rmtree(self._results.joinpath(*name.split(".")), ignore_errors=True)


def _project(results: Path, pages: Path) -> DataContextConfig:
    """Return a project whose results and pages are files and all else is memory."""
    site = {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "store_backend": _files(pages),
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
    }
    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        data_docs_sites={"headwater": site},
        analytics_enabled=False,
    )
    config.stores["validation_results_store"] = {
        "class_name": "ValidationResultsStore",
        "store_backend": _files(results),
    }
    return config


def _files(folder: Path) -> dict[str, str]:
    return {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder)}


def _fresh(expectation: Expectation) -> Expectation:
    return expectation.copy(update={"id": None})


def _verdict(expectation: Expectation, result: ExpectationValidationResult) -> Verdict:
    seen: Mapping[str, object] = result.result or {}
    critical = expectation.severity == FailureSeverity.CRITICAL
    return Verdict(
        expectation=_sentence(expectation),
        success=bool(result.success),
        critical=critical,
        observed=_observed(result, seen),
        unexpected=int(str(seen.get("unexpected_count") or 0)),
        details={
            "severity": "critical" if critical else "warning",
            "type": _configuration(result).type,
        },
    )


def _observed(result: ExpectationValidationResult, seen: Mapping[str, object]) -> str | None:
    """Return what was seen of a failure: its error, the keys of some rows, or values."""
    if result.success:
        return None
    for name in ("partial_unexpected_index_list", "observed_value", "partial_unexpected_list"):
        found = seen.get(name)
        if found:
            some = found[:EXAMPLES] if isinstance(found, list) else found
            return str(some)[:LONGEST]
    return _error(result)


def _configuration(result: ExpectationValidationResult) -> ExpectationConfiguration:
    assert result.expectation_config is not None
    return result.expectation_config


def _error(result: ExpectationValidationResult) -> str | None:
    for found in (result.exception_info or {}).values():
        if isinstance(found, dict) and found.get("raised_exception"):
            return str(found.get("exception_message"))
    return None


def _sentence(expectation: Expectation) -> str:
    if expectation.description:
        return str(expectation.description)
    configuration = expectation.configuration
    arguments = " ".join(f"{name}={value}" for name, value in configuration.kwargs.items())
    return f"{configuration.type} {arguments}"
