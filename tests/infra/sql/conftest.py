"""A lake that the cookbook's statements have something to say of."""

from datetime import UTC, datetime, timedelta

import pytest

from telemetry.settings import Settings
from tests.infra.sql import cookbook_lake
from tests.infra.sql.seeded_lake import seed

AGE = timedelta(minutes=5)
"""The lake is written as of then, so that no device falls silent while it is asked."""


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return a stack of one tenant."""
    home = tmp_path_factory.mktemp("alone")
    seed(home / "lake")
    cookbook_lake.seed(home / "lake", datetime.now(UTC) - AGE)
    return Settings(home=home)
