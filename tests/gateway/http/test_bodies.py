"""Bodies of requests as strangers send them: broken, bombs, marks, lines and lists."""

import gzip
import os

import pytest
import zstandard

from gateway.batches import MOST_RECORDS
from gateway.http.bodies import MOST_UNPACKED, unpacked
from gateway.outcome import Rejected
from tests.gateway.entrances import MESSAGE
from tests.gateway.http.test_app import NDJSON, anonymous, posted

LINES = b"".join(b'{"seq":%d,"metrics":{"a":%d}}\n' % (n, n) for n in range(20_000))
PACKED = {"gzip": gzip.compress(LINES, 1, mtime=0), "zstd": zstandard.compress(LINES)}
PACKING = pytest.mark.parametrize("encoding", ["gzip", "zstd"])


@PACKING
@pytest.mark.parametrize("missing", [1, 4, 9, 1_000, 10_000])
def test_body_that_breaks_off_is_never_taken_for_a_whole_one(encoding: str, missing: int) -> None:
    found = unpacked(PACKED[encoding][:-missing], encoding)

    assert isinstance(found, Rejected)
    assert found.reason == "undecodable"
    assert unpacked(PACKED[encoding], encoding) == LINES


@PACKING
def test_frames_one_behind_the_other_are_one_body(encoding: str) -> None:
    assert unpacked(PACKED[encoding] * 2, encoding) == LINES * 2
    assert isinstance(unpacked(PACKED[encoding] + b"junk", encoding), Rejected)


@pytest.mark.parametrize("name", ["x-gzip", "GZIP", " gzip "])
def test_gzip_has_other_names(name: str) -> None:
    assert unpacked(PACKED["gzip"], name) == LINES


@pytest.mark.parametrize(
    "names", ["identity, gzip", "gzip,, ", "zstd,gzip, identity", "gzip, zstd"]
)
def test_packings_are_undone_from_the_last_to_the_first(names: str) -> None:
    body = LINES
    for name in map(str.strip, names.split(",")):
        if name == "gzip":
            body = gzip.compress(body, 1)
        elif name == "zstd":
            body = zstandard.compress(body)

    assert unpacked(body, names) == LINES


def test_each_of_several_packings_has_its_bounds() -> None:
    bomb = gzip.compress(gzip.compress(bytes(2 * MOST_UNPACKED)))
    often = unpacked(b"", "gzip, " * 4)

    found = unpacked(bomb, "gzip, gzip")

    assert isinstance(found, Rejected)
    assert found.reason == "too_large"
    assert isinstance(often, Rejected)
    assert often.reason == "content_type"


def test_packings_of_two_lines_of_the_head_count_both() -> None:
    body = zstandard.compress(gzip.compress(MESSAGE))
    heads = [("Content-Encoding", "gzip"), ("Content-Encoding", "zstd")]

    assert posted(anonymous(), body, heads).status_code == 202


@pytest.mark.parametrize("head", ["Content-Type", "Content-Encoding"])
def test_who_sends_a_strange_form_is_told_which_ones_are_known(head: str) -> None:
    answer = posted(anonymous(), MESSAGE, {head: "x/y"})

    assert answer.status_code == 415
    assert answer.headers["Accept"] == "application/json, application/x-ndjson, application/cbor"
    assert answer.headers["Accept-Encoding"] == "gzip, zstd"


@PACKING
def test_bomb_is_refused_before_it_is_unpacked(encoding: str) -> None:
    zeros = bytes(2 * MOST_UNPACKED)
    bomb = gzip.compress(zeros) if encoding == "gzip" else zstandard.compress(zeros)

    found = unpacked(bomb, encoding)

    assert isinstance(found, Rejected)
    assert found.reason == "too_large"


def test_frame_that_wants_much_memory_is_refused() -> None:
    wide = zstandard.ZstdCompressionParameters(window_log=27, write_content_size=False)
    packing = zstandard.ZstdCompressor(compression_params=wide).compressobj()
    found = unpacked(packing.compress(os.urandom(100)) + packing.flush(), "zstd")

    assert isinstance(found, Rejected)
    assert found.reason == "undecodable"


@pytest.mark.parametrize(
    ("body", "status", "accepted"),
    [
        (MESSAGE + b"\r\n\r\n \t\r\n" + MESSAGE, 202, 2),
        (b"\n\n" + MESSAGE, 202, 1),
        (b"\xef\xbb\xbf" + MESSAGE, 422, None),
        (b"\r\n", 422, None),
    ],
)
def test_lines_end_as_they_like(body: bytes, status: int, accepted: int | None) -> None:
    answer = posted(anonymous(), body, NDJSON)

    assert (answer.status_code, answer.json().get("accepted")) == (status, accepted)


@pytest.mark.parametrize(
    ("before", "line", "item"), [(b"", 2, 1), (MESSAGE + b"\n", 3, 0), (b"\n\n", 4, 1)]
)
def test_list_on_a_line_is_named_by_its_line(before: bytes, line: int, item: int) -> None:
    bad = b"[" + MESSAGE + b',{"metrics":{}}]\n'

    answer = posted(anonymous(), b"\n" + before + bad, NDJSON)

    assert answer.status_code == 422
    assert answer.json()["text"].startswith(f"line {line}: ")
    (fault,) = answer.json()["faults"]
    assert (fault["line"], fault["item"], fault["field"]) == (line, item, "metrics")


@PACKING
def test_blank_lines_without_end_are_not_cut(encoding: str) -> None:
    blank = b"\n" * MOST_UNPACKED
    bomb = gzip.compress(blank) if encoding == "gzip" else zstandard.compress(blank)

    answer = posted(anonymous(), bomb, NDJSON | {"Content-Encoding": encoding})

    assert (answer.status_code, answer.json()["limit"]) == (413, "20000 lines")


def test_limit_of_lines_is_named_as_such() -> None:
    answer = posted(anonymous(), (MESSAGE + b"\n") * (MOST_RECORDS + 1), NDJSON)

    assert answer.status_code == 413
    assert answer.json()["limit"] == "20000 lines"
