"""A process on a leash dies when its parent dies, however the parent dies (Linux: `prctl(2)`, PR_SET_PDEATHSIG).

`python -m bot.leash PARENT COMMAND...` puts the command on the leash of the process PARENT; the word `leader`
means the leader of its session, which is what supervisord is to the processes that it starts.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int | None = None) -> None:
    """Be killed when the parent dies. Where `parent` is given and is the parent no longer, exit now: it died before
    the kernel knew of the wish. The kernel watches the parent's *thread* that forked, so fork from a lasting one."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if parent is not None and os.getppid() != parent:
        sys.exit(1)


def main(arguments: Sequence[str]) -> None:
    """Become the command, on the leash."""
    parent, *command = arguments
    die_with_parent(os.getsid(0) if parent == "leader" else int(parent))
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
