"""A chaos run: both programs, an engine, a server and many clients, faults at
random (chaosfaults.py), and at the end the ledger of every message.

What must hold: a clean message whose sender was told 2xx is at the server, whole
(else it is lost); nothing infected is there, not even its beginning, and none
was told 2xx (leaked); nothing the server took is less than the whole (partial);
no clean message is refused with 5xx but by the server (bounced); every other
sender was told 4xx or 5xx or saw the connection close (else it hung); neither
program crashes by itself. Senders here never try again, so a message that was
deferred and is at the server all the same would come twice: it is counted."""

import collections
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import chaosmail
from chaosfaults import Control, Faults
from harness import MEMORY_COUNTS, SLOW, free_port, is_listening, is_listening_unix, wait_until
from procs import Process, Suite, sanitizer_reports
from smtpclient import Client

HERE = os.path.dirname(os.path.abspath(__file__))
OUTCOMES = ("taken", "deferred", "refused", "closed", "vanished", "hung")
NEVER = ("lost", "leaked", "partial", "bounced", "hung", "crashed")
LOADERS = 2                  # processes that send
DISK = "48m"                 # of the spool
START_SECONDS = 60           # within which a killed master is back
SHOWN_MAX = 5                # messages of a kind shown in full


class Program(Process):
    """One that is started again and again, and finished once."""

    is_finished = False

    def __init__(self, t, name, label, arguments):
        super().__init__(t, name, label, arguments)
        self.workers_may_die = True

    def finish(self):
        if not self.is_finished:
            self.is_finished = True
            super().finish()


class Place:
    """Where the server is."""

    host = "127.0.0.1"

    def __init__(self):
        self.port = free_port()


class Load:
    """Senders, and what they and the sink have on record."""

    def __init__(self, t):
        self.t = t
        self.loaders = []

    def ledger(self, name):
        return self.t.path("ledger-" + name)

    def start_helper(self, program, *arguments):
        with open(self.t.path(program[:-3] + ".log"), "ab") as log:
            helper = subprocess.Popen([sys.executable, os.path.join(HERE, program),
                                       *map(str, arguments)], stdin=subprocess.PIPE, stdout=log,
                                      stderr=log, start_new_session=True)
        self.t.at_end(lambda: end_helper(helper))
        return helper

    def end_load(self):
        """Every client comes to its end; their exit statuses must be 0."""
        for loader in self.loaders:
            loader.stdin.close()
        for loader in self.loaders:
            status = loader.wait(200 * SLOW)
            if status:
                raise AssertionError("a load generator ended with %s" % status)


class Site(Load):
    """Everything that runs."""

    def __init__(self, t, seed, clients):
        super().__init__(t)
        self.seed = seed
        self.place = Place()
        self.clamd = t.path("clamd.sock")
        self.control = Control(t) if MEMORY_COUNTS and shutil.which("cc") else None
        self.engine = self.sink = None
        self.has_disk = os.geteuid() == 0 and os.system("unshare -m true 2>/dev/null") == 0
        self.start_sink()
        self.start_engine()
        self.start_suite()
        self.loaders = [self.start_loader("a%d" % number, clients // LOADERS)
                        for number in range(LOADERS)]

    def processes(self):
        return self.suite.agent, self.suite.daemon

    def start_loader(self, name, clients):
        return self.start_helper("chaosclient.py", self.suite.port, self.ledger(name), self.seed,
                                 name, clients)

    def start_sink(self):
        self.sink = self.start_helper("chaossink.py", self.place.port, self.ledger("sink"),
                                      self.seed)
        wait_until(lambda: is_listening(self.place.port), 20, "the sink")

    def start_engine(self):
        self.engine = self.start_helper("chaosengine.py", self.clamd)
        wait_until(lambda: os.path.exists(self.clamd), 20, "the engine")

    def start_suite(self):
        glob = {"num_proc": 2, "num_thrd": 3, "av_engines": "builtin:clamd",
                "clamd_addr": self.clamd, "av_scan_timeout": int(8 * SLOW),
                "engine_timeout_read": int(4 * SLOW), "timeout_stop": 5, "timeout_drain": 20,
                "syslog_class": "error:warning:info:summ:summall"}
        smtp = {"num_proc": 2, "num_thrd": 2, "chunking": "always", "timeout_server": 8,
                "timeout_banner": 8, "spool_message_memory": "64K", "spool_memory_max": "2M",
                "spool_min_free": "1M"}
        suite = self.suite = Suite(self.t, glob=glob, smtp=smtp, server=self.place, start=False)
        suite.daemon = Program(self.t, "esets_daemon", "daemon", suite.daemon.arguments)
        suite.agent = Program(self.t, "esets_smtp", "agent", suite.agent.arguments)
        shim = self.control.environment if self.control else []
        suite.daemon.prefix = shim
        suite.agent.prefix = shim
        if self.has_disk:
            suite.agent.prefix = ["unshare", "-m", "sh", "-c",
                                  "mount -t tmpfs -o size=%s,mode=1777 none \"$0\" && exec \"$@\""
                                  % DISK, suite.smtp["spool_dir"]] + shim
        suite.start()

    def tell_server(self, line):
        self.sink.stdin.write(line.encode())
        self.sink.stdin.flush()

    def is_listening(self, process):
        return (is_listening(self.suite.port) if process is self.suite.agent
                else is_listening_unix(self.suite.sock_path))

    def restart(self, process, meanwhile):
        """Kills a master and what it leaves, and starts it as an init would:
        again and again, with a call of meanwhile() now and then."""
        def is_ready():
            meanwhile()
            return self.is_listening(process)
        process.send_signal(signal.SIGKILL)
        end = time.monotonic() + START_SECONDS * SLOW
        while True:
            process.kill()
            try:
                return process.start(is_ready)
            except (AssertionError, OSError):
                meanwhile()
                if time.monotonic() > end:
                    raise

    # -- the disk of the spool: a small one of its own, else one that must stay free

    def disk_full(self):
        if not self.has_disk:
            return self.keep_free("1024G")
        try:
            with open(self.filler(), "ab") as filler:
                free = os.fstatvfs(filler.fileno())
                os.posix_fallocate(filler.fileno(), 0, max(1, free.f_bavail * free.f_bsize))
        except OSError:
            pass   # more came in, or the agent went

    def filler(self):
        return "/proc/%d/root%s/filler" % (self.suite.agent.pid, self.suite.smtp["spool_dir"])

    def disk_free(self):
        if not self.has_disk:
            return self.keep_free("1M")
        try:
            os.unlink(self.filler())
        except OSError:
            pass

    def keep_free(self, size):
        self.suite.smtp["spool_min_free"] = size
        self.suite.write_config()
        self.suite.agent.send_signal(signal.SIGHUP)

    # -- the end

    def is_healthy(self):
        """Mail flows again, soon: ten clean messages in a row."""
        end = time.monotonic() + 60 * SLOW
        passed, number = 0, 0
        while passed < 10 and time.monotonic() < end:
            number += 1
            passed = passed + 1 if self.probe("probe.%d" % number) else 0
        return passed == 10

    def probe(self, ident):
        try:
            client = Client(self.suite.port)
            try:
                client.hello()
                client.mail(chaosmail.make(self.seed, ident, infected_share=0)[1], 250)
                return True
            finally:
                client.close()
        except (AssertionError, OSError):
            time.sleep(0.1)
            return False


def end_helper(helper):
    """Also one that stands still, or was killed before."""
    if not helper.stdin.closed:
        try:
            helper.stdin.close()
        except OSError:
            pass
    try:
        helper.wait(5)
    except subprocess.TimeoutExpired:
        helper.kill()
        helper.wait()


# --- the ledger -----------------------------------------------------------------

class Sent:
    def __init__(self, line):
        self.ident, self.kind, octets, self.outcome, self.time, self.words = (
            line.rstrip("\n").split(" ", 5))
        self.octets = int(octets)
        self.is_clean = self.kind == chaosmail.CLEAN


class Ledger:
    def __init__(self, site):
        self.sent = {}
        self.at_server = collections.Counter()      # whole
        self.partial, self.infected = [], set()
        self.trouble = collections.Counter()
        for number in range(len(site.loaders)):
            for line in lines_of(site.ledger("a%d" % number)):
                one = Sent(line)
                self.sent[one.ident] = one
        for line in lines_of(site.ledger("sink")):
            self.read_sink(*line.split())
        self.bad = self.find_bad()
        self.crashes = [line for process in site.processes()
                        for line in crashes(process)]

    def read_sink(self, what, *words):
        if what == "trouble":
            self.trouble["server " + words[0]] += 1
        elif what == "infected":
            self.infected.add(words[0])
        elif words[2] == "whole":
            self.at_server[words[0]] += 1
        else:
            self.partial.append(words[0])

    def find_bad(self):
        sent = self.sent.values()
        return {
            "lost": [one.ident for one in sent if one.is_clean and one.outcome == "taken"
                     and not self.at_server[one.ident]],
            "leaked": sorted(self.infected | {one.ident for one in sent if not one.is_clean and (
                one.outcome == "taken" or self.at_server[one.ident])}),
            "partial": self.partial,
            "bounced": [one.ident for one in sent if one.is_clean and one.outcome == "refused"
                        and "chaos at" not in one.words],
            "hung": [one.ident for one in sent if one.outcome == "hung"],
        }

    def counts(self):
        result = {name: len(idents) for name, idents in self.bad.items()}
        result["crashed"] = len(self.crashes)
        result["duplicated"] = sum(self.at_server.values()) - len(self.at_server)
        result["at the server though not told so"] = sum(
            one.outcome not in ("taken", "vanished") and self.at_server[ident] > 0
            for ident, one in self.sent.items())
        return result


def lines_of(path):
    with open(path, encoding="utf-8", errors="replace") as text:
        return text.readlines()


def crashes(process):
    """Log lines of a process that ended as nobody made it: SIGKILL is ours."""
    with open(process.log_path, encoding="utf-8", errors="replace") as log:
        return [line.rstrip() for line in log
                if re.search(r"\(pid \d+\) ended by signal (?!9\b)", line)]


# --- what is printed -------------------------------------------------------------

def table(ledger, faults, seconds):
    by_outcome = collections.Counter((one.outcome, one.is_clean) for one in ledger.sent.values())
    rows = ["%-36s %9s %9s %9s" % ("messages", "clean", "infected", "all")]

    def row(name, clean, infected):
        rows.append("  %-34s %9d %9d %9d" % (name, clean, infected, clean + infected))
    for outcome in OUTCOMES:
        row(outcome, by_outcome[outcome, True], by_outcome[outcome, False])
    row("sent", *(sum(by_outcome[o, is_clean] for o in OUTCOMES) for is_clean in (True, False)))
    rows.append("  %-34s %29.1f" % ("MB sent", sum(m.octets for m in ledger.sent.values()) / 1e6))
    rows += ["", "%-36s %9s %9s" % ("faults", "times", "steps hit")]
    for kind, count in sorted(faults.counts.items()):
        hit = "%9d" % ledger.trouble[kind] if kind in ledger.trouble else ""
        rows.append("  %-34s %9d %s" % (kind, count, hit))
    gone = by_outcome["vanished", True] + by_outcome["vanished", False]
    rows += ["  %-34s %9d" % ("client vanished", gone),
             "  %-34s %9d" % ("in all", sum(faults.counts.values()) + gone), "",
             "result after %d s" % seconds]
    rows += ["  %-34s %9d" % pair for pair in ledger.counts().items()]
    return "\n".join(row.rstrip() for row in rows)


def session_lines(process, ident):
    """Log lines that name a message, and those of the same session."""
    with open(process.log_path, encoding="utf-8", errors="replace") as log:
        lines = log.readlines()
    keys = {ident + "@"}
    for line in lines:
        if ident + "@" in line:
            keys.update(re.findall(r"\[([0-9A-Za-z.-]{6,})\]", line))
    return [line.rstrip()[:300] for line in lines if any(key in line for key in keys)][:20]


def explain(site, ledger):
    """For each message that is not as it must be, all there is about it."""
    text = []
    for name, idents in ledger.bad.items():
        for ident in idents[:SHOWN_MAX]:
            one = ledger.sent.get(ident)
            text.append("%s: %s %s" % (name, ident, "%s %d octets, %s at %s: %s" % (
                one.kind, one.octets, one.outcome, one.time, one.words) if one else "(not sent)"))
            for process in site.processes():
                text += ["    " + line for line in session_lines(process, ident)]
    return "\n".join(text + ledger.crashes[:SHOWN_MAX])


class Result:
    def __init__(self, text, problems):
        self.text = text
        self.problems = problems


def run(t, seconds, seed, clients=24, pause=0.6):
    """One run. pause: seconds between two faults, on average."""
    site = Site(t, seed, clients)
    faults = Faults(site, seed, pause)
    faults.run(seconds)
    healthy = site.is_healthy()
    site.end_load()
    site.suite.agent.stop()
    site.suite.daemon.stop()
    sanitizer_reports(t)
    end_helper(site.sink)
    ledger = Ledger(site)
    counts = ledger.counts()
    problems = ["%s: %d" % (name, counts[name]) for name in NEVER if counts[name]]
    if not healthy:
        problems.append("mail did not flow again")
    text = "seed %s\n%s" % (seed, table(ledger, faults, seconds))
    return Result(text + ("\n\n" + explain(site, ledger) if problems else ""), problems)
