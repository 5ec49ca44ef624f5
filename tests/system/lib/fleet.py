"""A small fleet: hosts, each a network namespace with an address of its own, wired
to the test, which has a network of its own as well: nothing of the machine's is seen
or changed, and all of it is gone when the processes are.

    test (balancer, server, clients)  10.77.N.1 ---- 10.77.N.2  host N

enter() must come before the first thread: a namespace belongs to a thread."""

import ctypes
import os
import shutil
import signal
import subprocess

import engines
from harness import Case, is_listening_unix, wait_until
from procs import Suite, session_members

CLONE_NEWNET = 0x40000000
LISTEN = "0A"
CLAMD_PORT, RSPAMD_PORT = 3310, 11333


def ip(*words, prefix=()):
    subprocess.run([*prefix, "ip", *words], check=True, stdin=subprocess.DEVNULL, timeout=30)


def enter():
    """Puts this process into a network of its own. A reason to skip, or None."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for name in ("ip", "nsenter", "unshare"):
        if not shutil.which(name):
            return "no " + name
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        return "no network namespaces here: " + os.strerror(ctypes.get_errno())
    ip("link", "set", "lo", "up")
    made = subprocess.run(["ip", "link", "add", "probe0", "type", "veth", "peer", "name", "probe1"],
                          stderr=subprocess.PIPE)
    if made.returncode != 0:
        return "no veth devices here: " + made.stderr.decode().strip()
    ip("link", "del", "probe0")
    return None


class Host:
    """Host number N of a case. enter: what to put before a command that runs there.
    t: a Case of its own, in a directory of its own."""

    def __init__(self, t, number):
        self.name = "host%d" % number
        self.gateway = "10.77.%d.1" % number
        self.address = "10.77.%d.2" % number
        self.link = "v%d" % number
        os.mkdir(t.path(self.name))
        os.chmod(t.path(self.name), 0o755)
        self.t = Case(self.name, t.path(self.name))
        t.at_end(self.end)
        # It ends with its stdin, and the namespace with it.
        self.holder = subprocess.Popen(["unshare", "-n", "cat"], stdin=subprocess.PIPE,
                                       stdout=subprocess.DEVNULL)
        wait_until(self.has_network, 10, "a network namespace")
        self.proc_net = "/proc/%d/net" % self.holder.pid
        self.enter = ["nsenter", "--net=/proc/%d/ns/net" % self.holder.pid]
        self.wire()

    def has_network(self):
        return (os.readlink("/proc/%d/ns/net" % self.holder.pid)
                != os.readlink("/proc/self/ns/net"))

    def wire(self):
        ip("link", "add", self.link, "type", "veth", "peer", "name", "eth0", "netns",
           str(self.holder.pid))
        ip("addr", "add", self.gateway + "/24", "dev", self.link)
        ip("link", "set", self.link, "up")
        for words in (("link", "set", "lo", "up"), ("link", "set", "eth0", "up"),
                      ("addr", "add", self.address + "/24", "dev", "eth0"),
                      ("route", "add", "default", "via", self.gateway)):
            ip(*words, prefix=self.enter)

    def unplug(self):
        """Its packets get lost from now on: nobody is told."""
        ip("link", "set", "eth0", "down", prefix=self.enter)

    def is_listening(self, port):
        with open(self.proc_net + "/tcp") as table:
            next(table)
            return any(fields[3] == LISTEN and int(fields[1].split(":")[1], 16) == port
                       for fields in map(str.split, table))

    def end(self):
        problems = self.t.finish()
        self.holder.stdin.close()
        self.holder.wait()
        subprocess.run(["ip", "link", "del", self.link], stderr=subprocess.DEVNULL)
        if problems:
            raise AssertionError("%s: %s" % (self.name, "\n".join(problems)))


class Behind:
    """Where a host finds the server: at its own gateway."""

    def __init__(self, host, port):
        self.host, self.port = host.gateway, port


class Node(Suite):
    """Both programs on a host, with the server at a port of the test."""

    def __init__(self, host, server_port, smtp=None, glob=None):
        self.on = host
        smtp = dict({"trusted_networks": "127.0.0.0/8, " + host.gateway}, **(smtp or {}))
        super().__init__(host.t, smtp=smtp, glob=glob, server=Behind(host, server_port),
                         host=host.address, start=False)
        self.agent.prefix = self.daemon.prefix = host.enter
        self.start()

    def start_daemon(self):
        self.daemon.start(lambda: is_listening_unix(self.sock_path, self.on.proc_net))

    def start_agent(self):
        self.agent.start(lambda: self.on.is_listening(self.port))


class OnHost:
    """Mixed in before a RealEngine: it runs on a host."""

    def run(self, arguments, is_ready, **kw):
        program = self.program
        self.program, *enter = self.on.enter
        try:
            super().run([*enter, program, *arguments], is_ready, **kw)
        finally:
            self.program = program

    def kill(self):
        for pid in session_members(self.popen.pid):
            os.kill(pid, signal.SIGKILL)
        self.popen.wait()
        wait_until(lambda: not session_members(self.popen.pid), 5, "killed processes to go")


class RemoteClamd(OnHost, engines.RealClamd):
    def __init__(self, host, **options):
        self.on = host
        super().__init__(host.t, TCPAddr=host.address, TCPSocket=str(CLAMD_PORT),
                         **options)

    @property
    def addr(self):
        return "%s:%d" % (self.on.address, CLAMD_PORT)

    def is_ready(self):
        return engines.can_talk((self.on.address, CLAMD_PORT), b"zPING\0", b"PONG\0")


class RemoteRspamd(OnHost, engines.RealRspamd):
    """On port 11333 of every address: it is asked by a name that several have."""

    def __init__(self, host):
        self.on = host
        super().__init__(host.t)

    def start(self):
        path = self.t.path("rspamd.conf")
        with open(path) as source:
            text = source.read().replace("127.0.0.1:%d" % self.port, "*:%d" % RSPAMD_PORT)
        self.t.write("rspamd.conf", text)
        self.run(["-f", "-c", path, "-i", "-u", "nobody", "-g", "nogroup"],
                 lambda: engines.can_talk((self.on.address, RSPAMD_PORT),
                                          b"GET /ping HTTP/1.0\r\n\r\n", b"HTTP/1.1 200"))
