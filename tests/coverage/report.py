#!/usr/bin/python3
"""Line coverage of src from gcov's counters, as a table, with what is below target.

  report.py --source TOP --build DIR [--counters DIR] [--save FILE | --unit FILE]

--source    the sources that the build was made of
--build     where the objects are (built with --enable-coverage, by gcc)
--counters  trees of further counters, one for each user (see flush.c)
--save      write the lines seen so far to FILE, for a later --unit; print nothing
--unit      what unit tests alone had reached: src/mail, src/conf and src/scan
            are measured by that, all of src by everything

A line counts as reached when any process that wrote its counters has executed it.
Exit status 1 when a figure is below its target."""

import argparse
import glob
import json
import os
import subprocess
import sys
import tempfile

UNIT_FOLDERS = ("mail", "conf", "scan")
UNIT_TARGET = 95.0
ALL_TARGET = 85.0


def count_files(top, build):
    """Counters below top, by the object they belong to (its path in the build)."""
    inside = os.path.realpath(build)
    for prefix in [build] + sorted(glob.glob(os.path.join(top, "*") + inside) if top else []):
        for path in glob.glob(os.path.join(prefix, "src", "*", "*.gcda")):
            yield os.path.relpath(path, prefix), path


def gcov(notes, counters):
    """What gcov says of pairs of notes and counters (or None: nothing executed)."""
    with tempfile.TemporaryDirectory() as room:
        for number, (note, count) in enumerate(zip(notes, counters)):
            os.symlink(note, os.path.join(room, "%d.gcno" % number))
            if count:
                os.symlink(count, os.path.join(room, "%d.gcda" % number))
        names = ["%d.gcno" % number for number in range(len(notes))]
        done = subprocess.run(["gcov", "--json-format", "--stdout", *names], cwd=room,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line.strip()]


def lines_reached(source, build, counters):
    """{file: {line: was it executed}} for all of src."""
    notes, counts = [], []
    for note in sorted(glob.glob(os.path.join(build, "src", "*", "*.gcno"))):
        notes.append(os.path.abspath(note))
        counts.append(None)   # so that what never ran is counted
    for name, path in count_files(counters, build):
        notes.append(os.path.abspath(os.path.join(build, name[:-len("gcda")] + "gcno")))
        counts.append(os.path.abspath(path))
    reached = {}
    for entry in gcov(notes, counts):
        where = entry["current_working_directory"]
        for file in entry["files"]:
            name = os.path.relpath(os.path.join(where, file["file"]), source)
            if name.startswith("src" + os.sep):
                seen = reached.setdefault(name, {})
                for line in file["lines"]:
                    number = line["line_number"]
                    seen[number] = seen.get(number, False) or line["count"] > 0
    return reached


def share(files):
    total = sum(len(lines) for lines in files)
    hit = sum(sum(lines.values()) for lines in files)
    return hit, total, 100.0 * hit / total if total else 0.0


def missed(lines):
    """The lines that were not executed, as ranges; lines without code do not part them."""
    ranges, start, last = [], None, None
    for number in sorted(lines) + [None]:
        if number is not None and not lines[number]:
            start = number if start is None else start
            last = number
        elif start is not None:
            ranges.append("%d" % start if start == last else "%d-%d" % (start, last))
            start = None
    return " ".join(ranges)


def in_folder(reached, folder):
    return {name: lines for name, lines in reached.items()
            if name.startswith(os.path.join("src", folder) + os.sep)}


def table(unit, everything):
    """Prints it all; returns whether every target is met."""
    rows, low = [], []
    together = {}
    for folder in UNIT_FOLDERS:
        files = in_folder(unit, folder)
        together.update(files)
        rows.append(("src/" + folder, "unit tests", files, UNIT_TARGET))
    rows.append(("the three together", "unit tests", together, UNIT_TARGET))
    for folder in sorted({name.split(os.sep)[1] for name in everything}):
        rows.append(("src/" + folder, "all tests", in_folder(everything, folder), None))
    rows.append(("all of src", "all tests", everything, ALL_TARGET))
    for files, target in ((together, UNIT_TARGET), (everything, ALL_TARGET)):
        low += [(name, share([lines])[2], missed(lines)) for name, lines in sorted(files.items())
                if share([lines])[2] < target]
    if low:
        print("files below target: lines not executed")
        for name, percent, ranges in low:
            print("  %-30s %5.1f %%  %s" % (name, percent, ranges))
        print()
    print("%-20s %-11s %7s %7s %8s %8s" % ("coverage", "by", "reached", "lines", "", "target"))
    good = True
    for name, by, files, target in rows:
        hit, total, percent = share(files.values())
        below = target is not None and percent < target
        good = good and not below
        print("%-20s %-11s %7d %7d %6.1f %% %8s%s" % (
            name, by, hit, total, percent, "" if target is None else "%.0f %%" % target,
            "  BELOW" if below else ""))
    return good


def main():
    parser = argparse.ArgumentParser(description="line coverage from gcov's counters")
    parser.add_argument("--source", required=True)
    parser.add_argument("--build", required=True)
    parser.add_argument("--counters")
    parser.add_argument("--save")
    parser.add_argument("--unit")
    options = parser.parse_args()
    source = os.path.realpath(options.source)
    reached = lines_reached(source, os.path.realpath(options.build), options.counters)
    if options.save:
        with open(options.save, "w") as out:
            json.dump(reached, out)
        return 0
    unit = reached
    if options.unit:
        with open(options.unit) as file:
            unit = {name: {int(number): hit for number, hit in lines.items()}
                    for name, lines in json.load(file).items()}
    return 0 if table(unit, reached) else 1


sys.exit(main())
