"""What must come of a message of good form: by how long its delivery took, and its product."""

import numpy as np

from simulator.drafts import Fate, micros_of
from simulator.physics import Indexes
from telemetry.products import Product

FATES: tuple[Fate, ...] = (("silver", None), ("late", None), ("rejected", "too_old"))
_SILVER, _LATE, _TOO_OLD = range(3)


def by_delays(product: Product, delays: Indexes) -> Indexes:
    """Return which of `FATES` each message meets; delays in microseconds."""
    fates = np.full(len(delays), _SILVER)
    for limit, fate in ((product.lateness, _LATE), (product.max_age, _TOO_OLD)):
        if limit is not None:
            fates[delays > micros_of(limit)] = fate
    return fates
