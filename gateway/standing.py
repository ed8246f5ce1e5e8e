"""Whether who came in may stay: a login, held against what the registry says now."""

from math import inf

from cryptography import x509

from gateway.certificates import digest_of, is_distrusted, is_issued_by, is_owned, is_revoked
from gateway.directory import Directory, seconds
from gateway.identity import DEVELOPMENT, Identity
from gateway.tokens import key_digest
from telemetry.devices import split_full_name


def standing(identity: Identity, directory: Directory) -> Identity | None:
    """Return the identity as the registry has it now; None: its credential is no longer good.

    Whether the moment of `expires_at` has come is the caller's to judge.
    """
    durability = directory.durability(identity.tenant, identity.device_full)
    kind, _, name = identity.credential.partition("/")
    if kind == "local":
        is_shut = directory.is_shut(identity.tenant, identity.device_full)
        is_over = is_shut and identity.credential == DEVELOPMENT
        return None if is_over else identity._replace(durability=durability)
    if directory.device(identity.tenant, identity.device_full) is None:
        return None
    end = _end(identity, kind, name, directory)
    if end is None:
        return None
    earlier = min(end, inf if identity.own_end is None else identity.own_end)
    return identity._replace(expires_at=None if earlier == inf else earlier, durability=durability)


def _end(identity: Identity, kind: str, name: str, directory: Directory) -> float | None:
    """Return until when the registry lets a credential be used, None: no longer."""
    if kind == "credential":
        return directory.secret_end(identity.tenant, identity.device_full, name)
    if kind == "jwt_key":
        return _key_end(identity, name, directory)
    if identity.certificate is None:
        return None
    certificate = x509.load_der_x509_certificate(identity.certificate)
    if is_revoked(certificate, directory) or is_distrusted(certificate, directory):
        return None
    if kind == "certificate":
        is_owned_still = is_owned(certificate, identity.tenant, directory)
        return _certificate_end(identity, name, directory) if is_owned_still else None
    body = directory.authorities.get((identity.tenant, name))
    if body is None or not body.names_devices:
        return None
    is_same = digest_of(body.certificate) == identity.vouched_by
    return inf if is_same or is_issued_by(certificate, body) else None


def _key_end(identity: Identity, kid: str, directory: Directory) -> float | None:
    tenant, body = directory.jwt_keys.get(kid, ("", None))
    if body is None or tenant != identity.tenant or key_digest(body) != identity.vouched_by:
        return None
    is_covered = body.product in (None, split_full_name(identity.device_full)[0])
    return seconds(body.valid_until) if is_covered else None


def _certificate_end(identity: Identity, name: str, directory: Directory) -> float | None:
    tenant, body = directory.certificates.get(name, ("", None))
    if body is None or (tenant, body.device_full) != (identity.tenant, identity.device_full):
        return None
    return seconds(body.valid_until)
