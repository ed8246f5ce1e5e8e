"""Reading ledgers, torn ones too."""

from hashlib import sha256
from pathlib import Path

import orjson
import polars as pl
import pytest

from simulator.scoring import ledgers
from simulator.scoring.ledgers import read_ledgers
from telemetry.errors import HeadwaterError
from telemetry.ledger import Ack, Label, Sent, line


def sent(number: int) -> bytes:
    """Return the sent line of a message."""
    return line(
        Sent(
            e="sent",
            tenant="default",
            device="meter.m1",
            boot="b",
            seq=number,
            sha256=sha256(b"%d" % number).hexdigest(),
            sent_at=1_000 + number,
            event_time=None,
            expect="silver",
            reason=None,
        )
    )


def ack(number: int) -> bytes:
    """Return its ack line."""
    digest = sha256(b"%d" % number).hexdigest()
    return line(Ack(e="ack", boot="b", seq=number, sha256=digest, at=9_000 + number))


def test_ledgers_are_read_as_one(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(sent(1) + ack(1))
    (tmp_path / "b").write_bytes(sent(2) + sent(3) + ack(3))

    found = read_ledgers([tmp_path / "a", tmp_path / "b"])

    assert found.sent["seq"].to_list() == [1, 2, 3]
    assert found.acked["acked"].sum() == 2
    assert (found.first, found.last) == (1_001, 9_003)
    assert found.whos == ["default/meter.m1"]
    half = int.from_bytes(sha256(b"1").digest()[:8], "big")
    assert found.sent.filter(pl.col("seq") == 1)["h1"].item() == half


@pytest.mark.parametrize(
    ("field", "value", "lacks"),
    [
        ("expect", b'"ok"', "an expect that is none of silver, rejected"),
        ("sha256", b'"abc"', "no sha256 of 64 hex digits"),
        ("sent_at", b"null", "no sent_at in microseconds"),
        ("device", b"null", "no device"),
    ],
)
def test_ledger_of_another_maker_is_refused_with_what_it_lacks(
    tmp_path: Path, field: str, value: bytes, lacks: str
) -> None:
    said = orjson.loads(sent(2)) | {field: orjson.loads(value)}
    (tmp_path / "a").write_bytes(sent(1) + orjson.dumps(said))
    with pytest.raises(HeadwaterError, match=f"a: a line `sent` has {lacks}"):
        read_ledgers([tmp_path / "a"])


def label(number: int) -> bytes:
    """Return a label of a microsecond of its own."""
    return line(
        Label(
            {
                "e": "label", "tenant": "default", "device": "meter.m1", "metric": "power",
                "kind": "factor", "from": number, "to": number + 1,
            }
        )
    )  # fmt: skip


def test_labels_are_read_beside_messages_and_a_ledger_without_them_has_none(
    tmp_path: Path,
) -> None:
    (tmp_path / "old").write_bytes(sent(1) + ack(1))
    (tmp_path / "new").write_bytes(label(5) + sent(2) + sent(3)[:50] + b"\n" + label(7) + ack(2))

    assert read_ledgers([tmp_path / "old"]).labels.is_empty()
    found = read_ledgers([tmp_path / "old", tmp_path / "new"])
    assert found.sent["seq"].to_list() == [1, 2]
    assert found.labels["from"].to_list() == [5, 7]
    assert found.labels["who"].cast(pl.String).to_list() == ["default/meter.m1"] * 2
    assert (found.first, found.last) == (1_001, 9_002)


@pytest.mark.parametrize("cut", [1, 40, 200])
def test_lines_torn_by_a_kill_are_left_out(tmp_path: Path, cut: int) -> None:
    whole = sent(1) + sent(2)
    (tmp_path / "a").write_bytes(whole + sent(3)[:-cut] + b"\n" + ack(1) + sent(4)[:cut])

    assert read_ledgers([tmp_path / "a"]).sent["seq"].to_list()[:2] == [1, 2]
    assert read_ledgers([tmp_path / "a"]).acked.height == 1


def test_chunks_cut_lines_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"".join(sent(number) + ack(number) for number in range(500)))
    monkeypatch.setattr(ledgers, "CHUNK_BYTES", 1_000)

    found = read_ledgers([tmp_path / "a"])

    assert found.sent["seq"].to_list() == list(range(500))
    assert found.acked.height == 500


@pytest.mark.parametrize("text", ["", "temperature,21\n", '{"e":"ack"}\n'])
def test_file_that_is_no_ledger_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "a").write_text(text)

    with pytest.raises(HeadwaterError, match="is it a ledger"):
        read_ledgers([tmp_path / "a"])


def test_missing_ledger_is_told(tmp_path: Path) -> None:
    with pytest.raises(HeadwaterError, match="cannot be read"):
        read_ledgers([tmp_path / "none"])
