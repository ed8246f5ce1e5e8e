"""CBOR as it is taken from devices: of its tags those that a message has a use for.

What else the library would make something of is refused, whatever is in it: a decimal fraction of
250 kB takes seconds to become a number, and a reference makes a few bytes as much as one likes. A
tag that nobody here knows stays what it is, which is no metric.
"""

from typing import IO, NoReturn

import cbor2

TAKEN = "tags are 0 and 1 (times), 2 and 3 (whole numbers), 55799"
_READ_BY_LIBRARY = (
    *(4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54),
    *(100, 256, 258, 260, 261, 1004, 43000),
)
"""Tags that cbor2 makes something of by itself, beside those that are taken."""


def _refuse(_content: object, _is_immutable: bool) -> NoReturn:
    raise cbor2.CBORDecodeError(TAKEN)


_REFUSED = dict.fromkeys(_READ_BY_LIBRARY, _refuse)


def decoder(stream: IO[bytes]) -> cbor2.CBORDecoder:
    """Return a decoder whose work grows with the bytes alone; it raises `CBORDecodeError`."""
    return cbor2.CBORDecoder(
        stream,
        read_size=1,
        semantic_decoders=_REFUSED,
        # Numbers and lists may be chosen so that all hash alike: thousands of names took seconds.
        strict_hashable_types=True,
    )
