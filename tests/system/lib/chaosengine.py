#!/usr/bin/python3
"""The external engine of a chaos run, a clamd that knows EICAR and the words
"bad NAME": chaosengine.py SOCKET. It ends with stdin."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from engines import FakeClamd


class Whole:
    """What FakeClamd wants of a case: a place for the socket, and its end."""

    def path(self, _name):
        return sys.argv[1]

    def at_end(self, function):
        pass


def main():
    if os.path.exists(sys.argv[1]):
        os.unlink(sys.argv[1])   # of one that was killed
    engine = FakeClamd(Whole())
    engine.asked = Forgetful()
    sys.stdin.read()


class Forgetful(list):
    """Keeps no question: they are whole messages."""

    def append(self, _asked):
        pass


main()
