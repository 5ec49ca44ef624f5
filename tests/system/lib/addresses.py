"""Servers and clients that are not plain TCP from 127.0.0.1: on a UNIX socket,
from another address, behind a PROXY header."""

import os
import socket
import struct
import threading

from harness import SLOW
from smtpclient import Client
from smtpserver import Connection, Gone, Server

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


class UnixServer(Server):
    """A Server at unix:/path."""

    def __init__(self, path, **kw):
        super().__init__(host="unix:" + path, port=1, **kw)

    def start(self):
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.host[5:])
        os.chmod(self.host[5:], 0o666)
        self._listener.listen(64)
        threading.Thread(target=self._accept_unix, args=(self._listener,), daemon=True).start()

    def _accept_unix(self, listener):
        while True:
            try:
                sock, peer = listener.accept()
            except OSError:
                return
            sock.settimeout(120 * SLOW)
            conn = self.connection_class(self, sock, peer)
            with self.changed:
                self.connections.append(conn)
                self.changed.notify_all()
            conn.start()


class UnixClient(Client):
    def __init__(self, path, timeout=10):
        self.timeout = timeout * SLOW
        self.received = self._buffer = b""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(path)


class ClientFrom(Client):
    """A client whose own address is given."""

    def __init__(self, port, source, host="127.0.0.1", timeout=10):
        self.timeout = timeout * SLOW
        self.received = self._buffer = b""
        self.sock = socket.create_connection((host, port), timeout=self.timeout,
                                             source_address=(source, 0))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class ProxyConnection(Connection):
    """Reads a PROXY header before it says anything; it is in proxy_header."""

    proxy_header = None

    def run(self):
        try:
            while self.proxy_header is None:
                self._more()
                self.proxy_header, self._buffer = split_header(self._buffer)
        except Gone as why:
            self.ended = str(why)
            self.sock.close()
            return
        super().run()


class ProxyServer(Server):
    connection_class = ProxyConnection

    @property
    def headers(self):
        self.wait(lambda: all(c.proxy_header or c.ended for c in self.connections))
        return [c.proxy_header for c in self.connections]


def split_header(octets):
    """The PROXY header at the start, None while it is not whole; and the rest."""
    if octets.startswith(SIGNATURE[:len(octets)]):
        if len(octets) < 16:
            return None, octets
        size = 16 + struct.unpack("!H", octets[14:16])[0]
        return (octets[:size], octets[size:]) if len(octets) >= size else (None, octets)
    line, found, rest = octets.partition(b"\r\n")
    return (line + found, rest) if found else (None, octets)


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def v1(source, target="198.51.100.2", port=1024, target_port=25):
    kind = "TCP6" if ":" in source else "TCP4"
    return ("PROXY %s %s %s %d %d\r\n" % (kind, source, target, port, target_port)).encode()


def v2(source, target="198.51.100.2", port=1024, target_port=25, command=0x21, more=b""):
    family = family_of(source)
    body = socket.inet_pton(family, source) + socket.inet_pton(family, target)
    body += struct.pack("!HH", port, target_port) + more
    kind = 0x11 if family == socket.AF_INET else 0x21
    return SIGNATURE + bytes([command, kind]) + struct.pack("!H", len(body)) + body
