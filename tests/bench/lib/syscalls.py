"""System calls and context switches per message, of agent and daemon apart."""

import os
import re
import shutil
import signal
import subprocess

from filters import Esets
from measure import Failed, Stage, tree, wait_until
from report import Table

LOADS = [
    ("4 KiB, 1 message per connection", 1000, ["-c", 20, "-m", 1, "-s", 4096]),
    ("4 KiB, 100 messages per connection", 2000, ["-c", 20, "-m", 100, "-s", 4096]),
    ("4 KiB, 100 per connection, pipelining", 2000, ["-c", 20, "-m", 100, "-s", 4096, "-p"]),
    ("10 MiB, 4 connections", 40, ["-c", 4, "-m", 10, "-s", 10 << 20, "-x", "mime"]),
]


def status_files(pid):
    for member in tree(pid):
        for task in os.listdir("/proc/%d/task" % member):
            yield "/proc/%d/task/%s/status" % (member, task)


def status_sum(pid, pattern):
    """Of all numbers that the pattern finds in the status of each thread."""
    total = 0
    for path in status_files(pid):
        with open(path) as status:
            total += sum(map(int, re.findall(pattern, status.read())))
    return total


def is_traced(pid):
    for path in status_files(pid):
        with open(path) as status:
            if "\nTracerPid:\t0\n" in status.read():
                return False
    return True


class Trace:
    """strace -c on a process and its descendants, for the time of a with block."""

    def __init__(self, pid, path):
        self.path = path
        attach = [word for member in tree(pid) for word in ("-p", str(member))]
        self.popen = subprocess.Popen(["strace", "-f", "-c", "-o", path, *attach],
                                      stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: is_traced(pid) or self.popen.poll() is not None, 20, "strace")
        if self.popen.poll() is not None:
            raise Failed("strace may not trace here")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.popen.send_signal(signal.SIGINT)
        self.popen.wait()

    def calls(self):
        """name -> count, from lines: share, seconds, usecs/call, calls, errors, name."""
        found = {}
        with open(self.path) as out:
            for line in out:
                words = line.split()
                if len(words) >= 5 and re.match(r"[\d.]+$", words[0]) and words[-1] != "total":
                    found[words[-1]] = int(words[3])
        return found


def one_load(stage, flt, what, count, options):
    out = Table("System calls per message: " + what, ["", "agent", "daemon"])
    switches = r"ctxt_switches:\s+(\d+)"
    pids = {name: flt.processes[name].pid for name in ("agent", "daemon")}
    before = {name: status_sum(pid, switches) for name, pid in pids.items()}
    stage.run(flt, "-n", count, *options)
    after = {name: status_sum(pid, switches) for name, pid in pids.items()}
    traces = {name: Trace(pid, os.path.join(flt.dir, name + ".strace"))
              for name, pid in pids.items()}
    with traces["agent"], traces["daemon"]:
        result = stage.run(flt, "-n", count, *options)
    calls = {name: trace.calls() for name, trace in traces.items()}
    out.add("all", *(sum(calls[name].values()) / count for name in pids))
    names = sorted(set(calls["agent"]) | set(calls["daemon"]),
                   key=lambda call: -sum(calls[name].get(call, 0) for name in pids))
    for call in names:
        each = [calls[name].get(call, 0) / count for name in pids]
        if sum(each) >= 0.01:
            out.add("  " + call, *each)
    out.add("context switches", *((after[name] - before[name]) / count for name in pids))
    out.notes += result["wrong"] + ["context switches are those of a run without strace"]
    return out


def syscalls(args, tools):
    if shutil.which("strace") is None:
        raise Failed("strace is not installed")
    with Stage(tools, [Esets]) as stage:
        return [one_load(stage, stage.filters[0], *load) for load in LOADS]
