#!/usr/bin/python3
"""The server of a chaos run: chaossink.py PORT LEDGER SEED [HOST]

Takes messages on HOST (127.0.0.1), checks them and writes a line to the ledger before
it says 250:  message ID KIND whole|partial  and, when a message that is
infected has begun to arrive:  infected ID KIND. Makes the trouble that lines on
stdin ask for, KIND SECONDS: refuse closes the listener; stall, close, reset,
defer and reject happen now and then, at any step of the dialogue, and each is
a line `trouble KIND STEP` of the ledger. It ends with stdin."""

import os
import random
import re
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import chaosmail

SHARE = 0.3             # of the steps that meet trouble while it lasts
STALL_SECONDS_MAX = 4
REPLIES = {"BANNER": b"220 sink.example ESMTP\r\n", "MAIL": b"250 2.1.0 ok\r\n",
           "RCPT": b"250 2.1.5 ok\r\n", "DATA": b"354 go on\r\n", "DOT": b"250 2.0.0 taken\r\n",
           "EHLO": b"250-sink.example\r\n250-PIPELINING\r\n250-SIZE 104857600\r\n"
                   b"250-ENHANCEDSTATUSCODES\r\n250 8BITMIME\r\n"}
NEEDS = {"RCPT": ("MAIL", "RCPT"), "DATA": ("RCPT",)}


class Over(Exception):
    """This connection has ended."""


class Sink:
    def __init__(self, port, ledger, seed, host="127.0.0.1"):
        self.host = host
        self.port = port
        self.ledger = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self.rng = random.Random("sink/" + seed)
        self.until = {}          # kind of trouble -> when it ends
        self.listener = None

    def note(self, *words):
        os.write(self.ledger, (" ".join(words) + "\n").encode())

    def open(self):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self.host, self.port))
        listener.listen(256)
        self.listener = listener
        threading.Thread(target=self.accept, args=(listener,), daemon=True).start()

    def accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=Connection(self, sock).run, daemon=True).start()

    def refuse(self, seconds):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        time.sleep(seconds)
        self.open()

    def obey(self, line):
        kind, seconds = line.split()
        if kind == "refuse":
            self.refuse(float(seconds))
        else:
            self.until[kind] = time.monotonic() + float(seconds)

    def trouble(self, step):
        """What is to go wrong at this step, or None."""
        now = time.monotonic()
        kinds = [kind for kind, end in list(self.until.items()) if end > now]
        if not kinds or self.rng.random() > SHARE:
            return None
        kind = self.rng.choice(kinds)
        if step == "BODY" and kind in ("defer", "reject"):
            return None
        self.note("trouble", kind, step)
        return kind


class Connection:
    def __init__(self, sink, sock):
        self.sink = sink
        self.sock = sock
        self.buffer = bytearray()
        self.has = None          # the last of MAIL and RCPT that was taken
        sock.settimeout(120)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def run(self):
        try:
            if self.answer("BANNER"):
                while True:
                    self.command(self.line())
        except (Over, OSError):
            pass
        finally:
            self.sock.close()

    def fill(self):
        piece = self.sock.recv(262144)
        if not piece:
            raise Over
        self.buffer += piece

    def line(self):
        while b"\n" not in self.buffer:
            self.fill()
        end = self.buffer.index(b"\n") + 1
        line = bytes(self.buffer[:end])
        del self.buffer[:end]
        return line

    def suffer(self, step, kind):
        """Trouble other than a refusal."""
        if kind == "stall":
            time.sleep(self.sink.rng.uniform(0, STALL_SECONDS_MAX))
        if kind == "reset":
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if kind in ("close", "reset"):
            raise Over

    def answer(self, step):
        """The reply of a step, or trouble. Returns whether it was the good one."""
        kind = self.sink.trouble(step)
        if kind in ("defer", "reject"):
            code, banner = (b"451 4", b"421 4") if kind == "defer" else (b"550 5", b"554 5")
            self.sock.sendall((banner if step == "BANNER" else code) + b".3.0 chaos at "
                              + step.encode() + b"\r\n")
            return False
        if kind:
            self.suffer(step, kind)
        self.sock.sendall(REPLIES[step])
        return True

    def command(self, line):
        verb = line[:4].upper().decode("latin-1")
        if verb == "QUIT":
            self.sock.sendall(b"221 2.0.0 bye\r\n")
            raise Over
        if verb in NEEDS and self.has not in NEEDS[verb]:
            self.sock.sendall(b"503 5.5.1 chaos at the order\r\n")
        elif verb == "DATA":
            if self.answer("DATA"):
                self.has = None
                self.message()
        elif verb in REPLIES:
            if self.answer(verb):
                self.has = verb
        elif verb in ("RSET", "NOOP"):
            self.has = self.has if verb == "NOOP" else None
            self.sock.sendall(b"250 2.0.0 ok\r\n")
        else:
            self.sock.sendall(b"502 5.5.1 not here\r\n")

    def message(self):
        raw = self.body()
        data = (raw[1:] if raw.startswith(b"..") else raw).replace(b"\r\n..", b"\r\n.")
        ident, kind = chaosmail.identify(data) or ("-", "-")
        trouble = self.sink.trouble("DOT")
        if trouble in ("defer", "reject"):
            code = b"452 4" if trouble == "defer" else b"554 5"
            self.sock.sendall(code + b".3.0 chaos at DOT\r\n")
            return
        if trouble in ("close", "reset") and self.sink.rng.random() < 0.5:
            raise Over   # not taken; else taken without a word
        self.sink.note("message", ident, kind, "whole" if chaosmail.is_whole(data) else "partial")
        self.suffer("DOT", trouble)
        self.sock.sendall(REPLIES["DOT"])

    def body(self):
        """Content up to the end of data, without it. An infected message is on
        record as soon as its first line is here."""
        trouble = self.sink.trouble("BODY")
        limit = self.sink.rng.randrange(1, 40000)
        seen, is_known, looked = 0, False, 0
        while True:
            if not is_known:
                mark = chaosmail.identify(bytes(self.buffer[:65536]))
                if mark:
                    is_known = True
                    if mark[1] != chaosmail.CLEAN:
                        self.sink.note("infected", *mark)
            if trouble and len(self.buffer) >= limit:
                self.suffer("BODY", trouble)
                trouble = None
            if self.buffer.startswith(b".\r\n"):
                seen, end = 0, 3
                break
            found = self.buffer.find(b"\r\n.\r\n", looked)
            if found >= 0:
                seen, end = found + 2, found + 5
                break
            looked = max(0, len(self.buffer) - 4)
            self.fill()
        raw = bytes(self.buffer[:seen])
        del self.buffer[:end]
        return raw


def main():
    port, *rest = sys.argv[1:]
    sink = Sink(int(port), *rest)
    sink.open()
    for line in sys.stdin:
        threading.Thread(target=sink.obey, args=(line,), daemon=True).start()


main()
