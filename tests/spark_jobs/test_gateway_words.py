"""What gateways tell, through a real broker: by the gateway's own outlet, read by the job."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from gateway.batches import ingest_batch, ingest_unread
from gateway.channels import channel
from gateway.counters import Counters
from gateway.identity import Identity
from gateway.ingest import Ingest
from gateway.kafka import KafkaOutlet
from gateway.outcome import Rejected
from gateway.polling import Poller
from gateway.telling import Teller
from spark_jobs.jobs.gateway_words import KafkaWords
from telemetry.accounts import Page
from telemetry.records import JSON
from tests.brokers import Broker
from tests.gateway.entrances import MESSAGE, NOW_US

pytestmark = pytest.mark.kafka


async def serve(bootstrap: str) -> Ingest:
    """Take twelve messages and one that cannot be read, and stop as a gateway does."""
    outlet = KafkaOutlet(bootstrap)
    ingest = Ingest({"industrial": outlet, "consumer": outlet}, Counters())
    poller = Poller([outlet])
    ingest.polled_by(poller.wake)
    poller.ingest = ingest
    place = channel(
        Identity("default", "d1", "local/test"),
        "telemetry",
        protocol="http",
        buckets=(),
        content_type=JSON,
    )
    sent = [MESSAGE] * 12
    assert await ingest_batch(ingest, place, sent, content_type=JSON, now=NOW_US) == len(sent)
    await ingest_unread(ingest, place, b"{", Rejected("undecodable", "cut off"), now=NOW_US)
    await Teller(ingest, [outlet]).close(10.0)
    outlet.close(10.0)
    return ingest


def test_account_of_a_gateway_comes_through_kafka(broker: Broker) -> None:
    before = datetime.now(UTC) - timedelta(minutes=1)
    ingest = asyncio.run(serve(broker.settings.kafka_bootstrap))
    words = KafkaWords(broker.settings.kafka_bootstrap)

    told = {one.page.name: one for one in words.told()}
    kept = words.kept(before)

    (mine,) = (one for one in told.values() if one.page.instance == ingest.account.instance)
    assert isinstance(mine.page, Page)
    assert (mine.page.taken, mine.page.acknowledged, mine.page.is_final) == (13, 13, True)
    assert before < mine.at < datetime.now(UTC) + timedelta(minutes=1)
    assert kept["dead"][mine.page.name] == 1
    assert kept["uplink"] == Counter()
    assert words.kept(datetime.now(UTC) + timedelta(hours=1))["dead"] == Counter()
