"""A damaged checkpoint is found whatever the damage is; a sound one never is refused."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_jobs.checkpoint import (
    gold_damage,
    has_batches,
    kafka_damage,
    landing_damage,
    read_offsets,
    spool_damage,
)
from spark_jobs.refusal import CheckpointError, refuse_damaged
from tests.spark_jobs.checkpoints import (
    flip,
    gold_checkpoint,
    landing_checkpoint,
    offsets_log,
    put,
    write_state,
)


def landing_code(folder: Path) -> str | None:
    damage = landing_damage(folder)
    return damage.code if damage else None


def gold_code(folder: Path) -> str | None:
    damage = gold_damage(folder)
    return damage.code if damage else None


@given(batches=st.integers(0, 12), is_planned=st.booleans(), purged=st.integers(0, 3))
@settings(max_examples=30, deadline=None)
def test_sound_checkpoint_is_not_refused(batches: int, is_planned: bool, purged: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        done = max(0, batches - is_planned)
        landing = landing_checkpoint(Path(name, "landing"), batches, committed=done)
        gold = gold_checkpoint(Path(name, "gold"), batches)
        for number in range(min(purged, batches - 1)):
            (landing / "offsets" / str(number)).unlink()
        assert landing_damage(landing) is None
        assert gold_damage(gold) is None


@given(at=st.data())
@settings(max_examples=60, deadline=None)
def test_any_flipped_bit_emptied_or_missing_file_is_refused(at: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        is_gold = at.draw(st.booleans())
        folder = Path(name)
        (gold_checkpoint if is_gold else landing_checkpoint)(folder, 5)
        files = sorted(path for path in folder.rglob("[!.]*") if path.is_file())
        harmless = {folder / "offsets" / "0", folder / "commits" / "0", folder / "commits" / "4"}
        path = at.draw(st.sampled_from(files))
        fate = at.draw(st.sampled_from(("flip", "empty", "remove")))
        if fate == "flip":
            flip(path, at.draw(st.integers(0, 10_000)))
        elif fate == "empty":
            path.write_bytes(b"")
        else:
            path.unlink()
        found = gold_damage(folder) if is_gold else landing_damage(folder)
        is_harmless = fate == "remove" and (
            path in harmless or "sources" in path.parts or path.name == "headwater-topic"
        )
        is_other_id = fate == "flip" and path.name == "headwater-id"
        assert found or is_harmless or is_other_id, (path, fate)


@pytest.mark.parametrize("at", range(4, 8))
def test_a_flipped_size_of_checksums_is_no_room_that_hadoop_takes(tmp_path: Path, at: int) -> None:
    landing_checkpoint(tmp_path, 3)
    sums = tmp_path / "offsets" / ".1.crc"
    whole = sums.read_bytes()
    for bit in range(8):
        sums.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :])
        size = int.from_bytes(sums.read_bytes()[4:8], "big", signed=True)
        assert landing_code(tmp_path) or 0 < size <= 2**20


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path: Path) -> None:
    landing_checkpoint(tmp_path, 3)
    (tmp_path / "commits" / "1").unlink()
    (tmp_path / "commits" / "1").mkdir()
    assert landing_code(tmp_path) == "CHECKPOINT_FILE_UNREADABLE"


def test_every_byte_of_the_noted_topic_counts(tmp_path: Path) -> None:
    note = landing_checkpoint(tmp_path, 3) / "headwater-topic"
    whole = note.read_bytes()
    for place in range(len(whole)):
        flip(note, place)
        assert landing_damage(tmp_path), note.read_bytes()
        note.write_bytes(whole)


def test_each_damage_has_its_code(tmp_path: Path) -> None:
    folder = landing_checkpoint(tmp_path, 6)
    (folder / "headwater-id").rename(tmp_path / "id")
    assert landing_code(folder) == "CHECKPOINT_ID_LOST"
    (tmp_path / "id").rename(folder / "headwater-id")
    middle = folder / "offsets" / "3"
    middle.rename(tmp_path / "3")
    assert landing_code(folder) == "CHECKPOINT_GAP"
    (tmp_path / "3").rename(middle)
    (folder / "offsets" / "5").rename(tmp_path / "5")
    assert landing_code(folder) == "CHECKPOINT_OFFSETS_LOST"
    put(folder / "offsets" / "5", offsets_log({"telemetry": {"0": 20, "1": 90}}))
    assert landing_code(folder) == "CHECKPOINT_BACKWARDS"
    put(folder / "offsets" / "5", "v1\nnot json\n{}")
    assert landing_code(folder) == "CHECKPOINT_FILE_UNREADABLE"
    flip(folder / "offsets" / "5", 3)
    assert landing_code(folder) == "CHECKPOINT_FILE_ALTERED"
    (folder / "offsets" / "5").write_text("")
    assert landing_code(folder) == "CHECKPOINT_FILE_EMPTY"
    (folder / "metadata").unlink()
    assert landing_code(folder) == "CHECKPOINT_METADATA_LOST"


def test_checkpoint_without_checksums_is_read_all_the_same(tmp_path: Path) -> None:
    folder = landing_checkpoint(tmp_path, 3)
    for path in folder.rglob(".*.crc"):
        path.unlink()
    assert landing_damage(folder) is None
    (folder / "offsets" / "2").write_text(offsets_log({"telemetry": 5}))
    assert landing_code(folder) == "CHECKPOINT_FILE_UNREADABLE"


def test_state_of_gold_and_batches_are_of_one_moment(tmp_path: Path) -> None:
    folder = gold_checkpoint(tmp_path, 4)
    (folder / "commits" / "3").unlink()
    assert gold_code(folder) is None, "the batch was done, and its commit was cut off"
    write_state(folder, 2)
    assert gold_code(folder) is None, "the batch is planned"
    write_state(folder, 1)
    assert gold_code(folder) == "CHECKPOINT_STATE_APART"
    write_state(folder, 4)
    assert gold_code(folder) == "CHECKPOINT_STATE_APART", "batch 4 would be passed over"
    text = (folder / "gold.json").read_text()
    (folder / "gold.json").write_text(text.replace('"version": 11', '"version": 12'))
    assert gold_code(folder) == "CHECKPOINT_FILE_ALTERED"
    (folder / "gold.json").unlink()
    assert gold_code(folder) == "CHECKPOINT_STATE_LOST"


def test_file_list_that_a_batch_names_must_be_there(tmp_path: Path) -> None:
    folder = landing_checkpoint(tmp_path, 0)
    for number in range(3):
        put(folder / "offsets" / str(number), offsets_log({"logOffset": number}))
        put(folder / "commits" / str(number), "v1\n{}")
        put(folder / "sources" / "0" / str(number), 'v1\n{"path":"a","timestamp":1,"batchId":1}')
    assert landing_damage(folder) is None
    (folder / "sources" / "0" / "2").unlink()
    assert landing_code(folder) == "CHECKPOINT_GAP"
    put(folder / "sources" / "0" / "2", 'v1\n{"path":"a","timestamp":1,"batchId":1}')
    (folder / "sources" / "0" / "1").unlink()
    assert landing_code(folder) == "CHECKPOINT_GAP", "Spark reads all of them at a start"
    (folder / "sources" / "0" / "2").unlink()
    put(folder / "sources" / "0" / "2.compact", 'v1\n{"path":"a","timestamp":1,"batchId":1}')
    assert landing_damage(folder) is None


def test_segments_that_were_elsewhere_are_noticed(tmp_path: Path) -> None:
    folder = landing_checkpoint(tmp_path / "landing_spool", 0)
    for number in range(3):
        listed = {"path": (tmp_path / f"segments/{number}").as_uri(), "timestamp": 1, "batchId": 1}
        put(folder / "offsets" / str(number), offsets_log({"logOffset": number}))
        put(folder / "commits" / str(number), "v1\n{}")
        put(folder / "sources" / "0" / str(number), f"v1\n{json.dumps(listed)}")
    assert spool_damage(folder, tmp_path / "segments") is None
    moved = spool_damage(folder, tmp_path / "moved" / "segments")
    assert moved
    assert moved.code == "CHECKPOINT_MOVED"


OF_SPOOL = {"logOffset": 0}
OF_KAFKA = {"telemetry": {"0": 10, "1": 7}}
OF_GOLD = {"sourceVersion": 1, "reservoirId": "r", "reservoirVersion": 3, "index": -1}


@pytest.mark.parametrize("lines", [[OF_SPOOL], [OF_GOLD, OF_GOLD], ["-"], []], ids=str)
def test_offsets_of_another_stream_are_named(tmp_path: Path, lines: list[object]) -> None:
    segments, listed = tmp_path / "segments", {"path": (tmp_path / "segments/1").as_uri()}
    kafka = landing_checkpoint(tmp_path / "landing", 1)
    spool = landing_checkpoint(tmp_path / "landing_spool", 1)
    put(spool / "offsets" / "0", offsets_log(OF_SPOOL))
    put(spool / "sources" / "0" / "0", f"v1\n{json.dumps(listed)}")
    assert kafka_damage(kafka) is spool_damage(spool, segments) is None

    said = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    put(kafka / "offsets" / "0", "\n".join([*offsets_log().split("\n"), *said.splitlines()]))
    put(spool / "offsets" / "0", offsets_log(OF_KAFKA))

    for damage in (kafka_damage(kafka), spool_damage(spool, segments)):
        assert damage
        assert damage.code == "CHECKPOINT_OTHER_STREAM"
        assert "offsets/0" in damage.said


@pytest.mark.parametrize(("batches", "committed"), [(0, 0), (1, 0), (1, 1), (3, 2)])
def test_a_first_batch_of_which_nothing_says_where_it_begins_is_refused(
    tmp_path: Path, batches: int, committed: int
) -> None:
    kafka = landing_checkpoint(tmp_path, batches, committed=committed)
    (kafka / "sources" / "0" / "0").unlink()

    damage = kafka_damage(kafka)

    is_lost = batches > 0 and not committed
    assert (damage.code if damage else None) == ("CHECKPOINT_START_LOST" if is_lost else None)


def test_what_another_streams_source_noted_is_named(tmp_path: Path) -> None:
    kafka = landing_checkpoint(tmp_path / "landing", 2)
    put(kafka / "sources" / "0" / "0", 'v1\n{"path":"a","timestamp":1,"batchId":0}')

    damage = kafka_damage(kafka)

    assert damage
    assert (damage.code, "sources/0/0" in damage.said) == ("CHECKPOINT_OTHER_STREAM", True)


def test_refusal_names_code_file_and_command(tmp_path: Path) -> None:
    folder = landing_checkpoint(tmp_path, 3)
    assert has_batches(folder)
    assert read_offsets(folder) == ['{"telemetry": {"0": 30, "1": 14}}']
    refuse_damaged("landing", landing_damage(folder))
    (folder / "offsets" / "2").write_text("")
    with pytest.raises(
        CheckpointError, match=r"\[CHECKPOINT_FILE_EMPTY\].*offsets/2 is empty"
    ) as e:
        refuse_damaged("landing", landing_damage(folder))
    assert "`headwater job recover landing`" in str(e.value)
    assert e.value.code == "CHECKPOINT_FILE_EMPTY"
    assert not has_batches(tmp_path / "gone")
    assert landing_damage(tmp_path / "gone") is None
