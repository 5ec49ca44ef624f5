#!/usr/bin/python3
"""Load of a chaos run: chaosclient.py PORT LEDGER SEED NAME CLIENTS

So many clients at once, each message with an id of its own, sent once. A line
of the ledger for each, ID KIND OCTETS OUTCOME TIME WORDS, with OUTCOME

  taken, deferred, refused   the first digit of the last reply was 2, 4, 5
  closed                     the connection was closed or reset before it
  vanished                   this client went away, at a random octet
  hung                       nothing came for REPLY_SECONDS

A client that is not even let in tries again with the same message. When stdin
ends, each finishes what it is at, and the program ends."""

import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import chaosmail
from smtpclient import Client, Closed, stuff

REPLY_SECONDS = 60
VANISH_SHARE = 0.04
OUTCOMES = {2: "taken", 4: "deferred", 5: "refused"}


class Vanished(Exception):
    """It was this client's turn to go."""


class Told(Exception):
    """A reply that is the end of this message."""

    def __init__(self, reply):
        super().__init__(reply)
        self.reply = reply


class Sender(Client):
    """A client that goes away when it has sent so many octets."""

    def __init__(self, port):
        super().__init__(port, timeout=REPLY_SECONDS)
        self.octets_left = None

    def send(self, octets):
        left = self.octets_left
        try:
            super().send(octets if left is None else octets[:left])
        except ConnectionError as error:
            raise Closed(str(error))
        if left is not None:
            self.octets_left = left - len(octets)
            if self.octets_left <= 0:
                raise Vanished

    def want(self, code):
        reply = self.reply()
        if reply.code != code:
            raise Told(reply)


class Load:
    def __init__(self, port, ledger, seed, name):
        self.port = port
        self.ledger = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self.seed = seed
        self.name = name
        self.is_over = threading.Event()

    def note(self, ident, kind, octets, outcome, words):
        os.write(self.ledger, b"%s %s %d %s %s %s\n" % (
            ident.encode(), kind.encode(), octets, outcome.encode(),
            time.strftime("%H:%M:%S").encode(), words.replace(b"\r\n", b" ").strip()))

    def client(self, number):
        rng = random.Random("client/%s/%s/%d" % (self.seed, self.name, number))
        count = 0
        sender = None
        while not self.is_over.is_set():
            ident = "%s.%d.%d" % (self.name, number, count)
            sender = sender or self.connect()
            if sender is None:
                time.sleep(rng.uniform(0.02, 0.1))
                continue
            count += 1
            if not self.message(rng, sender, ident) or rng.random() < 0.3:
                sender.close()
                sender = None
        if sender:
            sender.close()

    def connect(self):
        try:
            return Sender(self.port)
        except OSError:
            return None

    def message(self, rng, sender, ident):
        """Sends one and notes what became of it. Returns whether the session goes on."""
        kind, content = chaosmail.make(self.seed, ident)
        if rng.random() < VANISH_SHARE:
            near_the_end = len(content) + 50
            sender.octets_left = rng.randrange(*rng.choice([(1, near_the_end),
                                                            (near_the_end, near_the_end + 100)]))
        outcome, words, goes_on = "closed", b"", False
        try:
            reply = transaction(rng, sender, ident, content)
            outcome, words, goes_on = OUTCOMES[reply.code // 100], reply.raw, reply.code != 421
        except Told as told:
            outcome, words = OUTCOMES.get(told.reply.code // 100, "refused"), told.reply.raw
        except Vanished:
            outcome = "vanished"
            sender.reset() if rng.random() < 0.5 else sender.close()
        except (Closed, ConnectionError) as error:
            words = str(error).encode()
        except (AssertionError, OSError) as error:
            outcome, words = "hung", str(error).encode()
        self.note(ident, kind, len(content), outcome, words)
        if outcome == "deferred" and not goes_on:
            time.sleep(0.02)
        return goes_on and sender.octets_left is None


def transaction(rng, sender, ident, content):
    """One message, by DATA or BDAT, its envelope pipelined or not; the last reply."""
    if not sender.received:
        sender.want(220)
        sender.send(b"EHLO client.example\r\n")
        sender.want(250)
    by_data = rng.random() < 0.8
    lines = [(b"MAIL FROM:<%s@chaos.example>\r\n" % ident.encode(), 250),
             (b"RCPT TO:<rcpt@example.net>\r\n", 250)]
    if by_data:
        lines.append((b"DATA\r\n", 354))
    if rng.random() < 0.5:
        batches = [lines]
    else:
        batches = [[line] for line in lines]
    for batch in batches:
        sender.send(b"".join(line for line, _ in batch))
        for _, code in batch:
            sender.want(code)
    if by_data:
        sender.send(stuff(content))
        return sender.reply()
    cut = rng.randrange(len(content))
    sender.send(b"BDAT %d\r\n" % cut + content[:cut])
    sender.want(250)
    sender.send(b"BDAT %d LAST\r\n" % (len(content) - cut) + content[cut:])
    return sender.reply()


def main():
    port, ledger, seed, name, clients = sys.argv[1:]
    load = Load(int(port), ledger, seed, name)
    threads = [threading.Thread(target=load.client, args=(number,)) for number in range(int(clients))]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    load.is_over.set()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
