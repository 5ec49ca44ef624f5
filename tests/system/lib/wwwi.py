"""esets_wwwi beside a suite, and requests to it."""

import base64
import http.client
import json
import os
import socket

from harness import SLOW, check_eq, free_port, is_listening
from procs import Process, config_text

STEP = 10    # seconds between two samples


class Wwwi:
    """Counters of all programs, a quarantine, and esets_wwwi that shows them."""

    def __init__(self, t, suite_class, options=None, start=True, smtp=None, glob=None,
                 **kw):
        self.t = t
        run = t.path("run")
        self.port = free_port()
        self.options = {"agent_enabled": True, "listen_port": self.port,
                        "pid_file": os.path.join(run, "wwwi.pid"),
                        "status_sock_path": os.path.join(run, "wwwi.status"), **(options or {})}
        self.suite = suite_class(
            t, smtp={"av_quarantine_enabled": True,
                     "status_sock_path": os.path.join(run, "agent.status"), **(smtp or {})},
            glob={"status_sock_path": os.path.join(run, "daemon.status"), **(glob or {})},
            more=self.config(), start=start, **kw)
        self.process = Process(t, "esets_wwwi", "wwwi",
                               ["--foreground", "-c", self.suite.config_path])
        if start:
            self.start()

    def config(self):
        return config_text({"wwwi": self.options})

    def change(self, **options):
        """For the next start or reload; None takes an option out."""
        self.options.update(options)
        self.options = {name: value for name, value in self.options.items() if value is not None}
        self.port = self.options["listen_port"]
        self.suite.more = self.config()
        self.suite.write_config()

    def start(self):
        self.process.start(lambda: is_listening(self.port))

    def connect(self, timeout=15):
        return socket.create_connection(("127.0.0.1", self.port), timeout * SLOW)

    def raw(self, octets, timeout=15):
        """All that is answered to these octets."""
        with self.connect(timeout) as sock:
            sock.sendall(octets)
            return read_all(sock)

    @property
    def release_path(self):
        """Where esets_daemon is asked to release a message."""
        return self.suite.sock_path + ".release"

    def ask(self, path, method="GET", host=None, login=None, body=None, **fields):
        """(status, fields, body)"""
        http_client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15 * SLOW)
        try:
            if host is not None:
                fields["Host"] = host
            if login is not None:
                fields["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
            http_client.request(method, path, body, headers=fields)
            answer = http_client.getresponse()
            return answer.status, answer.headers, answer.read().decode("utf-8")
        finally:
            http_client.close()

    def text(self, path, status=200, **kw):
        got, _, body = self.ask(path, **kw)
        check_eq(got, status, "%s: %s" % (path, body[:300]))
        return body

    def data(self, **kw):
        return json.loads(self.text("/data.json", **kw))


def read_all(sock):
    answer = b""
    while True:
        try:
            piece = sock.recv(65536)
        except ConnectionResetError:
            return answer
        if not piece:
            return answer
        answer += piece
