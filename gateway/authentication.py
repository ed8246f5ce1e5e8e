"""Authentication: what somebody presents becomes a device's identity, or a refusal.

An unknown device and a wrong signature look the same, in words and in time.
"""

from dataclasses import dataclass

from gateway.certificates import certificate_identity
from gateway.directory import Directory, Secret
from gateway.identity import DEVELOPMENT, Identity, Presented
from gateway.lockout import Lockout, Suspect, suspect
from gateway.outcome import Rejected
from gateway.tokens import LocalKey, is_local, is_token, token_identity
from telemetry.changes import TenantBody
from telemetry.credentials import (
    HMAC_SHA256,
    CredentialError,
    Profile,
    SignedLogin,
    is_signed,
    read_login,
    signed_by,
    time_complaint,
)
from telemetry.devices import Device, check_name, full_name, split_full_name
from telemetry.errors import DeviceError

REFUSED = Rejected("not_authenticated", "unknown device, or its credential does not hold")
LEAST_TRIED = 2
"""Secrets that every login is held against: a device has two at most, a stranger gets decoys."""
PLAIN_TOKEN = Rejected("not_authenticated", "tokens are taken over TLS only: others may hear them")


@dataclass(frozen=True, slots=True)
class Development:
    """Ways in that plain connections alone have; None and False: closed."""

    token: str | None = None
    is_anonymous: bool = False
    takes_plain_tokens: bool = False
    """Registered tokens too, which whoever overhears them could use."""


class Authentication:
    """Holds what is presented against the directory, and locks out who fails too often."""

    def __init__(
        self,
        directory: Directory,
        *,
        profile: Profile = "strict",
        development: Development | None = None,
        local_key: LocalKey | None = None,
    ) -> None:
        self._directory = directory
        self._profile: Profile = profile
        self._development = development or Development()
        self._local_key = local_key
        self._lockout = Lockout()

    def authenticate(self, presented: Presented, *, now: float) -> Identity | Rejected:
        """Return who it is; `now` in seconds since 1970."""
        who = suspect(presented)
        wait_s = self._lockout.wait_s(who, now=now)
        if wait_s:
            return Rejected(
                "locked_out", "too many failed logins", limit="logins", retry_after_s=wait_s
            )
        identity = self._identity(presented, now)
        if isinstance(identity, Rejected):
            common = self._directory.tenant("default")
            self._lockout.fail(who, self._rule(who), common, now=now)
        else:
            self._lockout.forgive(who)
        return identity

    def _rule(self, who: Suspect) -> TenantBody:
        """Return the rule of a name's product: what a device is must not show in it."""
        if who.kind != "name":
            return self._directory.tenant("default")
        return self._directory.lockout_rule(split_full_name(_device_named(who.name))[0])

    def _identity(self, presented: Presented, now: float) -> Identity | Rejected:
        password = presented.password or ""
        if is_token(password):
            if presented.is_overheard and not (
                self._development.takes_plain_tokens or is_local(password)
            ):
                return PLAIN_TOKEN
            return token_identity(password, self._directory, self._local_key, now=now) or REFUSED
        if presented.certificate is not None and not is_signed(presented.client_id):
            found = certificate_identity(presented.certificate, self._directory, now=now)
            return found or REFUSED
        if is_signed(presented.client_id) and presented.username:
            return self._signed(presented, now)
        return self._developer(presented) or REFUSED

    def _signed(self, presented: Presented, now: float) -> Identity | Rejected:
        try:
            login = read_login(
                presented.client_id, presented.username or "", presented.password or ""
            )
            name = check_name(full_name(login.product, login.device))
        except (CredentialError, DeviceError) as error:
            return Rejected("not_authenticated", str(error))
        complaint = time_complaint(
            login.timestamp,
            now_ms=round(now * 1000),
            profile=self._profile,
            is_tls=presented.is_tls,
        )
        if login.method != HMAC_SHA256:
            complaint = f"signmethod {login.method[:40]!r}: only {HMAC_SHA256} is taken"
        if complaint:
            return Rejected("not_authenticated", complaint)
        return self._by_secret(login, name, now) or REFUSED

    def _by_secret(self, login: SignedLogin, name: str, now: float) -> Identity | None:
        directory = self._directory
        candidates: list[tuple[str, Device, Secret]] = [
            (tenant, device, secret)
            for tenant, device in directory.named(name)
            for secret in directory.secrets(tenant, name, now)
        ]
        found: Identity | None = None
        for tenant, device, secret in candidates:
            if signed_by(login, [secret.secret]):
                found = _identity_of(tenant, name, secret, device.durability or "industrial")
        for _ in range(LEAST_TRIED - len(candidates)):
            signed_by(login, [directory.decoy()])
        return found

    def _developer(self, presented: Presented) -> Identity | None:
        development = self._development
        if presented.is_tls or not (development.token or development.is_anonymous):
            return None
        is_let_in = development.is_anonymous or presented.password == development.token
        name = _device_named(presented.username or presented.client_id)
        try:
            check_name(name)
        except DeviceError:
            return None
        if self._directory.is_shut("default", name):
            return None
        durability = self._directory.durability("default", name)
        found = Identity("default", name, DEVELOPMENT, durability=durability)
        return found if is_let_in else None


def _identity_of(tenant: str, name: str, secret: Secret, durability: str) -> Identity:
    kept = "consumer" if durability == "consumer" else "industrial"
    return Identity(tenant, name, secret.credential, secret.expires_at, kept)  # type: ignore[arg-type]


def _device_named(who: str) -> str:
    """Return the full name in a user name of either form."""
    device, ampersand, product = who.partition("&")
    return full_name(product, device) if ampersand else who
