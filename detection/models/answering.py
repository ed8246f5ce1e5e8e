"""What a rule asks of a trained model: answers to rows of its metrics, message by message."""

from collections.abc import Callable
from typing import NamedTuple

from detection.memory import Matrix
from detection.rules.readings import Rows, Values

Answer = Callable[[Matrix, Rows, Matrix], Values]
"""Rows of metrics in the model's order, whose each is, and all devices' memories, to answers.

Rows stand in their order of time. Memories, a device a row, move on in place: the same rows get the
same answers however they are cut into batches.
"""


class Answering(NamedTuple):
    """A model at work, and how many numbers it remembers of a device: zeros at first."""

    answer: Answer
    numbers: int = 0


Answers = Callable[[str, str], Answering]
"""A model's name and version to what it answers."""
