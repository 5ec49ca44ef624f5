"""A scriptable SMTP server that remembers everything.

One thread per connection. Every octet received is kept (Connection.received),
every command line (commands), every message (messages), so a test can say
what the server behind the proxy saw and, as important, what it did not.

What it does at a step is set with on(STEP, action): STEP is a verb in upper
case, or BANNER, BODY (the message text begins), DOT (its end), CHUNK (the octets
of BDAT begin). An action is

    b"550 no\\r\\n"        these octets
    CLOSE, RESET           end the connection, in order or with RST
    Stall()                say nothing until release() or the end of the test
    [a, b, ...]            one after the other
    callable(conn, line)   decides, and returns one of these or None: default

Actions given for one step are used up in turn, the last one stays.

By default a strict server: lines end at CR LF, a message at CR LF . CR LF.
lax_lines and ends make it as lax as the laxest known ones.
"""

import re
import select
import socket
import struct
import threading
import time

from harness import SLOW, free_port, wait_until

CLOSE = object()
RESET = object()

STRICT_ENDS = (b"\r\n.\r\n",)
# Every end of data that some server is known to have taken for one. Those with
# a NUL (CR LF NUL . CR LF) are missing: a NUL is content and passes unchanged
# (design I4), so no proxy that keeps it can help a server that drops it first.
LAX_ENDS = (b"\r\n.\r\n", b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r\n.\n", b"\r.\r\n", b"\n.\r",
            b"\r\n.\r", b"\r.\n", b"\r\n.\r\r\n", b"\r\r\n.\r\n")

DEFAULT_KEYWORDS = ("PIPELINING", "SIZE 104857600", "VRFY", "ETRN", "ENHANCEDSTATUSCODES",
                    "8BITMIME", "DSN", "SMTPUTF8")


class Stall:
    def __init__(self):
        self.reached = threading.Event()
        self._go_on = threading.Event()

    def release(self):
        self._go_on.set()

    def wait(self, conn):
        self.reached.set()
        while not self._go_on.wait(0.01):
            if conn.server.stopping or conn.is_gone():
                return


class Gone(Exception):
    """The connection has ended, from either side."""


class Message:
    """One message as the server got it. raw is what came between the reply to
    DATA and the end of data; data is the same without dot-stuffing."""

    def __init__(self, sender, recipients, raw, verb="DATA"):
        self.sender = sender
        self.recipients = list(recipients)
        self.raw = raw
        self.verb = verb
        self.data = raw if verb != "DATA" else unstuff(raw)
        self.is_accepted = False

    @property
    def header(self):
        return split_message(self.data)[0]

    @property
    def body(self):
        return split_message(self.data)[1]


def unstuff(raw):
    if raw.startswith(b".."):
        raw = raw[1:]
    return raw.replace(b"\r\n..", b"\r\n.")


def split_message(data):
    """Header block with its last CR LF, and what is behind the empty line."""
    if data.startswith(b"\r\n"):
        return b"", data[2:]
    head, found, body = data.partition(b"\r\n\r\n")
    return (head + b"\r\n", body) if found else (data, b"")


class Connection(threading.Thread):
    def __init__(self, server, sock, peer):
        super().__init__(daemon=True)
        self.server = server
        self.sock = sock
        self.peer = peer
        self.received = bytearray()
        self.commands = []       # each line, without its end
        self.answers = []        # lines that answered a 334
        self.sent = b""
        self.messages = []
        self.messages_begun = 0  # replies 354
        self.ended = None        # "eof", "reset", "quit", "closed by script"
        self._buffer = b""
        self._waiting = None     # message whose reply is due
        self.sender = None
        self.recipients = []

    # -- octets

    def waiting(self):
        """Octets that have arrived and were not taken yet (b"" also at the
        end); None when there are none."""
        if not select.select([self.sock], [], [], 0)[0]:
            return None
        return self.sock.recv(65536, socket.MSG_PEEK)

    def is_gone(self):
        """Has the peer closed or reset the connection, with nothing left?"""
        try:
            return self.waiting() == b""
        except (OSError, ValueError):
            return True

    def _more(self):
        try:
            piece = self.sock.recv(self.server.recv_size)
        except socket.timeout:
            raise Gone("timeout")
        except OSError:
            raise Gone("reset")
        if not piece:
            raise Gone("eof")
        self.received += piece
        self._buffer += piece

    def _line(self):
        end = b"\n" if self.server.lax_lines else b"\r\n"
        while end not in self._buffer:
            self._more()
        line, _, self._buffer = self._buffer.partition(end)
        return line.rstrip(b"\r\n") if self.server.lax_lines else line

    def send(self, octets):
        with self.server.changed:
            if self._waiting and octets[:1] == b"2":
                self._waiting.is_accepted = True  # before anybody can know
                self.server.changed.notify_all()
        try:
            self.sock.sendall(octets)
        except OSError:
            raise Gone("reset")
        self.sent += octets

    def close(self, reset=False):
        if reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def end(self, reset=False):
        """Closes, from within the connection's own thread."""
        self.close(reset)
        raise Gone("closed by script")

    # -- script

    def act(self, step, line, default):
        """Does what the script has for this step; returns the octets sent."""
        action = self.server.take_action(step)
        return self._do(action, line, default)

    def _do(self, action, line, default):
        if callable(action) and not isinstance(action, Stall):
            action = action(self, line)
        if action is None:
            action = default
        if isinstance(action, (list, tuple)):
            done = b""
            for one in action:
                done = self._do(one, line, default)
            return done
        if isinstance(action, Stall):
            action.wait(self)
            return b""
        if action is CLOSE or action is RESET:
            self.end(action is RESET)
        if action:
            self.send(action)
        return action

    # -- protocol

    def run(self):
        try:
            self.act("BANNER", b"", b"220 sink.example ESMTP\r\n")
            while True:
                line = self._line()
                with self.server.changed:
                    self.commands.append(line)
                    self.server.changed.notify_all()
                self._command(line)
        except Gone as why:
            with self.server.changed:
                self.ended = str(why)
                self.server.changed.notify_all()
        finally:
            self.sock.close()

    def _command(self, line):
        verb = (line.split() or [b""])[0].upper().decode("latin-1")
        handler = getattr(self, "_do_" + verb.lower(), None) if verb.isalnum() else None
        if handler:
            handler(line)
        elif verb in self.server.script:
            self.act(verb, line, b"250 2.0.0 ok\r\n")
        else:
            self.act("OTHER", line, b"502 5.5.2 " + verb.encode("latin-1")[:40] + b"?\r\n")

    def _reset(self):
        self.sender, self.recipients = None, []

    def _do_helo(self, line):
        self._reset()
        self.act("HELO", line, b"250 sink.example\r\n")

    def _do_ehlo(self, line):
        self._reset()
        lines = ["sink.example"] + list(self.server.keywords)
        text = "".join("250%s%s\r\n" % ("-" if i < len(lines) - 1 else " ", k)
                       for i, k in enumerate(lines))
        self.act("EHLO", line, text.encode())

    def _do_mail(self, line):
        if self.act("MAIL", line, b"250 2.1.0 sender ok\r\n")[:1] == b"2":
            self.sender, self.recipients = line, []

    def _do_rcpt(self, line):
        default = b"250 2.1.5 recipient ok\r\n" if self.sender is not None else b"503 5.5.1 MAIL first\r\n"
        if self.act("RCPT", line, default)[:1] == b"2":
            self.recipients.append(line)

    def _do_rset(self, line):
        self._reset()
        self.act("RSET", line, b"250 2.0.0 flushed\r\n")

    def _do_noop(self, line):
        self.act("NOOP", line, b"250 2.0.0 noop\r\n")

    def _do_vrfy(self, line):
        self.act("VRFY", line, b"252 2.0.0 try it\r\n")

    def _do_quit(self, line):
        self.act("QUIT", line, b"221 2.0.0 bye\r\n")
        self.close()
        raise Gone("quit")

    def _do_auth(self, line):
        words = line.split(b" ")
        has_initial = len(words) > 2
        asks = (2 if words[1:2] and words[1].upper() == b"LOGIN" else 1) - has_initial
        default = b"334 VXNlcm5hbWU6\r\n" if asks else b"235 2.7.0 welcome\r\n"
        reply = self.act("AUTH", line, default)
        while reply[:3] == b"334":
            answer = self._line()
            with self.server.changed:
                self.answers.append(answer)
            asks -= 1
            default = b"334 UGFzc3dvcmQ6\r\n" if asks > 0 else b"235 2.7.0 welcome\r\n"
            if answer == b"*":
                default = b"501 5.7.0 cancelled\r\n"
            reply = self.act("ANSWER", answer, default)

    def _do_starttls(self, line):
        self.act("STARTTLS", line, b"220 2.0.0 go ahead\r\n")

    def _do_bdat(self, line):
        """Takes the chunk and treats it as a message, as a server would."""
        try:
            size = int(line.split()[1])
        except (IndexError, ValueError):
            self.send(b"501 5.5.4 size?\r\n")
            return
        self.act("CHUNK", line, b"")
        while len(self._buffer) < size:
            self._more()
        chunk, self._buffer = self._buffer[:size], self._buffer[size:]
        self._waiting = self._message(chunk, "BDAT")
        self.act("BDAT", line, b"250 2.0.0 chunk taken\r\n")
        self._waiting = None
        if line.upper().rstrip().endswith(b"LAST"):
            self._reset()

    def _do_burl(self, line):
        self._message(line, "BURL")
        self.act("BURL", line, b"250 2.0.0 fetched\r\n")

    def _do_data(self, line):
        if self.recipients:
            default = b"354 go on\r\n"
        else:
            default = b"554 5.5.1 no valid recipients\r\n"
        reply = self.act("DATA", line, default)
        if reply[:3] != b"354":
            return
        with self.server.changed:
            self.messages_begun += 1
            self.server.changed.notify_all()
        self.act("BODY", line, b"")
        raw = self._body()
        self._waiting = self._message(raw, "DATA")
        self.act("DOT", line, b"250 2.0.0 queued as S%d\r\n" % len(self.server.messages))
        self._waiting = None
        self._reset()

    def _body(self):
        """Reads up to the first end of data this server believes in. The CR LF
        that the text shares with the end of data stays with the text."""
        ends = self.server.ends
        pattern = re.compile(b"|".join(re.escape(e) for e in sorted(ends, key=len, reverse=True)))
        text = bytearray(b"\r\n" + self._buffer)  # the end of the line DATA counts
        searched = 0
        while True:
            found = pattern.search(text, searched)
            if found:
                break
            searched = max(0, len(text) - 8)
            self._buffer = b""
            self._more()
            if self.server.body_hook:
                self.server.body_hook(self, len(text))
            text += self._buffer
        start, stop = found.span()
        self._buffer = bytes(text[stop:])
        keep = 2 if found.group().startswith(b"\r\n") else 1
        return bytes(text[2:start + keep])

    def _message(self, raw, verb):
        message = Message(self.sender, self.recipients, raw, verb)
        with self.server.changed:
            self.messages.append(message)
            self.server.messages.append(message)
            self.server.changed.notify_all()
        return message


class Server:
    connection_class = Connection

    def __init__(self, host="127.0.0.1", port=None, keywords=DEFAULT_KEYWORDS, start=True):
        self.host = host
        self.port = port or free_port()
        self.keywords = keywords
        self.lax_lines = False
        self.ends = STRICT_ENDS
        self.recv_size = 65536
        self.body_hook = None
        self.script = {}
        self.changed = threading.Condition()
        self.connections = []
        self.messages = []
        self.stopping = False
        self._listener = None
        if start:
            self.start()

    def on(self, step, *actions):
        self.script[step] = list(actions)
        return self

    def take_action(self, step):
        with self.changed:
            actions = self.script.get(step)
            if not actions:
                return None
            return actions.pop(0) if len(actions) > 1 else actions[0]

    def start(self):
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self._listener = socket.socket(family, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((self.host, self.port))
        self._listener.listen(256)
        self.stopping = False
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener):
        while True:
            try:
                sock, peer = listener.accept()
            except OSError:
                return
            sock.settimeout(120 * SLOW)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            conn = self.connection_class(self, sock, peer)
            with self.changed:
                self.connections.append(conn)
                self.changed.notify_all()
            conn.start()

    def stop_listening(self):
        if self._listener:
            try:
                self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept
            except OSError:
                pass
            self._listener.close()
            self._listener = None

    def stop(self):
        self.stopping = True
        self.stop_listening()
        for conn in self.connections:
            try:
                conn.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for conn in self.connections:
            conn.join(5)

    # -- what tests ask

    @property
    def accepted(self):
        return [m for m in self.messages if m.is_accepted]

    @property
    def commands(self):
        return [line for conn in self.connections for line in conn.commands]

    def verbs(self):
        return [line.split(b" ")[0].strip().upper().decode("latin-1") for line in self.commands]

    @property
    def received(self):
        return b"".join(conn.received for conn in self.connections)

    def wait(self, probe, timeout=10, what="the server's state"):
        """Waits until probe() is true; woken by everything the server sees."""
        end = time.monotonic() + timeout * SLOW
        with self.changed:
            while not probe():
                left = end - time.monotonic()
                if left <= 0:
                    raise AssertionError("timed out waiting for %s; commands seen: %r"
                                         % (what, self.commands[-20:]))
                self.changed.wait(min(left, 0.05))

    def wait_messages(self, count, timeout=10):
        self.wait(lambda: len(self.accepted) >= count, timeout, "%d messages" % count)
        return self.accepted

    def wait_ended(self, timeout=10):
        """All connections so far have ended: nothing more can arrive on them."""
        self.wait(lambda: all(c.ended for c in self.connections), timeout,
                  "the end of all connections")
