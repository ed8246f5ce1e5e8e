"""What devices measure is plausible: within its schema, moving with the day, counters rising."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.models import MODELS, load_model
from simulator.physics import Columns, Moment, as_values, draw_traits, measure
from telemetry.schema_check import check

NAMES = sorted(path.stem for path in Path(MODELS).glob("*.json"))
DAY_S = 86_400.0


def measured(name: str, version: int, seconds: list[float], seed: int = 1) -> Columns:
    """Return what one device measures at some times, without noise."""
    model = load_model(name)
    traits = draw_traits(model, 1, np.random.default_rng(seed))
    count = len(seconds)
    at = Moment(np.zeros(count, np.int64), np.array(seconds), np.zeros((count, 4)), DAY_S)
    return measure(model, version, traits, at)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given(
    seconds=st.floats(0, 40 * DAY_S),
    noise=st.lists(st.floats(-5, 5), min_size=4, max_size=4),
    seed=st.integers(0, 50),
)
def test_every_measurement_fits_its_schema(
    name: str, seconds: float, noise: list[float], seed: int
) -> None:
    model = load_model(name)
    at = Moment(np.zeros(1, np.int64), np.array([seconds]), np.array([noise]), 1_800.0)
    for version in model.product.versions or (None,):
        number = version.version if version else 1
        traits = draw_traits(model, 1, np.random.default_rng(seed))
        columns = measure(model, number, traits, at)
        values = {
            signal.name: as_values(signal, columns[signal.name])[0]
            for signal in model.sent_by(number)
        }

        found, _, reasons = check(values, model.product, {})

        assert reasons == ()
        assert version is None or set(values) == set(version.metrics)
        assert version is None or found in (number, len(model.product.versions))


def test_counter_never_falls() -> None:
    energy = measured("meter", 1, [float(second) for second in range(0, 3 * 86_400, 600)])["energy"]

    assert (np.diff(energy) > 0).all()


def test_day_is_seen_in_the_temperature() -> None:
    hours = [3_600.0 * hour for hour in range(48)]
    temperature = measured("room", 1, hours)["temperature"]

    assert np.corrcoef(temperature[:24], temperature[24:])[0, 1] > 0.8
    assert np.ptp(temperature) > 2


def test_humidity_falls_as_temperature_rises() -> None:
    columns = measured("room", 1, [60.0 * minute for minute in range(1_440)])

    assert np.corrcoef(columns["temperature"], columns["humidity"])[0, 1] < -0.5
