"""The programs under test: a configuration file, start, stop, logs, workers.

Both programs run with --foreground and log to stderr, which is kept in a file.
start() returns when the kernel says that the program listens, and there is a
worker; stop() insists on an orderly end. A sanitizer's report, a worker that
died unasked or an exit status other than 0 make the case fail."""

import glob
import os
import pwd
import re
import shlex
import signal
import subprocess
import time

from harness import (SLOW, check, check_eq, check_in, free_port, is_listening, is_listening_unix,
                     wait_until)
from smtpclient import Client
from smtpserver import Server

BUILD_DIR = os.environ.get("ESETS_BUILD", "")
USER = "nobody"      # what workers run as when the tests run as root
SANITIZER_MARKS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:",
                   "WARNING: ThreadSanitizer", "DEADLYSIGNAL", "MemorySanitizer")


def program(name):
    path = os.path.join(BUILD_DIR, name)
    check(BUILD_DIR and os.access(path, os.X_OK),
          "%s is not in ESETS_BUILD=%r" % (name, BUILD_DIR))
    return path


def command(name, *arguments):
    return shlex.split(os.environ.get("ESETS_WRAPPER", "")) + [program(name), *arguments]


def value_text(value):
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value)
    return '"%s"' % value.replace("\\", "\\\\").replace('"', '\\"')


def config_text(sections):
    return "".join("[%s]\n%s\n" % (name, "".join(
        "%s = %s\n" % (key, value_text(value)) for key, value in options.items()))
        for name, options in sections.items())


def environment(t):
    """The environment of a program under test, with reports in the scratch."""
    reports = t.path("san")
    if not os.path.isdir(reports):
        os.mkdir(reports)
        os.chmod(reports, 0o1777)
    env = dict(os.environ, ESETS_REPORTS=reports)  # for a wrapper, e.g. valgrind
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"):
        env[name] = ":".join(filter(None, [env.get(name), "log_path=" + os.path.join(reports, "r"),
                                           "print_stacktrace=1"]))
    return env


def sanitizer_reports(t):
    """Fails with the head of each report that a program under test has left."""
    texts = []
    for path in sorted(glob.glob(t.path("san", "*"))):
        with open(path, "rb") as report:
            texts.append(report.read(6000).decode("utf-8", "backslashreplace"))
    texts = [text for text in texts if text]
    for path in sorted(glob.glob(t.path("*.err"))):
        with open(path, "rb") as log:
            text = log.read().decode("utf-8", "backslashreplace")
        texts += [line for line in text.splitlines() if any(m in line for m in SANITIZER_MARKS)]
    check(not texts, "sanitizer report:\n" + "\n".join(texts))


class Process:
    """One program under test, in the foreground."""

    def __init__(self, t, name, label, arguments):
        self.t = t
        self.name = name
        self.log_path = t.path(label + ".err")
        self.out_path = t.path(label + ".out")
        self.arguments = arguments
        self.popen = None
        self.workers_may_die = False
        self.prefix = []   # a command that ends in exec of the program
        self.pass_fds = []  # descriptors for it
        self.stderr = None  # a descriptor instead of the log

    def start(self, ready):
        with open(self.log_path, "ab") as log, open(self.out_path, "ab") as out:
            err = log if self.stderr is None else self.stderr
            self.popen = subprocess.Popen(
                self.prefix + command(self.name, *self.arguments), stdin=subprocess.DEVNULL, stdout=out,
                stderr=err, env=environment(self.t), start_new_session=True, cwd=self.t.scratch,
                pass_fds=self.pass_fds)
        self.t.at_end(self.finish)

        def is_ready():
            check(self.popen.poll() is None, "%s ended with status %s during its start"
                  % (self.name, self.popen.poll()))
            return ready() and self.workers()
        wait_until(is_ready, 15, "%s to listen" % self.name)
        return self

    @property
    def pid(self):
        return self.popen.pid

    def is_running(self):
        return self.popen is not None and self.popen.poll() is None

    def log(self):
        with open(self.log_path, "rb") as log:
            return log.read().decode("utf-8", "surrogateescape")

    def wait_log(self, pattern, timeout=10):
        return wait_until(lambda: re.search(pattern, self.log(), re.M), timeout,
                          "a log line %r" % pattern)

    def workers(self):
        """Process ids of the workers."""
        return [pid for pid in self.children() if name_of(pid).endswith(("/w", ":w"))]

    def quarantine_process(self):
        """The one that keeps messages, or None."""
        return next((pid for pid in self.children() if name_of(pid).endswith("/q")), None)

    def broker(self):
        """The one that connects to engines, or None."""
        return next((pid for pid in self.children() if name_of(pid).endswith("/b")), None)

    def children(self):
        with open("/proc/%d/task/%d/children" % (self.pid, self.pid)) as children:
            return [int(pid) for pid in children.read().split()]

    def freeze(self, with_manager=False):
        """Stops the workers (and the manager) where they are; returns their
        process ids. Only when all stand still."""
        wait_until(self.workers, 10, "workers of " + self.name)

        def all_stopped():
            pids = session_members(self.pid)
            if not with_manager:
                pids.remove(self.pid)
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            return all(state_of(pid) == "T" for pid in pids) and pids
        return wait_until(all_stopped, 10, "processes of %s to stop" % self.name)

    def send_signal(self, number):
        os.kill(self.pid, number)

    def wait(self, timeout=15):
        try:
            return self.popen.wait(timeout * SLOW)
        except subprocess.TimeoutExpired:
            raise AssertionError("%s is still running after %g s" % (self.name, timeout * SLOW))

    def wait_or_none(self, timeout):
        """Its exit status, or None if it still runs then."""
        try:
            return self.popen.wait(timeout * SLOW)
        except subprocess.TimeoutExpired:
            return None

    def stop(self, number=signal.SIGTERM, timeout=15, status=0):
        """Signals it, waits for its end, checks the exit status and that no
        process of it is left."""
        self.send_signal(number)
        check_eq(self.wait(timeout), status, "exit status of " + self.name)
        wait_until(lambda: not session_members(self.pid), 5, "all processes of %s to end" % self.name)

    def kill(self):
        """SIGKILL to everything of it."""
        for pid in session_members(self.popen.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.popen.wait()
        wait_until(lambda: not session_members(self.popen.pid), 5, "killed processes to go")

    def finish(self):
        """At the end of the case: stop in order if it still runs."""
        try:
            if self.is_running():
                for pid in session_members(self.pid):
                    try:
                        os.kill(pid, signal.SIGCONT)
                    except ProcessLookupError:
                        pass
                self.stop()
            else:
                self.popen.wait()
        finally:
            self.kill()
        sanitizer_reports(self.t)
        if not self.workers_may_die:
            died = re.search(r"^.*\(pid \d+\) ended .*(replaced|next try).*$", self.log(), re.M)
            check(not died, "%s lost a worker: %s" % (self.name, died and died.group(0)))


def session_members(sid):
    """Processes of a session that are not zombies."""
    members = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % entry) as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[3]) == sid and fields[0] not in "ZX":
            members.append(int(entry))
    return members


class Suite:
    """esets_daemon and esets_smtp with one configuration, and a server behind.

    smtp, glob: options of [smtp] and [global] over the ones made here.
    scanner: True esets_daemon, None nobody listens, else a fake with .path.
    server: a Server, or None for a new one."""

    def __init__(self, t, smtp=None, glob=None, scanner=True, server=None, host="127.0.0.1",
                 more="", start=True, keywords=None):
        self.t = t
        self.clients = []
        if server is None:
            server = Server(host=host, **({"keywords": keywords} if keywords is not None else {}))
            t.at_end(server.stop)
        self.server = server
        self.host = host
        self.port = free_port()
        self.run_dir = t.path("run")
        self.sock_path = os.path.join(self.run_dir, "esets.sock")
        if scanner not in (True, None):
            self.sock_path = scanner.path
        self.glob = {"syslog_facility": "none",
                     "syslog_class": "error:warning:summ:summall:part:partall:info:debug",
                     "daemon_sock_path": self.sock_path,
                     "pid_file": os.path.join(self.run_dir, "daemon.pid"),
                     "status_sock_path": os.path.join(self.run_dir, "daemon.st"),
                     "av_signature_dir": t.path("signatures"),
                     "av_quarantine_dir": t.path("quarantine"),
                     "num_proc": 1, "num_thrd": 2}
        if os.geteuid() == 0:
            group = "nogroup"
            self.glob.update(user=USER, group=group, daemon_allowed_users="root:" + USER)
        self.glob.update(glob or {})
        self.smtp = {"agent_enabled": True, "listen_addr": host, "listen_port": self.port,
                     "server_addr": server.host, "server_port": server.port,
                     "pid_file": os.path.join(self.run_dir, "agent.pid"),
                     "status_sock_path": os.path.join(self.run_dir, "agent.st"),
                     "spool_dir": t.path("spool")}
        self.smtp.update(smtp or {})
        self.port = self.smtp["listen_port"]
        self.more = more
        self.config_path = t.path("esets.cfg")
        self.has_daemon = scanner is True
        self._make_dirs()
        self.write_config()
        self.daemon = Process(t, "esets_daemon", "daemon", ["--foreground", "-c", self.config_path])
        self.agent = Process(t, "esets_smtp", "agent", ["--foreground", "-c", self.config_path])
        if start:
            self.start()

    def _make_dirs(self):
        for path in (self.run_dir, self.t.path("spool"), self.t.path("signatures")):
            os.makedirs(path, exist_ok=True)
            os.chmod(path, 0o755)
            if os.geteuid() == 0 and path != self.t.path("signatures"):
                account = pwd.getpwnam(USER)
                os.chown(path, account.pw_uid, account.pw_gid)

    def write_config(self):
        text = config_text({"global": self.glob, "smtp": self.smtp}) + self.more
        self.t.write("esets.cfg", text)

    def start(self):
        if self.has_daemon:
            self.start_daemon()
        self.start_agent()

    def start_daemon(self):
        self.daemon.start(lambda: is_listening_unix(self.sock_path))

    def start_agent(self):
        self.agent.start(lambda: is_listening(self.port))

    def connect(self, **kw):
        client = Client(self.port, self.host, **kw)
        self.clients.append(client)
        self.t.at_end(client.close)
        return client

    def stop_agent(self):
        """An orderly end with no client left that it would wait for."""
        for client in self.clients:
            client.close()
        self.agent.stop()

    def hello(self, name=b"client.example"):
        client = self.connect()
        client.hello(name)
        return client

    def summaries(self):
        """The summary lines of the agent, each as a dict of its keys."""
        return [parse_summary(line) for line in self.agent.log().split("\n") if "summ[" in line
                or "summall[" in line]

    def wait_summaries(self, count):
        wait_until(lambda: len(self.summaries()) >= count, 10, "%d summary lines" % count)
        return self.summaries()


def parse_summary(line):
    """`summ[id]: vdb=1, agent=smtp, name="x", ...` to a dict; 'id' and 'keys'
    (their order) added. Quoted values may hold escaped quotes."""
    found = re.search(r"summ(?:all)?\[([^\]]*)\]: (.*)$", line)
    check(found, "no summary line: %r" % line)
    pairs = re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)', found.group(2))
    result = {key: value[1:-1] if value.startswith('"') else value for key, value in pairs}
    result["id"] = found.group(1)
    result["keys"] = [key for key, _ in pairs]
    result["line"] = line
    return result


def run(t, name, *arguments, env=None, timeout=20, user=None):
    """Runs a program to its end. Returns (status, stdout, stderr) as text."""
    environ = environment(t)
    environ.update(env or {})
    done = subprocess.run(command(name, *arguments), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ,
                          cwd=t.scratch, timeout=timeout * SLOW, start_new_session=True, user=user)
    sanitizer_reports(t)
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode(
        "utf-8", "replace")


def refuses(t, name, path, *parts, user=None, at_start=78):
    """With this file the program does not start, with the status at_start, and
    --check-config says so in the same words, of which parts are some."""
    said = []
    for option, wanted in (("--check-config", 78), ("--foreground", at_start)):
        status, out, err = run(t, name, option, "-c", path, user=user)
        check_eq((status, out), (wanted, ""), "%s: %s" % (option, err))
        said.append(re.findall(r"(?m)^\S+ error(?:\[\d+\])?: (.*)$", err))
        for part in parts:
            check_in(part, "\n".join(said[-1]), option)
    check_eq(*said, "errors of --check-config and of the start")


def state_of(pid):
    """The letter of a process's state in /proc; X when there is none."""
    try:
        with open("/proc/%d/stat" % pid) as stat:
            return stat.read().rsplit(")", 1)[1].split()[0]
    except OSError:
        return "X"


def name_of(pid):
    """A process's name, as it has set it; "" when there is none."""
    try:
        with open("/proc/%d/comm" % pid) as comm:
            return comm.read().rstrip("\n")
    except OSError:
        return ""


def read_dead(pid):
    """Has a process ended (or is it a zombie)?"""
    return state_of(pid) in "ZX"


def pause(seconds):
    """Time that must pass because passing time is what the test is about."""
    time.sleep(seconds)
