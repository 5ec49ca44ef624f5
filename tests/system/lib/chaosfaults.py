"""What goes wrong in a chaos run, at random, and is put right again after a
moment: processes that are killed or stand still, a server that misbehaves, a
full disk, too few descriptors, failing allocations, a clock that jumps."""

import heapq
import mmap
import os
import random
import resource
import signal
import struct
import subprocess
import time

from procs import read_dead

# kind -> share; those of the server are the sink's own names
SERVER = {"refuse": 3, "stall": 4, "close": 6, "reset": 4, "defer": 5, "reject": 5}
SHARES = {"agent worker killed": 8, "agent worker stopped": 6, "agent master killed": 3,
          "daemon worker killed": 8, "daemon worker stopped": 6, "daemon master killed": 4,
          "engine killed": 6, "engine stopped": 5, "disk full": 6, "descriptors few": 6,
          "agent HUP": 4, "daemon HUP": 4, "allocations fail": 6, "clock jumps": 4}
SHARES.update(("server " + kind, share) for kind, share in SERVER.items())


class Control:
    """The shim's page (chaosshim.c)."""

    def __init__(self, t):
        path = t.write("control", bytes(12))
        self.shim = t.path("chaosshim.so")
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "chaosshim.c")
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", self.shim, source], check=True)
        with open(path, "r+b") as page:
            self.page = mmap.mmap(page.fileno(), 12)
        self.environment = ["env", "LD_PRELOAD=" + self.shim, "CHAOS_CONTROL=" + path]

    def set(self, offset, form, value):
        self.page[offset:offset + 4] = struct.pack(form, value)

    def fail_one_of(self, count):
        self.set(0, "=I", count)

    def jump(self, seconds):
        self.set(4, "=i", seconds)

    def fail_over(self, octets):
        self.set(8, "=I", octets)


class Faults:
    """site has suite, control (or None), tell_server(line), start_engine(),
    restart(process, meanwhile), engine, disk_full(), disk_free()."""

    def __init__(self, site, seed, pause):
        self.site = site
        self.rng = random.Random("faults/" + seed)
        self.pause = pause        # seconds between two, on average
        self.counts = {}
        self.log = site.t.path("faults.log")
        self.due = []             # (time, number, function, arguments): what puts things right
        self.numbers = 0
        self.kinds = [kind for kind in SHARES if site.control or kind not in (
            "allocations fail", "clock jumps")]

    def note(self, text):
        with open(self.log, "a") as log:
            log.write("%s %s\n" % (time.strftime("%H:%M:%S"), text))

    def later(self, low, high, function, *arguments):
        moment = time.monotonic() + self.rng.uniform(low, high)
        self.numbers += 1
        heapq.heappush(self.due, (moment, self.numbers, function, arguments))

    def mend(self, is_all=False):
        while self.due and (is_all or self.due[0][0] <= time.monotonic()):
            _, _, function, arguments = heapq.heappop(self.due)
            function(*arguments)

    def run(self, seconds):
        """Faults for so long; all kinds once before any comes twice."""
        end = time.monotonic() + seconds
        first = list(self.kinds)
        self.rng.shuffle(first)
        next_at = time.monotonic() + self.pause
        while time.monotonic() < end:
            self.mend()
            if time.monotonic() >= next_at:
                kind = first.pop() if first else self.rng.choices(
                    self.kinds, [SHARES[kind] for kind in self.kinds])[0]
                self.strike(kind)
                next_at = time.monotonic() + self.rng.uniform(0, 2 * self.pause)
            time.sleep(0.01)
        self.mend(is_all=True)

    def strike(self, kind):
        what, _, how = kind.rpartition(" ")
        self.note(kind)
        if what == "server":
            self.site.tell_server("%s %.2f\n" % (how, self.rng.uniform(0.2, 2)))
        else:
            getattr(self, kind.replace(" ", "_"))()
        self.counts[kind] = self.counts.get(kind, 0) + 1

    def signal(self, pid, number):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass

    def a_worker(self, process):
        try:
            return self.rng.choice(process.workers())
        except (OSError, IndexError):
            return None   # they are all dead at the moment

    def kill_worker(self, process):
        pid = self.a_worker(process)
        if pid:
            self.signal(pid, signal.SIGKILL)

    def stop_worker(self, process):
        pid = self.a_worker(process)
        if pid:
            self.stop(pid)

    def stop(self, pid):
        self.signal(pid, signal.SIGSTOP)
        self.later(0.05, 3, self.go_on, pid)

    def go_on(self, pid):
        if not read_dead(pid):
            self.signal(pid, signal.SIGCONT)

    def agent_worker_killed(self):
        self.kill_worker(self.site.suite.agent)

    def agent_worker_stopped(self):
        self.stop_worker(self.site.suite.agent)

    def agent_master_killed(self):
        self.site.restart(self.site.suite.agent, self.mend)

    def daemon_worker_killed(self):
        self.kill_worker(self.site.suite.daemon)

    def daemon_worker_stopped(self):
        self.stop_worker(self.site.suite.daemon)

    def daemon_master_killed(self):
        self.site.restart(self.site.suite.daemon, self.mend)

    def engine_killed(self):
        self.site.engine.kill()
        self.site.engine.wait()
        self.later(0, 1, self.site.start_engine)

    def engine_stopped(self):
        if self.site.engine.poll() is None:
            self.stop(self.site.engine.pid)

    def disk_full(self):
        self.site.disk_full()
        self.later(0.3, 2, self.site.disk_free)

    def descriptors_few(self):
        process = self.rng.choice([self.site.suite.agent, self.site.suite.daemon])
        pid = self.a_worker(process)
        try:
            if pid:
                was = resource.prlimit(pid, resource.RLIMIT_NOFILE)
                used = len(os.listdir("/proc/%d/fd" % pid))
                few = (used + self.rng.randrange(8), was[1])
                resource.prlimit(pid, resource.RLIMIT_NOFILE, few)
                self.later(0.3, 2, self.restore_descriptors, pid, was)
        except OSError:
            pass   # it has died

    def restore_descriptors(self, pid, was):
        try:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, was)
        except OSError:
            pass

    def agent_HUP(self):
        self.site.suite.agent.send_signal(signal.SIGHUP)

    def daemon_HUP(self):
        self.site.suite.daemon.send_signal(signal.SIGHUP)

    def allocations_fail(self):
        self.site.control.fail_one_of(int(10 ** self.rng.uniform(1.5, 4)))
        self.later(0.2, 1.5, self.site.control.fail_one_of, 0)

    def clock_jumps(self):
        self.site.control.jump(self.rng.choice([-1, 1]) * self.rng.choice([5, 3600, 86400 * 400]))
        self.later(0.2, 2, self.site.control.jump, 0)
