"""Kafka topics, declared once."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic and its settings at creation."""

    name: str
    partitions: int
    meaning: str
    config: dict[str, str] = field(default_factory=dict)


_DAY_MS = 24 * 3600 * 1000

TELEMETRY = Topic(
    "telemetry",
    4,
    "accepted messages; key: the device's full name",
    {
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": str(2 * 1024 * 1024),
        "retention.ms": str(7 * _DAY_MS),
    },
)
TELEMETRY_DEAD = Topic(
    "telemetry.dead",
    4,
    "what the gateway refused but must keep, with its reason in headers",
    {
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": str(2 * 1024 * 1024),
        "retention.ms": str(7 * _DAY_MS),
    },
)
REGISTRY_CHANGES = Topic(
    "registry.changes",
    1,
    "the registry's newest word on each tenant, product, device, credential, certificate, key"
    " and rule; key: `{kind}/{tenant}/{name}`, null: gone or revoked; JSON in"
    " `telemetry/changes.py`",
    {
        "cleanup.policy": "compact",
        "min.compaction.lag.ms": "0",
        "segment.ms": str(_DAY_MS),
        "delete.retention.ms": str(7 * _DAY_MS),
    },
)
"""One partition: whoever reads it sees the changes in the order of their commits."""
COMMANDS = Topic(
    "commands",
    4,
    "what goes down to devices; key: the device's full name; headers: `tenant`, `channel` (what"
    " stands behind `devices/{id}/`, below `commands/`, `twin/` or `firmware/`), and if wanted"
    " `qos`, `expires_at` (epoch microseconds), `content_type`, `correlation`",
    {"max.message.bytes": str(2 * 1024 * 1024), "retention.ms": str(7 * _DAY_MS)},
)
UPLINK = Topic(
    "uplink",
    4,
    "what devices say beside telemetry (replies, twins, progress); headers as in `telemetry`, and"
    " `channel`",
    {
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": str(2 * 1024 * 1024),
        "retention.ms": str(7 * _DAY_MS),
    },
)
ALERTS = Topic(
    "alerts",
    4,
    "what detectors tell, as `telemetry/alerts.py` has it; key: the device's full name, or"
    " `{tenant}/{zone}`",
    {"max.message.bytes": str(2 * 1024 * 1024), "retention.ms": str(7 * _DAY_MS)},
)
ALERTS_HISTORY = Topic(
    "alerts.history",
    4,
    "the newest word on the life of each alert, for `gold.alerts`; key: the alert's id",
    {"max.message.bytes": str(2 * 1024 * 1024), "retention.ms": str(30 * _DAY_MS)},
)
GATEWAY_PAGES = Topic(
    "gateway.pages",
    1,
    "how many records each gateway took and acknowledged, by page (`telemetry/accounts.py`), the"
    " newest word last; key: the gateway's name",
    {
        "message.timestamp.type": "LogAppendTime",
        "retention.ms": str(7 * _DAY_MS),
    },
)
TOPICS: tuple[Topic, ...] = (
    TELEMETRY,
    TELEMETRY_DEAD,
    REGISTRY_CHANGES,
    COMMANDS,
    UPLINK,
    ALERTS,
    ALERTS_HISTORY,
    GATEWAY_PAGES,
)

SPOOL_TOPIC = "spool"
"""Topic name in the coordinates of records that came through the spool."""
