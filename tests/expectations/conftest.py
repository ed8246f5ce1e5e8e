"""The one Spark session, shared with the tests of the Spark jobs."""

from tests.spark_jobs.conftest import spark

__all__ = ["spark"]
