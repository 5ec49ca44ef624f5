#!/usr/bin/python3
"""Runs the system tests: all of tests/system/NNN-name, or those whose
numbers begin with, or whose names hold, one of the given words; some at a time, each with a deadline.

  runner.py [-j N] [-t SECONDS] [-l LABEL] [-o FILE] [-d DIRECTORY] [-v] [-k CASE] [WORD...]

Prints one line for each test and the output of those that failed, at the end
`system: N passed, N failed, N skipped` (counted in cases); with -o the three
numbers also go to a file. Exit status 1 when a case failed. Whatever a test
leaves running is killed, and counts as a failure of that test; so does a place
of the system's own that is there after it and was not before."""

import argparse
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
WAIT_MUCH = ("130", "500")
SYSTEM_PLACES = ("/run/esets", "/var/lib/esets", "/var/spool/esets")   # the defaults
MARK = "ESETS_TEST_RUN"   # in the environment of everything a test starts


class Result:
    def __init__(self, name):
        self.name = name
        self.passed = self.failed = self.skipped = 0
        self.output = ""
        self.problem = ""
        self.seconds = 0.0


def tests(directory, words):
    paths = sorted(p for p in glob.glob(os.path.join(directory, "[0-9][0-9][0-9]-*"))
                   if os.access(p, os.X_OK) and not p.endswith("~"))
    names = [(os.path.basename(p), p) for p in paths]
    chosen = [p for name, p in names if not words or any(
        name.startswith(w) if w.isdigit() else w in name for w in words)]
    # those that wait much, first: the others fill the gaps
    return sorted(chosen, key=lambda p: os.path.basename(p)[:3] not in WAIT_MUCH)


def marked_processes(mark):
    """Processes that carry the mark of one test in their environment."""
    wanted = ("%s=%s" % (MARK, mark)).encode()
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open("/proc/%s/environ" % entry, "rb") as env:
                    if wanted in env.read().split(b"\0"):
                        found.append(int(entry))
            except OSError:
                continue
    return found


def system_places():
    """Which of the programs' default places are there: no test may make one."""
    return {path for path in SYSTEM_PLACES if os.path.lexists(path)}


def clean_up(mark, scratch):
    """Ends what a test left behind; says what that was."""
    left = []
    for path in glob.glob(os.path.join(scratch, "**", "pf", "etc"), recursive=True):
        done = subprocess.run(["/usr/sbin/postfix", "-c", path, "status"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if done.returncode == 0:
            left.append("Postfix")
            subprocess.run(["/usr/sbin/postfix", "-c", path, "abort"], stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for pid in marked_processes(mark):
        try:
            with open("/proc/%d/comm" % pid) as comm:
                left.append("%s (%d)" % (comm.read().strip(), pid))
            os.kill(pid, signal.SIGKILL)
        except OSError:
            continue
    return left


def run_one(path, scratch_base, deadline, arguments):
    result = Result(os.path.basename(path))
    scratch = tempfile.mkdtemp(prefix="s.", dir=scratch_base)
    os.chmod(scratch, 0o755)
    mark = os.path.basename(scratch) + "-%d" % os.getpid()
    env = dict(os.environ, ESETS_SCRATCH=scratch, **{MARK: mark})
    places = system_places()
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, path, *arguments], env=env,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
    try:
        output, _ = process.communicate(timeout=deadline)
    except subprocess.TimeoutExpired:
        result.problem = "not finished after %g s" % deadline
        process.terminate()   # the test undoes what it set up
        try:
            output, _ = process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            clean_up(mark, scratch)   # or its children keep the pipe open
            output, _ = process.communicate()
    result.seconds = time.monotonic() - started
    left = clean_up(mark, scratch)
    if left and not result.problem:
        result.problem = "left running: " + ", ".join(left)
    made = system_places() - places
    if made and not result.problem:
        result.problem = "this test, or one beside it, made " + ", ".join(sorted(made))
    result.output = output.decode("utf-8", "replace")
    count(result, process.returncode)
    if not os.environ.get("ESETS_KEEP"):
        shutil.rmtree(scratch, ignore_errors=True)
    return result


def count(result, status):
    """Cases by their lines; a test that breaks off counts as one failure more."""
    for line in result.output.splitlines():
        if re.match(r"ok \d+ - .* # SKIP", line):
            result.skipped += 1
        elif re.match(r"ok \d+ - ", line):
            result.passed += 1
        elif re.match(r"not ok \d+ - ", line):
            result.failed += 1
    plan = re.search(r"^1\.\.(\d+)$", result.output, re.M)
    seen = result.passed + result.failed + result.skipped
    if not result.problem and (not plan or int(plan.group(1)) != seen):
        result.problem = "broke off with status %s after %d cases" % (status, seen)
    if result.problem:
        result.failed += 1


def report(result, label, verbose):
    state = "FAIL" if result.failed else "ok" if result.passed else "skip"
    print("%-5s %s%-28s %3d passed, %d failed, %d skipped (%.1f s)" % (
        state, label, result.name, result.passed, result.failed, result.skipped, result.seconds))
    if result.problem:
        print("      " + result.problem)
    shown = None
    for line in result.output.splitlines():
        if line.startswith(("ok ", "not ok ")):
            shown = line.startswith("not ok")
        wanted = verbose or shown or (shown is None and not line.startswith("1.."))
        if wanted or result.problem or "# SKIP" in line:
            print("      " + line)
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description="runs the system tests of esets_smtp")
    parser.add_argument("-j", "--jobs", type=int, default=2 * max(2, os.cpu_count() or 2) + 1)
    parser.add_argument("-t", "--timeout", type=float, default=120, help="seconds for one test")
    parser.add_argument("-l", "--label", default="", help="put before each name")
    parser.add_argument("-o", "--output", help="file for the three numbers")
    parser.add_argument("-d", "--directory", default=HERE, help="where the tests are")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("-k", "--case", action="append", default=[], help="only these cases")
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    chosen = tests(options.directory, options.words)
    if not chosen:
        sys.exit("no such test")
    if not os.environ.get("ESETS_BUILD"):
        sys.exit("ESETS_BUILD must name the build directory")
    scratch = tempfile.mkdtemp(prefix="esets.", dir=os.environ.get("ESETS_SCRATCH"))
    os.chmod(scratch, 0o755)
    deadline = options.timeout * float(os.environ.get("ESETS_SLOW", "1"))
    results, lock, pending = [], threading.Lock(), list(reversed(chosen))

    def work():
        while True:
            with lock:
                if not pending:
                    return
                path = pending.pop()
            result = run_one(path, scratch, deadline, options.case)
            with lock:
                results.append(result)
                report(result, options.label, options.verbose)

    workers = [threading.Thread(target=work) for _ in range(options.jobs)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if not os.environ.get("ESETS_KEEP"):
        shutil.rmtree(scratch, ignore_errors=True)
    numbers = [sum(getattr(r, key) for r in results) for key in ("passed", "failed", "skipped")]
    if options.output:
        with open(options.output, "w") as out:
            out.write("%d %d %d\n" % tuple(numbers))
    print("%ssystem: %d passed, %d failed, %d skipped" % (options.label, *numbers))
    sys.exit(1 if numbers[1] else 0)


main()
