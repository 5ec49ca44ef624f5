#!/usr/bin/python3
"""Static analysis of the C files: prints what a tool finds and nobody has excused.

  analyze.py [-j N] clang-tidy|cppcheck|gcc [FILE...] -- FLAG...

To be run at the top of the sources; FLAG are the compiler's. Without FILE it takes
all of src. Where a tool is wrong, the reason stands in the code:

  clang-tidy   NOLINTNEXTLINE(check): why     see .clang-tidy for checks that are off
  cppcheck     cppcheck-suppress id ; why     see cppcheck.txt for those that are off
  gcc          -Wanalyzer-...: why            in a comment on that line or the last one

Exit status 1 when something was found."""

import concurrent.futures
import glob
import os
import re
import subprocess
import sys

HERE = os.path.relpath(os.path.dirname(os.path.abspath(__file__)))
GCC_WARNING = re.compile(r"^(\S+?):(\d+):\d+: (?:warning|error): .*\[(-W[a-z-]+)\]$")


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return done.returncode, done.stdout, done.stderr


def clang_tidy(path, flags):
    status, out, err = run("clang-tidy", "--quiet", path, "--", "-include",
                           os.path.join(HERE, "glibc.h"), *flags)
    return out or (err if status else "")


def cppcheck(path, flags):
    status, _out, err = run(
        "cppcheck", "--quiet", "--enable=warning,performance,portability", "--inline-suppr",
        "--library=posix,gnu", "--error-exitcode=1", "--template=gcc",
        "--suppressions-list=" + os.path.join(HERE, "cppcheck.txt"),
        *[flag for flag in flags if flag.startswith(("-D", "-I"))], path)
    return err if status else ""


def is_excused(path, number, warning):
    with open(path) as file:
        lines = file.read().split("\n")
    return any(warning + ":" in line for line in lines[max(0, number - 2):number])


def gcc(path, flags):
    status, out, err = run("gcc", *flags, "-O2", "-fanalyzer", "-c", "-o", "/dev/null", path)
    found = []
    for line in err.splitlines():
        match = GCC_WARNING.match(line)
        if match and not is_excused(match[1], int(match[2]), match[3]) and line not in found:
            found.append(line)
    return out + err if status else "\n".join(found)


TOOLS = {"clang-tidy": clang_tidy, "cppcheck": cppcheck, "gcc": gcc}


def main():
    arguments, jobs = sys.argv[1:], 2
    if arguments[:1] == ["-j"]:
        jobs, arguments = int(arguments[1]), arguments[2:]
    if arguments[:1] in ([], ["-h"], ["--help"]) or "--" not in arguments:
        sys.exit(__doc__)
    tool, cut = TOOLS[arguments[0]], arguments.index("--")
    files = arguments[1:cut] or sorted(glob.glob("src/*/*.c"))
    flags = arguments[cut + 1:]
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for found in pool.map(lambda path: tool(path, flags), files):
            if found.strip():
                print(found.strip("\n"))
                bad += 1
    sys.exit(1 if bad else 0)


main()
