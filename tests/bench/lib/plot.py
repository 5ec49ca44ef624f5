"""One picture of a throughput run: rate and CPU of each filter over HAProxy's."""

import os
import shutil
import subprocess

from throughput import cpu, median, rate

SCRIPT = """set terminal svg size 1000,760 font "sans,13" background "white"
set output "%(svg)s"
set multiplot layout 2,1
set style data histogram
set style histogram clustered gap 1.5
set style fill solid 0.85 noborder
set grid y
set logscale y
set format y "%%g"
set key outside right top
set lmargin 9
set rmargin 36
set xtics scale 0
set title "messages per second, HAProxy = 1 (more is better)"
plot %(rates)s
unset key
set title "CPU per message, HAProxy = 1 (less is better)"
plot %(cpus)s
"""


def data(path, runs, scenarios, filters, value, reference):
    """A line for each scenario, a column for each filter; "?" is no value."""
    with open(path, "w") as out:
        for name, _, _ in scenarios:
            base = median(runs.get((name, reference), []), value)
            cells = [median(runs.get((name, flt.name), []), value) for flt in filters]
            out.write(" ".join([name] + ["%g" % (x / base) if x and base else "?"
                                         for x in cells]) + "\n")


def columns(path, filters):
    """What to plot of such a file. Colours stay with the filters."""
    return ", ".join('"%s" using %d:xtic(1) linetype %d title "%s" noenhanced'
                     % (path, i + 2, i + 1, flt.name) for i, flt in enumerate(filters)
                     if flt.processes or path.endswith("rates.dat"))


def draw(runs, scenarios, filters, directory, reference="haproxy"):
    """Writes throughput.svg; returns its path, or None without gnuplot."""
    if shutil.which("gnuplot") is None:
        return None
    svg = os.path.join(directory, "throughput.svg")
    paths = {}
    for name, value in (("rates", rate), ("cpus", cpu)):
        path = os.path.join(directory, "throughput-%s.dat" % name)
        data(path, runs, scenarios, filters, value, reference)
        paths[name] = columns(path, filters)
    script = SCRIPT % dict(paths, svg=svg)
    subprocess.run(["gnuplot"], input=script, text=True, check=True)
    return svg
