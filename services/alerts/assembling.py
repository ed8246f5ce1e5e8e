"""From what people wrote to a configuration: durations read, names looked up, defaults handed down.

Each check raises `Wrong` with the place in the file, and says how to mend it.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import time, timedelta
from difflib import get_close_matches
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.alerts import budget
from services.alerts.configuration import (
    DAYS,
    Configuration,
    EscalationStep,
    Inhibition,
    Limit,
    MuteTime,
    Person,
    Receiver,
    Route,
    Timing,
)
from services.alerts.configuration_form import (
    FileForm,
    InhibitionForm,
    Matched,
    MuteForm,
    PersonForm,
    ReceiverForm,
    RouteForm,
    TimingForm,
)
from services.alerts.matching import EVERYTHING, FIELDS, GROUP_FIELDS, Match, match_of
from telemetry.alerts import SEVERITIES
from telemetry.durations import parse_duration
from telemetry.errors import HeadwaterError

Place = tuple[str | int, ...]
DEFAULT_TENANTS = ("default",)
MOST_ROUTES = 1000


class Wrong(Exception):
    """What is wrong at a place."""

    def __init__(self, place: Place, reason: str) -> None:
        super().__init__(reason)
        self.place = place
        self.reason = reason


def assembled(form: FileForm, digest: str) -> Configuration:
    """Return the configuration; raise `Wrong` for the first thing that does not hold."""
    mute_times = {name: _mute(name, one) for name, one in form.mute_times.items()}
    receivers = {name: _receiver(name, one) for name, one in form.receivers.items()}
    people = {name: _person(name, one, receivers, mute_times) for name, one in form.people.items()}
    for name in sorted({*people} & {*receivers} | {*form.teams} & {*people, *receivers}):
        kind = "teams" if name in form.teams else "people"
        raise Wrong((kind, name), "the name is taken: people, teams and receivers share them")
    teams = {
        name: _named(("teams", name), members, people, "person")
        for name, members in form.teams.items()
    }
    known = _Known({*receivers, *people, *teams}, {*mute_times})
    return Configuration(
        route=_route(form.route, ("route",), None, known),
        timing=_timing(form.timing),
        receivers=receivers,
        people=people,
        teams=teams,
        inhibit=tuple(_inhibition(n, one) for n, one in enumerate(form.inhibit)),
        mute_times=mute_times,
        digest=digest,
    )


class _Known:
    """The names that a route may use."""

    def __init__(self, targets: Collection[str], mute_times: Collection[str]) -> None:
        self.targets = targets
        self.mute_times = mute_times


def _route(form: RouteForm, place: Place, above: Route | None, known: _Known) -> Route:
    """Return a route; what it does not say is as in the one above."""
    given = above or Route("root")
    name = form.name or ("root" if above is None else str(place[-1]))
    if "/" in name:
        raise Wrong((*place, "name"), "a route's name has no /")
    if above is None and (form.match or form.goes_on):
        raise Wrong(place, "the root takes every alert: move match and continue to one of routes")
    path = name if above is None else f"{above.path}/{name}"
    own = Route(
        path=path,
        match=_match((*place, "match"), form.match),
        to=given.to if form.to is None else _named((*place, "to"), form.to, known.targets, "name"),
        group_by=given.group_by if form.group_by is None else _fields(place, form.group_by),
        group_wait=_span((*place, "group_wait"), form.group_wait, given.group_wait),
        group_interval=_span((*place, "group_interval"), form.group_interval, given.group_interval),
        repeat=_some((*place, "repeat"), form.repeat, given.repeat),
        mute=given.mute
        if form.mute is None
        else _named((*place, "mute"), form.mute, known.mute_times, "mute time"),
        escalate=given.escalate if form.escalate is None else _steps(form, place, known),
        goes_on=form.goes_on,
    )
    children = [
        _route(child, (*place, "routes", n), own, known) for n, child in enumerate(form.routes)
    ]
    _apart(place, [child.path for child in children])
    return _with_routes(own, tuple(children))


def _with_routes(own: Route, children: tuple[Route, ...]) -> Route:
    return Route(**{name: getattr(own, name) for name in Route.__slots__} | {"routes": children})


def _apart(place: Place, paths: Sequence[str]) -> None:
    for number, path in enumerate(paths):
        if path in paths[:number]:
            at = (*place, "routes", number, "name")
            raise Wrong(at, f"another route is called {path}: give it a name of its own")


def _steps(form: RouteForm, place: Place, known: _Known) -> tuple[EscalationStep, ...]:
    steps: list[EscalationStep] = []
    for number, one in enumerate(form.escalate or []):
        at = (*place, "escalate", number)
        after = _span((*at, "after"), one.after, timedelta())
        if steps and after <= steps[-1].after:
            raise Wrong((*at, "after"), "each step comes later than the one before")
        steps.append(EscalationStep(after, _named((*at, "to"), one.to, known.targets, "name")))
    return tuple(steps)


def _fields(place: Place, names: Sequence[str]) -> tuple[str, ...]:
    return _named((*place, "group_by"), names, GROUP_FIELDS, "field")


def _match(place: Place, written: Matched | None) -> Match:
    if not written:
        return EVERYTHING
    _named(place, list(written), FIELDS, "field")
    match = match_of(written)
    for name, values in match.fields:
        if name == "severity":
            plain = [value.removeprefix("!") for value in values]
            _named((*place, name), plain, SEVERITIES, "severity")
    return match


def _inhibition(number: int, form: InhibitionForm) -> Inhibition:
    place: Place = ("inhibit", number)
    source = _match((*place, "source"), form.source)
    target = _match((*place, "target"), form.target)
    if EVERYTHING in (source, target):
        raise Wrong(place, "source and target name at least one field each")
    return Inhibition(
        form.name, source, target, _named((*place, "equal"), form.equal, FIELDS, "field")
    )


def _timing(form: TimingForm) -> Timing:
    given = Timing()
    wait = form.resolve_after
    return Timing(
        dedup=_span(("timing", "dedup"), form.dedup, given.dedup),
        resolve_after=None
        if wait == "unbounded"
        else _span(("timing", "resolve_after"), wait, given.resolve_after or timedelta()),
        flap_changes=form.flap_changes or given.flap_changes,
        flap_within=_span(("timing", "flap_within"), form.flap_within, given.flap_within),
        digest_wait=_span(("timing", "digest_wait"), form.digest_wait, given.digest_wait),
        give_up=_span(("timing", "give_up"), form.give_up, given.give_up),
    )


def _receiver(name: str, form: ReceiverForm) -> Receiver:
    place: Place = ("receivers", name)
    if form.kind == "webhook":
        if not form.url or not form.url.startswith(("http://", "https://")):
            raise Wrong((*place, "url"), "a webhook needs a url: http://… or https://…")
    elif form.url or not form.secret:
        raise Wrong(
            (*place, "secret"),
            f"a receiver of kind {form.kind} has no url but a secret: the name of one that holds"
            " its Apprise URL",
        )
    return Receiver(
        name,
        form.kind,
        form.url,
        form.secret,
        tuple(form.tenants or DEFAULT_TENANTS),
        _some((*place, "timeout"), form.timeout, timedelta(seconds=10)),
    )


def _person(
    name: str,
    form: PersonForm,
    receivers: Mapping[str, Receiver],
    mute_times: Mapping[str, MuteTime],
) -> Person:
    place: Place = ("people", name)
    _named((*place, "receivers"), list(form.receivers), receivers, "receiver")
    given, said = Limit(), form.limit
    limit = Limit(
        given.messages if said is None or said.messages is None else said.messages,
        _span((*place, "limit", "within"), said.within if said else None, given.within),
    )
    if limit.messages < budget.FEWEST:
        raise Wrong(
            (*place, "limit", "messages"),
            f"at least {budget.FEWEST}: two for digests, one for what is critical, one for more",
        )
    return Person(
        name,
        form.receivers,
        tuple(form.tenants or DEFAULT_TENANTS),
        _named((*place, "mute"), form.mute or [], mute_times, "mute time"),
        limit,
    )


def _mute(name: str, form: MuteForm) -> MuteTime:
    place: Place = ("mute_times", name)
    try:
        zone = ZoneInfo(form.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Wrong(
            (*place, "zone"), f"{form.zone!r} is no time zone: write one such as Europe/Berlin"
        ) from error
    return MuteTime(
        name,
        zone,
        tuple(form.days) if form.days is not None else DAYS,
        _clock((*place, "from"), form.start),
        _clock((*place, "to"), form.end),
    )


def _clock(place: Place, text: str) -> time:
    try:
        found = time.fromisoformat(text if text != "24:00" else "00:00")
    except ValueError as error:
        raise Wrong(place, f"{text!r} is no time of day: write 22:00") from error
    if found.tzinfo:
        raise Wrong(place, f"{text!r} names a zone of its own: write 22:00, and which by `zone`")
    return found


def _span(place: Place, text: str | None, given: timedelta) -> timedelta:
    if text is None:
        return given
    try:
        span = parse_duration(text)
    except HeadwaterError as error:
        raise Wrong(place, str(error)) from error
    if span is None:
        raise Wrong(place, "it must have an end: write 30 s, 5 min or 4 h")
    return span


def _some(place: Place, text: str | None, given: timedelta) -> timedelta:
    span = _span(place, text, given)
    if not span:
        raise Wrong(place, "it must be more than nothing: write 10 s or 4 h, 3650 d for never")
    return span


def _named(
    place: Place, names: Sequence[str], known: Collection[str], kind: str
) -> tuple[str, ...]:
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=1, cutoff=0.5)
            there = ", ".join(sorted(known)) or "none is declared"
            hint = f"did you mean {near[0]}?" if near else f"there are: {there}"
            raise Wrong((*place, name), f"there is no {kind} {name!r}; {hint}")
    return tuple(names)
