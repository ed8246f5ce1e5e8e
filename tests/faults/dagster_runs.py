"""Dagster as a person drives it: jobs launched, runs watched, by its webserver's GraphQL."""

import time
from dataclasses import dataclass
from typing import Any

import httpx

LOCATION = "headwater"
REPOSITORY = "__repository__"
OVER = ("SUCCESS", "FAILURE", "CANCELED")
STEP_S = 0.5
LAUNCH = """
mutation ($selector: JobOrPipelineSelector!) {
  launchRun(executionParams: {selector: $selector, runConfigData: {}}) {
    __typename
    ... on LaunchRunSuccess {run {runId}}
    ... on PythonError {message}
  }
}"""
STATUS = "query ($run: ID!) {runOrError(runId: $run) {... on Run {status}}}"
SCHEDULES = """
query ($selector: RepositorySelector!) {
  schedulesOrError(repositorySelector: $selector) {
    ... on Schedules {results {scheduleState {id}}}
  }
}"""
STOP = "mutation ($id: String!) {stopRunningSchedule(id: $id) {__typename}}"


@dataclass(frozen=True, slots=True)
class DagsterRuns:
    """The runs of one stack; `url` is its webserver's."""

    url: str

    def stop_schedules(self) -> None:
        """Stop every schedule, so that only what is launched here runs."""
        selector = {"repositoryName": REPOSITORY, "repositoryLocationName": LOCATION}
        found = self._ask(SCHEDULES, selector=selector)["schedulesOrError"]["results"]
        assert found, "Dagster knows no schedule"
        for schedule in found:
            said = self._ask(STOP, id=schedule["scheduleState"]["id"])
            assert said["stopRunningSchedule"]["__typename"] == "ScheduleStateResult", said

    def launch(self, job: str, *, within_s: float = 120) -> str:
        """Launch a job once Dagster takes it; return the run."""
        places = {"repositoryName": REPOSITORY, "repositoryLocationName": LOCATION}
        until = time.monotonic() + within_s
        while True:
            said = self._ask(LAUNCH, selector={**places, "jobName": job})["launchRun"]
            if said["__typename"] == "LaunchRunSuccess":
                return str(said["run"]["runId"])
            assert time.monotonic() < until, said
            time.sleep(STEP_S)

    def status(self, run: str) -> str:
        """Return the state of a run in Dagster's words."""
        return str(self._ask(STATUS, run=run)["runOrError"]["status"])

    def end(self, run: str, *, within_s: float) -> str:
        """Wait until a run is over; return how it ended, or how it is if it does not."""
        until = time.monotonic() + within_s
        while (status := self.status(run)) not in OVER and time.monotonic() < until:
            time.sleep(STEP_S)
        return status

    def _ask(self, query: str, **variables: object) -> dict[str, Any]:
        answer = httpx.post(
            f"{self.url}/graphql", json={"query": query, "variables": variables}, timeout=60
        )
        said = answer.raise_for_status().json()
        assert "errors" not in said, said
        found: dict[str, Any] = said["data"]
        return found
