"""The CoAP listener on asyncio."""

from aiocoap import Context, resource
from aiocoap.numbers.constants import TransportTuning
from aiocoap.tokenmanager import TokenManager

from gateway.coap.assembly import Assemblies
from gateway.coap.options import CheckedSite
from gateway.coap.recent import Messages
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
    # As aiocoap puts its layers together, with our memory of what came before.
    tokens = TokenManager(context)
    messages = Messages(tokens, kept_s=timers.EXCHANGE_LIFETIME)
    messages.message_interface = await open_socket(host, port, messages)
    tokens.token_interface = messages
    context.request_interfaces.append(tokens)
    return context
