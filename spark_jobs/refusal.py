"""Why a stream must not start before a person has acted, each reason with a stable code."""

from spark_jobs.checkpoint_files import Damage
from telemetry.errors import HeadwaterError


class RefusalError(HeadwaterError):
    """Starting would lose or double rows; the message names the command that mends it."""

    def __init__(self, code: str, said: str) -> None:
        super().__init__(f"[{code}] {said}")
        self.code = code


class CheckpointError(RefusalError):
    """A checkpoint is damaged."""


class InUseError(RefusalError):
    """Another process has the checkpoint."""


class LostOffsetsError(RefusalError):
    """Kafka dropped records that were never read."""


def refuse_damaged(stream: str, damage: Damage | None) -> None:
    """Raise if a checkpoint is damaged, with the command that mends it."""
    if damage:
        raise CheckpointError(
            damage.code,
            f"the checkpoint of {stream} is damaged: {damage.said}. The tables have lost nothing:"
            f" `headwater job recover {stream}` sets it aside and goes on from them",
        )
