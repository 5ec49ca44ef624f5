"""What the kernel says a process may do, and whether this build limits it."""

import ctypes
import os
import socket

from harness import check
from procs import program

MEASURED = "builds with sanitizers and wrapped programs are not confined" if (
    os.environ.get("ESETS_SANITIZED") or os.environ.get("ESETS_WRAPPER")) else None


def status_of(pid):
    with open("/proc/%d/status" % pid) as source:
        return dict(line.rstrip("\n").split(":\t", 1) for line in source)


def has_filter(name):
    with open(program(name), "rb") as binary:
        return b"libseccomp.so" in binary.read()


def links(pid):
    """What its descriptors lead to; those that are closed meanwhile are not among them."""
    folder = "/proc/%d/fd" % pid
    found = {}
    for number in os.listdir(folder):
        try:
            found[int(number)] = os.readlink(os.path.join(folder, number))
        except FileNotFoundError:
            pass
    return found


def taken_from(pid, link):
    """A descriptor of that process: what is done to its socket it has done itself."""
    libc = ctypes.CDLL(None, use_errno=True)
    number = next(int(name) for name in os.listdir("/proc/%d/fd" % pid)
                  if os.readlink("/proc/%d/fd/%s" % (pid, name)) == link)
    process = os.pidfd_open(pid)
    try:
        got = libc.syscall(438, process, number, 0)  # pidfd_getfd
        check(got >= 0, "pidfd_getfd: %s" % os.strerror(ctypes.get_errno()))
        return socket.socket(fileno=got)
    finally:
        os.close(process)


def disconnect(sock):
    """What whoever has it can do to a TCP socket that listens, for all who have it."""
    libc = ctypes.CDLL(None, use_errno=True)
    nowhere = bytes(16)    # AF_UNSPEC
    check(libc.connect(sock.fileno(), nowhere, len(nowhere)) == 0,
          "connect: %s" % os.strerror(ctypes.get_errno()))


def take_apart(manager, workers):
    """The first of these workers does that to the socket that it listens at, which is
    the one that all of them share."""
    every = [{link for link in links(pid).values() if link.startswith("socket:")}
             for pid in workers + [manager]]
    link, = set.intersection(*every)
    with taken_from(workers[0], link) as sock:
        disconnect(sock)
