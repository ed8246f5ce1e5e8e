"""Whether models have changed, by their files."""

from contextlib import suppress
from pathlib import Path

from edge.durable_files import mark_of


def model_marks(models: Path) -> str:
    """Return a token that changes whenever a model file comes, goes or changes."""
    marks = []
    for path in sorted(models.glob("*.model")):
        # One that goes while it is looked at is not there.
        with suppress(FileNotFoundError):
            marks.append(f"{path.name}:{mark_of(path)}")
    return ";".join(marks)
