"""Times: aware datetimes and ISO 8601 to microseconds since 1970, and back."""

from datetime import datetime

import numpy as np
from numpy.typing import NDArray


def micros(at: datetime) -> int:
    """Return an aware time as microseconds since 1970, exactly."""
    return int(at.replace(microsecond=0).timestamp()) * 1_000_000 + at.microsecond


def time_text(micros_since: int) -> str:
    """Return a time as ISO 8601 in UTC, with microseconds where there are any."""
    return texts_of(np.array([micros_since], np.int64))[0]


def texts_of(times: NDArray[np.int64]) -> list[str]:
    """Return times as ISO 8601 in UTC."""
    found = np.datetime_as_string(times.astype("datetime64[us]"), unit="us", timezone="UTC")
    return [str(text).replace(".000000Z", "Z") for text in found.tolist()]
