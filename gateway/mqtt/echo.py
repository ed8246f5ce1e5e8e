"""What a device publishes, as a message for whoever of its own sessions listens."""

from edge.mqtt.packets import Publish, Will
from gateway.channels import Channel
from gateway.downlink import Downlink


def as_downlink(said: Publish | Will, channel: Channel, *, origin: str, now: float) -> Downlink:
    """Return a published message or a will as a downlink of its own device."""
    given = said.properties
    expiry_s = given.message_expiry_s
    return Downlink(
        channel.identity.tenant,
        channel.identity.device_full,
        channel.name,
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
