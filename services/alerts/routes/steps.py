"""Steps of a trail as they are answered."""

from dataclasses import asdict
from datetime import datetime

from pydantic import BaseModel

from services.alerts.trail import Step


class StepOut(BaseModel):
    """One thing that was decided or done; `facts` say by what."""

    at: datetime
    step: str
    facts: dict[str, object]
    alert_id: str | None
    person: str | None


def step_out(step: Step) -> StepOut:
    """Return a step as it is answered."""
    return StepOut(**asdict(step))
