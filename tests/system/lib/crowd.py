#!/usr/bin/python3
"""Thousands of connections in a process of their own: crowd.py ROLE PORT [COUNT]

server   a receiving server for that many: takes every message and forgets it.
clients  COUNT sessions, each up to the reply to EHLO. Says `open N` when they
         are, or when no more are let in for PATIENCE seconds; then obeys lines
         on stdin: `drip` makes each send an octet of a command or a body every
         DRIP_SECONDS, a few at a time, and says `drips` when all are at it;
         `close` ends them and says `closed`.

Both end with stdin. In the test: Crowd."""

import os
import resource
import selectors
import socket
import subprocess
import sys
import time

PATIENCE = 10
DRIP_SECONDS = 1.0
AT_ONCE = 200           # sessions that begin
TURN_SECONDS = 0.02     # between the turns of dripping
REPLIES = {b"EHLO": b"250-crowd.example\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
           b"QUIT": b"221 2.0.0 bye\r\n"}


def raise_limit():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


# --- what the test uses -----------------------------------------------------------

class Crowd:
    """One of the two roles, as a child."""

    def __init__(self, t, role, port, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), role, str(port), *map(str, arguments)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        t.at_end(self.end)
        self.said = self.process.stdout.readline().split()

    def tell(self, word):
        self.process.stdin.write(word.encode() + b"\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().split()

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


class Server(Crowd):
    """As procs.Suite takes a server."""

    host = "127.0.0.1"

    def __init__(self, t, port):
        self.port = port
        super().__init__(t, "server", port)

    def stop(self):
        pass


# --- roles ------------------------------------------------------------------------

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


class Session:
    """Of the server."""

    def __init__(self, loop, sock):
        self.loop, self.sock, self.buffer, self.in_body = loop, sock, b"", False

    def on_event(self):
        try:
            piece = self.sock.recv(65536)
        except OSError:
            piece = b""
        if not piece:
            self.loop.unregister(self.sock)
            self.sock.close()
            return
        self.buffer += piece
        out = b""
        while True:
            end = b"\r\n.\r\n" if self.in_body else b"\r\n"
            line, found, rest = self.buffer.partition(end)
            if not found:
                break
            self.buffer = rest
            out += self.reply(line[:4].upper())
        if self.in_body:
            self.buffer = self.buffer[-4:]
        if out:
            self.sock.sendall(out)

    def reply(self, verb):
        if self.in_body:
            self.in_body = False
            return b"250 2.0.0 taken\r\n"
        if verb == b"DATA":
            self.in_body = True
            self.buffer = b"\r\n" + self.buffer
            return b"354 go on\r\n"
        return REPLIES.get(verb, b"250 2.0.0 ok\r\n")


class Listener:
    def __init__(self, loop, port):
        self.loop = loop
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind(("127.0.0.1", port))
        self.sock.listen(4096)
        self.sock.setblocking(False)
        loop.register(self.sock, selectors.EVENT_READ, self.on_event)

    def on_event(self):
        for _ in range(64):
            try:
                sock, _ = self.sock.accept()
            except BlockingIOError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.sendall(b"220 crowd.example ESMTP\r\n")
            self.loop.register(sock, selectors.EVENT_READ, Session(self.loop, sock).on_event)


class Clients:
    BANNER, HELLO, OPEN, GONE = range(4)

    def __init__(self, loop, port, count):
        self.loop, self.port, self.count = loop, port, count
        self.state = {}          # by socket
        self.begun = self.open = self.in_body = 0
        self.last = time.monotonic()
        self.is_told = False

    def more(self):
        while self.begun < self.count and self.begun - self.open < AT_ONCE:
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", self.port))
            self.state[sock] = self.BANNER
            self.loop.register(sock, selectors.EVENT_READ, lambda sock=sock: self.on_event(sock))
            self.begun += 1
        is_over = self.open == self.count or time.monotonic() - self.last > PATIENCE
        if is_over and not self.is_told:
            self.is_told = True
            say("open", self.open)

    def on_event(self, sock):
        try:
            piece = sock.recv(4096)
        except OSError:
            piece = b""
        if not piece:
            self.loop.unregister(sock)
            sock.close()
            self.state[sock] = self.GONE
        elif self.state[sock] == self.BANNER:
            self.state[sock] = self.HELLO
            sock.send(b"EHLO crowd\r\n")
        elif self.state[sock] == self.HELLO and piece.endswith(b"8BITMIME\r\n"):
            self.state[sock] = self.OPEN
            self.open += 1
            self.last = time.monotonic()
        elif b"354 " in piece:
            self.in_body += 1

    def all_open(self):
        return [sock for sock, state in self.state.items() if state == self.OPEN]

    def drip(self):
        """Half of them in a command, half in a body: one turn after the other."""
        socks = self.all_open()
        for sock in socks[1::2]:
            sock.send(b"MAIL FROM:<s@example.org>\r\nRCPT TO:<r@example.net>\r\nDATA\r\n")
        turns = max(1, round(DRIP_SECONDS / TURN_SECONDS))
        number = 0
        while self.in_body < len(socks) // 2:
            yield
        say("drips")
        while True:
            yield
            for at in range(number % turns, len(socks), turns):
                try:
                    socks[at].send(b"x" if number // turns % 60 else b"x\r\n")
                except OSError:
                    pass
            number += 1

    def close(self):
        for sock in self.all_open():
            self.loop.unregister(sock)
            sock.close()
            self.state[sock] = self.GONE
        say("closed")


def main():
    role, port = sys.argv[1], int(sys.argv[2])
    raise_limit()
    loop = selectors.DefaultSelector()
    clients = Clients(loop, port, int(sys.argv[3])) if role == "clients" else None
    dripping = None
    os.set_blocking(0, False)
    loop.register(0, selectors.EVENT_READ, None)
    if not clients:
        Listener(loop, port)
        say("listens")
    while True:
        if clients:
            clients.more()
        for key, _ in loop.select(TURN_SECONDS):
            if key.data:
                key.data()
                continue
            line = os.read(0, 4096).strip()
            if not line:
                return
            if line == b"drip":
                dripping = clients.drip()
            elif line == b"close":
                dripping = None
                clients.close()
        if dripping:
            next(dripping)


if __name__ == "__main__":
    main()
