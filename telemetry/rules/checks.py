"""What a rule holds readings against: one class a kind, each with its own bounds.

`deviations` are counted in the spread of the device's own past. A baseline is always made of what
came before the reading that it is held against.
"""

from typing import Annotated, ClassVar, Literal, TypeAlias

import msgspec
from msgspec import Meta

from telemetry.rules.words import Name, Number, Positive, Span, check_spans

Direction = Literal["above", "below", "either"]
OneSided = Literal["above", "below"]
_HOUR_US = 3_600_000_000


class Threshold(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="threshold"
):
    """The reading lies beyond one bound."""

    bound: Number
    direction: OneSided = "above"


class Range(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="range"):
    """The reading leaves the span from `low` to `high`, which belong to it."""

    low: Number
    high: Number
    direction: Direction = "either"

    def __post_init__(self) -> None:
        if self.low >= self.high:
            raise ValueError(f"low: {self.low:g} must be below high, {self.high:g}")


class Rate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="rate"):
    """The change since the reading before, for each span `per`, lies beyond `bound`."""

    bound: Positive
    per: Span = "1 min"
    direction: Direction = "either"

    def __post_init__(self) -> None:
        check_spans(self, "per", least_us=1_000)


class Stuck(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="stuck"):
    """The reading has been the same for `lasts`, and for `readings` in a row."""

    lasts: Span
    readings: Annotated[int, Meta(ge=2, le=1_000_000)] = 3
    direction: ClassVar[Direction] = "above"

    def __post_init__(self) -> None:
        check_spans(self, "lasts", least_us=1_000)


class NoData(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="no_data"
):
    """The device has said nothing for `lasts`; with a metric, nothing of that metric."""

    lasts: Span
    direction: ClassVar[Direction] = "above"

    def __post_init__(self) -> None:
        check_spans(self, "lasts", least_us=1_000_000)


class ZScore(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="zscore"
):
    """The reading lies so many standard deviations from the mean of about `readings` before it."""

    deviations: Positive = 4.0
    readings: Annotated[int, Meta(ge=10, le=100_000)] = 200
    direction: Direction = "either"


class Mad(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="mad"):
    """The same about the median of the last `readings`, by their median absolute deviation.

    A spread is 1.4826 times that, a standard deviation where the past is normally distributed.
    """

    deviations: Positive = 5.0
    readings: Annotated[int, Meta(ge=5, le=40)] = 31
    direction: Direction = "either"


class Ewma(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="ewma"):
    """The smoothed reading has drifted so many of its own standard deviations from the mean.

    An EWMA chart: s ← s + smoothing (x - s), whose standard deviation is that of the readings
    times √(smoothing / (2 - smoothing)).
    """

    deviations: Positive = 4.0
    smoothing: Annotated[float, Meta(gt=0, lt=1)] = 0.2
    readings: Annotated[int, Meta(ge=10, le=100_000)] = 500
    direction: Direction = "either"


class Seasonal(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="seasonal"
):
    """The reading lies so many spreads from what is usual in this slot of the week.

    `slots` cut the week into equal parts; each remembers the mean of its past weeks.
    """

    deviations: Positive = 4.0
    slots: Literal[7, 14, 28, 42, 56, 84, 168] = 84
    direction: Direction = "either"


class Ratio(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="ratio"):
    """The reading lies beyond `ratio` times its baseline.

    The baseline is the mean of the last hour (`hour`) or of past weeks in this slot of the week
    (`season`). With `spreads`, the reading must also be so many of the device's own spreads from
    the baseline: what is usual for a restless device is no alarm.
    """

    ratio: Positive = 0.5
    against: Literal["hour", "season"] = "hour"
    spreads: Annotated[float, Meta(ge=0, le=1000)] = 0.0
    slots: Literal[7, 14, 28, 42, 56, 84, 168] = 84
    direction: OneSided = "below"

    def __post_init__(self) -> None:
        if (self.direction == "below") != (self.ratio < 1.0):
            side = "less than 1" if self.direction == "below" else "1 or more"
            raise ValueError(f"ratio: {self.ratio:g} must be {side} for {self.direction}")


class Detector(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="detector"
):
    """A detector of `headwater detect` alarms at its own frozen threshold: see `detection.scoring`.

    It learns by itself, and says of one event once: the reading after it ends the alarm.
    """

    detector: Literal["series", "stuck"] = "series"
    direction: ClassVar[Direction] = "above"


class Several(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="several"
):
    """Several metrics together are unlike the device's first `rows`: see `headwater detect`."""

    by: Literal["rig", "t2", "residual", "forest"] = "rig"
    rows: Annotated[int, Meta(ge=50, le=10_000)] = 400
    direction: ClassVar[Direction] = "above"


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="model"):
    """A trained model's answer lies beyond `bound`.

    `version`: the first twelve digits of its data's SHA-256, as `headwater model list` shows them.
    """

    model: Name
    version: Annotated[str, Meta(pattern=r"^[0-9a-f]{12}$")]
    bound: Number
    direction: OneSided = "above"


Check: TypeAlias = (
    Threshold
    | Range
    | Rate
    | Stuck
    | NoData
    | ZScore
    | Mad
    | Ewma
    | Seasonal
    | Ratio
    | Detector
    | Several
    | Model
)
KINDS: tuple[type[Check], ...] = (
    Threshold, Range, Rate, Stuck, NoData, ZScore, Mad, Ewma, Seasonal, Ratio, Detector, Several,
    Model,
)  # fmt: skip


def kind_of(check: Check) -> str:
    """Return the name of a check's kind."""
    return str(check.__struct_config__.tag)
