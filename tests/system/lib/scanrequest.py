"""esets_daemon spoken to directly: one request, its answer as a dict."""

import contextlib
import os
import tempfile

from fakescan import HEAD_REQUEST, ask
from harness import SLOW, check
from procs import Suite


def start(t, **glob):
    """A daemon without an agent."""
    suite = Suite(t, start=False, glob=glob)
    suite.start_daemon()
    return suite


def request(size, **keys):
    lines = ["size=%d" % size] + ["%s=%s" % (k, v) for k, v in keys.items()]
    return HEAD_REQUEST + "".join(line + "\n" for line in lines).encode() + b"\n"


@contextlib.contextmanager
def message_file(t, content):
    """An open file with the content that can only be read, as the daemon
    wants it: nobody may change what is being judged."""
    fd, path = tempfile.mkstemp(dir=t.scratch)
    with open(fd, "wb") as out:
        out.write(content)
    with open(path, "rb") as message:
        os.unlink(path)
        yield message


def scan(suite, content, **keys):
    with message_file(suite.t, content) as message:
        answer = ask(suite.sock_path, request(len(content), **keys), message.fileno(), 70 * SLOW)
    check(answer.startswith(b"esets-scan/1 verdict\n") and answer.endswith(b"\n\n"), "%r" % answer)
    pairs = [line.split(b"=", 1) for line in answer.split(b"\n")[1:-2]]
    return {key.decode(): value.decode() for key, value in pairs}
