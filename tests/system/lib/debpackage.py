"""The Debian package of this build, for tests of what it does where it is installed."""

import fcntl
import glob
import os
import shutil
import subprocess

import messages
from harness import SLOW, Skip, check_eq, check_in
from procs import BUILD_DIR
from smtpclient import Client

CONFIG = "/etc/esets/esets.cfg"
HIGHER = "0.1.0-1+site1"
SETTINGS = """\
agent_enabled = yes
listen_addr = "127.0.0.1"
listen_port = 2526
server_addr = "127.0.0.1"
server_port = 2525
av_quarantine_enabled = yes
"""


def make_deb(t, *arguments):
    """Builds in the build directory and takes what came out of it. {name: path}
    What one case has built is there for the next."""
    folder = os.path.join(os.path.dirname(t.scratch), "-".join(["deb", *arguments]))
    for tool in ("dpkg-buildpackage", "dh"):
        if not shutil.which(tool):
            raise Skip(tool + " is not installed")
    if not os.path.isdir(folder):
        build(folder, *arguments)
    return {os.path.basename(path).split("_")[0]: path
            for path in glob.glob(os.path.join(folder, "*.deb"))}


def build(folder, *arguments):
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    env["DEB_BUILD_OPTIONS"] = "nocheck"   # the unit tests were run elsewhere
    with open(os.path.join(BUILD_DIR, "deb.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)   # other tests build at the same place
        done = subprocess.run(["make", "-C", BUILD_DIR, "deb", *arguments],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env=env, timeout=600 * SLOW)
        check_eq(done.returncode, 0, done.stdout.decode("utf-8", "replace")[-3000:])
        shutil.move(os.path.join(BUILD_DIR, "deb"), folder)


class WithPackage:
    """What a Debian of cleandebian.py can do with it."""

    def install(self, path, *options):
        shutil.copy(path, self.path("/root"))
        self.run("apt-get install %s ./%s && rm *.deb" % (" ".join(options),
                                                        os.path.basename(path)))

    def send(self, server, message, code):
        """One mail to the filter; what of it comes to the server."""
        before = len(server.accepted)
        with self.network():
            client = Client(2526)
        client.hello()
        check_eq(client.mail(message).code, code, "reply")
        client.quit()
        return [accepted.data for accepted in server.accepted[before:]]

    def filters(self, server):
        came = self.send(server, messages.clean(), 250)
        check_eq(len(came), 1, "messages at the server")
        check_in(b"X-Virus-Scanner:", came[0])
        check_eq(self.send(server, messages.eicar_variants()["base64"], 554), [])
