"""Memory: at the start, per session, for a large message, for signatures."""

import os
import re
import resource
import time

from filters import Esets, HAProxy, esets_variant
from measure import Held, Stage, memory_kib, tree, wait_until
from report import Table

SIGNATURES = 5000000
MIB = 1 << 20


def sessions_max():
    """Ten thousand, or as many as the limit of descriptors lets one process have."""
    return min(10000, (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 600) // 2)


def open_files(pid):
    return sum(len(os.listdir("/proc/%d/fd" % member)) for member in tree(pid))


def start(args, tools):
    out = Table("Resident memory after the start, MiB",
                ["", "agent Rss", "daemon Rss", "together", "Pss together"])
    with Stage(tools, [esets_variant("esets_smtp", signatures=0)]) as stage:
        processes = stage.filters[0].processes
        rss = {name: memory_kib(popen.pid, "Rss") / 1024 for name, popen in processes.items()}
        pss = sum(memory_kib(popen.pid) for popen in processes.values()) / 1024
        out.add("no signatures", rss["agent"], rss["daemon"], sum(rss.values()), pss)
    return out


def idle(args, tools):
    count = sessions_max()
    out = Table("Memory of %d idle sessions, EHLO done on both sides" % count,
                ["", "Pss KiB before", "with them", "KiB/session", "after they have gone"])
    with Stage(tools, [HAProxy, Esets] if not HAProxy.missing() else [Esets]) as stage:
        for flt in stage.filters:
            process = flt.processes.get("agent") or flt.processes["haproxy"]
            tools.gen(flt.port, "-n", 1000)
            before = memory_kib(process.pid)
            files = open_files(process.pid)
            with Held(tools, flt.port, "-I", "-c", count) as held:
                ready = held.ready["ready"]
                within = memory_kib(process.pid)
            wait_until(lambda: open_files(process.pid) <= files, 30, "sessions to end")
            time.sleep(2)          # for whoever gives memory back late
            after = memory_kib(process.pid)
            out.add(flt.name, before, within, (within - before) / max(ready, 1), after)
            if ready != count:
                out.notes.append("%s: only %d sessions came about" % (flt.name, ready))
    return out


def peak_kib(pids):
    total = 0
    for pid in pids:
        with open("/proc/%d/status" % pid) as status:
            total += int(re.search(r"VmHWM:\s+(\d+)", status.read()).group(1))
    return total


def reset_peak(pids):
    for pid in pids:
        with open("/proc/%d/clear_refs" % pid, "w") as clear:
            clear.write("5")


def large(args, tools):
    out = Table("Peak of resident memory while a 50 MiB message passes, MiB more than before",
                ["", "agent", "daemon"])
    with Stage(tools, [Esets]) as stage:
        flt = stage.filters[0]
        for label, count in (("1 message", 1), ("4 at once", 4)):
            pids = {name: tree(popen.pid) for name, popen in flt.processes.items()}
            before = {}
            for name in pids:
                reset_peak(pids[name])
                before[name] = peak_kib(pids[name])
            result = stage.run(flt, "-c", count, "-n", count, "-s", 50 * MIB, "-x", "mime")
            out.add(label, *((peak_kib(pids[name]) - before[name]) / 1024
                             for name in ("agent", "daemon")))
            out.notes += result["wrong"]
    out.notes.append("pages of the spool's file that are mapped count too")
    return out


def memory(args, tools):
    return [start(args, tools), idle(args, tools), large(args, tools)]


def signatures(args, tools):
    """The start of the daemon with many signatures, and its memory."""
    out = Table("%d SHA-256 signatures" % SIGNATURES,
                ["", "seconds to the first verdict", "of it loading",
                 "Pss MiB of all daemon processes"])
    for procs in (1, 4):
        empty, _ = first_verdict(tools, procs, 1)
        full, pss = first_verdict(tools, procs, SIGNATURES)
        out.add("num_proc = %d" % procs, full, full - empty, pss / 1024)
    return [out]


def first_verdict(tools, procs, signatures_count):
    """Seconds from the start to the first message through; Pss KiB of the daemon
    later. Writing the file of signatures does not count."""
    make = esets_variant("esets_smtp", glob={"num_proc": procs}, signatures=signatures_count)

    class Timed(make):
        def write_signatures(self, path):
            super().write_signatures(path)
            self.began = time.monotonic()

    with Stage(tools, [Timed]) as stage:
        flt = stage.filters[0]
        wait_until(lambda: stage.run(flt, "-c", 1, "-n", 1)["messages"] == 1, 120, "a verdict")
        seconds = time.monotonic() - flt.began
        stage.run(flt, "-c", 20, "-n", 500)
        pss = memory_kib(flt.processes["daemon"].pid)
    return seconds, pss
