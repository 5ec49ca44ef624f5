"""Generator, sink, processes and what they use."""

import json
import os
import re
import signal
import subprocess
import time

from harness import free_port

TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """The benchmark cannot go on; the text says why."""


class Tools:
    """The C programs, the build they come from and a scratch directory."""

    def __init__(self, build, scratch):
        self.build = build
        self.scratch = scratch

    def program(self, name):
        """esets_smtp and so on, or one of tests/bench."""
        for path in (os.path.join(self.build, name), os.path.join(self.build, "tests/bench", name)):
            if os.access(path, os.X_OK):
                return path
        raise Failed("%s is not in %s" % (name, self.build))

    def gen(self, port, *options):
        """Runs the generator to its end; returns what it says."""
        done = subprocess.run([self.program("gen"), *map(str, options), str(port)],
                              stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        if not done.stdout:
            raise Failed("gen %s: status %d" % (options, done.returncode))
        return json.loads(done.stdout)


def wait_until(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Failed("waited %g s for %s" % (seconds, what))
        time.sleep(0.02)


def is_gone(popen):
    return popen.poll() is not None


def end_process(popen, seconds=15):
    """TERM, then KILL, to one process that was started here."""
    if popen.poll() is None:
        popen.terminate()
        try:
            popen.wait(seconds)
        except subprocess.TimeoutExpired:
            for pid in tree(popen.pid):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            popen.wait()


class Sink:
    """The SMTP server behind the filters."""

    def __init__(self, tools, port, *options):
        self.port = port
        self.popen = subprocess.Popen([tools.program("sink"), *options, str(port)],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        if self.popen.stdout.readline() != "ready\n":
            raise Failed("the sink does not start")

    def report(self):
        """What came since the last report."""
        self.popen.send_signal(signal.SIGUSR1)
        return json.loads(self.popen.stdout.readline())

    def stop(self):
        end_process(self.popen)
        self.popen.stdout.close()


class Held:
    """A generator that holds sessions (-I, -D) for the time of a with block."""

    def __init__(self, tools, port, *options):
        self.popen = subprocess.Popen([tools.program("gen"), *map(str, options), str(port)],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ready = json.loads(self.popen.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.popen.stdin.close()
        self.popen.stdout.read()
        self.popen.stdout.close()
        self.popen.wait()


class Stage:
    """A sink and started filters before it, for the time of a with block."""

    def __init__(self, tools, filters):
        self.tools = tools
        self.sink = Sink(tools, free_port())
        self.runs = 0
        self.filters = [make(tools, self.sink.port) for make in filters]

    def __enter__(self):
        try:
            for flt in self.filters:
                flt.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc):
        for flt in self.filters:
            flt.stop()
        self.sink.stop()

    def run(self, flt, *options):
        """One measurement: what the generator says, with CPU ms per message of
        each process, and what is wrong: mail lost, changed, doubled."""
        self.sink.report()
        before = flt.cpu()
        self.runs += 1
        result = self.tools.gen(flt.port, "-w", flt.stall, "-R", self.runs, *options)
        time.sleep(0.1)        # ends of sessions cost too
        after = flt.cpu()
        got = self.sink.report()
        count = max(result["messages"], 1)
        result["cpu"] = {name: (after[name] - before[name]) * 1000 / count for name in after}
        result["wrong"] = complaints(result, got)
        return result


def complaints(sent, got):
    wrong = []
    if sent["failed"]:
        wrong.append("%d not taken: %s" % (sent["failed"], sent["error"]))
    if got["messages"] != sent["messages"]:
        wrong.append("%d taken, %d arrived" % (sent["messages"], got["messages"]))
    return wrong + ["%d %s" % (got[word], word) for word in ("changed", "twice") if got[word]]


def tree(pid):
    """A process and all that descend from it."""
    pids = [pid]
    for parent in pids:
        try:
            for task in os.listdir("/proc/%d/task" % parent):
                with open("/proc/%d/task/%s/children" % (parent, task)) as children:
                    pids += [int(child) for child in children.read().split()]
        except OSError:
            pass
    return pids


def cpu_seconds(pid):
    """User and system time of a process, of what descends from it, and of all
    of these that have ended."""
    ticks = 0
    for member in tree(pid):
        try:
            with open("/proc/%d/stat" % member) as stat:
                ticks += sum(map(int, stat.read().rsplit(")", 1)[1].split()[11:15]))
        except OSError:
            pass
    return ticks / TICKS


def memory_kib(pid, field="Pss"):
    """Pss or Rss of a process and what descends from it."""
    kib = 0
    for member in tree(pid):
        try:
            with open("/proc/%d/smaps_rollup" % member) as rollup:
                kib += int(re.search(r"(?m)^%s:\s+(\d+)" % field, rollup.read()).group(1))
        except (OSError, AttributeError):
            pass
    return kib
