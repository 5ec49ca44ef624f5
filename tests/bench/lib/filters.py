"""What stands between generator and sink, each with a private configuration.

Every filter listens on 127.0.0.1:port and passes mail on to 127.0.0.1:out. Each
has its defaults but for addresses, directories and accounts; where a default is
changed all the same, the class says so. Nothing is pinned to a processor."""

import hashlib
import os
import pwd
import socket
import subprocess

from harness import free_port
from measure import cpu_seconds, end_process, wait_until, Failed

USER = "nobody"


def is_listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def installed(path, package):
    return None if os.access(path, os.X_OK) else package + " is not installed"


class Filter:
    """name: in tables. processes: name -> Popen, each with a CPU time of its own."""

    name = ""
    stall = 60          # seconds without any message after which a run is given up
    in_short_form = True

    def __init__(self, tools, out):
        self.tools = tools
        self.out = out
        self.port = free_port()
        self.processes = {}
        self.dir = os.path.join(tools.scratch, self.name.translate(str.maketrans(" ,=+", "____")))

    @classmethod
    def missing(cls):
        """Why it cannot take part, or None."""
        return None

    def takes(self, scenario):
        """Does it take part in this scenario?"""
        return True

    def start(self):
        os.makedirs(self.dir, exist_ok=True)
        os.chmod(self.dir, 0o755)
        self.launch()
        wait_until(self.is_up, 60, self.name + " to listen")

    def launch(self):
        raise NotImplementedError

    def is_up(self):
        for popen in self.processes.values():
            if popen.poll() is not None:
                raise Failed("%s has ended: see %s" % (self.name, self.dir))
        return is_listening(self.port)

    def stop(self):
        for popen in reversed(list(self.processes.values())):
            end_process(popen)

    def cpu(self):
        return {name: cpu_seconds(popen.pid) for name, popen in self.processes.items()}

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w") as out:
            out.write(text)
        return path

    def make_dir(self, name, user=USER):
        """A directory that the program's account may write to."""
        path = os.path.join(self.dir, name)
        os.makedirs(path, exist_ok=True)
        if os.geteuid() == 0:
            account = pwd.getpwnam(user)
            os.chown(path, account.pw_uid, account.pw_gid)
        return path

    def run(self, name, *command, env=None):
        log = open(os.path.join(self.dir, name + ".log"), "ab")
        with log:
            self.processes[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.dir,
                start_new_session=True, env=dict(os.environ, **(env or {})))
        return self.processes[name]


class Direct(Filter):
    name = "direct"

    def launch(self):
        self.port = self.out

    def is_up(self):
        return True


class HAProxy(Filter):
    """TCP mode, one process, as many threads as there are processors (default)."""

    name = "haproxy"

    @classmethod
    def missing(cls):
        return installed("/usr/sbin/haproxy", "haproxy")

    def launch(self):
        path = self.write("haproxy.cfg", "defaults\n  mode tcp\n  timeout connect 10s\n"
                          "  timeout client 5m\n  timeout server 5m\n"
                          "listen smtp\n  bind 127.0.0.1:%d\n  server sink 127.0.0.1:%d\n"
                          % (self.port, self.out))
        self.run("haproxy", "/usr/sbin/haproxy", "-db", "-f", path)


class Esets(Filter):
    """Defaults; the builtin engine with a thousand SHA-256 signatures, so that
    every object is hashed. What it logs goes to a file, not to syslog."""

    name = "esets_smtp"
    smtp = {}
    glob = {}

    signatures = 1000

    def write_signatures(self, path):
        if self.signatures == 0:
            return
        with open(os.path.join(path, "bench.sha256"), "w") as out:
            for i in range(self.signatures):
                out.write(hashlib.sha256(b"bench %d" % i).hexdigest() + "\n")

    def options(self):
        run = self.make_dir("run")
        glob = {"syslog_facility": '"none"', "daemon_sock_path": '"%s/esets.sock"' % run,
                "pid_file": '"%s/daemon.pid"' % run,
                "av_signature_dir": '"%s/signatures"' % self.dir,
                "av_quarantine_dir": '"%s"' % self.make_dir("quarantine")}
        if os.geteuid() == 0:
            glob.update(user=USER, group="nogroup", daemon_allowed_users='"root:%s"' % USER)
        smtp = {"agent_enabled": "yes", "listen_addr": '"127.0.0.1"', "listen_port": self.port,
                "server_addr": '"127.0.0.1"', "server_port": self.out,
                "pid_file": '"%s/agent.pid"' % run, "spool_dir": '"%s"' % self.make_dir("spool")}
        return dict(glob, **self.glob), dict(smtp, **self.smtp)

    def launch(self):
        self.write_signatures(self.make_dir("signatures"))
        glob, smtp = self.options()
        path = self.config = self.write("esets.cfg", "".join(
            "[%s]\n%s" % (name, "".join("%s = %s\n" % pair for pair in options.items()))
            for name, options in (("global", glob), ("smtp", smtp))))
        self.run("daemon", self.tools.program("esets_daemon"), "--foreground", "-c", path)
        wait_until(lambda: self.has_socket(os.path.join(self.dir, "run", "esets.sock")), 60,
                   "esets_daemon to listen")
        self.run("agent", self.tools.program("esets_smtp"), "--foreground", "-c", path)

    def has_socket(self, path):
        if self.processes["daemon"].poll() is not None:
            raise Failed("esets_daemon has ended: see %s/daemon.log" % self.dir)
        return os.path.exists(path)


def esets_variant(label, smtp=None, glob=None, signatures=Esets.signatures):
    """Esets with other options."""
    return type("EsetsVariant", (Esets,), {
        "name": label, "smtp": smtp or {}, "glob": glob or {}, "signatures": signatures})


class EsetsAccept(Esets):
    name = "esets_smtp, action_av=accept"
    smtp = {"action_av": "accept"}

    def takes(self, scenario):
        return scenario == "large"


class FakeClamd:
    """A scanner that says OK, for filters that ask a clamd. Its CPU time is not
    theirs."""

    def __init__(self, tools):
        self.path = os.path.join(tools.scratch, "clamd.%d" % free_port())
        self.popen = subprocess.Popen([tools.program("fakeclamd"), self.path])
        wait_until(lambda: os.path.exists(self.path), 10, "fakeclamd")

    def stop(self):
        end_process(self.popen)


class Peer(Filter):
    """Another filter; it asks the clamd given, or a fake one."""

    def __init__(self, tools, out, clamd=None):
        super().__init__(tools, out)
        self.clamd = clamd
        self.fake = None

    def launch(self):
        if self.clamd is None:
            self.fake = FakeClamd(self.tools)
            self.clamd = self.fake.path
        self.launch_peer()

    @staticmethod
    def user():
        """Only root may choose."""
        return "User: %s\n" % USER if os.geteuid() == 0 else ""

    def stop(self):
        super().stop()
        if self.fake:
            self.fake.stop()


class Clamsmtp(Peer):
    """Its backlog is short, and a connection it has missed is tried again only
    after 1, 3, 7 seconds."""

    name = "clamsmtp"
    stall = 5
    program = "/usr/sbin/clamsmtpd"
    env = {}

    @classmethod
    def missing(cls):
        return installed(cls.program, "clamsmtp")

    def launch_peer(self):
        path = self.write("clamsmtpd.conf", "OutAddress: 127.0.0.1:%d\nListen: 127.0.0.1:%d\n"
                          "ClamAddress: %s\nTempDirectory: %s\n%s"
                          % (self.out, self.port, self.clamd, self.make_dir("tmp"), self.user()))
        self.run("clamsmtpd", self.program, "-d", "1", "-f", path, env=self.env)


class ClamsmtpForced(Clamsmtp):
    """TCP_NODELAY and a backlog of 4096, which it does not set by itself."""

    name = "clamsmtp, nodelay"
    stall = Peer.stall

    def launch_peer(self):
        shim = os.path.join(self.dir, "nodelay.so")
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", shim,
                        os.path.join(os.path.dirname(os.path.abspath(__file__)), "../nodelay.c"),
                        "-ldl"], check=True)
        self.env = {"LD_PRELOAD": shim}
        super().launch_peer()


class Proxsmtp(Peer):
    """Its filter command, run for each mail, is true(1). Some of its sessions
    stand still for good under load, which takes time."""

    name = "proxsmtp"
    stall = 10
    in_short_form = False
    program = "/usr/sbin/proxsmtpd"

    @classmethod
    def missing(cls):
        return installed(cls.program, "proxsmtp")

    def launch_peer(self):
        path = self.write("proxsmtpd.conf", "OutAddress: 127.0.0.1:%d\nListen: 127.0.0.1:%d\n"
                          "FilterCommand: /bin/true\nFilterType: file\n"
                          "TempDirectory: %s\n%s"
                          % (self.out, self.port, self.make_dir("tmp"), self.user()))
        self.run("proxsmtpd", self.program, "-d", "1", "-f", path)


class Amavisd(Peer):
    """Decoders, spam checks and DKIM off; four processes instead of two."""

    name = "amavisd-new"
    program = "/usr/sbin/amavisd"
    config = """use strict;
$max_servers = 4;
$daemon_user = '%(user)s'; $daemon_group = '%(user)s';
$mydomain = 'bench.example'; $myhostname = 'filter.bench.example';
$MYHOME = '%(dir)s'; $TEMPBASE = '%(dir)s/tmp'; $db_home = '%(dir)s/db';
$pid_file = '%(dir)s/amavisd.pid'; $lock_file = '%(dir)s/amavisd.lock';
$QUARANTINEDIR = undef; $enable_db = 0; $enable_zmq = 0; $do_syslog = 0; $log_level = 0;
$unix_socketname = undef; $inet_socket_bind = '127.0.0.1'; $inet_socket_port = %(port)d;
@inet_acl = qw(127.0.0.1);
$forward_method = 'smtp:[127.0.0.1]:%(out)d'; $notify_method = $forward_method;
$bypass_decode_parts = 1; @bypass_spam_checks_maps = (1); @bypass_banned_checks_maps = (1);
$enable_dkim_verification = 0; $enable_dkim_signing = 0;
@av_scanners = (['clamd', \&ask_daemon, ["CONTSCAN {}\\n", '%(clamd)s'],
  qr/\\bOK$/m, qr/\\bFOUND$/m, qr/^.*?: (?!Infected Archive)(.*) FOUND$/m]);
@av_scanners_backup = ();
1;
"""

    @classmethod
    def missing(cls):
        if os.geteuid() != 0:      # it wants its configuration owned by another
            return "amavisd-new needs root"
        return installed(cls.program, "amavisd-new")

    def launch_peer(self):
        user = "amavis"
        home = self.make_dir("home", user)
        for name in ("home/tmp", "home/db"):
            self.make_dir(name, user)
        path = self.write("amavisd.conf", self.config % {
            "user": user, "dir": home, "port": self.port, "out": self.out, "clamd": self.clamd})
        self.run("amavisd", self.program, "-c", path, "foreground")


FILTERS = [Direct, HAProxy, Esets, EsetsAccept, Clamsmtp, ClamsmtpForced, Proxsmtp, Amavisd]
