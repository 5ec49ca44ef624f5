"""A raw SMTP client: sends exactly the octets it is given, reads replies with
a deadline, half-closes or resets on demand. It knows no protocol beyond where
a reply ends."""

import re
import socket
import struct
import time

from harness import SLOW, check, check_eq, show


class Reply:
    def __init__(self, raw):
        self.raw = raw
        self.lines = raw.split(b"\r\n")[:-1]
        self.code = int(raw[:3])
        self.text = b"\n".join(line[4:] for line in self.lines)

    @property
    def status(self):
        """The enhanced status code of the first line, or ''."""
        found = re.match(rb"([245]\.\d+\.\d+)(\s|$)", self.lines[0][4:])
        return found.group(1).decode() if found else ""

    def __repr__(self):
        return show(self.raw)


class Closed(AssertionError):
    """The other end closed or reset where a reply was due."""


class Client:
    def __init__(self, port, host="127.0.0.1", timeout=10):
        self.timeout = timeout * SLOW
        self.received = b""   # everything, ever
        self._buffer = b""
        self.sock = socket.create_connection((host, port), timeout=self.timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self):
        self.sock.close()

    def reset(self):
        """Ends the connection with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def send(self, octets):
        self.sock.settimeout(self.timeout)
        self.sock.sendall(octets)

    def send_in_pieces(self, octets, size=1, pause=0.0):
        for start in range(0, len(octets), size):
            self.sock.sendall(octets[start:start + size])
            if pause:
                time.sleep(pause)

    def _fill(self, end):
        left = end - time.monotonic()
        if left <= 0:
            raise AssertionError("no reply in time; so far: %s" % show(self._buffer))
        self.sock.settimeout(left)
        try:
            piece = self.sock.recv(65536)
        except socket.timeout:
            raise AssertionError("no reply in time; so far: %s" % show(self._buffer))
        except ConnectionError as error:
            raise Closed("connection lost (%s); so far: %s" % (error, show(self._buffer)))
        if not piece:
            raise Closed("connection closed; so far: %s" % show(self._buffer))
        self.received += piece
        self._buffer += piece

    def reply(self, *codes, timeout=None):
        """The next whole reply; with codes given it must have one of them."""
        end = time.monotonic() + (timeout * SLOW if timeout else self.timeout)
        raw = b""
        while True:
            while b"\r\n" not in self._buffer:
                self._fill(end)
            line, _, self._buffer = self._buffer.partition(b"\r\n")
            raw += line + b"\r\n"
            check(re.match(rb"[1-5]\d\d([ -]|$)", line), "not a reply line: %s" % show(line))
            if line[3:4] != b"-":
                break
        answer = Reply(raw)
        if codes:
            check(answer.code in codes, "wanted %s, got %r" % (codes, answer))
        return answer

    def replies(self, *codes):
        """One reply for each code."""
        return [self.reply(code) for code in codes]

    def cmd(self, line, *codes, timeout=None):
        self.send(line if line.endswith(b"\n") else line + b"\r\n")
        return self.reply(*codes, timeout=timeout)

    def expect_silence(self, seconds):
        """Nothing may come for that time: for what must not be answered yet."""
        self.sock.settimeout(seconds)
        try:
            piece = self.sock.recv(65536)
        except socket.timeout:
            return
        raise AssertionError("unexpected octets: %s" % show(piece))

    def expect_close(self, timeout=None):
        """The other end closes; returns what came before that."""
        end = time.monotonic() + (timeout * SLOW if timeout else self.timeout)
        try:
            while True:
                self._fill(end)
        except Closed:
            rest, self._buffer = self._buffer, b""
            return rest

    # -- the usual steps, for tests whose subject is something else

    def hello(self, name=b"client.example"):
        self.reply(220)
        return self.cmd(b"EHLO " + name, 250)

    def envelope(self, sender=b"sender@example.org", recipients=(b"rcpt@example.net",)):
        self.cmd(b"MAIL FROM:<%s>" % sender, 250)
        for recipient in recipients:
            self.cmd(b"RCPT TO:<%s>" % recipient, 250)

    def data(self, message, *codes, timeout=None):
        """DATA with the message, dot-stuffed, and the reply to its end."""
        self.cmd(b"DATA", 354)
        self.send(stuff(message))
        return self.reply(*codes, timeout=timeout)

    def mail(self, message, *codes, timeout=None, **envelope):
        self.envelope(**envelope)
        return self.data(message, *codes, timeout=timeout)

    def quit(self):
        self.cmd(b"QUIT", 221)
        check_eq(self.expect_close(), b"", "octets behind the reply to QUIT")
        self.close()


def stuff(message):
    """Dot-stuffed, with end of data. The message must end with CR LF or be empty."""
    if message.startswith(b"."):
        message = b"." + message
    message = message.replace(b"\r\n.", b"\r\n..")
    return message + b".\r\n"
