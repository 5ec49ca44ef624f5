"""The messages of a chaos run: made from a number by the client, known again
and checked to the octet by the server, without either having seen the other.

The first field, X-Chaos, tells the id, what is in the message, how long the
other fields are, and length and hash of those fields and the body together."""

import hashlib
import math
import random
import re

import archives
import messages

CLEAN = "clean"
MARK = re.compile(rb"^X-Chaos: id=(\S+) kind=(\S+) fields=(\d+) octets=(\d+) hash=(\w+)\r\n", re.M)
OCTETS_MIN, OCTETS_MAX = 1024, 20 << 20
# (share, from, to): most mail is small, and a run is not to be the wait for the large
SIZES = ((0.90, OCTETS_MIN, 32 << 10), (0.09, 32 << 10, 1 << 20), (0.01, 1 << 20, OCTETS_MAX))
LINE = 78
POOL = messages.random_body(LINE * 14000, seed=6, line=LINE - 2)


def quoted(octets):
    return b"".join(b"=%02X" % c + (b"=\r\n" if n % 24 == 23 else b"")
                    for n, c in enumerate(octets)) + b"=\r\n"


ENCODINGS = {"base64": (messages.b64, b"base64"), "qp": (quoted, b"quoted-printable"),
             "uu": (messages.uu, b"x-uuencode"), "7bit": (lambda octets: octets, b"7bit")}
# No xz: libarchive crashes where liblzma has no memory (520-chaos has it all the same).
OBJECTS = {"plain": messages.EICAR}
OBJECTS.update((kind.replace(" ", "_"), archives.packed(kind, messages.EICAR))
               for kind in ("zip", "tar.gz", "7z lzma", "rar5", "iso"))
ENGINE_ONLY = "engine"   # what nothing but the external engine knows
KINDS = ["%s-%s-%d" % (name, encoding, depth) for name in OBJECTS for encoding in ENCODINGS
         for depth in (0, 2) if encoding != "7bit" or name == "plain"] + [ENGINE_ONLY]


def size_of(rng):
    share = rng.random()
    for part, low, high in SIZES:
        share -= part
        if share < 0:
            break
    return int(math.exp(rng.uniform(math.log(low), math.log(high))))


def filler(rng, size):
    """Whole lines, and one that is cut, without a CR or LF that stands alone."""
    start = rng.randrange(len(POOL) // LINE) * LINE
    text = (POOL[start:] + POOL * (size // len(POOL)))[:size]
    text += POOL[:size - len(text)]
    return text.rstrip(b"\r\n") + b"\r\n"


def infected_part(kind):
    if kind == ENGINE_ONLY:
        return (b"Content-Type: text/plain\r\n", b"a very bad Chaos.Object\r\n")
    name, encoding, _ = kind.split("-")
    encode, word = ENCODINGS[encoding]
    return messages.attachment(encode(OBJECTS[name]), word, b"f.bin")


def content(rng, kind, size):
    """A message without the first field: header and body."""
    text = (b"Content-Type: text/plain\r\n", filler(rng, size))
    if kind == CLEAN:
        return messages.multipart(text, messages.TEXT_PART) if rng.random() < 0.5 else (
            messages.head() + b"\r\n" + text[1])
    parts = [text, infected_part(kind)]
    rng.shuffle(parts)
    whole = messages.multipart(*parts)
    return messages.nested(whole, int(kind[-1])) if kind[-1].isdigit() else whole


def digest(*pieces):
    made = hashlib.blake2b(digest_size=16)
    for piece in pieces:
        made.update(piece)
    return made.hexdigest()


def make(seed, ident, infected_share=0.25):
    """(kind, message) of an id, the same ones every time."""
    rng = random.Random("%s/%s" % (seed, ident))
    kind = rng.choice(KINDS) if rng.random() < infected_share else CLEAN
    whole = content(rng, kind, size_of(rng))
    fields, _, body = whole.partition(b"\r\n\r\n")
    fields += b"\r\n"
    mark = b"X-Chaos: id=%s kind=%s fields=%d octets=%d hash=%s\r\n" % (
        ident.encode(), kind.encode(), len(fields), len(fields) + len(body),
        digest(fields, body).encode())
    return kind, mark + whole


def identify(header):
    """(id, kind) that a header, or the beginning of one, tells; or None."""
    found = MARK.search(header)
    return (found.group(1).decode(), found.group(2).decode()) if found else None


def is_whole(data):
    """Is this, with dots unstuffed, all of the message that it says it is?"""
    header, found, body = data.partition(b"\r\n\r\n")
    header += b"\r\n"
    mark = MARK.search(header)
    if not found or not mark:
        return False
    length, octets = int(mark.group(3)), int(mark.group(4))
    fields = header[mark.end():mark.end() + length]
    return (len(fields) + len(body) == octets
            and digest(fields, body).encode() == mark.group(5))
