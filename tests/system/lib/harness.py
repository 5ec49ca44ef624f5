"""Frame of every system test: cases, scratch directories, clean-up, output.

A test is a program tests/system/NNN-name. Each function in it marked @case
runs by itself in a fresh scratch directory and gets a Case, which hands out
servers, clients and programs under test and takes them away again, whatever
happens. Output is TAP: `ok N - name`, `not ok N - name`, `ok N - name # SKIP
why`; lines that start with # explain a failure. Exit status: 0, 1 something
failed, 77 everything was skipped.

A case also fails when a program under test left a sanitizer's report, lost a
worker that the case did not kill, or did not stop when it was told to.

Environment: ESETS_BUILD is the build directory (programs at its top),
ESETS_SCRATCH where scratch directories go, ESETS_SLOW multiplies every
timeout (sanitizers, valgrind), ESETS_SANITIZED says that the programs use more
memory than they ask for, ESETS_WRAPPER is a command put before each
program under test, ESETS_KEEP keeps scratch directories.

Nothing here sleeps for a fixed time to wait for something: it polls.
"""

import os
import random
import shutil
import signal
import socket
import struct
import sys
import tempfile
import time
import traceback

SLOW = float(os.environ.get("ESETS_SLOW", "1"))
TESTS_DIR = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DATA_DIR = os.path.join(os.path.dirname(TESTS_DIR), "data")
SOURCE_DIR = os.path.dirname(os.path.dirname(TESTS_DIR))
MEMORY_COUNTS = not os.environ.get("ESETS_SANITIZED")
SKIPPED = 77

_cases = []


class Skip(Exception):
    """This case cannot run here; the text says why."""


class Stopped(BaseException):
    """The runner told this test to end."""


def case(function=None, *, root=False, without=None):
    """Marks a function as a case. root: skip unless started as root.
    without: a reason, or None, given by the file: skip with it."""
    def mark(func):
        func.needs_root = root
        func.skip_reason = without
        _cases.append(func)
        return func
    return mark(function) if function else mark


def cases_for(values, namer=str, **how):
    """One case for each value: the function is called with (case, value)."""
    def mark(func):
        for value in values:
            def one(t, value=value):
                func(t, value)
            one.__name__ = "%s[%s]" % (func.__name__, namer(value))
            case(**how)(one)
        return func
    return mark


# --- assertions: say what was there, not only that it was wrong -------------

def show(value, limit=600):
    text = repr(value)
    return text if len(text) <= limit else text[:limit] + "... (%d octets)" % len(text)


def check(condition, text="condition does not hold"):
    if not condition:
        raise AssertionError(text)


def check_eq(got, want, what="value"):
    if got != want:
        raise AssertionError("%s\n  got  %s\n  want %s" % (what, show(got), show(want)))


def check_in(part, whole, what="text"):
    if part not in whole:
        raise AssertionError("%s: %s is not in\n  %s" % (what, show(part), show(whole, 3000)))


def check_not_in(part, whole, what="text"):
    if part in whole:
        raise AssertionError("%s: %s is in\n  %s" % (what, show(part), show(whole, 3000)))


def check_same_octets(got, want, what="octets"):
    """Like check_eq, for long bodies: shows the place of the first difference."""
    if got == want:
        return
    place = next((i for i, (a, b) in enumerate(zip(got, want)) if a != b),
                 min(len(got), len(want)))
    raise AssertionError("%s differ at octet %d (got %d octets, want %d)\n  got  %s\n  want %s" % (
        what, place, len(got), len(want),
        show(got[max(0, place - 30):place + 60]), show(want[max(0, place - 30):place + 60])))


def wait_until(probe, timeout=10, what="condition", poll=0.004):
    """Polls until probe() gives something true and returns that."""
    end = time.monotonic() + timeout * SLOW
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("timed out after %g s waiting for %s" % (timeout * SLOW, what))
        time.sleep(poll)


# --- ports ------------------------------------------------------------------

_port_claims = []


def free_port():
    """A TCP port that nobody uses, kept for this process until it ends.

    Below the kernel's ephemeral range, so no outgoing connection takes it,
    and claimed with an abstract socket, so no other test takes it in the time
    between closing and opening it again."""
    while True:
        port = random.SystemRandom().randrange(11000, 32000)
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            claim.bind("\0esets-test-port-%d" % port)
            for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
                if family == socket.AF_INET6 and not has_ipv6():
                    continue
                with socket.socket(family, socket.SOCK_STREAM) as probe:
                    probe.bind((host, port))   # fails also where old connections linger
        except OSError:
            claim.close()
            continue
        _port_claims.append(claim)
        return port


def low_port(*candidates):
    """The first of these that nobody uses, kept like free_port(); None: all are taken."""
    for port in candidates:
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            claim.bind("\0esets-test-port-%d" % port)
        except OSError:
            claim.close()
            continue
        _port_claims.append(claim)
        if not is_listening(port):
            return port
    return None


_ipv6 = None


def has_ipv6():
    global _ipv6
    if _ipv6 is None:
        try:
            with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
                probe.bind(("::1", 0))
            _ipv6 = True
        except OSError:
            _ipv6 = False
    return _ipv6


def is_listening(port):
    """Is a TCP port in the state LISTEN? Asks the kernel, connects to nobody.
    By sock_diag(7) and not /proc/net/tcp, which lists thousands of finished
    connections here and takes its time over them."""
    return any(port in listeners(family) for family in (socket.AF_INET, socket.AF_INET6))


def listening_backlog(port):
    """How many connections may wait for accept at an IPv4 port; None: no listener."""
    return listeners(socket.AF_INET).get(port)


def listeners(family):
    """The local ports of one family that are listened on, and their backlogs."""
    dump, by_family, listen = 0x301, 20, 1 << 10   # NLM_F_REQUEST | NLM_F_DUMP; TCP_LISTEN
    request = struct.pack("=BBxxI48x", family, socket.IPPROTO_TCP, listen)
    request = struct.pack("=IHHII", 16 + len(request), by_family, dump, 1, 0) + request
    ports = {}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4) as diag:
        diag.send(request)
        while True:
            answer = diag.recv(1 << 16)
            while answer:
                length, kind = struct.unpack_from("=IH", answer)
                if kind != by_family:   # NLMSG_DONE, NLMSG_ERROR
                    return ports
                port, = struct.unpack_from("!H", answer, 16 + 4)
                ports[port], = struct.unpack_from("=I", answer, 16 + 60)   # idiag_wqueue
                answer = answer[(length + 3) & ~3:]


def is_listening_unix(path, network="/proc/net"):
    with open(network + "/unix") as table:
        for line in table:
            fields = line.split()
            if len(fields) == 8 and fields[7] == path and int(fields[3], 16) & 0x10000:
                return True
    return False


# --- one case ---------------------------------------------------------------

class Case:
    """What a running case may use. Objects it hands out end with the case."""

    def __init__(self, name, scratch):
        self.name = name
        self.scratch = scratch
        self._undo = []

    def path(self, *parts):
        return os.path.join(self.scratch, *parts)

    def write(self, name, content, mode=0o644):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as out:
            out.write(content if isinstance(content, bytes) else content.encode())
        os.chmod(path, mode)
        return path

    def at_end(self, function):
        self._undo.append(function)

    def finish(self):
        """Undoes everything, newest first; returns what went wrong in it."""
        problems = []
        while self._undo:
            try:
                self._undo.pop()()
            except Stopped:
                raise
            except Exception as error:  # noqa: keep undoing
                problems.append(str(error) or traceback.format_exc())
        return problems


def _run(func, scratch):
    """Runs one case. Returns (state, text)."""
    if func.needs_root and os.geteuid() != 0:
        return "skip", "needs root"
    if func.skip_reason:
        return "skip", func.skip_reason
    os.mkdir(scratch)
    os.chmod(scratch, 0o755)
    t = Case(func.__name__, scratch)
    state, text = "ok", ""
    try:
        func(t)
    except Skip as why:
        state, text = "skip", str(why)
    except Stopped:
        t.finish()
        raise
    except Exception as error:  # noqa: every failure is a result
        where = traceback.extract_tb(error.__traceback__)
        here = [f for f in where if os.path.dirname(f.filename) == TESTS_DIR] or where
        state = "fail"
        text = "%s: %s\nat %s:%d: %s" % (type(error).__name__, error, here[-1].filename,
                                         here[-1].lineno, here[-1].line)
        if not isinstance(error, AssertionError):
            text += "\n" + traceback.format_exc()
    for problem in t.finish():
        state = "fail"
        text += ("\n" if text else "") + "at the end of the case: " + problem
    if state == "fail":
        text += logs_of(scratch)
    return state, text


def logs_of(scratch, lines=25):
    """The last lines of every log in a scratch directory, for a failure."""
    text = ""
    for folder, _, names in os.walk(scratch):
        for name in sorted(names):
            if not name.endswith((".err", ".out", ".log")):
                continue
            with open(os.path.join(folder, name), "rb") as log:
                content = log.read().decode("utf-8", "backslashreplace").splitlines()
            if content:
                text += "\n--- %s\n%s" % (name, "\n".join(line[:250] for line in content[-lines:]))
    return text


def _on_term(_signum, _frame):
    raise Stopped()


def _catch_what_is_ignored():
    """A shell starts what is in the background with INT ignored, nohup with HUP, and
    every program under test would inherit that: a signal in the first moment of its
    start, before it blocks them, would be lost. One that is caught here has its
    default there, and does as little here as before."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


def main():
    """Runs the cases of the calling program; arguments choose some by name."""
    signal.signal(signal.SIGTERM, _on_term)
    _catch_what_is_ignored()
    wanted = sys.argv[1:]
    chosen = [c for c in _cases if not wanted or any(w in c.__name__ for w in wanted)]
    base = tempfile.mkdtemp(prefix="t.", dir=os.environ.get("ESETS_SCRATCH"))
    os.chmod(base, 0o755)
    counts = {"ok": 0, "fail": 0, "skip": 0}
    print("1..%d" % len(chosen))
    try:
        for number, func in enumerate(chosen, 1):
            started = time.monotonic()
            state, text = _run(func, os.path.join(base, "c%d" % number))
            took = time.monotonic() - started
            counts[state] += 1
            if state == "fail":
                print("not ok %d - %s (%.2f s)" % (number, func.__name__, took))
                print("\n".join("# " + line for line in text.splitlines()))
            elif state == "skip":
                print("ok %d - %s # SKIP %s" % (number, func.__name__, text))
            else:
                print("ok %d - %s (%.2f s)" % (number, func.__name__, took))
            sys.stdout.flush()
            if state != "fail" and not os.environ.get("ESETS_KEEP"):
                shutil.rmtree(os.path.join(base, "c%d" % number), ignore_errors=True)
    finally:
        if os.environ.get("ESETS_KEEP"):
            print("# scratch kept in %s" % base)
        else:
            shutil.rmtree(base, ignore_errors=True)
    if counts["fail"]:
        sys.exit(1)
    sys.exit(SKIPPED if counts["skip"] == len(chosen) and chosen else 0)
