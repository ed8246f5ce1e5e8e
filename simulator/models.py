"""Kinds of devices as data: a product's schema, and the signals that its devices measure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from telemetry.products import Product, product_from_dict

MODELS = Path(__file__).parent / "models"


@dataclass(frozen=True, slots=True)
class Signal:
    """How one metric moves: a daily cycle round a mean, drift, noise, and what it follows.

    `above` makes a truth value of it, `words` (between `levels`) a text, `integral_of` a counter.
    A `shape` (24 hours) takes the place of the cycle's sine: `daily` is then a share of the mean.
    `weekend` is what days 5 and 6 of a week are times as much; `days` and `spread` are the sigmas
    of log-normal factors, of each device's days and of each reading.
    """

    name: str
    since: int = 1
    mean: tuple[float, float] = (0.0, 0.0)
    daily: float = 0.0
    shape: tuple[float, ...] = ()
    weekend: float = 1.0
    days: float = 0.0
    spread: float = 0.0
    peak: float = 0.5
    drift: float = 0.0
    noise: float = 0.0
    follows: Mapping[str, float] = field(default_factory=dict)
    clip: tuple[float, float] | None = None
    decimals: int = 3
    above: float | None = None
    levels: tuple[float, ...] = ()
    words: tuple[str, ...] = ()
    integral_of: str | None = None
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Model:
    """A kind of device: its product, its signals, the labels it sends and how far it moves."""

    key: str
    product: Product
    signals: tuple[Signal, ...]
    tags: Mapping[str, tuple[str, ...]]
    range_km: float

    def sent_by(self, version: int) -> tuple[Signal, ...]:
        """Return the signals that a device of this schema version sends, in their order."""
        newest: dict[str, Signal] = {}
        for signal in self.signals:
            if signal.since <= version:
                newest[signal.name] = signal
        return tuple(signal for signal in newest.values() if self._has(signal.name, version))

    def _has(self, name: str, version: int) -> bool:
        schema = {each.version: each for each in self.product.versions}.get(version)
        return schema is None or name in schema.metrics


def load_model(key: str, folder: Path = MODELS) -> Model:
    """Read a model from its file."""
    data = json.loads((folder / f"{key}.json").read_text())
    return Model(
        key=key,
        product=product_from_dict(data["product"]),
        signals=tuple(_signal(item) for item in data["signals"]),
        tags={name: tuple(words) for name, words in data.get("tags", {}).items()},
        range_km=data.get("range_km", 0.0),
    )


def _signal(data: dict[str, object]) -> Signal:
    lists = {name: tuple(value) for name, value in data.items() if isinstance(value, list)}
    return Signal(**{**data, **lists})  # type: ignore[arg-type]
