"""The configuration as people write it: YAML's fields and their forms, nothing looked up yet."""

from typing import Annotated

import msgspec
from msgspec import Meta

from services.alerts.configuration import Day, Kind
from telemetry.alerts import Severity

Values = Annotated[str, Meta(min_length=1)] | Annotated[list[str], Meta(min_length=1)]
Matched = dict[str, Values]
Names = list[str]


class Form(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What every part has: a field that is not known is a mistake."""


class TimingForm(Form):
    """Durations of `Timing`."""

    dedup: str | None = None
    resolve_after: str | None = None
    flap_changes: Annotated[int, Meta(ge=2, le=100)] | None = None
    flap_within: str | None = None
    digest_wait: str | None = None
    give_up: str | None = None


class ReceiverForm(Form):
    """A sink."""

    kind: Kind
    url: str | None = None
    secret: str | None = None
    tenants: Names | None = None
    timeout: str | None = None


class LimitForm(Form):
    """Most messages within a span."""

    messages: int | None = None
    within: str | None = None


class PersonForm(Form):
    """Somebody."""

    receivers: dict[str, Severity] = {}
    tenants: Names | None = None
    mute: Names | None = None
    limit: LimitForm | None = None


class StepForm(Form):
    """A step of an escalation."""

    after: str
    to: Names


class RouteForm(Form):
    """A node of the tree."""

    name: str | None = None
    match: Matched | None = None
    to: Names | None = None
    group_by: Names | None = None
    group_wait: str | None = None
    group_interval: str | None = None
    repeat: str | None = None
    mute: Names | None = None
    escalate: list[StepForm] | None = None
    goes_on: bool = msgspec.field(default=False, name="continue")
    routes: list["RouteForm"] = []


class InhibitionForm(Form):
    """A rule of inhibition."""

    name: str
    source: Matched
    target: Matched
    equal: Names = []


class MuteForm(Form):
    """Hours of a week."""

    zone: str = "UTC"
    days: list[Day] | None = None
    start: str = msgspec.field(default="00:00", name="from")
    end: str = msgspec.field(default="00:00", name="to")


class FileForm(Form):
    """The whole file."""

    route: RouteForm
    timing: TimingForm = msgspec.field(default_factory=TimingForm)
    receivers: dict[str, ReceiverForm] = {}
    people: dict[str, PersonForm] = {}
    teams: dict[str, Names] = {}
    inhibit: list[InhibitionForm] = []
    mute_times: dict[str, MuteForm] = {}


FIELDS = sorted({name for form in Form.__subclasses__() for name in form.__struct_encode_fields__})
"""Every field that may stand anywhere, for who mistypes one."""
