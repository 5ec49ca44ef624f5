"""Rate and CPU per message of the filters, in interleaved rounds."""

import statistics

from report import Table, number

OURS = ("esets_smtp", "haproxy", "direct")
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


def median(runs, value):
    return statistics.median(map(value, runs)) if runs else None


def rate(run):
    return run["rate"]


def cpu(run):
    return sum(run["cpu"].values())


def measure(stage, scenarios, rounds, seconds, progress):
    """(scenario, filter) -> runs. rounds(flt): how many it takes part in. The
    order changes from round to round."""
    runs = {}
    for name, _, options in scenarios:
        for turn in range(max(map(rounds, stage.filters))):
            shift = turn % len(stage.filters)
            for flt in stage.filters[shift:] + stage.filters[:shift]:
                if turn < rounds(flt) and flt.takes(name):
                    run = stage.run(flt, *options, "-t", seconds, "-S", turn + 1)
                    runs.setdefault((name, flt.name), []).append(run)
                    progress("%s, %s: %s/s%s" % (name, flt.name, number(run["rate"]),
                                                 "".join("; " + w for w in run["wrong"])))
    return runs


def complain(table, flt, runs, label=""):
    """Notes what was wrong with the mail. What other filters lose is no failure
    of the benchmark."""
    for wrong in sorted({w for run in runs for w in run["wrong"]}):
        table.notes.append("%s: %s" % (label or flt, wrong))
        table.is_wrong = table.is_wrong or flt.startswith(OURS)


def parts(runs):
    """CPU of each process apart, where there are several."""
    names = list(runs[0]["cpu"])
    if len(names) < 2:
        return ""
    return ", ".join("%s %s" % (name, number(median(runs, lambda r: r["cpu"][name])))
                     for name in names)


def table(runs, filters, scenario, reference="haproxy"):
    name, what, options = scenario
    out = Table(what, ["", "messages/s", "x " + reference, "CPU ms/message", "x " + reference,
                       "of it", "p50 ms", "p99 ms"])
    base = runs.get((name, reference), [])
    for flt in filters:
        mine = runs.get((name, flt.name), [])
        if not mine:
            continue
        used = median(mine, cpu)
        out.add(flt.name, median(mine, rate), out.ratio(median(mine, rate), median(base, rate)),
                used or None, out.ratio(used or None, median(base, cpu)), parts(mine),
                median(mine, lambda r: r["p50"]), median(mine, lambda r: r["p99"]))
        complain(out, flt.name, mine)
        if "-p" in options and not all(run["pipelined"] for run in mine):
            out.notes.append("%s does not offer PIPELINING" % flt.name)
    return out
