"""What keeps a reader from doing harm: limits on memory, time and files, and no network (Linux: seccomp-bpf).

Knows nothing of readers. The filter's few instructions are BPF as seccomp(2) describes it.
"""

import ctypes
import os
import resource
import signal
import struct

from bot.leash import PR_SET_PDEATHSIG

# Of address space. All of 269 documents were read within 560 MB, of which kreuzberg reserves 460 for its threads; the
# rest is for larger ones, such as 50 MB of text.
MEMORY_BYTES = 1024**3
CPU_SECONDS = 60
WRITTEN_BYTES = 200_000_000

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
# (audit number of the machine, number of socket(2) on it); io_uring could open sockets too and is 425 on all.
MACHINES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
IO_URING_SETUP, X32_CALLS, AF_UNIX, EPERM = 425, 0x40000000, 1, 1
LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000 | EPERM, 0x80000000
# Where `struct seccomp_data` holds the call's number, its machine, and the low half of its first argument.
NUMBER, MACHINE, FIRST_ARGUMENT = 0, 4, 16

_libc = ctypes.CDLL(None, use_errno=True)  # once, for to open it copies a hundred pages in every fork that does


def limit() -> None:
    """Set the limits of one read on this process and on all that it starts."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (WRITTEN_BYTES, WRITTEN_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 5))  # SIGXCPU first, which tells why


def end_with(parent: int) -> None:
    """Be killed when the parent dies, as `bot.leash.die_with_parent` does it; where it is gone already, end now."""
    if _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0 or os.getppid() != parent:
        os._exit(1)


def without_network() -> str:
    """Take the network from this process and all that it starts, for good. Where this machine or its kernel cannot,
    the sentence that says so is returned, else an empty one."""
    audit, socket = MACHINES.get(os.uname().machine, (0, 0))
    if not audit:
        return f"Readers keep the network: there is no filter for '{os.uname().machine}'."
    # (operation, jump if true, jump if false, operand), each jump over so many of the lines below.
    lines = [
        (LOAD, 0, 0, MACHINE),
        (EQUAL, 1, 0, audit),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
        (AT_LEAST, 4, 0, X32_CALLS),
        (EQUAL, 3, 0, IO_URING_SETUP),
        (EQUAL, 0, 3, socket),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (EQUAL, 1, 0, AF_UNIX),
        (RETURN, 0, 0, REFUSE),
        (RETURN, 0, 0, ALLOW),
    ]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in lines))
    header = ctypes.create_string_buffer(struct.pack("HP", len(lines), ctypes.addressof(program)))
    if (
        _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
        and _libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header) == 0
    ):
        return ""
    return f"Readers keep the network: the kernel refused the filter (error {ctypes.get_errno()})."
