"""E-mail, Slack, Teams, PagerDuty and SMS through Apprise; a secret holds its whole URL."""

import logging
from typing import Protocol

from services.alerts import messages
from services.alerts.channels.sink import Outgoing
from services.alerts.configuration import Kind
from services.alerts.outbox import Answer
from telemetry.errors import HeadwaterError

SCHEMES: dict[Kind, tuple[str, ...]] = {
    "email": ("mailto", "mailtos", "sendgrid", "mailgun", "ses", "resend", "smtp2go", "o365"),
    "slack": ("slack",),
    "teams": ("msteams", "workflow", "workflows"),
    "pagerduty": ("pagerduty",),
    "sms": ("twilio", "sns", "vonage", "nexmo", "d7sms", "messagebird", "plivo", "sinch"),
}


class Notifier(Protocol):
    """What is used of Apprise."""

    def notify(self, body: str, title: str = ...) -> object:
        """Send a message; what it returns is true if it was taken."""


class AppriseSink:
    """Sends to one URL of Apprise."""

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier

    def send(self, message: Outgoing) -> Answer:
        """Send a message; Apprise says no more than whether it was taken."""
        title = messages.subject(message.content)
        body = messages.text(message.content, message.key)
        try:
            is_done = bool(self._notifier.notify(body=body, title=title))
        except Exception as error:
            # Each plug-in raises what its library raises; a sink's failure stops nobody else.
            return Answer(None, type(error).__name__)
        return Answer(None, "" if is_done else "not taken", is_done=is_done)

    def close(self) -> None:
        """Nothing stays open."""


def open_apprise(name: str, kind: Kind, url: str) -> AppriseSink:
    """Return the sink of a URL; raise if it is none of its kind, without telling the URL."""
    if url.partition("://")[0].lower() not in SCHEMES[kind]:
        known = ", ".join(f"{scheme}://" for scheme in SCHEMES[kind])
        raise HeadwaterError(f"receiver {name}: its secret is no Apprise URL of {kind}: {known}")
    return AppriseSink(_notifier(name, url))


def _notifier(name: str, url: str) -> Notifier:
    # Some hundred plug-ins: only who sends by one of them loads them.
    import apprise

    # Its words on a URL that does not hold are the URL.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    found = apprise.Apprise()
    if not found.add(url):
        raise HeadwaterError(f"receiver {name}: Apprise does not understand its secret's URL")
    return found
