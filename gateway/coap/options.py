"""Options of a request that must be understood, looked at before any resource (RFC 7252, 5.4)."""

from aiocoap import Message, resource
from aiocoap.numbers.codes import Code
from aiocoap.numbers.optionnumbers import OptionNumber
from aiocoap.numbers.types import NON
from aiocoap.pipe import Pipe

UNDERSTOOD = {
    OptionNumber.URI_HOST,
    OptionNumber.URI_PORT,
    OptionNumber.URI_PATH,
    OptionNumber.URI_QUERY,
    OptionNumber.ACCEPT,
    OptionNumber.BLOCK1,
    OptionNumber.BLOCK2,
}
"""All critical options that have a meaning here."""
OF_PROXIES = {OptionNumber.PROXY_URI, OptionNumber.PROXY_SCHEME}
NO_ANSWER = 26
"""RFC 7967: no answer of any class."""


def strange(request: Message) -> Message | None:
    """Return the answer to a request that demands what is not known here; None if it does not."""
    numbers = {option.number for option in request.opt.option_list()}
    if numbers & OF_PROXIES:
        return Message(code=Code.PROXYING_NOT_SUPPORTED)
    unknown = sorted(int(each) for each in numbers - UNDERSTOOD if each.is_critical())
    if not unknown:
        return None
    answer = Message(code=Code.BAD_OPTION, payload=b"critical option %d is not known" % unknown[0])
    if request.mtype is NON:
        answer.opt.no_response = NO_ANSWER
    return answer


class CheckedSite(resource.Site):  # type: ignore[misc]
    """All resources, behind that look at the options."""

    async def render_to_pipe(self, request: Pipe) -> None:
        """Serve a request, or refuse it."""
        answer = strange(request.request)
        if answer is None:
            await super().render_to_pipe(request)
        else:
            request.add_response(answer, is_last=True)
