"""The services of a stack, declared once."""

from collections.abc import Collection

from infra import bridge_service
from infra.alerts_service import alerts_service
from infra.dagster_home import dagster_services
from infra.fast_lane import fast_service
from infra.gateway_service import gateway_service
from infra.kafka.broker import kafka_service
from infra.query_service import query_service
from infra.registry.service import registry_service
from infra.stack import Mode
from infra.streams import streams_service
from infra.superset.environment import is_wanted
from infra.superset.service import superset_service
from infra.supervision.service import Service
from infra.trino.server import trino_service
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

DAGSTER = ("dagster-code", "dagster-webserver", "dagster-daemon")


def service_names(settings: Settings, mode: Mode) -> tuple[str, ...]:
    """Return what a mode consists of, in the order of starting."""
    bridge = (bridge_service.NAME,) if bridge_service.is_wanted(settings) else ()
    if mode == "light":
        if settings.streams == "scheduled":
            raise HeadwaterError(
                "HEADWATER_STREAMS=scheduled needs Dagster, which --light leaves out:"
                " unset it, or start the full stack"
            )
        return ("streams", "gateway", *bridge, "query")
    broker = () if settings.kafka else ("kafka",)
    streams = ("streams",) if settings.streams == "always_on" else ()
    registry = () if settings.registry_url else ("registry",)
    superset = ("superset",) if is_wanted(settings) else ()
    served = ("gateway", *bridge, "query", "alerts", "fast", "trino")
    return (*broker, *registry, *streams, *served, *DAGSTER, *superset)


def declared_services(
    settings: Settings, mode: Mode, names: Collection[str]
) -> tuple[Service, ...]:
    """Return the named services of a mode, in the order of starting."""
    makes_tables = bool({"streams", "dagster-daemon"} & set(names))
    declared = (
        kafka_service(settings),
        registry_service(settings),
        streams_service(settings, mode),
        gateway_service(settings, mode),
        bridge_service.bridge_service(settings, mode),
        query_service(settings, mode),
        alerts_service(settings),
        fast_service(settings),
        trino_service(settings, waits_for_tables=makes_tables),
        *dagster_services(settings, has_superset=is_wanted(settings)),
        superset_service(settings),
    )
    return tuple(service for service in declared if service.name in names)


def chosen_names(settings: Settings, mode: Mode, only: str | None) -> tuple[str, ...]:
    """Return the services that `--only` names (`dagster`: all of Dagster's), or all of the mode."""
    there = service_names(settings, mode)
    if only is None:
        return there
    named = [name.strip() for name in only.split(",") if name.strip()]
    wanted = {each for name in named for each in (DAGSTER if name == "dagster" else (name,))}
    unknown = sorted(wanted - set(there))
    if unknown or not wanted:
        raise HeadwaterError(
            f"--only {only}: no service {', '.join(unknown) or 'named'} in this stack;"
            f" there are {', '.join(there)} and dagster for its three"
        )
    return tuple(name for name in there if name in wanted)
