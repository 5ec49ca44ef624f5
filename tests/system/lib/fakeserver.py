"""What the fake servers of this folder share: a socket, a thread for each
connection, and an end of all of them."""

import os
import socket
import threading


class FakeServer:
    """A UNIX socket (path) or a port of 127.0.0.1. A subclass has serve(sock); an
    OSError or EOFError in it is the end of that connection."""

    kind = socket.SOCK_STREAM
    timeout = None   # of a connection

    def __init__(self, t, path=None, port=None):
        self.path = path
        self.port = port
        self.connections = 0        # so far
        self.open_connections = 0
        self._lock = threading.Lock()
        self._listener = None
        self._socks = set()
        t.at_end(self.stop)

    def start(self):
        if self.path:
            self._listener = socket.socket(socket.AF_UNIX, self.kind)
            self._listener.bind(self.path)
            os.chmod(self.path, 0o666)
        else:
            self._listener = socket.socket()
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind(("127.0.0.1", self.port))
        self._listener.listen(64)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def stop(self):
        if self._listener:
            shut_down(self._listener)
            self._listener.close()
            self._listener = None
            if self.path:
                os.unlink(self.path)
        self.hang_up()

    def hang_up(self):
        """Ends all connections; new ones may come."""
        with self._lock:
            socks = list(self._socks)
        for sock in socks:
            shut_down(sock)

    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.settimeout(self.timeout)
            with self._lock:
                self._socks.add(sock)
                self.connections += 1
                self.open_connections += 1
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        try:
            self.serve(sock)
        except (OSError, EOFError):
            pass
        finally:
            with self._lock:
                self._socks.discard(sock)
                self.open_connections -= 1
            sock.close()


def shut_down(sock):
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
