"""The part of tests/demo that starts things and talks; see there."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import messages
from harness import Case, check
from procs import Suite
from smtpclient import Client



def say(text=""):
    print(text, flush=True)


def send(suite, what, message):
    """Sends one mail; shows the dialogue as it goes."""
    say("--- %s" % what)
    client = Client(suite.port)
    say("    S: " + client.reply(220).lines[0].decode())
    for line in (b"EHLO client.example", b"MAIL FROM:<sender@example.org>",
                 b"RCPT TO:<rcpt@example.net>", b"DATA"):
        reply = client.cmd(line)
        more = " (and %d lines)" % (len(reply.lines) - 1) if len(reply.lines) > 1 else ""
        say("    C: %-34s S: %s%s" % (line.decode(), reply.lines[0].decode(), more))
    client.send(message.replace(b"\r\n.", b"\r\n..") + b".\r\n")
    reply = client.reply()
    say("    C: %-34s S: %s" % ("(the message) .", reply.lines[-1].decode()))
    client.quit()
    return reply


def show_arrived(suite, before):
    new = suite.server.accepted[before:]
    if not new:
        say("    Nothing arrived at the server.")
    for message in new:
        say("    This arrived at the server:")
        for line in message.data.decode("utf-8", "replace").rstrip().split("\r\n"):
            say("      | " + line)
    say()


def demo(t):
    suite = Suite(t, smtp={"action_as": "scan", "action_as_spam": "reject",
                           "add_header_received": True},
                  glob={"syslog_class": "error:warning:summall:info"})
    say()
    say("esets_daemon listens on %s," % suite.sock_path)
    say("esets_smtp on 127.0.0.1:%d, the receiving server behind it on 127.0.0.1:%d." % (
        suite.port, suite.server.port))
    say("esets.cfg of this demonstration:")
    with open(suite.config_path) as config:
        for line in config.read().rstrip().split("\n"):
            say("      | " + line)
    say()
    steps = (("a clean mail", messages.clean(), 250, 1),
             ("a mail with the EICAR virus test file attached",
              messages.eicar_variants()["base64"], 554, 0),
             ("a mail with the GTUBE spam test line", messages.spam(), 554, 0))
    for what, message, code, arrives in steps:
        before = len(suite.server.accepted)
        reply = send(suite, what, message)
        show_arrived(suite, before)
        check(reply.code == code and len(suite.server.accepted) - before == arrives,
              "%s: not what this demonstration is to show" % what)
    say("The agent's log of these three:")
    for summary in suite.wait_summaries(3):
        say("    " + summary["line"])


NEXT = """
That was the whole path: client -> esets_smtp -> esets_daemon -> server.
What to do next:
  tests/run                           runs every test (minutes)
  README, "Building and installing"   from these sources to /usr
  README, "Behind Postfix"            makes it the content filter of a Postfix
Everything this demonstration started has ended and its files are removed.
"""


def main():
    scratch = os.path.join(os.environ["ESETS_SCRATCH"], "demo")
    os.mkdir(scratch)
    os.chmod(scratch, 0o755)
    t = Case("demo", scratch)
    status = 0
    try:
        demo(t)
    except AssertionError as error:
        say("FAILED: %s" % error)
        status = 1
    finally:
        for problem in t.finish():
            say("FAILED: " + problem)
            status = 1
    if status == 0:
        say(NEXT)
    sys.exit(status)


main()
