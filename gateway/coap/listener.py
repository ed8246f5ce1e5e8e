"""The CoAP listener on asyncio."""

from aiocoap import Context, resource
from aiocoap.numbers.constants import TransportTuning

from gateway.coap.site import DeviceTree
from gateway.entrance import Entrance


async def listen_coap(entrance: Entrance, host: str, port: int, timers: TransportTuning) -> Context:
    """Open the port, and return what closes it (`shutdown`)."""
    site = resource.Site()
    site.add_resource(
        (".well-known", "core"), resource.WKCResource(site.get_resources_as_linkheader)
    )
    site.add_resource(("devices",), DeviceTree(entrance, timers))
    return await Context.create_server_context(
        site, bind=(host, port), transports=["simplesocketserver" if host else "udp6"]
    )
