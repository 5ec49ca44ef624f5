"""Dialogues for the differential test: made from a seed, played octet for octet
at two ports, and compared reply by reply.

A dialogue is a list of units (kind, octets): "cmd" is a line that has one
reply, "body" what follows DATA with its end, "chunk" a BDAT line with its
octets. It is played in one of three ways: in lock-step (each reply awaited,
no body without 354), as a batch in one write, or as a batch cut at random."""

import random
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor

from harness import SLOW

# What every dialogue may use; the generator adds blanks, odd case and line ends.
NOISE = [
    b"NOOP", b"NOOP argument", b"RSET", b"RSET x", b"VRFY rcpt@inbox.example", b"VRFY", b"VRFY nobody",
    b"EXPN list", b"HELP", b"HELP MAIL", b"ETRN inbox.example", b"ETRN", b"ETRN elsewhere.example",
    b"XYZZY", b"XYZZY a b c", b"\xc3\xa4\xc3\xb6", b"", b" ", b"12", b"MAIL", b"RCPT", b"MAILX FROM:<a@b>",
    b"AUTH", b"AUTH PLAIN", b"AUTH LOGIN", b"AUTH PLAIN AGEAYg==", b"DATA x", b"DATA", b"QUIT x",
    b"EHLO again.example", b"HELO again.example", b"EHLO", b"HELO", b"EHLO [127.0.0.1]", b"EHLO a b",
    b"XFORWARD NAME=spike.example ADDR=192.0.2.7", b"XFORWARD ADDR=[UNAVAILABLE]", b"XFORWARD",
    b"XFORWARD FOO=bar", b"XCLIENT ADDR=192.0.2.7", b"STARTTLS", b"STARTTLS x", b"BURL imap://x LAST",
    b"TURN", b"ATRN x", b"LHLO x", b"COMPRESS DEFLATE", b"BDAT", b"BDAT x", b"BDAT 5 FIRST", b"BDAT -1",
    b"BDAT 0 LAST", b"SEND FROM:<a@b>", b"SAML FROM:<a@b>", b"Subject: hello", b"From: a@b",
    b"NOOP " + b"x" * 500, b"NOOP " + b"x" * 1500, b"NOOP " + b"x" * 2040, b"NOOP " + b"x" * 2060,
    b"NOOP " + b"x" * 3000, b"NOOP " + b"x" * 4085, b"NOOP " + b"x" * 4100, b"NOOP " + b"x" * 9000,
    b"NOOP a\rb", b"NOOP a\0b", b"\0", b"NOOP\r", b"\rNOOP", b"GET / HTTP/1.1", b"POST /", b"CONNECT x:25",
    b"NOOP \x7f", b"\x01NOOP", b"noop\x0bx", b"(NOOP)", b"NOOP(comment)", b"MAIL FROM", b"RCPT TO",
]
SENDERS = [
    b"<sender@inbox.example>", b"<>", b"<other@elsewhere.example>", b"<\"quoted local\"@inbox.example>",
    b"<@a.example,@b.example:sender@inbox.example>", b"sender@inbox.example", b"<sender@inbox.example",
    b"<a@b@c>", b"<sender>", b"Name <sender@inbox.example>", b"<sender@[127.0.0.1]>", b"< sender@x.example >",
    b"<j\xc3\xb6rg@inbox.example>", b"<" + b"s" * 300 + b"@inbox.example>",
]
SENDER_WEIGHTS = [40, 6, 6, 2, 2, 3, 2, 2, 3, 2, 1, 1, 2, 1]
MAIL_PARAMETERS = [
    b"SIZE=1000", b"SIZE=0", b"SIZE=999999999999", b"SIZE=x", b"SIZE", b"BODY=8BITMIME", b"BODY=7BIT",
    b"BODY=FOO", b"BODY=BINARYMIME", b"SMTPUTF8", b"RET=FULL", b"RET=HDRS ENVID=a+2Bb", b"RET=x",
    b"ENVID=\xff", b"FOO=BAR", b"FOO", b"AUTH=<>", b"AUTH=a@b", b"BY=120;R", b"MT-PRIORITY=3",
    b"REQUIRETLS", b"HOLDFOR=100", b"XVERP", b"size=500 body=8bitmime",
]
RECIPIENTS = [
    b"<rcpt@inbox.example>", b"<other@inbox.example>", b"<unknown@inbox.example>", b"<>",
    b"<somebody@elsewhere.example>", b"rcpt@inbox.example", b"<@relay.example:rcpt@inbox.example>",
    b"<rcpt@inbox.example", b"<rcpt>", b"<postmaster>", b"<RCPT@INBOX.EXAMPLE>", b"<a@b@c>",
    b"<\"rcpt\"@inbox.example>", b"<r\xc3\xb6@inbox.example>",
]
RECIPIENT_WEIGHTS = [45, 15, 8, 2, 5, 4, 3, 2, 2, 2, 3, 2, 1, 1]
RCPT_PARAMETERS = [b"NOTIFY=NEVER", b"NOTIFY=SUCCESS,DELAY", b"NOTIFY=x",
                   b"ORCPT=rfc822;a+2Bb@x.example", b"ORCPT=x", b"FOO=BAR", b"notify=never"]


def body_texts(rng, mark):
    """Bodies with a header that names the dialogue."""
    head = b"Subject: %s\r\nMessage-ID: <%s@x.example>\r\n" % (mark, mark)
    return rng.choice([
        head + b"\r\nplain\r\n", head + b"\r\n", head,
        head + b"\r\n.\r\n..\r\n.x\r\n...\r\n",
        head + b"\r\n" + b"y" * 900 + b"\r\n" + b"z" * 2500 + b"\r\n",
        head + b"\r\n\xe4\xff\xc3\xa4\r\n", head + b"\r\n \r\n\t\r\nblank lines\r\n\r\n\r\n",
        head + b"X-Long: " + b" ".join([b"word"] * 300) + b"\r\n\tfolded\r\n\r\nbody\r\n",
        head + b"\r\n" + b"".join(b"line %d of many\r\n" % n for n in range(rng.randrange(1, 400))),
        b"no header at all " + mark + b"\r\nbut two lines\r\n",
        head + b"Received: from x by y; Thu, 1 Jan 2026 12:00:00 +0000\r\n\r\nbody\r\n",
        head + b"\r\n" + bytes(rng.choices(range(32, 127), k=3000)) + b"\r\n",
        head + b"\r\nbare LF\nin a line\r\n", head + b"\r\nbare\rCR\r\n", head + b"\r\nNUL\0here\r\n",
        head + b"\r\nMAIL FROM:<evil@x.example>\r\nRCPT TO:<other@inbox.example>\r\nDATA\r\n",
    ])


class Dialogue:
    def __init__(self, number, seed):
        self.number = number
        self.rng = random.Random("%d.%d" % (seed, number))
        self.mark = b"d%04dx" % number
        self.messages = 0
        self.units = []
        self.way = self.rng.choice(["lock-step", "batch", "cut"])
        self._make()
        self.cuts = self.rng.randrange(1 << 30)

    def _cmd(self, line):
        rng = self.rng
        if rng.random() < 0.12:
            line = bytes(c ^ 0x20 if (65 <= c <= 90 or 97 <= c <= 122) and rng.random() < 0.5 and i < 4
                         else c for i, c in enumerate(line))
        if rng.random() < 0.05:
            line = rng.choice([b" ", b"\t", b"   ", b" \t"]) + line
        if rng.random() < 0.08:
            line += rng.choice([b" ", b"   ", b"\t"])
        end = b"\n" if rng.random() < 0.08 else b"\r\n"
        self.units.append(("cmd", line + end))

    def _make(self):
        rng = self.rng
        if rng.random() < 0.93:
            self._cmd(rng.choice([b"EHLO client.example"] * 7 + [b"HELO client.example", b"EHLO x",
                                                                  b"EHLO [192.0.2.1]"]))
        for _ in range(rng.choice([0, 1, 1, 1, 2, 3])):
            self._noise(0.25)
            self._transaction()
        self._noise(0.5)
        if rng.random() < 0.95:
            self.units.append(("cmd", b"QUIT\r\n"))

    def _noise(self, chance):
        while self.rng.random() < chance:
            self._cmd(self.rng.choice(NOISE))

    def _transaction(self):
        rng = self.rng
        line = b"MAIL FROM:" + rng.choices(SENDERS, SENDER_WEIGHTS)[0]
        if rng.random() < 0.25:
            line += b" " + rng.choice(MAIL_PARAMETERS)
        if rng.random() < 0.05:
            line = line.replace(b":", b": ", 1)
        if rng.random() < 0.96:
            self._cmd(line)
        self._noise(0.1)
        for _ in range(rng.choice([0, 1, 1, 1, 1, 2, 3, 6])):
            line = b"RCPT TO:" + rng.choices(RECIPIENTS, RECIPIENT_WEIGHTS)[0]
            if rng.random() < 0.12:
                line += b" " + rng.choice(RCPT_PARAMETERS)
            self._cmd(line)
            self._noise(0.05)
        if rng.random() < 0.12:
            self._cmd(rng.choice([b"RSET", b"RSET", b"EHLO again", b"HELO again"]))
            return
        self.messages += 1
        text = body_texts(rng, self.mark + b"m%d" % self.messages)
        if rng.random() < 0.25:
            self._chunks(text)
        else:
            self._cmd(b"DATA")
            if text.startswith(b"."):
                text = b"." + text
            self.units.append(("body", text.replace(b"\r\n.", b"\r\n..") + b".\r\n"))

    # No chunk is empty but a last one: an smtpd of Postfix 3.7 refuses BDAT 0 and,
    # in the middle of a message, crashes behind it.
    def _chunks(self, text):
        rng, place = self.rng, 0
        for _ in range(rng.choice([0, 0, 1, 2, 3])):
            size = rng.choice([1, 10, rng.randrange(1, len(text) + 1)])
            if place >= len(text):
                break
            self._chunk(text[place:place + size], b"")
            place += size
            if rng.random() < 0.08:
                self._cmd(rng.choice([b"NOOP", b"VRFY x", b"DATA", b"MAIL FROM:<x@y.example>",
                                      b"RCPT TO:<x@y.example>", b"RSET", b"BDAT x"]))
        self._chunk(text[place:], b" LAST")

    def _chunk(self, octets, last):
        verb = self.rng.choice([b"BDAT", b"BDAT", b"bdat", b"BdAt"])
        self.units.append(("chunk", verb + b" %d%s\r\n" % (len(octets), last) + octets))

    @property
    def octets(self):
        return b"".join(octets for _, octets in self.units)

    def text(self):
        return "dialogue %d, %s:\n%s" % (self.number, self.way, "\n".join(
            "    %s %r" % (kind, octets if len(octets) < 160 else
                           octets[:110] + b"...%d octets" % len(octets)) for kind, octets in self.units))


# Where in lock-step the dialogue has got out of step: octets of a refused chunk
# without a line's end have no reply.
NO_REPLY = b"NO REPLY IN TIME"


class Player:
    """One connection to one port; .replies in the end, each a list of lines."""

    def __init__(self, port, dialogue, timeout=5):
        self.dialogue = dialogue
        self.buffer = b""
        self.replies = []
        self.is_over = False
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=timeout * SLOW)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def play(self):
        try:
            if self.dialogue.way == "lock-step":
                self._lock_step()
            else:
                self._batch()
            self._rest()
        finally:
            self.sock.close()
        return self.replies

    def _send(self, octets):
        try:
            self.sock.sendall(octets)
        except OSError:
            pass   # the replies say why

    def _reply(self):
        """The next reply, None at the end."""
        lines = []
        while not self.is_over:
            line, found, rest = self.buffer.partition(b"\r\n")
            if found:
                self.buffer = rest
                lines.append(line)
                if line[3:4] != b"-":
                    self.replies.append(lines)
                    return lines
                continue
            try:
                piece = self.sock.recv(65536)
            except TimeoutError:
                piece = b""
                lines.append(NO_REPLY)
            except ConnectionError:
                piece = b""
            if not piece:
                self.is_over = True
                if lines or self.buffer:
                    self.replies.append(lines + [b"CUT: " + self.buffer])
            self.buffer += piece
        return None

    def _lock_step(self):
        self._reply()
        wants_body = False
        for kind, octets in self.dialogue.units:
            if self.is_over or (kind == "body" and not wants_body):
                continue
            self._send(octets)
            reply = self._reply()
            wants_body = bool(reply) and reply[-1].startswith(b"354")

    def _batch(self):
        octets = self.dialogue.octets
        if self.dialogue.way == "batch":
            self._send(octets)
            return
        rng = random.Random(self.dialogue.cuts)
        cuts = sorted(rng.sample(range(1, len(octets)), min(len(octets) - 1, rng.randrange(1, 12)))) \
            if len(octets) > 1 else []
        for a, b in zip([0] + cuts, cuts + [len(octets)]):
            self._send(octets[a:b])
            time.sleep(0.001)

    def _rest(self):
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        while self._reply() is not None:
            pass


def is_whole(dialogue, replies):
    """Has nothing been lost at the end? A server that closes with input unread
    resets the connection, which now and then eats what it said last."""
    if not replies:
        return False
    if dialogue.units[-1:] != [("cmd", b"QUIT\r\n")]:
        return True
    return replies[-1][-1][:3] in (b"221", b"421", b"521") or NO_REPLY in replies[-1] or \
        replies[-1][-1].startswith(b"501 5.5.4 Syntax: BDAT")   # the agent's 521


def play(port, dialogue):
    for _ in range(6):
        replies = Player(port, dialogue).play()
        if is_whole(dialogue, replies):
            break
    return replies


def both(dialogue, straight_port, through_port):
    """Plays it at both; returns the two lists of replies, or None when the
    straight one has lost some each time."""
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(play, port, dialogue) for port in (straight_port, through_port)]
        straight, through = [run.result() for run in runs]
    return (straight, through) if is_whole(dialogue, straight) else None


def without_ids(reply):
    return [re.sub(rb"queued as [0-9A-Za-z]+", b"queued as ID", line) for line in reply]


class Rule:
    """A pair of replies that is not a defect. says: words of the manual page
    that say so. ends: what follows cannot be compared, as the one server has
    closed or is in another state."""

    def __init__(self, name, straight, through, says, ends=False):
        self.name, self.says, self.ends = name, says, ends
        self.straight = re.compile(straight, re.S)
        self.through = re.compile(through, re.S)

    def allows(self, a, b):
        return self.straight.fullmatch(a) and self.through.fullmatch(b)


def differences(straight, through, rules):
    """Compares reply by reply. Returns (what differs as text or None, the rules
    that were used)."""
    used = []
    for number in range(max(len(straight), len(through))):
        a = without_ids(straight[number]) if number < len(straight) else None
        b = without_ids(through[number]) if number < len(through) else None
        if a == b:
            continue
        rule = a and b and next((r for r in rules if r.allows(b"\n".join(a), b"\n".join(b))), None)
        if not rule:
            return "  reply %d\n    straight %r\n    through  %r" % (number, a, b), used
        used.append(rule)
        if rule.ends:
            break
    return None, used
