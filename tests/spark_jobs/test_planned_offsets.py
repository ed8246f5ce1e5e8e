"""What a batch is to read is what Spark's checkpoint says of it, and each task gets its share."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from spark_jobs.planned_offsets import Span, planned, shared_out

SPANS = st.lists(
    st.builds(lambda n, first, more: Span(n, first, first + more),
              st.integers(0, 40), st.integers(0, 10**9), st.integers(1, 10**6)),
    unique_by=lambda span: span.partition,
)  # fmt: skip


def write(path: Path, line: str) -> None:
    """Write a file of the checkpoint as Spark does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'v1\n{{"batchWatermarkMs":0}}\n{line}' if "offsets" in str(path) else line)


def test_a_batch_goes_from_the_end_of_the_one_before_to_its_own(tmp_path: Path) -> None:
    write(tmp_path / "offsets" / "6", '{"telemetry":{"0":10,"1":5}}')
    write(tmp_path / "offsets" / "7", '{"telemetry":{"0":10,"1":8,"2":3}}')

    assert planned(tmp_path, 7) == [Span(1, 5, 8), Span(2, 0, 3)]


def test_the_first_batch_begins_where_the_source_did(tmp_path: Path) -> None:
    write(tmp_path / "sources" / "0" / "0", 'v1\n{"telemetry":{"0":4,"1":0}}')
    write(tmp_path / "offsets" / "0", '{"telemetry":{"0":9,"1":0}}')

    assert planned(tmp_path, 0) == [Span(0, 4, 9)]


def test_nothing_is_said_of_a_batch_whose_begin_is_gone(tmp_path: Path) -> None:
    write(tmp_path / "offsets" / "7", '{"telemetry":{"0":10}}')

    assert planned(tmp_path, 7) is None
    assert planned(tmp_path, 8) is None


@given(SPANS, st.integers(1, 8))
def test_every_span_has_one_task(spans: list[Span], tasks: int) -> None:
    shares = shared_out(spans, tasks)

    assert sorted(span for share in shares for span in share) == sorted(spans)
    assert 1 <= len(shares) <= tasks
    assert all(shares) or not spans


@given(SPANS.filter(len), st.integers(1, 8))
def test_no_task_has_more_than_another_could_take_off_it(spans: list[Span], tasks: int) -> None:
    loads = [sum(span.length for span in share) for share in shared_out(spans, tasks)]

    assert max(loads) - min(loads) <= max(span.length for span in spans)
