"""Publishing: plan the files, enrol their product, and send them through the stack's outbox."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from edge.outbox import Outbox
from edge.outboxes import open_outbox
from edge.registry_files import RegistryFiles
from infra.publish.counts import Counts
from infra.publish.enrolment import Enrolment, agreed, enrolled_product, product_key
from infra.publish.first_use import fixed_types
from infra.publish.lines import source_file
from infra.publish.options import MetricOptions, PublishOptions
from infra.publish.pace import Pace
from infra.publish.plan import FilePlan, plan_file
from infra.publish.publisher import Publisher
from infra.publish.report import Report, say, show_plan
from infra.publish.sent_ledger import SentLedger
from telemetry.durations import format_duration
from telemetry.errors import HeadwaterError
from telemetry.products import DEFAULT_PRODUCT, Product
from telemetry.settings import Settings

MOST_NAMED = 5


def publish_files(
    names: Sequence[str],
    options: PublishOptions,
    settings: Settings,
    counts: Counts,
    opened: Callable[[], Outbox] | None = None,
) -> None:
    """Publish files and keep `counts` up to date; raise if a record is not acknowledged."""
    registry = RegistryFiles(settings.registry_dir)
    _check_ledger(options.ledger, names)
    with ExitStack() as stack:
        ledger = _ledger(options, settings, registry)
        if ledger:
            stack.enter_context(ledger)
        outbox = stack.enter_context(opened() if opened else open_outbox(settings))
        plans, new_product = planned(names, options, registry, stack)
        if ledger:
            ledger.refresh()
        report = stack.enter_context(Report(plans, counts))
        counts.has_begun = True
        publisher = Publisher(
            outbox,
            Enrolment(registry, new_product),
            pace=Pace(options.rate),
            ledger=ledger,
            report=report,
        )
        publisher.publish(plans, options)
    report.summary()


def _check_ledger(ledger: Path | None, names: Sequence[str]) -> None:
    """Refuse to append to what is read."""
    if ledger and ledger.exists():
        for name in names:
            if name != "-" and ledger.samefile(name):
                raise HeadwaterError(f"--ledger {ledger} is published itself: name another file")


def _ledger(
    options: PublishOptions, settings: Settings, registry: RegistryFiles
) -> SentLedger | None:
    if options.ledger is None:
        return None
    return SentLedger(
        options.ledger,
        registry,
        tolerance_us=round(settings.clock_tolerance_s * 1_000_000),
        first_use=fixed_types(settings.lake_root),
    )


def planned(
    names: Sequence[str], options: PublishOptions, files: RegistryFiles, stack: ExitStack
) -> tuple[list[FilePlan], Product | None]:
    """Plan all files and show the plans; return them with the product, if it is a new one."""
    sources = [stack.enter_context(source_file(name, raw=options.raw)) for name in names]
    plans = [plan_file(source, options) for source in sources]
    key = product_key(options)
    known = files.products().get(("default", key))
    plans = agreed(plans, known)
    for plan in plans:
        show_plan(plan, options)
    if known is None:
        new = enrolled_product(key, plans, options.metric)
        say(f"product {key}: new, lateness unbounded, retention history")
        return plans, new
    if key == DEFAULT_PRODUCT.key:
        say("product default: no schema, any metric (--product names another one)")
    else:
        say(_left_alone(known, plans, options.metric))
    return plans, None


def _left_alone(known: Product, plans: Sequence[FilePlan], metric: MetricOptions) -> str:
    """Return what a product that is left as it is will make of the files' messages."""
    limits = f"lateness {format_duration(known.lateness)}"
    limits += f", maximum age {format_duration(known.max_age)}"
    said = f"product {known.key}: known, left as it is ({limits})"
    metrics = {name for version in known.versions for name in version.metrics}
    given = {name for plan in plans if plan.layout for name in plan.layout.metrics}
    if known.versions and (foreign := sorted(given - metrics)):
        more = f" and {len(foreign) - MOST_NAMED} more" if len(foreign) > MOST_NAMED else ""
        said += f"; it has no metric {', '.join(foreign[:MOST_NAMED])}{more}: messages with one"
        said += " will be rejected (take another --product, or `headwater product add`)"
    if metric.sentinels or metric.units:
        said += "; --sentinel and --unit are of new products, its own hold"
    return said
