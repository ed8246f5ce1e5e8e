"""Everything that goes wrong with devices: each fault's bytes, and where they must come out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import orjson

from simulator import bodies, clocks, targets
from simulator.drafts import (
    Draft,
    Outcome,
    Posting,
    accepted,
    honest,
    posting,
    refused,
)
from telemetry.devices import full_name
from telemetry.products import Product

HUGE_BYTES = 1_000_000
LIST_SEQ = 1_000_000_000
"""Messages that come in lists are numbered from here, clear of a device's own count."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of fault: what it means, how a message gets it, and which products can have it.

    A fault with `make` has a body of its own; without, the body is honest, and it is the time
    that it tells (`tell`) or what follows it that is wrong.
    """

    meaning: str
    make: Callable[[Draft], Posting] | None = None
    fits: Callable[[Product], bool] = lambda product: True
    tell: clocks.Tell | None = None


def cause(name: str, draft: Draft) -> Posting:
    """Give the message a fault, or send it as it is where its product cannot have that fault."""
    fault = FAULTS[name]
    return fault.make(draft) if fault.make and fault.fits(draft.product) else honest(draft)


def _name(find: targets.Find, draft: Draft) -> str:
    metric = find(draft.product)
    assert metric is not None
    return metric.name


def _metrics(draft: Draft, **changes: object) -> dict[str, object]:
    return draft.fields(metrics={**draft.metrics, **changes})


def _missing_required(draft: Draft) -> Posting:
    name = _name(targets.needed, draft)
    kept = {metric: value for metric, value in draft.metrics.items() if metric != name}
    return refused(draft, draft.fields(metrics=kept), "required")


def _wrong_type(draft: Draft) -> Posting:
    metric = targets.needed(draft.product)
    assert metric is not None
    wrong = 17.5 if metric.type == "string" else "n/a"
    return refused(draft, _metrics(draft, **{metric.name: wrong}), "type")


def _out_of_range(draft: Draft) -> Posting:
    metric = targets.bounded(draft.product)
    assert metric is not None
    assert metric.max is not None
    return refused(draft, _metrics(draft, **{metric.name: metric.max * 10 + 1}), "range")


def _unknown_metric(draft: Draft) -> Posting:
    return refused(draft, _metrics(draft, moon_phase=0.25), "unknown_metric")


def _wrong_word(draft: Draft) -> Posting:
    return refused(draft, _metrics(draft, **{_name(targets.worded, draft): "on fire"}), "values")


def _number(draft: Draft) -> str:
    """Return the device's own number, so that fleets side by side have strangers of their own."""
    return draft.device_full.rpartition("-")[2]


def _unknown_device(draft: Draft) -> Posting:
    name = full_name(draft.product.key, f"stranger-{_number(draft)}")
    return refused(draft._replace(device_full=name), draft.fields(), "unknown_device")


def _unknown_product(draft: Draft) -> Posting:
    name = f"ghost.ghost-{_number(draft)}"
    return refused(draft._replace(device_full=name), draft.fields(), "unknown_product")


def _other_device(draft: Draft) -> Posting:
    return refused(draft, draft.fields(device="somebody-else"), "device_mismatch")


def _huge(draft: Draft) -> Posting:
    metric = targets.needed(draft.product)
    assert metric is not None
    rule = "values" if metric.values else "type"
    return refused(draft, _metrics(draft, **{metric.name: "x" * HUGE_BYTES}), rule)


def _listed(draft: Draft, place: int) -> Draft:
    return draft._replace(seq=LIST_SEQ + 4 * draft.seq + place)


def _list(draft: Draft) -> Posting:
    bad = _listed(draft, 1)
    make_bad = _out_of_range if targets.bounded(draft.product) else bodies.missing_metrics
    outcomes = (
        *honest(_listed(draft, 0)).outcomes,
        *make_bad(bad).outcomes,
        *honest(_listed(draft, 2)).outcomes,
    )
    value = b"[" + b", ".join(outcome.body for outcome in outcomes) + b"]"
    return Posting(draft.device_full, value, outcomes)


def _sentinel(draft: Draft) -> Posting:
    metric = targets.with_sentinel(draft.product)
    assert metric is not None
    changed = {**draft.metrics, metric.name: metric.sentinels[0]}
    return honest(draft._replace(metrics=changed))


def _marked(draft: Draft) -> dict[str, str]:
    return {"run": draft.boot, "n": str(draft.seq)}


def _no_seq(draft: Draft) -> Posting:
    fields = draft.fields(seq=None, boot=None, tags=_marked(draft))
    return posting(draft, accepted(draft, fields))


def _no_ts(draft: Draft) -> Posting:
    outcome = Outcome(orjson.dumps(draft.fields(ts=None)), draft.boot, draft.seq, None, "silver")
    return posting(draft, outcome)


def _no_key(draft: Draft) -> Posting:
    fields = draft.fields(ts=None, seq=None, boot=None, tags=_marked(draft))
    return posting(draft, Outcome(orjson.dumps(fields), None, None, None, "silver"))


def _no_headers(draft: Draft) -> Posting:
    return honest(draft)._replace(has_headers=False)


_NOT_NUMBERS = (b"NaN", b"Infinity", b"-Infinity", b"nan")
_TOO_LARGE = (b"1e400", b"-1e999")

FAULTS: Mapping[str, Fault] = {
    "duplicate": Fault("the same bytes once more, up to seconds later"),
    "conflict": Fault("the same key with other content, up to seconds later"),
    "late": Fault("delivery took longer than allowed", tell=clocks.delayed(1.2, 3.0)),
    "very_late": Fault("ten times later than allowed", tell=clocks.delayed(9.5, 10.5)),
    "out_of_order": Fault("delayed, but in time", tell=clocks.delayed(0.2, 0.8)),
    "clock_behind": Fault("the clock is hours to weeks behind", tell=clocks.behind),
    "clock_ahead": Fault("the clock is hours to years ahead", tell=clocks.ahead),
    "clock_1970": Fault("the clock was never set", tell=clocks.never_set),
    "missing_required": Fault(
        "a required metric is missing", _missing_required, targets.has(targets.needed)
    ),
    "missing_metrics": Fault("metrics are missing or empty", bodies.missing_metrics),
    "wrong_type": Fault("a metric of the wrong type", _wrong_type, targets.has(targets.needed)),
    "wrong_seq": Fault("seq is a text", bodies.wrong_seq),
    "wrong_version": Fault("a message version that does not exist", bodies.wrong_version),
    "wrong_word": Fault(
        "a state that the schema does not list", _wrong_word, targets.has(targets.worded)
    ),
    "out_of_range": Fault(
        "a value far above its maximum", _out_of_range, targets.has(targets.bounded)
    ),
    "unknown_metric": Fault("a metric that no schema knows", _unknown_metric, targets.has_schema),
    "truncated": Fault("the body ends in the middle", bodies.truncated),
    "bad_utf8": Fault("bytes that are not UTF-8", bodies.bad_utf8),
    "not_a_number": Fault("NaN or infinity", partial(bodies.literal, literals=_NOT_NUMBERS)),
    "too_large_number": Fault("1e400", partial(bodies.literal, literals=_TOO_LARGE)),
    "deep_nesting": Fault(f"{bodies.NESTING} brackets deep", bodies.deep_nesting),
    "empty_body": Fault("zero bytes", bodies.empty_body),
    "not_a_message": Fault("JSON, but no object", bodies.not_a_message),
    "unknown_device": Fault("a device that nobody enrolled", _unknown_device),
    "unknown_product": Fault("a device of a product that nobody declared", _unknown_product),
    "other_device": Fault("the message names another device", _other_device),
    "poison": Fault("what breaks careless parsers", bodies.poison, targets.has_schema),
    "huge": Fault("a text of 1 MB for a value", _huge, targets.has(targets.needed)),
    "list": Fault("three messages in one record, the second one bad", _list),
    "sentinel": Fault(
        "a sentinel in place of a reading", _sentinel, targets.has(targets.with_sentinel)
    ),
    "no_seq": Fault("no seq: the key is made of the bytes", _no_seq),
    "no_ts": Fault("no time: the gateway's counts", _no_ts),
    "no_key": Fault("neither time nor seq", _no_key),
    "no_headers": Fault("a foreign producer without headers", _no_headers, targets.has_no_limits),
}
