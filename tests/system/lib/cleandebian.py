#!/usr/bin/python3
"""A clean Debian of the same release as this machine, in a directory, and what
runs in it: processes, ports and mounts are its own (namespaces), so services start
there as on a machine of their own and end with the case.

  cleandebian.py DIRECTORY   makes one, with the packages that README names ready
                             in apt's cache; prints why not and ends with 77 where
                             this machine does not allow it

Mirror and keyring are those of this machine's apt. Inside there is no network but
the loopback interface: whatever is installed comes from apt's cache."""

import contextlib
import ctypes
import fcntl
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import threading

from harness import SKIPPED, SLOW, Skip, check, check_eq, wait_until
import readme

NEEDED = ("debootstrap", "unshare", "nsenter", "chroot", "apt-get")
CLONE_NEWNET = 0x40000000
HOST = "mail.example.org"
# As for any user, but nothing is asked and what is recommended is left out.
FILES = {
    "etc/apt/apt.conf.d/90test": 'APT::Get::Assume-Yes "true";\n'
                                 'APT::Install-Recommends "false";\n',
    "etc/dpkg/dpkg.cfg.d/test": "force-unsafe-io\n",
    # as with an init that starts services: without one they would stay away
    "usr/sbin/policy-rc.d": "#!/bin/sh\nexit 0\n",
    "etc/hosts": "127.0.0.1 localhost %s\n" % HOST,
    "etc/hostname": HOST + "\n",
}
ENVIRONMENT = ("PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8",
               "DEBIAN_FRONTEND=noninteractive", "MAKEFLAGS=-j%d" % os.cpu_count())


def why_not():
    """What this machine lacks, or None."""
    if os.geteuid() != 0:
        return "needs root"
    missing = [name for name in NEEDED if not shutil.which(name)]
    if missing:
        return "not installed: " + ", ".join(missing)
    done = subprocess.run(["unshare", "--mount", "--pid", "--net", "--uts", "--fork", "sh", "-c",
                           "mount -t tmpfs none /mnt && chroot / true"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    return done.stdout.decode().strip() or "no rights" if done.returncode else None


def apt_source():
    """(release, address of the mirror, keyring or None), as apt has them here."""
    with open("/etc/os-release") as source:
        release = re.search(r"(?m)^VERSION_CODENAME=(\w+)", source.read()).group(1)
    lines = subprocess.run(["apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)",
                            "Created-By: Packages"], stdout=subprocess.PIPE, check=True)
    mirrors = dict(reversed([line.split(" ", 1) for line in lines.stdout.decode().splitlines()]))
    check(release in mirrors, "apt has no source for " + release)
    return release, mirrors[release], keyring(mirrors[release].rstrip("/"))


def keyring(mirror):
    folder = "/etc/apt/sources.list.d"
    for path in ["/etc/apt/sources.list"] + [os.path.join(folder, name)
                                             for name in sorted(os.listdir(folder))]:
        if os.path.isfile(path) and path.endswith((".list", ".sources")):
            with open(path) as source:
                for stanza in re.split(r"\n\s*\n" if path.endswith("s") else r"\n", source.read()):
                    found = re.search(r"(?i)signed-by[:=]\s*(/[^\s\],]+)", stanza)
                    if mirror in stanza and found:
                        return found.group(1)
    return None


def make(path, packages):
    release, mirror, keys = apt_source()
    command = ["debootstrap", "--variant=minbase"]
    command += ["--keyring=" + keys] if keys else []
    with open(path + ".log", "wb") as log:
        def run(*words):
            done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                  env=dict(os.environ, DEBIAN_FRONTEND="noninteractive"))
            check_eq(done.returncode, 0, "status of %s; see %s.log" % (words[0], path))
        run(*command, release, path, mirror)
        for name, text in FILES.items():
            with open(os.path.join(path, name), "w") as out:
                os.fchmod(out.fileno(), 0o755 if text.startswith("#!") else 0o644)
                out.write(text)
        run("chroot", path, "apt-get", "install", "--download-only", *packages)


class Debian:
    """A copy of the one in ESETS_DEBIAN, started; ends with the case."""

    NAMESPACES = ("--mount", "--pid", "--net", "--uts")
    FIRST = "sleep"   # the name of its first process

    def __init__(self, t):
        base = os.environ.get("ESETS_DEBIAN")
        if not base:
            reason = why_not()
            if reason:
                raise Skip(reason)
            raise Skip("ESETS_DEBIAN names no directory that cleandebian.py made")
        self.t = t
        self.root = t.scratch + ".root"   # not inside, or its logs would be shown
        t.at_end(lambda: shutil.rmtree(self.root))
        subprocess.run(["cp", "-a", "--reflink=auto", base, self.root], check=True)
        self.start()

    def start(self):
        started = subprocess.Popen(
            ["unshare", *self.NAMESPACES, "--fork", "--kill-child", "sh", "-c",
             'hostname "$2" && mount -t proc proc "$1/proc" && '
             'exec env --ignore-signal=CHLD chroot "$1" sleep infinity', "-", self.root, HOST],
            stdin=subprocess.DEVNULL)
        self.t.at_end(lambda: (started.kill(), started.wait()))
        self.find_init(started.pid)
        with self.network():
            with socket.socket() as any_socket:   # lo: up, running
                fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 0x41))

    def find_init(self, unshare):
        self.init = wait_until(lambda: self._init_of(unshare), what="the first process")

    def _init_of(self, pid):
        with open("/proc/%d/task/%d/children" % (pid, pid)) as source:
            children = source.read().split()
        for child in children:
            with contextlib.suppress(OSError), open("/proc/%s/comm" % child) as source:
                if source.read() == self.FIRST + "\n":
                    return int(child)
        return None

    @contextlib.contextmanager
    def network(self):
        """Sockets that this thread makes meanwhile are inside."""
        libc = ctypes.CDLL(None, use_errno=True)
        here = "/proc/self/task/%d/ns/net" % threading.get_native_id()
        with open(here) as outside, open("/proc/%d/ns/net" % self.init) as inside:
            check_eq(libc.setns(inside.fileno(), CLONE_NEWNET), 0, "setns")
            try:
                yield
            finally:
                check_eq(libc.setns(outside.fileno(), CLONE_NEWNET), 0, "setns back")

    def try_run(self, script, cwd="/root", timeout=300):
        """Runs commands as a user would who types them. (status, what they wrote)."""
        with open(self.t.path("commands.log"), "ab+") as log:
            log.write(("\n$ " + script.rstrip() + "\n").encode())
            log.flush()
            start = log.seek(0, os.SEEK_END)
            done = subprocess.run(
                ["nsenter", "--target", str(self.init), *self.NAMESPACES,
                 "--root", "--wd", "env", "-i", *ENVIRONMENT, "sh", "-ec",
                 'cd "$1" && eval "$2"', "-", cwd, script],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=timeout * SLOW)
            log.seek(start)
            return done.returncode, log.read().decode("utf-8", "replace")

    def run(self, script, **more):
        """The same, and it must work."""
        status, text = self.try_run(script, **more)
        check_eq(status, 0, "status of\n%s\n%s" % (script, text[-3000:]))
        return text

    def path(self, name):
        """Where a file of it is, seen from outside."""
        return os.path.join(self.root, name.lstrip("/"))

    def read(self, name):
        with open(self.path(name), encoding="utf-8", errors="replace") as source:
            return source.read()

    def write(self, name, text):
        with open(self.path(name), "w") as out:
            out.write(text)

    def set_options(self, name, section, text):
        """Puts lines into a section of a file such as esets.cfg, as its reader does:
        over the line of the same option, or else right behind [section]."""
        head, mark, rest = self.read(name).partition("\n[%s]\n" % section)
        check(mark, "no section [%s] in %s" % (section, name))
        part, mark2, others = rest.partition("\n[")
        for line in text.splitlines():
            old = re.compile(r"(?m)^;?%s =.*$" % re.escape(line.split("=")[0].strip()))
            part = old.sub(lambda _: line, part) if old.search(part) else line + "\n" + part
        self.write(name, head + mark + part + mark2 + others)


def main():
    reason = why_not()
    if reason:
        print("no clean Debian: " + reason)
        sys.exit(SKIPPED)
    try:
        make(sys.argv[1], readme.downloads() + ["systemd-sysv"])
    except AssertionError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
