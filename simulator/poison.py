"""Poison: bodies that break careless parsers, each with the rule that must name it.

Cases in the spirit of the known JSON parsing suites, and what devices and attackers send besides.
"""

from collections.abc import Mapping

DEEP = 100_000
LONG = 900_000


def _metric(value: bytes) -> bytes:
    return b'{"metrics":{"poison":' + value + b"}}"


_NO_JSON: Mapping[str, bytes] = {
    "one brace": b"{",
    "one bracket": b"[",
    "closing alone": b"}",
    "comma alone": b",",
    "space alone": b"   ",
    "newline alone": b"\n",
    "a zero byte": b"\x00",
    "zero bytes within": b'{"metrics":\x00{"poison":1}}',
    "binary": bytes(range(256)),
    "byte order mark": b'\xef\xbb\xbf{"metrics":{"poison":1}}',
    "UTF-16": '{"metrics":{"poison":1}}'.encode("utf-16"),
    "lone continuation byte": _metric(b'"\x80"'),
    "overlong slash": _metric(b'"\xc0\xaf"'),
    "cut UTF-8": _metric(b'"\xe2\x82"'),
    "surrogate as UTF-8": _metric(b'"\xed\xa0\x80"'),
    "beyond Unicode": _metric(b'"\xf4\x90\x80\x80"'),
    "bytes FF FE": _metric(b'"\xff\xfe"'),
    "lone surrogate escape": _metric(rb'"\ud800"'),
    "reversed surrogates": _metric(rb'"\udc00\ud800"'),
    "escape of no kind": _metric(rb'"\x41"'),
    "cut escape": _metric(rb'"\u00"'),
    "raw newline in a text": _metric(b'"a\nb"'),
    "raw tab in a text": _metric(b'"a\tb"'),
    "text without an end": b'{"metrics":{"poison":"',
    "single quotes": b"{'metrics':{'poison':1}}",
    "name without quotes": b"{metrics:{poison:1}}",
    "name alone": b'{"metrics"}',
    "two colons": b'{"metrics"::{}}',
    "comma at the end": _metric(b"1,"),
    "comma at the start": b'{,"metrics":{"poison":1}}',
    "two values": _metric(b"1 2"),
    "something after it": _metric(b"1") + b"x",
    "twice in one": _metric(b"1") * 2,
    "a comment": _metric(b"1/* one */"),
    "NaN": _metric(b"NaN"),
    "Infinity": _metric(b"Infinity"),
    "minus Infinity": _metric(b"-Infinity"),
    "1e400": _metric(b"1e400"),
    "minus 1e999": _metric(b"-1e999"),
    "leading zero": _metric(b"012"),
    "leading plus": _metric(b"+1"),
    "hexadecimal": _metric(b"0x1F"),
    "point without digits": _metric(b"1."),
    "digits after a point alone": _metric(b".5"),
    "exponent without digits": _metric(b"1e"),
    "two points": _metric(b"1.2.3"),
    "minus alone": _metric(b"-"),
    "True of Python": _metric(b"True"),
    "None of Python": _metric(b"None"),
    "XML": b"<metrics><poison>1</poison></metrics>",
    "CSV": b"poison,1\npoison,2",
    "arrays without an end": b"[" * DEEP,
    "nested arrays": b"[" * DEEP + b"]" * DEEP,
    "nested arrays for a value": _metric(b"[" * DEEP + b"]" * DEEP),
    "nested objects": b'{"metrics":' + b'{"a":' * DEEP + b"1" + b"}" * (DEEP + 1),
    "list cut in the middle": b'[{"metrics":{"poison":1}},{"met',
}
_NO_MESSAGE: Mapping[str, bytes] = {
    "null": b"null",
    "true": b"true",
    "a number": b"-0.0",
    "a text": b'"metrics"',
}
_NO_METRICS: Mapping[str, bytes] = {
    "empty object": b"{}",
    "empty metrics": b'{"metrics":{}}',
    "an empty name": b'{"":0}',
    "a name with a zero": b'{"\\u0000":{}}',
}
_WRONG_TYPE: Mapping[str, bytes] = {
    "metrics as a list": b'{"metrics":[1]}',
    "metrics as null": b'{"metrics":null}',
    "time of the year zero": b'{"metrics":{"poison":1},"ts":"0000-00-00T00:00:00Z"}',
    "time as a number": b'{"metrics":{"poison":1},"ts":1795276176}',
    "seq with a fraction": b'{"metrics":{"poison":1},"seq":1.5}',
    "seq beyond 64 bits": b'{"metrics":{"poison":1},"seq":1e30}',
}
_UNKNOWN_METRIC: Mapping[str, bytes] = {
    "a long text": _metric(b'"' + b"y" * LONG + b'"'),
    "a long number": _metric(b"0." + b"3" * 1000),
    "the least number": _metric(b"5e-324"),
    "a long name": b'{"metrics":{"' + b"n" * 10_000 + b'":1}}',
    "a name twice": b'{"metrics":{"poison":1,"poison":2}}',
    "many names": b'{"metrics":{' + b",".join(b'"m%d":1' % n for n in range(2_000)) + b"}}",
}
CASES: Mapping[str, tuple[bytes, str]] = {
    "nothing": (b"", "empty"),
    "empty list": (b"[]", "empty"),
    **{name: (body, "malformed") for name, body in _NO_JSON.items()},
    **{name: (body, "not_a_message") for name, body in _NO_MESSAGE.items()},
    **{name: (body, "missing") for name, body in _NO_METRICS.items()},
    **{name: (body, "type") for name, body in _WRONG_TYPE.items()},
    **{name: (body, "unknown_metric") for name, body in _UNKNOWN_METRIC.items()},
}
"""Bodies and rules for a device whose product has a schema without a metric `poison`."""
BODIES = tuple(CASES.values())
