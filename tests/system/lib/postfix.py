"""A private Postfix instance: own configuration, queue, data and log, high
ports on loopback. Nothing of the host's mail set-up is read or touched. The
filter's transport and the way back are the shipped fragments of etc/postfix
with ports put in, so that these are what is tested.

Postfix starts its processes as root and gives up rights itself, so the tests
that use it need root and Debian's package postfix; else they are skipped."""

import email
import email.policy
import glob
import json
import os
import pwd
import re
import shutil
import subprocess

from harness import SLOW, SOURCE_DIR, Skip, check, check_eq, free_port, wait_until
from procs import state_of

MAILBOX_USER = "nobody"
ADDRESSES = ("sender", "rcpt", "other", "postmaster", "root")
DOMAIN = "inbox.example"
BEHIND_QUEUE, BEFORE_QUEUE = "main.cf.esets", "main.cf.before-queue.esets"

MASTER = """\
{front}   inet  n - n - - smtpd
{extra}
pickup    unix  n - n 60 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp      unix  - - n - - smtp
relay     unix  - - n - - smtp
showq     unix  n - n - - showq
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
local     unix  - n n - - local
virtual   unix  - n n - - virtual
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""

MAIN = """\
compatibility_level = 3.6
queue_directory = {dir}/queue
data_directory = {dir}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
maillog_file = {dir}/mail.log
maillog_file_prefixes = {dir}
myhostname = mx.inbox.example
mydomain = inbox.example
myorigin = inbox.example
mydestination =
inet_interfaces = all
inet_protocols = all
mynetworks = 127.0.0.0/8 [::1]/128
alias_maps =
alias_database =
local_recipient_maps =
default_transport = error:no way out of the test
relay_transport = error:no way out of the test
virtual_mailbox_domains = inbox.example
virtual_mailbox_base = {dir}/mail
virtual_mailbox_maps = texthash:{dir}/etc/boxes
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_mailbox_limit = 0
mailbox_size_limit = 0
message_size_limit = 104857600
notify_classes =
smtputf8_enable = yes
smtpd_peername_lookup = no
disable_dns_lookups = yes
minimal_backoff_time = 2s
maximal_backoff_time = 4s
queue_run_delay = 2s
"""


def why_not():
    """A reason to skip, or None."""
    if os.geteuid() != 0:
        return "a private Postfix needs root"
    if not shutil.which("postfix", path="/usr/sbin:/usr/bin"):
        return "Debian's package postfix is not installed"
    return None


def fragment(name, front_port, back_port, agent_port, host):
    """A shipped fragment with this instance's ports and names."""
    with open(os.path.join(SOURCE_DIR, "etc", "postfix", name)) as source:
        text = source.read()
    text = text.replace("esets.DOMAIN", "esets.inbox.example")
    bind = "[%s]" % host if ":" in host else host
    text = text.replace(":[127.0.0.1]:2526", ":[%s]:%d" % (host, agent_port))
    text = text.replace(" 127.0.0.1:2526", " %s:%d" % (bind, agent_port))
    return text.replace("127.0.0.1:2525 ", "%s:%d " % (bind, back_port))


class Postfix:
    """agent_port: where esets_smtp will listen; back_port: where it is to send.
    filtered: by which pair of fragments (the name of main.cf's), or None."""

    def __init__(self, t, agent_port, host="127.0.0.1", start=True, filtered=BEHIND_QUEUE,
                 extra_master="", extra_main=""):
        reason = why_not()
        if reason:
            raise Skip(reason)
        self.t = t
        self.host = host
        self.dir = t.path("pf")
        self.port = free_port()
        self.back_port = free_port()
        self.agent_port = agent_port
        self.log_path = os.path.join(self.dir, "mail.log")
        self.prefix = []   # a command that ends in exec of postfix
        self._configure(filtered, extra_master, extra_main)
        if start:
            self.start()

    def _configure(self, filtered, extra_master, extra_main):
        account = pwd.getpwnam(MAILBOX_USER)
        owner = pwd.getpwnam("postfix")
        for name in ("", "etc", "queue", "data", "mail"):
            os.makedirs(os.path.join(self.dir, name), exist_ok=True)
        os.chown(os.path.join(self.dir, "data"), owner.pw_uid, owner.pw_gid)
        os.chown(os.path.join(self.dir, "mail"), account.pw_uid, account.pw_gid)
        ports = (self.port, self.back_port, self.agent_port, self.host)
        front = "[%s]:%d" % (self.host, self.port) if ":" in self.host else "%s:%d" % (
            self.host, self.port)
        main = MAIN.format(dir=self.dir, uid=account.pw_uid, gid=account.pw_gid) + extra_main
        extra = extra_master
        if filtered:
            main += fragment(filtered, *ports)
            extra += fragment(filtered.replace("main", "master"), *ports)
        self._write("main.cf", main)
        self._write("master.cf", MASTER.format(front=front, extra=extra))
        self._write("boxes", "".join("%s@%s %s/\n" % (a, DOMAIN, a) for a in ADDRESSES))

    def _write(self, name, text):
        with open(os.path.join(self.dir, "etc", name), "w") as out:
            out.write(text)

    def _postfix(self, *words, check_status=True):
        done = subprocess.run([*self.prefix, "/usr/sbin/postfix", "-c", os.path.join(self.dir, "etc"), *words],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60)
        if check_status:
            check_eq(done.returncode, 0, "postfix %s: %s\n%s" % (
                " ".join(words), done.stdout.decode("utf-8", "replace"), self.log()))
        return done

    def start(self):
        self.t.at_end(self.stop)
        self._postfix("start")
        wait_until(lambda: "starting the Postfix" in self.log() or "daemon started" in self.log(),
                   15, "Postfix to start")

    def stop(self):
        """As "postfix stop", which looks only once in a second whether it has ended."""
        try:
            with open(os.path.join(self.dir, "queue", "pid", "master.pid")) as source:
                master = int(source.read())
        except (OSError, ValueError):
            return
        self._postfix("abort", check_status=False)
        wait_until(lambda: state_of(master) in "ZX", 10, "Postfix to end", poll=0.02)

    def reload(self):
        self._postfix("reload")

    def log(self):
        try:
            with open(self.log_path, "rb") as log:
                return log.read().decode("utf-8", "replace")
        except OSError:
            return ""

    def sendmail(self, message, sender="sender@" + DOMAIN, recipients=("rcpt@" + DOMAIN,)):
        """Local submission; message with LF line ends, as programs hand it over."""
        done = subprocess.run(["/usr/sbin/sendmail", "-C", os.path.join(self.dir, "etc"), "-i",
                               "-f", sender, *recipients], input=message,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30)
        check_eq(done.returncode, 0, "sendmail: %r" % done.stdout)

    def flush(self):
        subprocess.run(["/usr/sbin/postqueue", "-c", os.path.join(self.dir, "etc"), "-f"],
                       check=True, timeout=30)

    def queue(self):
        done = subprocess.run(["/usr/sbin/postqueue", "-c", os.path.join(self.dir, "etc"), "-j"],
                              check=True, stdout=subprocess.PIPE, timeout=30)
        return [json.loads(line) for line in done.stdout.decode().splitlines()]

    def wait_queue_empty(self, timeout=20):
        """Seen twice: showq reads one directory after the other, and a message that moves
        from one to another meanwhile is in neither."""
        wait_until(lambda: not self.queue() and not self.queue(), timeout,
                   "an empty queue:\n" + self.log(), poll=0.05)

    def wait_deferred(self, text, timeout=20):
        """Until every message in the queue is deferred for a reason with text."""
        def all_deferred():
            queue = self.queue()
            reasons = [r.get("delay_reason", "") for m in queue for r in m["recipients"]]
            return queue and all(text in reason for reason in reasons) and queue
        return wait_until(all_deferred, timeout, "mail deferred with %r" % text, poll=0.05)

    def mailbox(self, name):
        """The messages delivered to an address, in no order."""
        return [Delivered(path) for path in glob.glob(os.path.join(self.dir, "mail", name, "new", "*"))]

    def wait_mailbox(self, name, count=1, timeout=20):
        wait_until(lambda: len(self.mailbox(name)) >= count, timeout,
                   "%d messages for %s" % (count, name))
        return self.mailbox(name)


class Delivered:
    """A delivered message, with LF line ends as virtual(8) writes it."""

    def __init__(self, path):
        with open(path, "rb") as source:
            self.octets = source.read()
        self.header, _, self.body = self.octets.partition(b"\n\n")
        self.message = email.message_from_bytes(self.octets, policy=email.policy.SMTP)
        self.names = [m.decode() for m in re.findall(rb"^([\x21-\x39\x3b-\x7e]+):", self.header, re.M)]
