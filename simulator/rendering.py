"""Messages as JSON text, thousands at a time: one template a model and schema version."""

from collections.abc import Iterable, Sequence

import numpy as np

from simulator.measurements import Stretch
from simulator.models import Model, Signal
from simulator.physics import Floats, Indexes, as_values

_TRUTH = {True: "true", False: "false"}


def template(model: Model, version: int, boot: str) -> str:
    """Return the message's form: ts, seq, each sent signal, then place and labels."""
    metrics = ",".join(f'"{signal.name}":{_form(signal)}' for signal in model.sent_by(version))
    place = ',"lat":%.5f,"lng":%.5f' if model.range_km else ""
    labels = "%s" if model.tags else ""
    head = f'{{"v":1,"ts":"%s","boot":"{boot}","seq":%d,"metrics":{{'
    return f"{head}{metrics}}}{place}{labels}}}"


def _form(signal: Signal) -> str:
    if signal.words:
        return '"%s"'
    return "%s" if signal.above is not None else f"%.{signal.decimals}f"


def render(stretch: Stretch, boot: str, labels: Sequence[str]) -> list[bytes]:
    """Return the messages' bytes; `labels` has a text for every device of the fleet."""
    model, version, span = stretch.model, stretch.version, stretch.span
    columns: list[Iterable[object]] = [times(stretch.event_time), span.seq.tolist()]
    columns += [_texts(signal, stretch.numbers[signal.name]) for signal in model.sent_by(version)]
    columns += [column.tolist() for column in stretch.place.values()]
    if model.tags:
        columns.append([labels[device] for device in span.device.tolist()])
    form = template(model, version, boot)
    return [(form % row).encode() for row in zip(*columns, strict=True)]


def _texts(signal: Signal, numbers: Floats) -> list[object]:
    values = as_values(signal, numbers)
    return values if signal.above is None else [_TRUTH[value is True] for value in values]


def times(micros: Indexes) -> list[str]:
    """Return times as devices write them, in whole milliseconds."""
    moments = micros.view("datetime64[us]")
    texts: list[str] = np.datetime_as_string(moments, unit="ms", timezone="UTC").tolist()
    return texts
