"""A milter for Postfix to ask: it takes every message, writes down which steps of
each session it was told, and adds a field X-Milter to what it sees the end of."""

import socket
import struct
import threading

CONTINUE, ADD_HEADER = b"c", b"h"
NEGOTIATE, MACRO, ABORT, QUIT = b"O", b"D", b"A", b"Q"
END_OF_BODY = b"E"


class Milter:
    """steps: the letters of the protocol's commands, in the order in which they came."""

    def __init__(self, t):
        self.steps = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        t.at_end(self._listener.close)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._session, args=(connection,), daemon=True).start()

    def _session(self, connection):
        with connection, connection.makefile("rwb") as stream:
            while True:
                head = stream.read(4)
                if len(head) < 4:
                    return
                packet = stream.read(struct.unpack(">I", head)[0])
                step = packet[:1]
                if step == QUIT:
                    return
                if step not in (NEGOTIATE, MACRO, ABORT):
                    self.steps += step
                for answer in self._answers(step):
                    stream.write(struct.pack(">I", len(answer)) + answer)
                stream.flush()

    @staticmethod
    def _answers(step):
        if step == NEGOTIATE:
            return [NEGOTIATE + struct.pack(">III", 2, 1, 0)]   # may add fields, sees everything
        if step == END_OF_BODY:
            return [ADD_HEADER + b"X-Milter\0seen\0", CONTINUE]
        return [] if step in (MACRO, ABORT) else [CONTINUE]
