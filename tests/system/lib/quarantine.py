"""The quarantine of a suite, as files: what esets_quar(1) says of them."""

import hashlib
import os
import pwd
import time
import urllib.parse

from harness import check, check_eq, wait_until
from procs import USER

HEAD = b"esets-quarantine/1\n"


class Kept:
    """One message: its octets, and the pairs of its metadata in order."""

    def __init__(self, path, ident):
        self.id = ident
        self.paths = [os.path.join(path, ident + ".eml"), os.path.join(path, ident + ".meta")]
        with open(self.paths[0], "rb") as message:
            self.message = message.read()
        with open(self.paths[1], "rb") as meta:
            text = meta.read()
        check(text.startswith(HEAD) and text.endswith(b"\n\n"), "metadata: %r" % text)
        self.pairs = [line.decode("utf-8", "surrogateescape").split("=", 1)
                      for line in text[len(HEAD):-2].split(b"\n")]

    def all(self, key):
        return [urllib.parse.unquote(value, errors="surrogateescape")
                for name, value in self.pairs if name == key]

    def get(self, key):
        values = self.all(key)
        check_eq(len(values), 1, "values of " + key)
        return values[0]


class Quarantine:
    def __init__(self, suite):
        self.suite = suite
        self.path = suite.glob["av_quarantine_dir"]

    def files(self):
        try:
            return sorted(os.listdir(self.path))
        except FileNotFoundError:
            return []

    def ids(self):
        """Of all whole messages, oldest first."""
        files = set(self.files())
        return sorted(name[:-5] for name in files
                      if name.endswith(".meta") and name[:-5] + ".eml" in files)

    def octets(self):
        return sum(os.stat(os.path.join(self.path, name)).st_size for name in self.files())

    def one(self, ident):
        return Kept(self.path, ident)

    def wait(self, count):
        """The messages, once there are so many; nothing else may be there."""
        wait_until(lambda: len(self.ids()) == count, 10, "%d messages in quarantine" % count)
        check_eq(len(self.files()), 2 * count, "files in quarantine")
        return [self.one(ident) for ident in self.ids()]

    def remove(self, ident):
        for suffix in (".meta", ".eml"):
            os.unlink(os.path.join(self.path, ident + suffix))

    # -- made by hand

    def make(self):
        os.makedirs(self.path, 0o700, exist_ok=True)
        self.give_away()

    def give_away(self):
        """Everything to the daemon's user."""
        if os.geteuid() != 0:
            return
        account = pwd.getpwnam(USER)
        for path in [self.path] + [os.path.join(self.path, name) for name in self.files()]:
            os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)

    @staticmethod
    def age_id(seconds, number=0):
        return time.strftime("%Y%m%d-%H%M%S", time.gmtime(time.time() - seconds)) + "-%08x" % number

    def put(self, ident, message, **keys):
        """A message of somebody's making. Values as they stand in the file; a
        list is a key that is repeated."""
        pairs = {"size": len(message), "id": ident, "sha256": hashlib.sha256(message).hexdigest(),
                 "time": int(time.mktime(time.strptime(ident[:15] + "UTC", "%Y%m%d-%H%M%S%Z"))),
                 "agent": "smtp", "av": "infected", "virus": "Test", "sender": "a@example.org",
                 "rcpts": 1, "rcpt": ["b@example.net"], **keys}
        lines = [b"%s=%s\n" % (key.encode(), one if isinstance(one, bytes) else str(one).encode())
                 for key, value in pairs.items() if value is not None
                 for one in (value if isinstance(value, list) else [value])]
        for suffix, octets in ((".eml", message), (".meta", HEAD + b"".join(lines) + b"\n")):
            with open(os.path.join(self.path, ident + suffix), "wb") as out:
                out.write(octets)
            os.chmod(out.name, 0o600)
        self.give_away()
        return ident
