"""What a device publishes, as a message for whoever of its own sessions listens."""

from edge.mqtt.packets import Publish, Will
from gateway.downlink import Downlink
from gateway.identity import Identity


def as_downlink(
    said: Publish | Will, identity: Identity, part: str, *, origin: str, now: float
) -> Downlink:
    """Return a published message or a will as a downlink of its own device."""
    given = said.properties
    expiry_s = given.message_expiry_s
    return Downlink(
        identity.tenant,
        identity.device_full,
        part,
        said.payload,
        said.qos,
        None if expiry_s is None else now + expiry_s,
        given.content_type,
        given.correlation,
        given.response_topic,
        given.payload_format,
        given.user,
        origin,
        said.retain,
    )
