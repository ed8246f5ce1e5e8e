"""The CoAP listener on asyncio."""

from aiocoap import Context, resource
from aiocoap.numbers.constants import TransportTuning

from gateway.coap.assembly import Assemblies
from gateway.coap.options import CheckedSite
from gateway.coap.site import DeviceTree
from gateway.coap.sockets import open_socket
from gateway.entrance import Entrance


async def listen_coap(entrance: Entrance, host: str, port: int, timers: TransportTuning) -> Context:
    """Open the port, and return what closes it (`shutdown`)."""
    site, assemblies = CheckedSite(), Assemblies(entrance.ingest, timers)
    core = resource.WKCResource(site.get_resources_as_linkheader)
    tree = DeviceTree(entrance, timers)
    for each in (core, tree):
        each._block1 = assemblies
    site.add_resource((".well-known", "core"), core)
    site.add_resource(("devices",), tree)
    context = Context(serversite=site, loggername="coap-server")
    await context._append_tokenmanaged_messagemanaged_transport(
        lambda messages: open_socket(host, port, messages)
    )
    return context
