"""What tests say again and again about mail that went through, or did not."""

import re

from harness import check, check_eq, check_in, check_not_in, show

XVIRUS = rb"X-Virus-Scanner: [^\r\n]*(?:\r\n\t[^\r\n]*)*\r\n"


def added_headers(delivered, original):
    """What stands before the message as it was sent; everything else must be
    the same octet for octet (I5)."""
    check(delivered.endswith(original), "the message was changed\n  got  %s\n  sent %s" % (
        show(delivered, 2000), show(original, 2000)))
    return delivered[:len(delivered) - len(original)]


def check_delivered(suite, *originals):
    """Exactly these messages arrived, in order, each once (I4), whole (I3),
    with X-Virus-Scanner at the top and nothing else added (I5)."""
    messages = suite.server.wait_messages(len(originals))
    check_eq(len(messages), len(originals), "number of messages at the server")
    for message, original in zip(messages, originals):
        check_one(message.data, original)
    return messages


def check_one(delivered, original):
    """The top is the message's first octet, but for an mbox line, which stays
    the first; a message without any header gets the empty line that ends one."""
    lead = (re.match(rb">?[Ff][Rr][Oo][Mm] [^\n]*\n", original) or re.match(b"", original)).group(0)
    rest = original[len(lead):]
    has_header = not rest or rest.startswith(b"\r\n") or re.match(rb"[!-9;-~]+[ \t]*:", rest)
    added = added_headers(delivered, rest)
    check(added.startswith(lead), "the mbox line is not the first: %s" % show(added))
    wanted = XVIRUS + (b"" if has_header else b"\r\n")
    check(re.fullmatch(wanted, added[len(lead):]), "added: %s" % show(added))


def check_withheld(suite, *marks):
    """No DATA and no octet of the message has reached the server (I1)."""
    server = suite.server
    check_eq(server.messages, [], "messages at the server")
    check_not_in("DATA", server.verbs(), "verbs at the server")
    check_not_in("BDAT", server.verbs(), "verbs at the server")
    for mark in marks + (b"Subject:", b"Message-ID:"):
        check_not_in(mark, server.received, "octets at the server")


def check_refusal(reply, code, status, *parts):
    check_eq((reply.code, reply.status), (code, status), "reply %r" % reply)
    for part in parts:
        check_in(part, reply.text, "text of the reply")


def check_session_goes_on(suite, client, message, dot_reply=b"250 2.0.0 queued"):
    """A clean message on the same connection gets through as the only one."""
    before = len(suite.server.accepted)
    reply = client.mail(message, 250)
    check(reply.raw.startswith(dot_reply), "reply %r" % reply)
    check_eq(len(suite.server.accepted), before + 1, "messages at the server")
    client.quit()
