"""Steps of a trail as they are asked for and answered."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from services.alerts.served import Words
from services.alerts.trail import MOST_STEPS, Asked, Page, Step


class StepOut(BaseModel):
    """One thing that was decided or done; `facts` say by what."""

    at: datetime
    step: str
    facts: dict[str, object]
    alert_id: str | None
    person: str | None


class StepsOut(BaseModel):
    """A page of steps in their order; `truncated`: there are older ones, `before` is `next`."""

    steps: list[StepOut]
    truncated: bool
    next: int | None


class StepsAsked(BaseModel):
    """The newest decisions, or the newest before the place that a page has named as `next`."""

    model_config = ConfigDict(extra="forbid")

    tenant: Words | None = None
    before: int | None = Field(default=None, ge=1, lt=2**63)
    limit: int = Field(default=MOST_STEPS, ge=1, le=MOST_STEPS)

    def asked(self) -> Asked:
        """Return what the trail is asked for."""
        return Asked(self.before, self.limit)


AskedSteps = Annotated[StepsAsked, Query()]


def steps_out(page: Page) -> StepsOut:
    """Return a page as it is answered."""
    steps = [_step_out(step) for step in page.steps]
    return StepsOut(steps=steps, truncated=page.following is not None, next=page.following)


def _step_out(step: Step) -> StepOut:
    return StepOut(**asdict(step))
