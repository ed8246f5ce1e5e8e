"""supervisord's configuration."""

import configparser
import shlex
from pathlib import Path

from infra.query_service import query_service
from infra.superset.service import superset_service
from infra.supervision.configuration import configuration, socket_path
from infra.supervision.service import Service
from infra.trino.server import trino_service
from telemetry.settings import Settings


def program(service: Service, environment: dict[str, str] | None = None) -> dict[str, str]:
    text = configuration(Path("/h"), [service], environment or {})
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    return dict(parser[f"program:{service.name}"])


def test_command_keeps_its_words() -> None:
    words = ("java", "-cp", "/a b/*", "it's", '"')
    written = program(Service("x", lambda: words, 1))["command"]
    assert tuple(shlex.split(written)) == words


def test_percent_is_no_variable() -> None:
    written = program(Service("x", lambda: ("date", "+%H"), 1, environment={"A": "1%"}))
    assert written["command"] == "date +%%H"
    assert written["environment"] == 'A="1%%"'


def test_service_adds_to_the_environment_of_all() -> None:
    service = Service("x", lambda: ("true",), 1, environment={"A": 'say "a"'})
    assert program(service, {"A": "b", "B": "c,d"})["environment"] == 'A=\'say "a"\',B="c,d"'


def test_service_may_stop_alone_but_is_killed_with_its_group() -> None:
    written = program(Service("x", lambda: ("true",), 1, stops_group=False, stop_wait_s=7))
    assert (written["stopasgroup"], written["killasgroup"]) == ("false", "true")
    assert written["stopwaitsecs"] == "7"


def test_service_that_answers_questions_gives_way() -> None:
    assert program(Service("x", lambda: ("true",), 1, nice=5))["command"] == "nice -n 5 true"
    settings = Settings(home=Path("/h"), query_nice=7)
    assert query_service(settings, "full").nice == 7
    assert trino_service(settings, waits_for_tables=False).nice == 7
    assert superset_service(settings).nice == 7


def test_socket_of_a_deep_home_is_short_and_its_own() -> None:
    deep = Path("/" + "x" * 120)
    assert len(str(socket_path(deep))) < 90
    assert socket_path(deep) != socket_path(deep / "y")
    assert socket_path(Path("/h")) == Path("/h/run/supervisor.sock")
