"""`headwater fetch`: jars and servers into the cache."""

from concurrent.futures import ThreadPoolExecutor

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from infra.fetch.class_archive import ARCHIVED, make_class_archive
from infra.fetch.download import Repository
from infra.fetch.lock import locked
from infra.fetch.parts import (
    PARTS,
    PEERS,
    Job,
    claimed,
    missing,
    open_client,
    remove_unlisted,
    repository_url,
)
from infra.fetch.parts import (
    fetch as fetch_jobs,
)
from infra.fetch.relock import relock
from infra.flink import FLINK
from infra.superset.environment import SUPERSET, is_wanted
from telemetry.settings import Settings

APART = {each.name: each for each in (SUPERSET, FLINK)}
FILES = (*PARTS, *PEERS)

EXAMPLES = """\b
Examples:
  headwater fetch                 everything
  headwater fetch spark web       what `up --light` needs
  headwater fetch flink questdb   what benchmarks are measured beside; `all` leaves them out
  HEADWATER_MAVEN=… headwater fetch    from a mirror of your own
"""


@click.command(epilog=EXAMPLES)
@click.argument("parts", nargs=-1, type=click.Choice([*PARTS, *APART, "questdb", "all"]))
@click.option("--relock", "is_relocking", is_flag=True, help="Write checksums of the lock anew.")
def fetch(parts: tuple[str, ...], is_relocking: bool) -> None:
    """Fetch jars and servers into the cache; what is there already is only checked."""
    settings = Settings()
    with open_client() as client:
        repository = Repository(repository_url(settings), client)
        if is_relocking:
            relock(repository)
        wanted = _wanted(parts, settings)
        with claimed(wanted, settings):
            _fetch_all(wanted, repository, settings)


def _wanted(parts: tuple[str, ...], settings: Settings) -> tuple[str, ...]:
    """Return the named parts once each; all of them are without what the settings leave out."""
    if parts and "all" not in parts:
        return tuple(dict.fromkeys(parts))
    return (*PARTS, SUPERSET.name) if is_wanted(settings) else PARTS


def _fetch_all(wanted: tuple[str, ...], repository: Repository, settings: Settings) -> None:
    """Fetch files, and make environments of their own beside."""
    console = Console(stderr=True)
    with ThreadPoolExecutor(len(APART)) as pool:
        apart = [APART[part] for part in wanted if part in APART]
        beside = [pool.submit(each.make, settings, console.print) for each in apart]
        if files := tuple(part for part in wanted if part in FILES):
            _fetch_showing_progress(files, repository, settings, console)
        for made in beside:
            made.result()
    servers = [server for server in ARCHIVED if server in wanted]
    with ThreadPoolExecutor(len(ARCHIVED)) as pool:
        list(pool.map(lambda server: make_class_archive(server, settings, console.print), servers))


def _fetch_showing_progress(
    parts: tuple[str, ...], repository: Repository, settings: Settings, console: Console
) -> None:
    artifacts = [artifact for part in parts for artifact in locked(part)]
    jobs = missing(artifacts, settings)
    with _progress(console) as progress:
        task = progress.add_task("Fetching " + ", ".join(parts), total=_bytes(jobs))
        fetch_jobs(
            jobs,
            repository,
            settings,
            lambda count: progress.advance(task, count),
            lambda text: progress.update(task, description=text),
        )
    remove_unlisted(artifacts, settings)


def _bytes(jobs: list[Job]) -> int:
    return sum(job.artifact.size for job in jobs)


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
    )
