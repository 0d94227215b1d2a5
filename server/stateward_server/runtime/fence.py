"""Becomes another program that can make no IPv6 socket: `python fence.py PROGRAM [ARGUMENT...]`, on Linux.

Deno denies single IPv6 addresses but no ranges of them, so what is private there can only be denied with all
the rest. The kernel does it (seccomp), for the program and all it starts, and nothing can undo it. Run as a
script, in a process of its own: it imports nothing of ours and takes some milliseconds.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
import sys

_AUDIT_ARCH_AND_SOCKET = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
"""For each kind of processor that Deno is made for: how the kernel names it, and its number of `socket`."""
_IO_URING_SETUP = 425
_OTHER_ABI = 0x40000000
"""From here on are the numbers of x86-64's second set of system calls."""

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER, _ARCH, _FIRST_ARGUMENT = 0, 4, 16
"""Where in what the kernel shows of a call."""
_ALLOW, _KILL, _FAIL = 0x7FFF0000, 0x80000000, 0x00050000


def program(machine: str) -> bytes:
    """Return the filter for a kind of processor. Raises KeyError for one that Deno is not made for."""
    arch, making_a_socket = _AUDIT_ARCH_AND_SOCKET[machine]
    # A jump says how many instructions to skip when its comparison holds, and when not.
    instructions = (
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 1, 0, arch),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 5, 0, _OTHER_ABI),
        (_EQUAL, 4, 0, _IO_URING_SETUP),
        (_EQUAL, 0, 2, making_a_socket),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_EQUAL, 2, 0, socket.AF_INET6),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _FAIL | errno.ENOSYS),
        (_RETURN, 0, 0, _FAIL | errno.EAFNOSUPPORT),
    )
    return b"".join(struct.pack("=HBBI", *each) for each in instructions)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def close_in() -> None:
    """Put the fence around this process. Raises OSError where the kernel does not let it."""
    instructions = program(os.uname().machine)
    memory = ctypes.create_string_buffer(instructions, len(instructions))
    fence = _Program(len(instructions) // 8, ctypes.addressof(memory))
    _prctl(_PR_SET_NO_NEW_PRIVS, 1, 0)
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(fence))


def _prctl(option: int, first: int, second: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, first, second, 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    try:
        close_in()
    except (OSError, KeyError) as error:
        sys.exit(f"this kernel cannot keep a program from IPv6 (seccomp: {error}); see allow_machine_ipv6")
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606 - what it is for
