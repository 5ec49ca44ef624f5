"""The clean Debian of cleandebian.py with systemd as its init: units, sandboxes,
journal and sockets are those of a real machine.

It is started as a container is: namespaces of its own, also for cgroups, /sys and
/proc/sys that can only be read, a small /dev, and no capability that reaches beyond
it. It is stopped as any machine is (poweroff), and what is left then is killed."""

import contextlib
import os
import re
import signal
import subprocess

from cleandebian import ENVIRONMENT, Debian
from harness import SLOW, Skip, check_eq, wait_until

# Beyond its namespaces: time, modules, ports of the hardware, audit, power.
TAKEN = ("sys_module", "sys_time", "sys_rawio", "sys_boot", "syslog", "mac_admin",
         "mac_override", "audit_control", "audit_read", "audit_write", "wake_alarm",
         "block_suspend", "bpf", "perfmon")
# $1 the tree; the process is in the cgroup that shall be the root there.
BOOT = """
mount --make-rprivate / && mount --bind "$1" "$1" && cd "$1"
mount -t proc -o nosuid,nodev,noexec proc proc
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755,nosuid tmpfs dev
for node in null zero full random urandom tty; do
    touch dev/$node && mount --bind /dev/$node dev/$node
done
cat proc/sys/kernel/random/uuid >dev/boot_id   # or all its starts were one to the journal
mount --bind proc/sys proc/sys
mount --bind dev/boot_id proc/sys/kernel/random/boot_id
mount -o remount,bind,ro proc/sys
mkdir dev/pts dev/shm old
mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for number in 0:stdin 1:stdout 2:stderr; do ln -s fd/${number%%:*} dev/${number#*:}; done
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs run
pivot_root . old && umount -l old && rmdir old
exec setpriv --bounding-set %s env -i container=test %s /lib/systemd/systemd
""" % (",".join("-" + name for name in TAKEN), ENVIRONMENT[0])


def new_cgroup(t):
    """A directory in the unified hierarchy, below our own."""
    with open("/proc/self/cgroup") as mine, open("/proc/self/mounts") as mounts:
        below = re.search(r"(?m)^0::(/.*)$", mine.read())
        top = re.search(r"(?m)^\S+ (\S+) cgroup2 ", mounts.read())
    if not below or not top:
        raise Skip("no cgroup2 is mounted")
    path = os.path.join(top.group(1), below.group(1).lstrip("/"), "esets-test-%d" % os.getpid())
    try:
        os.mkdir(path)
    except OSError as error:
        raise Skip("no cgroup can be made: %s" % error)
    t.at_end(lambda: remove_cgroup(path))
    return path


def remove_cgroup(path):
    for folder, _, _ in os.walk(path, topdown=False):
        wait_until(lambda: is_removed(folder), what="the end of " + folder)


def is_removed(folder):
    """What was in it has ended, but may not be gone yet."""
    with contextlib.suppress(OSError):
        os.rmdir(folder)
    return not os.path.isdir(folder)


class Booted(Debian):
    NAMESPACES = ("--mount", "--pid", "--net", "--uts", "--ipc", "--cgroup")
    FIRST = "systemd"

    def start(self):
        """The first time; see power_on()."""
        self.cgroup = new_cgroup(self.t)
        with open(self.t.path("systemd.log"), "wb") as log:
            done = subprocess.run(["chroot", self.root, "env", "-i", *ENVIRONMENT, "apt-get",
                                   "install", "systemd-sysv"], stdin=subprocess.DEVNULL,
                                  stdout=log, stderr=log)
        check_eq(done.returncode, 0, "status of the installation of systemd")
        self.process = None
        self.t.at_end(self.kill)
        self.power_on()

    def power_on(self):
        with open(self.t.path("boot.log"), "ab") as log:
            self.process = subprocess.Popen(
                ["sh", "-ec", 'echo 0 >"$3/cgroup.procs"; script=$1; shift\n'
                 'exec unshare %s --fork --kill-child sh -ec "$script" - "$@"' % " ".join(
                     self.NAMESPACES), "-", BOOT, self.root, self.cgroup],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.init = wait_until(self._is_init, what="the first process")
        state = wait_until(self._state, 60, "the end of the start", 0.1)
        check_eq((state, self.run("systemctl --failed --plain --no-legend")), ("running", ""))

    def run(self, script, **more):
        try:
            return super().run(script, **more)
        except AssertionError:
            with open(self.t.path("journal.log"), "w") as out: # goes with the machine
                out.write(self.try_run("journalctl --sync; journalctl --no-pager -n 80")[1])
            raise

    def _is_init(self):
        if self.process.poll() is not None:
            with open(self.t.path("boot.log"), errors="replace") as log:
                raise Skip("systemd does not start here: " + log.read()[-300:].strip())
        return self._init_of(self.process.pid)

    def _state(self):
        text = self.try_run("systemctl is-system-running")[1].strip()
        return text if text in ("running", "degraded") else None

    def power_off(self):
        os.kill(self.init, signal.SIGRTMIN + 4)
        self.process.wait(60 * SLOW)

    def kill(self):
        if self.process is None:
            return
        if self.process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.power_off()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
