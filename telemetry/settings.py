"""Settings of every process; the only reader of the environment."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from telemetry.cached_parts import CachedParts
from telemetry.home_parts import HomeParts, absolute

PORT_NAMES = (
    "kafka",
    "kafka_controller",
    "trino",
    "dagster",
    "dagster_code",
    "superset",
    "registry",
    "firmware",
    "alerts",
    "query",
    "gateway_http",
    "gateway_mqtt",
    "gateway_mqtts",
    "gateway_coap",
    "monitoring",
    "bridge",
)


class Settings(CachedParts, HomeParts, BaseSettings):
    """What differs between one installation and another; every default runs on one machine."""

    model_config = SettingsConfigDict(
        # A variable that is set to nothing says nothing: `HEADWATER_HOME= …` is not this folder.
        env_prefix="HEADWATER_",
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
    )

    home: Path = Field(default=Path(".headwater"), description="state of one stack")
    cache: Path = Field(
        default=Path("~/.cache/headwater"), description="downloads, shared by all stacks"
    )
    port_base: int = Field(default=18000, ge=1024, le=65000, description="ports count up from here")
    lake: str | None = Field(default=None, description="root of the tables; default {home}/lake")
    kafka: str | None = Field(default=None, description="bootstrap servers; default our own broker")
    java_home: Path | None = Field(default=None, description="Java 17 or newer, Spark and Kafka")
    system_java_home: Path | None = Field(
        default=None, validation_alias="JAVA_HOME", description="the machine's Java, if it fits"
    )
    maven: str | None = Field(default=None, description="a mirror to fetch jars and servers from")
    streams: Literal["always_on", "scheduled"] = Field(
        default="always_on", description="scheduled: Dagster runs landing and gold as micro-batches"
    )
    streams_interval_s: int = Field(default=60, ge=1, description="pause between scheduled runs")
    landing_trigger_s: float = Field(default=1.0, ge=0, description="micro-batch interval, landing")
    gold_trigger_s: float = Field(default=4.0, ge=0, description="micro-batch interval of gold")
    fast_renew_s: float = Field(
        default=240.0,
        ge=30,
        le=900,
        description="after so long the fast lane reads devices and baselines anew",
    )
    fast_heap_mb: int = Field(default=512, ge=256, description="JVM heap of the fast lane")
    max_offsets_per_batch: int = Field(default=40_000, ge=1, description="records a landing batch")
    clock_tolerance_s: float = Field(
        default=60.0, ge=0, description="how far device time may be ahead of received_at"
    )
    dedup_recent_keys: int = Field(
        default=1_000_000, ge=1, description="messages whose first copy is remembered in memory"
    )
    compact_budget_s: float = Field(
        default=300.0,
        ge=0,
        description="a compaction begins nothing more after so long; the next one goes on",
    )
    stream_heap_mb: int = Field(default=1024, ge=256, description="JVM heap of the stream app")
    job_heap_mb: int = Field(default=640, ge=256, description="JVM heap of one batch job")
    job_nice: int = Field(
        default=5, ge=0, le=19, description="niceness of batch jobs: the streams go first"
    )
    trino_heap_mb: int = Field(default=1024, ge=512, description="JVM heap of Trino")
    kafka_heap_mb: int = Field(default=384, ge=128, description="JVM heap of the broker")
    kafka_replication: int = Field(
        default=1, ge=1, description="replicas of each topic that is created; a cluster takes 3"
    )
    kafka_min_insync: int = Field(
        default=1, ge=1, description="replicas that hold what is acknowledged; a cluster takes 2"
    )
    registry_database: SecretStr | None = Field(
        default=None,
        description="SQLAlchemy URL, such as postgresql+psycopg://…; default SQLite in the home",
    )
    registry_url: str | None = Field(
        default=None, description="where the registry answers; default the stack's own"
    )
    registry_key: SecretStr | None = Field(
        default=None, description="API key of commands; default the first admin's, in the home"
    )
    key_file: Path | None = Field(
        default=None,
        description="keys that secrets are sealed under; default {home}/registry/keys.json",
    )
    rotation_overlap_d: float = Field(
        default=90.0, ge=0, description="days that a device's old secret lives beside its new one"
    )
    superset: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="whether the full stack has Superset; auto: where Python 3.11 or 3.12 is",
    )
    superset_database: SecretStr | None = Field(
        default=None,
        description="SQLAlchemy URL of Superset's own state; default SQLite in the home",
    )
    gateway_host: str = Field(default="127.0.0.1", description="address that devices reach")
    gateway_development: Literal["off", "token", "anonymous"] = Field(
        default="off",
        description="let devices in by one token, or by their mere name, without TLS: not for use",
    )
    gateway_development_token: SecretStr | None = Field(
        default=None, description="the token of HEADWATER_GATEWAY_DEVELOPMENT=token"
    )
    gateway_plain_tokens: bool = Field(
        default=False, description="take tokens without TLS from other machines: for development"
    )
    gateway_profile: Literal["strict", "compatible"] = Field(
        default="strict",
        description="compatible: takes the Link SDK's constant for a signed time, over TLS",
    )
    gateway_certificate: Path | None = Field(
        default=None, description="PEM chain of the gateway: opens the TLS ports"
    )
    gateway_certificate_key: Path | None = Field(
        default=None, description="its key, if not in the same file"
    )
    gateway_authorities: Path | None = Field(
        default=None, description="PEM authorities of devices' certificates, beside the registry's"
    )
    gateway_device_rate: float = Field(
        default=0.0, ge=0, description="messages a second that a device may send; 0: any"
    )
    gateway_tenant_rate: float = Field(default=0.0, ge=0, description="the same for a tenant")
    gateway_rate: float = Field(default=0.0, ge=0, description="the same for the whole gateway")
    gateway_burst_s: float = Field(
        default=10.0, ge=0.001, description="seconds of the rate that may come at once"
    )
    gateway_without_kafka: Literal["refuse", "spool"] = Field(
        default="refuse", description="what becomes of messages while Kafka is away"
    )
    gateway_spool_mb: int = Field(default=1024, ge=1, description="most that the spool may hold")
    gateway_linger_ms: float = Field(default=5.0, ge=0, description="how long a batch collects")
    gateway_group: str = Field(default="gateway", description="of offsets; each gateway its own")
    gateway_keep_alive_s: int = Field(
        default=1200, ge=1, le=65535, description="longest keep-alive of an MQTT 5 client"
    )
    gateway_coap_ack_timeout_s: float = Field(
        default=2.0, gt=0, description="first wait of CoAP's retransmission; longer for slow radio"
    )
    gateway_coap_retransmits: int = Field(
        default=4, ge=0, le=10, description="how often CoAP sends again"
    )
    gateway_rules: Path | None = Field(
        default=None, description="rules for foreign topics; default {home}/gateway/rules.json"
    )
    bridge_broker: str | None = Field(
        default=None,
        description="an MQTT broker to read from, mqtt://host:port or mqtts://…: starts the bridge",
    )
    bridge_user: str | None = Field(default=None, description="the bridge's user at that broker")
    bridge_password: SecretStr | None = Field(default=None, description="its password there")
    bridge_authorities: Path | None = Field(
        default=None, description="PEM authorities of the broker's certificate; default the system"
    )
    bridge_certificate: Path | None = Field(
        default=None, description="PEM chain that the bridge shows the broker"
    )
    bridge_certificate_key: Path | None = Field(
        default=None, description="its key, if not in the same file"
    )
    bridge_filters: str = Field(
        default="devices/+/telemetry", description="topic filters to subscribe to, with commas"
    )
    bridge_group: str = Field(
        default="headwater", description="shared subscription: its bridges share the messages"
    )
    bridge_qos: int = Field(default=1, ge=1, le=2, description="QoS of the subscription")
    bridge_client_id: str | None = Field(
        default=None, description="its session at the broker; default: drawn once, kept in the home"
    )
    bridge_tenant: str = Field(default="default", description="tenant of the broker's devices")
    bridge_window: int = Field(
        default=1000, ge=1, le=65535, description="messages that wait for Kafka at most"
    )
    bridge_session_s: int = Field(
        default=604_800, ge=60, le=4_294_967_294, description="how long the broker keeps for it"
    )
    bridge_keep_alive_s: int = Field(
        default=30, ge=2, le=65535, description="a broker that is silent for 1.5 times this is gone"
    )
    query_host: str = Field(default="127.0.0.1", description="address that the queries listen on")
    query_rate: float = Field(
        default=200.0, ge=0, description="requests a second of one caller of queries; 0: any"
    )
    query_burst_s: float = Field(
        default=4.0, ge=0.001, description="seconds of the rate that may come at once"
    )
    query_cache_mb: int = Field(default=32, ge=2, description="answers and series kept in memory")
    query_hot_mb: int = Field(default=64, ge=0, description="memory for silver's newest files")
    query_hot_disk_mb: int = Field(default=1024, ge=0, description="disk for more of them; 0: none")
    query_nice: int = Field(
        default=10, ge=0, le=19, description="niceness of what answers questions: streams go first"
    )
    query_live_viewers: int = Field(default=500, ge=0, description="live views open at once")
    query_live_viewers_of_one: int = Field(default=300, ge=0, description="those of one caller")
    alerts_database: SecretStr | None = Field(
        default=None, description="SQLAlchemy URL of the alerts service; default SQLite in the home"
    )
    alerts_file: Path | None = Field(
        default=None, description="who is told what; default {home}/alerts/alerts.yaml"
    )
    alerts_secrets: SecretStr | None = Field(
        default=None,
        description="secrets of receivers as a JSON object; else files in {home}/alerts/secrets",
    )
    spark_cores: int = Field(default=2, ge=1, description="threads of local Spark")
    debug: bool = Field(default=False, description="show tracebacks")

    @field_validator("home", "cache")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        return absolute(path)

    @field_validator(
        "key_file",
        "gateway_certificate",
        "gateway_certificate_key",
        "gateway_authorities",
        "gateway_rules",
        "bridge_authorities",
        "bridge_certificate",
        "bridge_certificate_key",
        "alerts_file",
    )
    @classmethod
    def _absolute_or_none(cls, path: Path | None) -> Path | None:
        return path and path.expanduser().absolute()

    @property
    def lake_root(self) -> str:
        """Root of the Delta tables: a path or an object-store URL."""
        return self.lake or str(self.home / "lake")

    @property
    def kafka_bootstrap(self) -> str:
        """Bootstrap servers that every client uses."""
        return self.kafka or f"127.0.0.1:{self.port('kafka')}"

    def port(self, name: str) -> int:
        """Return the port of one of `PORT_NAMES`."""
        return self.port_base + PORT_NAMES.index(name)

    @property
    def registry_database_url(self) -> str:
        """SQLAlchemy URL of the registry's database."""
        if self.registry_database:
            return self.registry_database.get_secret_value()
        return f"sqlite:///{self.registry_dir / 'registry.db'}"

    @property
    def superset_database_url(self) -> str:
        """SQLAlchemy URL of Superset's own state."""
        if self.superset_database:
            return self.superset_database.get_secret_value()
        return f"sqlite:///{self.home / 'superset' / 'superset.db'}?timeout=30"

    @property
    def registry_address(self) -> str:
        """Base URL of the registry."""
        return (self.registry_url or f"http://127.0.0.1:{self.port('registry')}").rstrip("/")

    @property
    def registry_key_file(self) -> Path:
        """Key-encryption keys of the registry's secrets."""
        return self.key_file or self.registry_dir / "keys.json"

    @property
    def alerts_database_url(self) -> str:
        """SQLAlchemy URL of the alerts service's database."""
        if self.alerts_database:
            return self.alerts_database.get_secret_value()
        return f"sqlite:///{self.alerts_dir / 'alerts.db'}"

    @property
    def alerts_configuration(self) -> Path:
        """Who is told what."""
        return self.alerts_file or self.alerts_dir / "alerts.yaml"
