"""A scanner daemon that says what the test wants, or nothing, or nonsense.

Speaks the protocol of include/scan_msg.h (esets_daemon(8)) on a SEQPACKET
socket. Each request is kept with its keys and the octets of the message."""

import array
import fcntl
import os
import select
import socket
import threading

from fakeserver import FakeServer
from harness import wait_until

HEAD_REQUEST = b"esets-scan/1 scan\n"
HEAD_VERDICT = b"esets-scan/1 verdict\n"
PACKET_MAX = 131072

# What an absent key says, of those that tests look at.
DEFAULTS = {"type": "mail", "clean_mode": "none", "want_av": "yes", "want_as": "no"}

CLOSE = object()   # end the connection without an answer


class Request:
    def __init__(self, packet, descriptors):
        self.packet = packet
        self.fd_count = len(descriptors)
        self.is_well_formed = packet.startswith(HEAD_REQUEST)
        self.keys = {}
        text, _, octets = packet.partition(b"\n\n")
        for line in text.split(b"\n")[1:]:
            key, found, value = line.partition(b"=")
            if found:
                self.keys.setdefault(key.decode(), []).append(value.decode("latin-1"))
        self.content = b""
        self.flags = None
        self.can_write = None
        if self.get("inline") == "yes":
            self.content = octets
            self.can_write = False
        elif descriptors:
            size = int(self.get("size", "0"))
            self.content = read_all(descriptors[0], size)
            self.can_write = can_write(descriptors[0])

    def get(self, key, default=None):
        return self.keys.get(key, [DEFAULTS.get(key, default)])[0]


def read_all(fd, size):
    pieces, place = [], 0
    while place < size:
        piece = os.pread(fd, min(1 << 20, size - place), place)
        if not piece:
            break
        pieces.append(piece)
        place += len(piece)
    return b"".join(pieces)


def can_write(fd):
    """Does the descriptor let the scanner change the message?"""
    try:
        return os.pwrite(fd, b"!", 0) > 0
    except OSError:
        return False


def verdict(av="clean", as_="none", virus="", reason="", vdb="fake:1", **more):
    """An answer. av: clean, or a colon list of kinds. Values as they stand in
    the packet, %XX where the grammar asks for it."""
    keys = {"av": av, "as": as_, "virus": virus, "reason": reason, "vdb": vdb, **more}
    lines = ["%s=%s" % (key, value) for key, value in keys.items() if value != ""]
    return HEAD_VERDICT + "".join(line + "\n" for line in lines).encode() + b"\n"


def named(packet, request):
    """The answer with the request's id, as a daemon gives it back, unless the test
    says another one ("id=" alone is none)."""
    request_id = request.get("id")
    if not packet.startswith(HEAD_VERDICT) or b"\nid=" in packet or not request_id:
        return packet
    return HEAD_VERDICT + b"id=%s\n" % request_id.encode("latin-1") + packet[len(HEAD_VERDICT):]


class Stalled:
    """Says nothing until release(); then what it was given."""

    def __init__(self, answer=None):
        self.answer = answer
        self.event = threading.Event()

    def release(self):
        self.event.set()


class Cleaned:
    """An answer with a message as a sealed memfd."""

    def __init__(self, octets, packet=None):
        self.octets = octets
        self.packet = packet or verdict("deleted", virus="Fake-Virus")

    def send(self, sock, request):
        fd = os.memfd_create("cleaned", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.write(fd, self.octets)
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK
                        | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE)
            socket.send_fds(sock, [named(self.packet, request)], [fd])
        finally:
            os.close(fd)


class FakeScanner(FakeServer):
    """answers: used up in turn, the last one stays. Each is octets, CLOSE,
    Stalled, Cleaned, or a callable(request) that returns one of these."""

    kind = socket.SOCK_SEQPACKET

    def __init__(self, t, *answers):
        super().__init__(t, path=t.path("fake.sock"))
        self.answers = list(answers) or [verdict()]
        self.requests = []
        self._stopping = False
        self.start()

    def start(self):
        self._stopping = False
        super().start()

    def stop(self):
        self._stopping = True
        super().stop()

    def serve(self, sock):
        while True:
            packet, descriptors = receive(sock)
            if not packet:
                return
            request = Request(packet, descriptors)
            for fd in descriptors:
                os.close(fd)
            with self._lock:
                self.requests.append(request)
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if not self._answer(sock, request, answer):
                return

    def _answer(self, sock, request, answer):
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, Stalled):
            while not answer.event.wait(0.01):
                if self._stopping or peer_has_gone(sock):
                    return False
            answer = answer.answer
        if answer is CLOSE or answer is None:
            return False
        if isinstance(answer, Cleaned):
            answer.send(sock, request)
        else:
            sock.send(named(answer, request))
        return True

    def wait_requests(self, count, timeout=10):
        wait_until(lambda: len(self.requests) >= count, timeout, "%d scan requests" % count)
        return self.requests

    def wait_idle(self, timeout=10):
        """No connection is left: every request was answered or cancelled."""
        wait_until(lambda: self.open_connections == 0, timeout, "scanner connections to close")


def receive(sock):
    """One packet and the descriptors that came with it."""
    data, ancillary, _flags, _addr = sock.recvmsg(PACKET_MAX, socket.CMSG_SPACE(4 * 4))
    descriptors = array.array("i")
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(payload[:len(payload) - len(payload) % descriptors.itemsize])
    return data, list(descriptors)


def peer_has_gone(sock):
    try:
        # With a timeout of its own recv() would wait that long, whatever its flags.
        if not select.select([sock], [], [], 0)[0]:
            return False
        return sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except (OSError, ValueError):
        return True


def ask(path, packet, fd=None, timeout=10):
    """The other way round: sends one request to a daemon; returns the answer's
    octets (b"" when the daemon just closes)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
        sock.settimeout(timeout)
        sock.connect(path)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))] \
            if fd is not None else []
        sock.sendmsg([packet], rights)
        try:
            data, descriptors = receive(sock)
        except ConnectionError:
            return b""
        for other in descriptors:
            os.close(other)
        return data
