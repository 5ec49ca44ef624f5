"""Every kind of object, every encoding, every place of a message: what is to be
found in each combination."""

import archives
import carriers
import messages

EICAR = messages.EICAR

def unencoded(octets):
    return octets


def quoted(octets):
    return b"".join(b"=%02X" % c + (b"=\r\n" if n % 24 == 23 else b"")
                    for n, c in enumerate(octets)) + b"=\r\n"


ENCODINGS = {"base64": (messages.b64, b"base64"), "quoted-printable": (quoted, b"quoted-printable"),
             "uuencode": (messages.uu, b"x-uuencode"), "binary": (unencoded, b"binary")}


def at_top(octets, encode, name):
    header, body = messages.attachment(encode(octets), name, b"f.bin")
    return messages.head() + b"MIME-Version: 1.0\r\n" + header + b"\r\n" + body


def in_multipart(octets, encode, name):
    return messages.multipart(messages.TEXT_PART,
                              messages.attachment(encode(octets), name, b"f.bin"))


def in_forwarded(octets, encode, name):
    return messages.nested(in_multipart(octets, encode, name), 1)


def in_two_archives(octets, encode, name):
    return in_multipart(archives.packed("zip", archives.packed("tar.gz", octets, "f.bin"), "f.tgz"),
                        encode, name)


PLACES = {"top": at_top, "multipart": in_multipart, "forwarded": in_forwarded,
          "archives": in_two_archives}

UU_BODY = messages.uu(EICAR).split(b"\n", 1)[1]
BASE64_BODY = messages.b64(EICAR) + b"\r\n====\r\n"

PLAIN = {
    "plain": EICAR,
    "html": b"<html><body>hello</body></html>\r\n",
    "rfc822": messages.multipart(messages.TEXT_PART,
                                 messages.attachment(messages.b64(EICAR), b"base64")),
    "uu in text": b"as promised:\r\n\r\n" + messages.uu(EICAR) + b"\r\nbye\r\n",
    "uu, name encoded": b"begin-encoded 644 ZXZpbC5jb20=\r\n" + UU_BODY,
    "base64 in text": b"begin-base64 644 evil.com\r\n" + BASE64_BODY,
    "base64 in text, name encoded": b"begin-base64-encoded 644 ZXZpbC5jb20=\r\n" + BASE64_BODY,
    "mbox": (b"From a@b Sat Nov 21 10:00:00 2026\r\n" + messages.clean() + b"\r\n"
             b"From c@d Sat Nov 21 10:00:01 2026\r\n" + messages.multipart(
                 messages.TEXT_PART, messages.attachment(messages.b64(EICAR), b"base64"))),
}
FRONTS = {"sfx": b"MZ" + bytes(500), "picture": b"\xff\xd8\xff\xe0" + bytes(4092), "octet": b"x"}
OBJECTS = list(PLAIN) + archives.KINDS + ["compress", "sfx zip", "sfx 7z", "sfx rar4", "sfx cab", "sfx lha",
    "sfx gz", "sfx bz2", "sfx xz", "sfx zst", "sfx cpio", "sfx iso", "picture gz", "picture tar.xz",
    "octet gz", "octet bz2"] + list(carriers.CARRIERS)


def object_of(kind):
    if kind == "html":
        # Inline text with the file behind it in the same part cannot be told
        # from text, so the page carries it as uuencode.
        return PLAIN[kind] + messages.uu(EICAR)
    if kind in PLAIN:
        return PLAIN[kind]
    if kind in carriers.CARRIERS:
        return carriers.CARRIERS[kind](EICAR)
    if kind == "compress":
        return archives.compress(EICAR)
    front, _, inner = kind.partition(" ")
    if front in FRONTS:
        return FRONTS[front] + archives.packed(inner, EICAR)
    return archives.packed(kind, EICAR)


def combinations(kind):
    """(what it is, the message) for each encoding and place."""
    for encoding, (encode, name) in ENCODINGS.items():
        for place, put in PLACES.items():
            yield "%s, %s, %s" % (kind, encoding, place), put(object_of(kind), encode, name)
