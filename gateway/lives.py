"""Whoever is let in for longer than one request, and who must go once its credential ends."""

from collections.abc import Iterable
from typing import Protocol

from gateway.directory import Directory
from gateway.identity import Identity
from gateway.standing import standing
from telemetry.changes import Change


class Live(Protocol):
    """A session or an observation."""

    @property
    def identity(self) -> Identity:
        """Whose it is."""

    def renew(self, identity: Identity) -> None:
        """Go on as the registry has its device and credential now."""

    def end(self, reason: str) -> None:
        """Close it: its device or credential is no longer good."""


class Lives:
    """All that is open, by device."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._by_device: dict[tuple[str, str], set[Live]] = {}

    def __len__(self) -> int:
        return sum(len(lives) for lives in self._by_device.values())

    def add(self, live: Live) -> None:
        """Watch it."""
        identity = live.identity
        self._by_device.setdefault((identity.tenant, identity.device_full), set()).add(live)

    def remove(self, live: Live) -> None:
        """Watch it no longer."""
        key = (live.identity.tenant, live.identity.device_full)
        lives = self._by_device.get(key)
        if lives:
            lives.discard(live)
            if not lives:
                del self._by_device[key]

    def changed(self, change: Change) -> None:
        """Hold whatever a change of the registry touches against it, and end what it ends."""
        kind, tenant, name = change.key
        if kind == "device":
            self._check(self._by_device.get((tenant, name), ()))
        elif kind == "credential":
            self._check(self._by_device.get((tenant, name.rpartition("/")[0]), ()))
        elif kind == "tenant":
            self._check(live for live in self._all() if live.identity.tenant == tenant)
        elif kind in ("certificate", "jwt_key"):
            named = f"{kind}/{name}"
            self._check(live for live in self._all() if live.identity.credential == named)
        elif kind == "authority":
            self._check(live for live in self._all() if live.identity.certificate is not None)

    def look_again(self) -> None:
        """Have all that is open go on by what holds now."""
        for live in self._all():
            live.renew(live.identity)

    def _all(self) -> "list[Live]":
        return [live for lives in self._by_device.values() for live in lives]

    def _check(self, lives: Iterable[Live]) -> None:
        for live in list(lives):
            before = live.identity
            now = standing(before, self._directory)
            if now is None:
                live.end("the credential was revoked")
            elif now != before:
                live.renew(now)

    def expire(self, now: float) -> None:
        """End what has run out; `now` in seconds since 1970."""
        for live in self._all():
            expires_at = live.identity.expires_at
            if expires_at is not None and expires_at <= now:
                live.end("the credential has expired")
