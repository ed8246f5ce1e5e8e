"""What of a stack is durable: the records that broker and spool have ever taken, and bronze holds.

Whoever acknowledges counts on one side: acknowledged = what `durable` says, over all its topics.
"""

from contextlib import closing

from confluent_kafka import Consumer, TopicPartition

from edge.spool_partition import next_offset
from telemetry.settings import Settings
from telemetry.topics import SPOOL_TOPIC, TELEMETRY, TELEMETRY_DEAD
from tests.end_to_end.stack import Stack


def durable(stack: Stack) -> dict[str, int]:
    """Return how many records each topic, and the spool, has ever taken."""
    settings = Settings(home=stack.home, port_base=stack.port_base)
    options = {"bootstrap.servers": settings.kafka_bootstrap, "group.id": "durable"}
    found = {}
    with closing(Consumer(options)) as consumer:
        for topic in (TELEMETRY, TELEMETRY_DEAD):
            places = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
            ends = (consumer.get_watermark_offsets(place, timeout=20)[1] for place in places)
            found[topic.name] = sum(ends)
    partitions = (settings.spool_dir / "partitions").glob("*")
    spooled = sum(next_offset(settings.spool_dir, int(path.name)) for path in partitions)
    return found | {SPOOL_TOPIC: spooled}


def unlanded(stack: Stack) -> dict[str, int]:
    """Return how many of them bronze does not hold, or holds too many; idle streams leave none."""
    bronze = stack.table("bronze.messages").group_by("topic").len()
    landed: dict[str, int] = dict(bronze.iter_rows())
    held = {topic: n for topic, n in durable(stack).items() if topic != TELEMETRY_DEAD.name}
    missing = {topic: n - landed.get(topic, 0) for topic, n in held.items()}
    return {topic: n for topic, n in missing.items() if n}


def grown(before: dict[str, int], after: dict[str, int]) -> int:
    """Return the records that came between two looks, wherever they went."""
    return sum(after[topic] - before[topic] for topic in after)
