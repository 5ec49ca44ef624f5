"""Latency, slow company, growth, the builtin engine, a real clamd."""

import base64
import os
import shutil
import subprocess

from filters import (ClamsmtpForced, Direct, Esets, HAProxy, Amavisd, USER, esets_variant)
from measure import Failed, Held, Stage, cpu_seconds, end_process, wait_until
from report import Table
from throughput import complain, cpu, median, parts, rate

MIB = 1 << 20
PACED = 200


def present(*filters):
    return [flt for flt in filters if not flt.missing()]


def interleaved(stage, rounds, *options):
    """filter name -> runs."""
    runs = {flt.name: [] for flt in stage.filters}
    for turn in range(rounds):
        shift = turn % len(stage.filters)
        for flt in stage.filters[shift:] + stage.filters[:shift]:
            runs[flt.name].append(stage.run(flt, *options, "-S", turn + 1))
    return runs


def latency(args, tools):
    out = Table("Latency of 4 KiB messages, %d/s, one per connection, ms (connect to 250)" % PACED,
                ["", "p50", "p99", "p99.9", "p50 added", "p99 added"])
    peers = present(ClamsmtpForced, Amavisd) if args.long else []
    with Stage(tools, present(Direct, HAProxy, Esets, *peers)) as stage:
        runs = interleaved(stage, args.rounds, "-c", 200, "-r", PACED, "-s", 4096,
                           "-t", args.seconds * 2)
    direct = {key: median(runs["direct"], lambda r: r[key]) for key in ("p50", "p99")}
    for name, mine in runs.items():
        p50, p99, p999 = (median(mine, lambda r: r[key]) for key in ("p50", "p99", "p99.9"))
        added = (p50 - direct["p50"], p99 - direct["p99"]) if name != "direct" else (None, None)
        out.add(name, p50, p99, p999, *added)
        complain(out, name, mine)
    return [out]


def slow(args, tools):
    """Rates with and without clients that drip into their messages, in turn."""
    count = 2000
    out = Table("Company of %d clients that drip 32 octets a second: messages/s" % count,
                ["", "alone", "with them", "ratio"])
    with Stage(tools, present(HAProxy, Esets)) as stage:
        for clients in (1, 20):
            options = ["-c", clients, "-m", 100, "-s", 4096, "-t", args.seconds]
            for flt in stage.filters:
                alone, company = [], []
                for _ in range(args.rounds):
                    alone.append(stage.run(flt, *options))
                    with Held(tools, flt.port, "-D", "-c", count) as held:
                        company.append(stage.run(flt, *options))
                        if held.ready["ready"] != count:
                            out.notes.append("%s: only %d drip" % (flt.name, held.ready["ready"]))
                a, b = median(alone, rate), median(company, rate)
                out.add("%s, %d fast" % (flt.name, clients), a, b, out.ratio(b, a))
                complain(out, flt.name, alone + company)
    return [out]


def by_sessions(args, tools):
    out = Table("CPU ms per 4 KiB message by sessions at once (10 messages per connection)",
                ["sessions", "haproxy", "esets_smtp", "of it", "messages/s"])
    with Stage(tools, present(HAProxy, Esets)) as stage:
        for count in (1, 20, 200, 2000):
            runs = interleaved(stage, args.rounds, "-c", count, "-m", 10, "-s", 4096,
                               "-t", args.seconds)
            mine = runs["esets_smtp"]
            out.add(str(count), median(runs.get("haproxy", []), cpu), median(mine, cpu),
                    parts(mine), median(mine, rate))
            for name in runs:
                complain(out, name, runs[name], "%s, %d sessions" % (name, count))
    return out


def by_size(args, tools):
    out = Table("CPU ms per MiB by size of the message (base64 attachment, 2 connections)",
                ["KiB", "haproxy", "esets_smtp", "of it", "MiB/s"])
    with Stage(tools, present(HAProxy, Esets)) as stage:
        for kib in (100, 1024, 10240, 102400):
            mib = kib / 1024
            runs = interleaved(stage, args.rounds if kib < 102400 else 1, "-c", 2, "-m", 10, "-s",
                               kib * 1024, "-x", "mime", "-t", args.seconds)
            mine = runs["esets_smtp"]
            for run in mine:
                run["cpu"] = {name: ms / mib for name, ms in run["cpu"].items()}
            base = median(runs.get("haproxy", []), cpu)
            out.add(str(kib), base / mib if base is not None else None, median(mine, cpu),
                    parts(mine), median(mine, rate) * mib)
            for name in runs:
                complain(out, name, runs[name], "%s, %d KiB" % (name, kib))
    return out


def by_threads(args, tools):
    out = Table("Threads and processes of agent and daemon: 4 KiB, 10 messages per connection",
                ["num_proc x num_thrd of both", "messages/s", "CPU ms/message", "of it"])
    made = []
    for procs, threads in ((1, 1), (1, 2), (1, 4), (2, 1), (4, 1)):
        options = {"num_proc": procs, "num_thrd": threads}
        made.append(esets_variant("esets_smtp %d x %d" % (procs, threads), options, options))
    with Stage(tools, made) as stage:
        runs = interleaved(stage, args.rounds, "-c", 20, "-m", 10, "-s", 4096, "-t", args.seconds)
    for name, mine in runs.items():
        out.add(name, median(mine, rate), median(mine, cpu), parts(mine))
        complain(out, name, mine)
    return out


def growth(args, tools):
    return [by_sessions(args, tools), by_size(args, tools), by_threads(args, tools)]


def write_message(path, mib):
    """A mail with an attachment, of so many MiB as it stands there."""
    lines = mib * MIB // 77
    with open(path, "wb") as out:
        out.write(b"From: a@bench.example\nTo: b@bench.example\nSubject: %d MiB\n"
                  b"MIME-Version: 1.0\nContent-Type: application/octet-stream; name=data.bin\n"
                  b"Content-Transfer-Encoding: base64\n\n" % mib)
        while lines > 0:
            now = min(lines, 13797)     # a MiB
            out.write(base64.encodebytes(os.urandom(57 * now)))
            lines -= now


def engine_rate(tools, flt, message, times):
    """MB that the daemon reads for each second of its CPU time."""
    path = "/proc/self/fd/%d" % message.fileno()
    before = cpu_seconds(flt.processes["daemon"].pid)
    done = subprocess.run([tools.program("esets_scan"), "-c", flt.config, *[path] * times],
                          pass_fds=[message.fileno()], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    used = cpu_seconds(flt.processes["daemon"].pid) - before
    if done.returncode != 0:
        raise Failed("esets_scan: status %d: %s" % (done.returncode, done.stdout[-400:]))
    return os.fstat(message.fileno()).st_size * times / 1e6 / used


def engine(args, tools):
    """The daemon's CPU time for scans of files, which no session adds to: of one
    without a name, as the agent's spool, and of one that the daemon has to copy."""
    out = Table("Builtin engine: a message with one base64 attachment, decoded and hashed",
                ["MiB", "MB a CPU second of the daemon", "of a file with a name"])
    with Stage(tools, [Esets]) as stage:
        for mib in (1, 10, 50):
            path = os.path.join(tools.scratch, "message")
            write_message(path, mib)
            if os.geteuid() == 0:
                shutil.chown(path, USER)
            times = max(1, int(args.seconds * 200) // mib)
            with open(path, "rb") as message:
                named = engine_rate(tools, stage.filters[0], message, times)
                os.unlink(path)
                out.add(str(mib), engine_rate(tools, stage.filters[0], message, times), named)
    return [out]


class Clamd:
    """A private clamd with one signature."""

    program = "/usr/sbin/clamd"

    def __init__(self, tools):
        self.dir = os.path.join(tools.scratch, "clamd")
        os.makedirs(os.path.join(self.dir, "db"))
        if os.geteuid() == 0:
            shutil.chown(self.dir, USER)
        self.path = os.path.join(self.dir, "sock")
        with open(os.path.join(self.dir, "db", "bench.hdb"), "w") as db:
            db.write("%s:%d:Bench.Test\n" % ("0" * 31 + "1", 12345))
        config = os.path.join(self.dir, "clamd.conf")
        with open(config, "w") as out:
            out.write("DatabaseDirectory %s/db\nLocalSocket %s\nLocalSocketMode 666\n%s"
                      "Foreground yes\nMaxThreads 12\nMaxQueue 200\nStreamMaxLength 100M\n"
                      "LogFile %s/log\nMaxFileSize 100M\nMaxScanSize 400M\n"
                      % (self.dir, self.path, "User root\n" if os.geteuid() == 0 else "",
                         self.dir))
        self.popen = subprocess.Popen([self.program, "-c", config], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL)
        wait_until(lambda: os.path.exists(self.path), 60, "clamd to listen")

    def stop(self):
        end_process(self.popen)


def clamd(args, tools):
    """Everything but clamd: esets_smtp with it behind, and clamsmtp."""
    out = Table("With a real clamd: CPU ms per message without clamd's",
                ["", "4 KiB", "x clamsmtp", "10 MiB", "x clamsmtp"])
    if not os.access(Clamd.program, os.X_OK):
        out.notes.append("clamav-daemon is not installed")
        return [out]
    server = Clamd(tools)
    try:
        made = [esets_variant("esets_smtp", glob={"av_engines": '"clamd"',
                                                  "clamd_addr": '"%s"' % server.path})]
        if not ClamsmtpForced.missing():
            made.append(lambda tools, out: ClamsmtpForced(tools, out, server.path))
        with Stage(tools, made) as stage:
            small = interleaved(stage, args.rounds, "-c", 10, "-m", 100, "-s", 4096,
                                "-t", args.seconds)
            big = interleaved(stage, args.rounds, "-c", 4, "-m", 10, "-s", 10 * MIB, "-x", "mime",
                              "-t", args.seconds)
    finally:
        server.stop()
    peer = ClamsmtpForced.name
    for name in small:
        cells = []
        for runs in (small, big):
            used = median(runs[name], cpu)
            cells += [used, out.ratio(used, median(runs.get(peer, []), cpu))]
            complain(out, name, runs[name])
        out.add(name, *cells)
        if len(small[name][0]["cpu"]) > 1:
            out.notes.append("%s: 4 KiB %s; 10 MiB %s" % (name, parts(small[name]),
                                                          parts(big[name])))
    return [out]


def users(args, tools):
    done = subprocess.run([tools.program("bench_users")], stdout=subprocess.PIPE, text=True,
                          check=True)
    out = Table("User specific configuration", ["sections"])
    out.rows = []
    out.notes = done.stdout.splitlines()
    return [out]
