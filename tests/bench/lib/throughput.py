"""Rate and CPU per message of the filters, in interleaved rounds."""

import statistics
import time

from report import Table, number

MANY = ["-c", 20, "-m", 100]

# name, what it is, options of the generator
SCENARIOS = [
    ("one", "4 KiB, 1 message per connection", ["-c", 20, "-m", 1, "-s", 4096]),
    ("many", "4 KiB, 100 messages per connection", MANY + ["-s", 4096]),
    ("pipelining", "4 KiB, 100 per connection, pipelining", MANY + ["-s", 4096, "-p"]),
    ("mixed", "1 KiB to 1 MiB, base64 attachments", MANY + ["-s", "1024-1048576", "-x", "mime"]),
    ("large", "10 MiB, base64 attachment, 4 connections",
     ["-c", 4, "-m", 10, "-s", 10 << 20, "-x", "mime"]),
]


def one_run(tools, sink, flt, options):
    """One measurement: rate, CPU ms per message of each process, complaints."""
    sink.report()
    before = flt.cpu()
    result = tools.gen(flt.port, *options)
    time.sleep(0.1)        # ends of sessions, which cost too
    after = flt.cpu()
    got = sink.report()
    wrong = []
    if result["failed"]:
        wrong.append("%d failed: %s" % (result["failed"], result["error"]))
    if got["messages"] != result["messages"]:
        wrong.append("%d sent, %d arrived" % (result["messages"], got["messages"]))
    for word in ("changed", "twice"):
        if got[word]:
            wrong.append("%d %s" % (got[word], word))
    count = max(result["messages"], 1)
    return {"rate": result["rate"], "p50": result["p50"], "p99": result["p99"],
            "cpu": {name: (after[name] - before[name]) * 1000 / count for name in after},
            "wrong": wrong}


def median(runs, value):
    return statistics.median(map(value, runs)) if runs else None


def total(run):
    return sum(run["cpu"].values())


def measure(tools, sink, filters, scenarios, rounds, seconds, progress):
    """(scenario, filter) -> runs. rounds(flt): how many it takes part in."""
    runs = {}
    for name, what, options in scenarios:
        for turn in range(max(map(rounds, filters))):
            shift = turn % len(filters)
            for flt in filters[shift:] + filters[:shift]:
                if turn < rounds(flt) and flt.takes(name):
                    run = one_run(tools, sink, flt, options + ["-t", seconds, "-S", turn + 1])
                    runs.setdefault((name, flt.name), []).append(run)
                    progress("%s, %s: %s/s%s" % (name, flt.name, number(run["rate"]),
                                                 "".join("; " + w for w in run["wrong"])))
    return runs


def table(runs, filters, scenario, reference="haproxy"):
    name, what, _ = scenario
    out = Table(what, ["", "messages/s", "x " + reference, "CPU ms/message", "x " + reference,
                       "of it", "p50 ms", "p99 ms"])
    base = runs.get((name, reference), [])
    base_rate, base_cpu = median(base, lambda r: r["rate"]), median(base, total)
    for flt in filters:
        mine = runs.get((name, flt.name), [])
        if not mine:
            continue
        rate, cpu = median(mine, lambda r: r["rate"]), median(mine, total) or None
        parts = ", ".join("%s %s" % (part, number(median(mine, lambda r: r["cpu"][part])))
                          for part in mine[0]["cpu"]) if len(mine[0]["cpu"]) > 1 else ""
        out.add(flt.name, rate, rate / base_rate if base_rate else None, cpu,
                cpu / base_cpu if cpu and base_cpu else None, parts,
                median(mine, lambda r: r["p50"]), median(mine, lambda r: r["p99"]))
        wrong = sorted({w for run in mine for w in run["wrong"]})
        out.notes += ["%s: %s" % (flt.name, w) for w in wrong]
    return out
