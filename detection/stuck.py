"""The detector of meters that stand still: bypassed, cut off or frozen."""

import numpy as np

from detection.memory import Bytes, Matrix, Memory

LEAST_RUN = 144
"""Equal readings in a row: three days of half hours."""
MOST_RUN = 480
"""No limit is greater: ten days of half hours."""
_TIMES_LONGEST = 2.0


class StuckDetector:
    """Tells once when a series repeats a value longer than it ever honestly did.

    The limit is twice the longest run that ended before, between `LEAST_RUN` and `MOST_RUN`, so a
    holiday home that shows zero for days raises its own limit. The score of the reading that
    reaches the limit is 1; until then it is half the share of the limit that is reached.
    """

    state_bytes = 8 * 5

    def step(self, values: Matrix, states: Bytes) -> Matrix:
        """Score the next readings of each series (a row each); `states` moves on in place."""
        memory = Memory(states.view(np.float64))
        before = memory.count(values)
        changed = (values != memory.previous(values)) | (before == 0)
        run = before - memory.most(np.where(changed, before, 0.0)) + 1.0
        ended = np.where(changed, memory.previous(run), 0.0)
        limit = np.clip(_TIMES_LONGEST * memory.most(ended), LEAST_RUN, MOST_RUN)
        share = np.minimum(run / limit, 1.0)
        return np.where(run == limit, 1.0, np.where(run > limit, 0.0, 0.49 * share))
