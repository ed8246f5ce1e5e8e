"""What the query service frees goes back to the system."""

import psutil

from services.query.start import give_back


def test_what_is_free_between_pieces_in_use_is_given_back() -> None:
    pieces = [bytearray(4096) for _ in range(30_000)]
    kept = pieces[::500]
    full = _resident()
    del pieces
    give_back()
    assert full - _resident() > 80_000_000
    assert len(kept) == 60


def _resident() -> int:
    return int(psutil.Process().memory_info().rss)
