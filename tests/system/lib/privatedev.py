"""A /dev of a program's own, with a socket that gets what it sends to syslog."""

import os
import shutil
import socket
import subprocess

from harness import Skip

IN_PRIVATE_DEV = 'mount --make-rprivate / && mount --bind "$0" /dev && exec "$@"'


def private_dev(t):
    """A directory to be put on /dev, with a log socket in it."""
    if not shutil.which("unshare"):
        raise Skip("no unshare")
    dev = t.path("dev")
    os.mkdir(dev)
    for name in ("null", "zero", "full", "random", "urandom"):
        status = os.stat("/dev/" + name)
        os.mknod(os.path.join(dev, name), status.st_mode, status.st_rdev)
        os.chmod(os.path.join(dev, name), 0o666)
    probe = subprocess.run(["unshare", "-m", "sh", "-c", IN_PRIVATE_DEV, dev, "true"],
                           stderr=subprocess.PIPE)
    if probe.returncode != 0:
        raise Skip("no mount namespaces here: %s" % probe.stderr.decode().strip())
    log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    log.bind(os.path.join(dev, "log"))
    os.chmod(os.path.join(dev, "log"), 0o666)
    log.settimeout(5)
    t.at_end(log.close)
    return dev, log
