"""What ends a run of kills in an orderly way: Ctrl-C, a kill, a closed terminal."""

import signal
from types import FrameType

from infra.drills.ending import ENDS, ignore


def interrupted_once() -> None:
    """Make one `KeyboardInterrupt` of all signals that end; what is ignored stays so.

    Nothing cuts short what follows it: stacks are taken down.
    """
    for number in (signal.SIGINT, *ENDS):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    ignore()
    raise KeyboardInterrupt
