"""Holds frames to expectations by Great Expectations, and keeps its pages of results."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import great_expectations as gx
import pandas as pd
from great_expectations.core import ExpectationSuite, ExpectationValidationResult
from great_expectations.core.batch_definition import BatchDefinition
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.expectations.metadata_types import FailureSeverity
from pyspark.sql import DataFrame

Frame: TypeAlias = DataFrame | pd.DataFrame
Format = Literal["BOOLEAN_ONLY", "SUMMARY"]
_QUICK: Format = "BOOLEAN_ONLY"
_FULL: Format = "SUMMARY"


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
    """A Great Expectations project in a folder; holds the newest result of each suite."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._context = gx.get_context(mode="file", project_root_dir=folder)
        self._context.variables.progress_bars = ProgressBarsConfig(globally=False)
        self._root = folder / "gx" / "uncommitted"

    @property
    def index(self) -> Path:
        """First page of the results."""
        return self._root / "data_docs" / "local_site" / "index.html"

    def hold(self, name: str, frame: Frame, expected: Sequence[Expectation]) -> list[Verdict]:
        """Hold a frame to its suite; what fails is asked again for examples.

        The first pass asks whether, which Spark answers for all expectations in a few jobs; how
        many and which costs a job for each, so only failures pay it.
        """
        quick = _QUICK if isinstance(frame, DataFrame) else _FULL
        results = self._run(name, frame, expected, quick)
        failed = [place for place, result in enumerate(results) if not result.success]
        self._forget(f"{name} failures")
        if failed and quick != _FULL:
            again = [expected[place] for place in failed]
            found = self._run(f"{name} failures", frame, again, _FULL)
            for place, result in zip(failed, found, strict=True):
                results[place] = result
        return [_verdict(*pair) for pair in zip(expected, results, strict=True)]

    def write_pages(self) -> Path:
        """Build the pages of the newest results; return the first one."""
        self._context.build_data_docs()
        return self.index

    def _run(
        self, name: str, frame: Frame, expected: Sequence[Expectation], result_format: Format
    ) -> list[ExpectationValidationResult]:
        self._forget(name)
        suite = ExpectationSuite(name=name, expectations=[_fresh(one) for one in expected])
        self._context.suites.add(suite)
        definition = gx.ValidationDefinition(name=name, data=self._batch(name, frame), suite=suite)
        self._context.validation_definitions.add(definition)
        held = definition.run(batch_parameters={"dataframe": frame}, result_format=result_format)
        by_id = {_configuration(result).id: result for result in held.results}
        return [by_id[one.id] for one in suite.expectations]

    def _batch(self, name: str, frame: Frame) -> BatchDefinition[Any]:
        sources = self._context.data_sources
        if isinstance(frame, DataFrame):
            source: Any = sources.add_or_update_spark(f"{name} rows", persist=False)
        else:
            source = sources.add_or_update_pandas(f"{name} figures")
        asset = source.add_dataframe_asset(name)
        batch: BatchDefinition[Any] = asset.add_batch_definition_whole_dataframe("changed")
        return batch

    def _forget(self, name: str) -> None:
        """Drop an earlier run of the suite: the lake keeps the history, the pages the newest."""
        for store in (self._context.validation_definitions, self._context.suites):
            if name in {one.name for one in store.all()}:
                store.delete(name)
        for kept in ("validations", "data_docs/local_site/validations"):
            shutil.rmtree(self._root / kept / name, ignore_errors=True)


def _fresh(expectation: Expectation) -> Expectation:
    return expectation.copy(update={"id": None})


def _verdict(expectation: Expectation, result: ExpectationValidationResult) -> Verdict:
    seen: Mapping[str, object] = result.result or {}
    critical = expectation.severity == FailureSeverity.CRITICAL
    error = None if result.success else _error(result)
    observed = error or seen.get("observed_value") or seen.get("partial_unexpected_list")
    return Verdict(
        expectation=_sentence(expectation),
        success=bool(result.success),
        critical=critical,
        observed=None if observed in (None, []) else str(observed)[:500],
        unexpected=int(str(seen.get("unexpected_count") or 0)),
        details={
            "severity": "critical" if critical else "warning",
            "type": _configuration(result).type,
        },
    )


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
