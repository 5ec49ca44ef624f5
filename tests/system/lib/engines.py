"""External engines for esets_daemon: fakes that do what a test wants, and real
ones with a configuration of their own in the scratch directory."""

import array
import fcntl
import json
import os
import shutil
import socket
import struct
import subprocess
import threading

import messages
from fakescan import CLOSE, HEAD_REQUEST, Stalled, ask, peer_has_gone, read_all
from fakeserver import FakeServer
from harness import SLOW, Skip, check, free_port, wait_until
from procs import Suite

F_ADD_SEALS, ALL_SEALS = 1033, 15
SILENCE = object()   # read nothing, say nothing, until the other end goes


# --- esets_daemon alone, asked directly ----------------------------------------

def start(t, **glob):
    suite = Suite(t, start=False, glob=glob)
    suite.start_daemon()
    return suite


def sealed(content):
    fd = os.memfd_create("message", os.MFD_ALLOW_SEALING)
    with open(fd, "wb", closefd=False) as out:
        out.write(content)
    fcntl.fcntl(fd, F_ADD_SEALS, ALL_SEALS)
    return fd


def request(size, **keys):
    lines = ["size=%d" % size] + ["%s=%s" % (key, value) for key, value in keys.items()]
    return HEAD_REQUEST + "".join(line + "\n" for line in lines).encode() + b"\n"


def scan(suite, content, **keys):
    """The answer's keys; values as they stand in the packet."""
    fd = sealed(content)
    try:
        answer = ask(suite.sock_path, request(len(content), **keys), fd, 100 * SLOW)
    finally:
        os.close(fd)
    check(answer.startswith(b"esets-scan/1 verdict\n") and answer.endswith(b"\n\n"), "%r" % answer)
    pairs = [line.split(b"=", 1) for line in answer.split(b"\n")[1:-2]]
    return {key.decode(): value.decode() for key, value in pairs}


class Scans:
    """Several scans at once; .answers when they have ended."""

    def __init__(self, suite, contents, **keys):
        self.answers = [None] * len(contents)

        def one(number, content):
            self.answers[number] = scan(suite, content, **keys)
        self._threads = [threading.Thread(target=one, args=pair) for pair in enumerate(contents)]
        for thread in self._threads:
            thread.start()

    def wait(self):
        for thread in self._threads:
            thread.join()
        return self.answers


# --- fakes ---------------------------------------------------------------------

class Asked:
    """One question: the command or verb, its headers, and the object."""

    number = None   # of a command of clamd in a session

    def __init__(self, command, content, headers=()):
        self.command = command
        self.content = content
        self.headers = list(headers)

    def get(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]


class FakeEngine(FakeServer):
    """answers: used up in turn by scans, the last one stays. Each is octets,
    CLOSE, SILENCE, Stalled, or a callable(asked) that returns one of these.
    Scans are kept in asked; probes are answered unless is_deaf."""

    timeout = 100 * SLOW

    def __init__(self, t, *answers, name="engine", tcp=False, start=True):
        super().__init__(t, path=None if tcp else t.path(name + ".sock"),
                         port=free_port() if tcp else None)
        self.answers = list(answers)
        self.asked = []
        self.at_work = self.most_at_work = self.gone = self.probes = 0
        self.is_deaf = False
        if start:
            self.start()

    @property
    def addr(self):
        return self.path or "127.0.0.1:%d" % self.port

    def scanned(self, sock, asked):
        """A scan has been asked for: counts it and answers. Returns the answer."""
        with self._lock:
            self.asked.append(asked)
            self.at_work += 1
            self.most_at_work = max(self.most_at_work, self.at_work)
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        try:
            answer = self._wait_answer(sock, asked, answer)
        finally:
            # before the answer: the next scan may be here before sendall is back
            with self._lock:
                self.at_work -= 1
        if answer is not CLOSE:
            sock.sendall(self.framed(asked, answer))
        return answer

    def framed(self, asked, answer):
        """The answer as it is sent."""
        return answer

    def _answer(self, sock, asked, answer):
        answer = self._wait_answer(sock, asked, answer)
        if answer is not CLOSE:
            sock.sendall(answer)

    def _wait_answer(self, sock, asked, answer):
        if callable(answer):
            answer = answer(asked)
        if answer is SILENCE:
            answer = Stalled(CLOSE)
        if isinstance(answer, Stalled):
            while not answer.event.wait(0.01):
                if self.ends_with_client and peer_has_gone(sock):
                    self.gone += 1
                    return CLOSE
            answer = answer.answer
        return answer

    ends_with_client = True

    def wait_asked(self, count, timeout=10):
        wait_until(lambda: len(self.asked) >= count, timeout, "%d questions" % count)
        return self.asked


def read_until(sock, end, limit=65536):
    text = b""
    while not text.endswith(end):
        octet = sock.recv(1)
        if not octet or len(text) > limit:
            raise EOFError
        text += octet
    return text


def read_exactly(sock, size):
    pieces = []
    while size:
        piece = sock.recv(min(size, 1 << 20))
        if not piece:
            raise EOFError
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def find_bad(asked):
    """An answer of clamd: EICAR, and objects with the words "bad NAME", are
    found; everything else is clean."""
    prefix = b"stream: " if asked.command == "INSTREAM" else b"fd[7]: "
    if messages.EICAR in asked.content:
        return prefix + b"Eicar-Signature FOUND\0"
    _, found, rest = asked.content.partition(b"bad ")
    return prefix + (rest.split()[0] + b" FOUND\0" if found else b"OK\0")


class FakeClamd(FakeEngine):
    """In a session its answers bear the number of the command plus shift, unless
    they begin with one; behind one without a NUL it hangs up."""

    takes_descriptors = True
    knows_sessions = True
    shift = 0
    version = b"ClamAV 9.8.7/4711/Fri Nov 20 09:12:13 2026\0"
    timed_out = b"COMMAND READ TIMED OUT\n"

    def __init__(self, t, *answers, name="clamd", **kw):
        super().__init__(t, *(answers or (find_bad,)), name=name, **kw)

    def serve(self, sock):
        number = None
        descriptors = []
        while True:
            word = self._command(sock, descriptors)
            if word == "IDSESSION" and self.knows_sessions:
                number = 0
                continue
            number = number if number is None else number + 1
            goes_on = self._execute(sock, word, descriptors, number)
            if number is None or not goes_on:
                return

    def _command(self, sock, descriptors):
        command = b""
        while not command.endswith(b"\0"):
            if self.is_deaf:
                self._answer(sock, None, SILENCE)
                raise EOFError
            octet, fds = receive(sock, 1)
            if not octet:
                raise EOFError
            command += octet
            descriptors += fds
        check(command[:1] == b"z", "%r" % command)
        return command[1:-1].decode()

    def _execute(self, sock, word, descriptors, number):
        """Returns whether another command may follow in a session."""
        asked = Asked(word, b"")
        asked.number = number
        if word == "PING":
            self.probes += 1
            sock.sendall(self.framed(asked, b"PONG\0"))
        elif word == "VERSION":
            sock.sendall(self.framed(asked, self.version))
        elif word == "FILDES":
            descriptors += receive(sock, 1)[1]
            return self._fildes(sock, asked, descriptors)
        elif word == "INSTREAM":
            asked.content = b"".join(chunks(sock))
            return ends_whole(self.scanned(sock, asked))
        else:
            sock.sendall(self.framed(asked, b"UNKNOWN COMMAND\0"))
            return False
        return True

    def _fildes(self, sock, asked, descriptors):
        try:
            if not self.takes_descriptors:
                sock.sendall(self.framed(asked, b"No file descriptor received. ERROR\0"))
                return False
            asked.content = read_all(descriptors[0], os.fstat(descriptors[0]).st_size)
            return ends_whole(self.scanned(sock, asked))
        finally:
            while descriptors:
                os.close(descriptors.pop())

    def framed(self, asked, answer):
        line, found, rest = answer.partition(self.timed_out)
        if not found:
            line, rest = b"", answer
        if asked.number is None or rest[:1].isdigit() or not rest:
            return answer
        return line + found + b"%d: " % (asked.number + self.shift) + rest


def ends_whole(answer):
    return answer is not CLOSE and answer.endswith(b"\0")


def chunks(sock):
    while True:
        size, = struct.unpack("!I", read_exactly(sock, 4))
        if not size:
            return
        yield read_exactly(sock, size)


def receive(sock, size):
    data, ancillary, _flags, _addr = sock.recvmsg(size, socket.CMSG_SPACE(16))
    fds = array.array("i")
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(payload[:len(payload) - len(payload) % fds.itemsize])
    return data, list(fds)


def read_head(sock):
    """A request line and headers, up to the empty line."""
    lines = read_until(sock, b"\r\n\r\n").decode("latin-1").split("\r\n")[:-2]
    headers = [tuple(line.split(": ", 1)) for line in lines[1:]]
    check(all(len(pair) == 2 for pair in headers), "%r" % lines)
    return lines[0], headers


def length_of(headers):
    return next((int(value) for key, value in headers if key.lower() == "content-length"), 0)


def spam_line(score, limit=5.0, code=b"0 EX_OK", more=b""):
    """An answer of spamd."""
    return b"SPAMD/1.1 %s\r\n%sSpam: %s ; %.1f / %.1f\r\n\r\n" % (
        code, more, b"True" if score >= limit else b"False", score, limit)


class FakeSpamd(FakeEngine):
    def __init__(self, t, *answers, name="spamd", **kw):
        super().__init__(t, *(answers or (lambda asked: spam_line(
            9.5 if messages.GTUBE in asked.content else 0.5),)), name=name, **kw)

    def serve(self, sock):
        if self.is_deaf:
            return self._answer(sock, None, SILENCE)
        line, headers = read_head(sock)
        if line.startswith("PING "):
            self.probes += 1
            return sock.sendall(b"SPAMD/1.5 0 PONG\r\n")
        content = read_exactly(sock, length_of(headers))
        return self.scanned(sock, Asked(line, content, headers))


def http(body, status=b"200 OK", length=True, more=b""):
    return b"HTTP/1.1 %s\r\nServer: fake\r\n%s%s\r\n%s" % (
        status, b"Content-Length: %d\r\n" % len(body) if length else b"", more, body)


def action(name, score, **more):
    """An answer of rspamd."""
    return http(json.dumps({"is_skipped": False, "score": score, "required_score": 15.0,
                            "action": name, "symbols": {"X": {"score": 1.0, "options": ["a"]}},
                            **more}).encode())


class FakeRspamd(FakeEngine):
    def __init__(self, t, *answers, name="rspamd", **kw):
        super().__init__(t, *(answers or (lambda asked: action("reject", 20.0)
                                          if messages.GTUBE in asked.content
                                          else action("no action", 0.5),)),
                         name=name, tcp=True, **kw)

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port

    def serve(self, sock):
        if self.is_deaf:
            return self._answer(sock, None, SILENCE)
        line, headers = read_head(sock)
        if line.startswith("GET "):
            self.probes += 1
            return sock.sendall(http(b"pong\r\n"))
        content = read_exactly(sock, length_of(headers))
        return self.scanned(sock, Asked(line, content, headers))


# --- real ones -----------------------------------------------------------------

class RealEngine:
    """A program of its own, stopped at the end of the case."""

    def __init__(self, t, name):
        self.t = t
        self.name = name
        self.program = shutil.which(name, path="/usr/sbin:/usr/bin:" + os.environ.get("PATH", ""))
        if not self.program:
            raise Skip("%s is not installed" % name)
        self.popen = None
        t.at_end(self.stop)

    def run(self, arguments, is_ready, **kw):
        with open(self.t.path(self.name + ".log"), "ab") as log:
            self.popen = subprocess.Popen([self.program, *arguments], stdin=subprocess.DEVNULL,
                                          stdout=log, stderr=log, start_new_session=True,
                                          cwd=self.t.scratch, **kw)

        def ready():
            check(self.popen.poll() is None, "%s ended with %s" % (self.name, self.popen.poll()))
            return is_ready()
        wait_until(ready, 60, "%s to answer" % self.name, poll=0.05)

    def stop(self):
        if self.popen and self.popen.poll() is None:
            self.popen.terminate()
            try:
                self.popen.wait(20)
            except subprocess.TimeoutExpired:
                self.popen.kill()
        if self.popen:
            self.popen.wait()



def ndb(name, octets, target=0):
    return "%s:%d:*:%s\n" % (name, target, octets.hex())


class RealClamd(RealEngine):
    """clamd with signatures for EICAR, the words below, and no others."""

    def __init__(self, t, tcp=False, **options):
        super().__init__(t, "clamd")
        self.sock = t.path("clamd.sock")
        self.port = free_port() if tcp else None
        os.makedirs(t.path("clamdb"))
        os.makedirs(t.path("clamtmp"))
        t.write("clamdb/test.ndb", ndb("Test.Eicar", messages.EICAR)
                + ndb("Test.Body", b"a very bad object")
                + ndb("Test.Whole.Mail", b"X-Bad-Mail: yes", 4)
                + ndb("PUA.Win.Adware.Test", b"some adware here")
                + ndb("PUA.Win.Tool.Test", b"some tool here")
                + ndb("PUA.Win.Packer.Test", b"some packer here"))
        settings = {
            "DatabaseDirectory": t.path("clamdb"), "TemporaryDirectory": t.path("clamtmp"),
            "Foreground": "yes", "LogVerbose": "yes", "DetectPUA": "yes", "AlertExceedsMax": "yes",
            "AlertEncrypted": "yes", "SelfCheck": "0", "MaxThreads": "4", "ExtendedDetectionInfo": "yes",
            "ConcurrentDatabaseReload": "no"}
        if tcp:
            settings.update(TCPAddr="127.0.0.1", TCPSocket=str(self.port))
        else:
            settings.update(LocalSocket=self.sock, LocalSocketMode="666")
        settings.update(options)
        t.write("clamd.conf", "".join("%s %s\n" % pair for pair in settings.items()))
        self.start()

    @property
    def addr(self):
        return "127.0.0.1:%d" % self.port if self.port else self.sock

    def start(self):
        self.run(["-c", self.t.path("clamd.conf")], self.is_ready)

    def is_ready(self):
        try:
            with socket.socket(socket.AF_INET if self.port else socket.AF_UNIX) as sock:
                sock.settimeout(5 * SLOW)
                sock.connect(("127.0.0.1", self.port) if self.port else self.sock)
                sock.sendall(b"zPING\0")
                return sock.recv(10) == b"PONG\0"
        except OSError:
            return False


def can_talk(address, question, answer):
    """Does a program at an address say what is expected?"""
    is_path = isinstance(address, str)
    try:
        with socket.socket(socket.AF_UNIX if is_path else socket.AF_INET) as sock:
            sock.settimeout(5 * SLOW)
            sock.connect(address)
            sock.sendall(question)
            return sock.recv(64).startswith(answer)
    except OSError:
        return False


class RealSpamd(RealEngine):
    """spamd with rules of its own, without any test that needs a network."""

    def __init__(self, t):
        super().__init__(t, "spamd")
        self.addr = t.path("spamd.sock")
        t.write("sa/init.pre", "loadplugin Mail::SpamAssassin::Plugin::Check\n")
        t.write("sa/local.cf", "required_score 5\nadd_header all Status _YESNO_, tests=_TESTS_\n"
                "header T_BAD Subject =~ /buy now/\nscore T_BAD 6.5\n"
                "header T_NICE Subject =~ /friend/\nscore T_NICE -2.5\n")
        self.start()

    def start(self):
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        self.run(["-L", "--socketpath=" + self.addr, "--socketmode=0666", "-C", self.t.path("sa"),
                  "--siteconfigpath=" + self.t.path("sa"), "-x", "-m", "2", "--min-children=1",
                  "-s", "stderr", *user],
                 lambda: can_talk(self.addr, b"PING SPAMC/1.5\r\n\r\n", b"SPAMD/"))


RSPAMD_CONF = """\
options {
  filters = "regexp";
  tempdir = "%(dir)s";
  url_tld = "%(dir)s/tld.inc";
  disable_hyperscan = true;
  pidfile = "%(dir)s/pid";
  rrd = "";
  dns { nameserver = ["127.0.0.1:1"]; timeout = 0.1s; retransmits = 1; }
}
logging { type = "console"; level = "info"; }
actions { reject = 15; rewrite_subject = 8; add_header = 6; greylist = 4; }
lang_detection { languages = "%(dir)s/languages"; }
regexp {
  T_BAD { re = 'Subject=/buy now/{header}'; score = 7; }
  T_WORSE { re = 'Subject=/much worse/{header}'; score = 9; }
  T_GREY { re = 'Subject=/greyish/{header}'; score = 4.5; }
  T_NICE { re = 'Subject=/friend/{header}'; score = -2.5; }
}
worker "normal" { bind_socket = "127.0.0.1:%(port)d"; count = 1; }
lua = "%(dir)s/local.lua";
"""

# Says with which envelope it was asked, and refuses for now on demand.
RSPAMD_LUA = """\
rspamd_config:register_symbol({name='T_LOCAL', type='prefilter', priority=10, callback=function(task)
  if task:get_subject() == 'softly' then
    task:set_pre_result('soft reject', 'Try again later')
  elseif task:get_subject() == 'envelope' then
    local from = task:get_from('smtp')
    local rcpt = task:get_recipients('smtp')
    local ok = from[1].addr == 's@example.org' and #rcpt == 2 and rcpt[2].addr == 'r2@example.net'
      and task:get_ip():to_string() == '192.0.2.7' and task:get_helo() == 'client.example'
      and task:get_queue_id() == 'Q1'
    if ok then task:set_pre_result('reject', 'as told') end
  end
end})
"""


class RealRspamd(RealEngine):
    """rspamd with rules of its own, without a network or any other service."""

    def __init__(self, t):
        super().__init__(t, "rspamd")
        self.port = free_port()
        folder = t.path("rspamd")
        os.makedirs(os.path.join(folder, "languages"))
        os.chmod(folder, 0o777)
        t.write("rspamd/tld.inc", "com\norg\nnet\nexample\n")
        t.write("rspamd/local.lua", RSPAMD_LUA)
        t.write("rspamd.conf", RSPAMD_CONF % {"dir": folder, "port": self.port})
        self.start()

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port

    def start(self):
        user = ["-i", "-u", "nobody", "-g", "nogroup"] if os.geteuid() == 0 else []
        self.run(["-f", "-c", self.t.path("rspamd.conf"), *user],
                 lambda: can_talk(("127.0.0.1", self.port), b"GET /ping HTTP/1.0\r\n\r\n", b"HTTP/1.1 200"))
