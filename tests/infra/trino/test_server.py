"""Trino's configuration."""

import json
import shutil
from pathlib import Path

from infra.trino.server import trino_service, write_configuration
from telemetry.settings import Settings


def properties(path: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in path.read_text().splitlines())


def test_catalog_is_the_lake_of_the_home(tmp_path: Path) -> None:
    write_configuration(Settings(home=tmp_path, port_base=20000))
    etc = tmp_path / "trino" / "etc"
    catalog = properties(etc / "catalog" / "lake.properties")
    assert catalog["connector.name"] == "delta_lake"
    assert catalog["hive.metastore.catalog.dir"] == f"local://{tmp_path}/trino/metastore"
    assert properties(etc / "config.properties")["http-server.http.port"] == "20002"


def test_tables_are_registered_anew_where_a_home_is_a_copy_or_has_another_lake(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    write_configuration(Settings(home=home))
    registered = Path("trino", "metastore", "silver")
    (home / registered).mkdir(parents=True)

    write_configuration(Settings(home=home))
    assert (home / registered).exists()
    copy = shutil.copytree(home, tmp_path / "copy")
    write_configuration(Settings(home=copy))
    assert not (copy / registered).exists(), "Trino would read the tables of the first home"
    write_configuration(Settings(home=home, lake=str(tmp_path / "another")))
    assert not (home / registered).exists()


def test_everybody_only_reads(tmp_path: Path) -> None:
    write_configuration(Settings(home=tmp_path))
    rules = json.loads((tmp_path / "trino" / "etc" / "rules.json").read_text())
    anybody = [rule for rule in rules["catalogs"] if "user" not in rule]
    assert [rule["allow"] for rule in anybody] == ["read-only"]


def test_groups_are_where_trino_looks_for_them(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    write_configuration(settings)
    folder = trino_service(settings, waits_for_tables=True).folder
    assert folder
    told = properties(folder / "etc" / "resource-groups.properties")
    groups = json.loads(Path(told["resource-groups.config-file"]).read_text())
    named = {group["name"] for group in groups["rootGroups"]}
    assert {selector["group"] for selector in groups["selectors"]} == named
    assert set(groups["selectors"][-1]) == {"group"}, "some queries fit no selector"


def test_memory_of_queries_fits_into_the_heap(tmp_path: Path) -> None:
    for heap_mb in (512, 1024, 4096):
        write_configuration(Settings(home=tmp_path, trino_heap_mb=heap_mb))
        config = properties(tmp_path / "trino" / "etc" / "config.properties")
        headroom = int(config["memory.heap-headroom-per-node"].removesuffix("MB"))
        assert int(config["query.max-memory-per-node"].removesuffix("MB")) + headroom < heap_mb


def test_server_that_does_not_answer_is_a_complaint(tmp_path: Path) -> None:
    service = trino_service(Settings(home=tmp_path, port_base=1024), waits_for_tables=True)
    assert "no answer" in (service.complaint() or "")


def test_one_node_sends_itself_no_more_than_it_must(tmp_path: Path) -> None:
    write_configuration(Settings(home=tmp_path))
    etc = tmp_path / "trino" / "etc"
    config = properties(etc / "config.properties")
    assert config["exchange.acknowledge-pages"] == "false"
    assert config["http-server.compression.enabled"] == "false"
    # An answer is as old as the newest commit: no listing of versions may be kept.
    assert "hive.metastore-cache-ttl" not in properties(etc / "catalog" / "lake.properties")
