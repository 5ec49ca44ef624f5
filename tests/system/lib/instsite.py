"""A private Postfix with a configuration for esets_inst to work on."""

import os
import subprocess

import messages
from harness import check, check_eq, check_in, free_port, main
from postfix import Postfix, why_not
from procs import Suite, run
from smtpclient import Client

WHY_NOT = why_not()
SENDER, RCPT = b"sender@inbox.example", b"rcpt@inbox.example"
CLEAN, INFECTED = messages.clean(), messages.eicar_variants()["base64"]


class Behind:
    def __init__(self, port):
        self.host, self.port = "127.0.0.1", port


class Site:
    """A private Postfix without the filter, the suite, and esets_inst on both."""

    def __init__(self, t, running=True, smtp=None, glob=None, filtered=False, extra_main="",
                 extra_master="", suite=True):
        self.t = t
        port = free_port()
        self.mta = Postfix(t, port, filtered=filtered, start=running, extra_main=extra_main,
                           extra_master=extra_master)
        self.suite = Suite(t, server=Behind(self.mta.back_port), start=running and suite,
                           smtp={"listen_port": port, **(smtp or {})}, glob=glob)
        self.dir = os.path.join(self.mta.dir, "etc")
        self.config = self.suite.config_path
        self.state = os.path.join(self.dir, "esets_inst")

    def arguments(self, *arguments):
        return ("--postfix-config", self.dir, "-c", self.config, *arguments)

    def __call__(self, *arguments, status=0, **more):
        got, out, self.err = run(self.t, "esets_inst", *self.arguments(*arguments), timeout=120,
                                 **more)
        check_eq(got, status, "exit status of %s: %s%s%s" % (" ".join(arguments), out, self.err,
                                                             self.mta.log()))
        # as it is with files in places that are no test's
        usual = out.replace(self.dir, "/etc/postfix").replace(self.config, "/etc/esets/esets.cfg")
        check(all(len(line) <= 200 for line in usual.splitlines()), "long lines:\n" + out)
        return out

    def files(self):
        """Octets and rights of all that may be changed."""
        found = {}
        for path in (os.path.join(self.dir, "main.cf"), os.path.join(self.dir, "master.cf"),
                     self.config):
            with open(path, "rb") as source:
                found[path] = (source.read(), os.fstat(source.fileno()).st_mode,
                               os.fstat(source.fileno()).st_uid)
        found["names"] = sorted(os.listdir(self.dir)), sorted(
            name for name in os.listdir(os.path.dirname(self.config)) if "esets.cfg" in name)
        return found

    def edit(self, name, old, new):
        path = os.path.join(self.dir, name)
        with open(path) as source:
            text = source.read()
        check_in(old, text, name)
        with open(path, "w") as out:
            out.write(text.replace(old, new))

    def postconf(self, *arguments):
        return subprocess.run(["/usr/sbin/postconf", "-c", self.dir, *arguments], check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              timeout=30).stdout.decode()

    def setting(self, name):
        return self.postconf("-h", name).strip()

    def send(self, message, code=250):
        client = Client(self.mta.port)
        client.hello()
        client.envelope(sender=SENDER, recipients=(RCPT,))
        reply = client.data(message, code)
        client.quit()
        return reply
