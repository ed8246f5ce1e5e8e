"""What a commit says in words of ours, and which words are not ours."""

import pytest

from spark_jobs.commit_info import own_words


def test_a_commit_says_what_it_is_given() -> None:
    assert own_words({"query": "replay", "rows": "3"}) == {"query": "replay", "rows": "3"}
    assert own_words({}) is None
    assert own_words(None) is None


@pytest.mark.parametrize("name", ["job", "operationMetrics", "tags"])
def test_a_field_of_deltas_own_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: Delta's own"):
        own_words({name: "replay", "rows": "3"})
