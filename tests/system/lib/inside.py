"""What the kernel says a process may do, and whether this build limits it."""

import os

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
