"""An unknown device and a wrong signature take the same work."""

import time
from collections.abc import Callable
from statistics import median

from gateway.authentication import LEAST_TRIED, REFUSED, Authentication
from gateway.directory import Directory
from gateway.identity import Identity, Presented
from telemetry.changes import ChangeKey, CredentialBody
from telemetry.sealing import KeyRing, seal
from tests.gateway.entrances import EDITIONS, NOW, RING, enrol, signed
from tests.gateway.test_standing import at

TRIES = 300


class CountedKeys(dict[str, bytes]):
    """Key-encryption keys that count how often an envelope is opened by them."""

    opened = 0

    def get(self, key_id: str, default: object = None) -> bytes | None:  # type: ignore[override]
        self.opened += 1
        return super().get(key_id)


class Door:
    """Authentication of a device with one secret, and one with two."""

    def __init__(self) -> None:
        self.keys = CountedKeys(RING.keys)
        self.directory = Directory(KeyRing(RING.current, self.keys))
        for name, secrets in (("pk.one", 1), ("pk.two", 2)):
            enrol(self.directory, name, b"secret of the first kind")
            for number in range(1, secrets):
                self._second(name, f"{name}/s{number + 1}")

    def _second(self, name: str, credential: str) -> None:
        key = ChangeKey("credential", "default", credential)
        body = CredentialBody(name, seal(b"another secret", RING, key.encoded()), at(0))
        self.directory.apply(EDITIONS.change("credential", credential, body))

    def tries(self, name: str, secret: bytes = b"wrong") -> object:
        """Try to come in, as nobody has before."""
        return Authentication(self.directory).authenticate(
            Presented(*signed(name, secret), address="10.0.0.1"), now=NOW
        )

    def envelopes(self, name: str, secret: bytes = b"wrong") -> int:
        """Return how many envelopes an attempt opens."""
        self.keys.opened = 0
        self.tries(name, secret)
        return self.keys.opened


def test_every_attempt_opens_as_many_envelopes() -> None:
    door = Door()
    names = ("pk.one", "pk.two", "pk.none", "other.none")

    assert [door.envelopes(name) for name in names] == [LEAST_TRIED] * len(names)
    assert door.envelopes("pk.one", b"secret of the first kind") == LEAST_TRIED


def test_decoy_lets_nobody_in() -> None:
    door = Door()

    assert door.tries("pk.none", door.directory.decoy()) == REFUSED
    assert isinstance(door.tries("pk.two", b"another secret"), Identity)


def seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def test_unknown_device_takes_as_long_as_a_wrong_signature() -> None:
    door, taken = Door(), dict[str, list[float]]()
    for _ in range(TRIES):
        for name in ("pk.one", "pk.two", "pk.none"):
            taken.setdefault(name, []).append(seconds(lambda name=name: door.tries(name)))  # type: ignore[misc]

    unknown = median(taken["pk.none"])
    assert 0.7 < median(taken["pk.one"]) / unknown < 1.4
    assert 0.7 < median(taken["pk.two"]) / unknown < 1.4
