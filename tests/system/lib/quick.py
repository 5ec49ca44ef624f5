"""A suite without esets_daemon: the scanner is a fake that says clean at once,
so a case takes as long as its dialogue. For tests whose subject is the relay;
that a verdict counts is shown elsewhere."""

from fakescan import FakeScanner
from procs import Suite

ENVELOPE = b"MAIL FROM:<s@example.org>\r\nRCPT TO:<r@example.net>\r\n"


def quick(t, *answers, **kw):
    """The agent with a fake scanner; answers as FakeScanner takes them."""
    scanner = FakeScanner(t, *answers)
    suite = Suite(t, scanner=scanner, **kw)
    suite.scanner = scanner
    return suite


def codes(client, count):
    return [client.reply().code for _ in range(count)]


def eicar_detector(request):
    """An answer for FakeScanner that finds what contains the word EICAR."""
    from fakescan import verdict
    if b"EICAR" in request.content:
        return verdict(av="infected", virus="Eicar-Test")
    return verdict()
