"""Files within files that are no archives, made by hand: each maker takes the
octets of one file and its name."""

import base64
import struct

import messages


# --- TNEF -----------------------------------------------------------------------

def attribute(level, number, octets):
    return struct.pack("<BII", level, number, len(octets)) + octets + struct.pack(
        "<H", sum(octets) & 0xffff)


def tnef_of(*attributes):
    return struct.pack("<IH", 0x223e9f78, 1) + attribute(1, 0x00089006, b"\0\0\1\0") + b"".join(attributes)


def tnef(octets, name="evil.com"):
    return tnef_of(attribute(2, 0x00069002, bytes(14)),
                   attribute(2, 0x00018010, name.encode() + b"\0"),
                   attribute(2, 0x0006800f, octets))


def padded(octets):
    return octets + bytes(-len(octets) % 4)


def mapi(*properties):
    """Properties: (type, id, value) with octets for a value of variable size,
    else a number."""
    out = struct.pack("<I", len(properties))
    for kind, number, value in properties:
        out += struct.pack("<HH", kind, number)
        if number >= 0x8000:
            out += bytes(16) + struct.pack("<II", 0, 1)
        if isinstance(value, bytes):
            out += struct.pack("<II", 1, len(value)) + padded(value)
        else:
            out += struct.pack("<I", value)
    return out


def tnef_mapi(octets, name="evil.com"):
    """A message as an object of MAPI: a TNEF in it."""
    inner = tnef(octets, name)
    properties = mapi((3, 0x0e21, 7), (0x1f, 0x3707, name.encode("utf-16-le") + b"\0\0"), (3, 0x8001, 5),
                      (0x0d, 0x3701, bytes(16) + inner))
    return tnef_of(attribute(2, 0x00069002, bytes(14)), attribute(2, 0x00069005, properties))


# --- a Mac's ---------------------------------------------------------------------

def apple_single(octets, name="evil.com", magic=b"\0\5\x16\0", number=1):
    entries = ((3, name.encode()), (9, bytes(32)), (number, octets))
    out = magic + b"\0\2\0\0" + bytes(16) + struct.pack(">H", len(entries))
    at = len(out) + 12 * len(entries)
    body = b""
    for kind, part in entries:
        out += struct.pack(">III", kind, at + len(body), len(part))
        body += part
    return out + body


def apple_double(octets, name="evil.com"):
    """The other fork, which a reader may take for the file."""
    return apple_single(octets, name, b"\0\5\x16\7", 2)


def mac_binary(octets, name="evil.com"):
    head = b"\0" + bytes([len(name)]) + name.encode().ljust(63, b"\0") + b"TEXTttxt"
    head = head.ljust(83, b"\0") + struct.pack(">II", len(octets), 0)
    return head.ljust(128, b"\0") + octets + bytes(-len(octets) % 128)


def mac_binary_longer(octets, name="evil.com"):
    """Its forks are said to be larger than the file."""
    plain = mac_binary(octets, name)[:128 + len(octets)]
    return plain[:83] + struct.pack(">II", len(octets) + 1, 1 << 31) + plain[91:]


def mac_binary_2(octets, name="evil.com"):
    """With a second header behind the first."""
    plain = bytearray(mac_binary(octets, name))
    plain[120:122] = struct.pack(">H", 100)
    return bytes(plain[:128] + bytes(128) + plain[128:])


ALPHABET = b"!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr"


def binhex_text(octets, repeats=b""):
    """repeats: octets behind that are not written out: 0x90 and a count."""
    plain = octets.replace(b"\x90", b"\x90\0") + repeats
    plain += bytes(-len(plain) % 3)
    out = bytearray(b":")
    for i in range(0, len(plain), 3):
        value = int.from_bytes(plain[i:i + 3], "big")
        out += bytes(ALPHABET[value >> shift & 63] for shift in (18, 12, 6, 0))
    out += b":"
    return b"\r\n".join(out[i:i + 64] for i in range(0, len(out), 64)) + b"\r\n"


def binhex_plain(octets, name="evil.com"):
    return bytes([len(name)]) + name.encode() + b"\0TEXTttxt\0\0" + struct.pack(
        ">II", len(octets), 0) + b"\0\0" + octets + b"\0\0" + b"\0\0"


def binhex(octets, name="evil.com"):
    return (b"(This file must be converted with BinHex 4.0)\r\n\r\n" +
            binhex_text(binhex_plain(octets, name)))


def binhex_behind_text(octets, name="evil.com"):
    return binhex(octets, name).replace(b"\r\n\r\n", b"\r\nfor a Mac\r\n\r\n", 1)


def intel_hex(octets, name=None):
    def record(address, kind, data):
        plain = bytes([len(data)]) + struct.pack(">HB", address, kind) + data
        return b":%s\r\n" % (plain + bytes([-sum(plain) & 255])).hex().upper().encode()
    return b"".join(record(i & 0xffff, 0, octets[i:i + 16]) for i in range(0, len(octets), 16)) + record(
        0, 1, b"")


# --- pages, mail -------------------------------------------------------------------

def data_uri(octets, name="evil.com"):
    return (b"<html><a download=\"%s\" href=\"data:application/octet-stream;base64,%s\">here</a></html>\r\n"
            % (name.encode(), base64.b64encode(octets)))


def data_uri_escaped(octets, name="evil.com"):
    text = base64.b64encode(octets).replace(b"=", b"%3D").replace(b"+", b"%2b")
    return b"<style>@import url(DATA:text/css;charset=utf-8; BASE64 ,%s)</style>\r\n" % (
        b"%0A".join(text[i:i + 20] for i in range(0, len(text), 20)))


def emlx(octets, name="evil.com"):
    message = messages.multipart(messages.TEXT_PART, messages.attachment(
        messages.b64(octets), b"base64", name.encode()))
    return (b"%-10d\n" % len(message) + message +
            b"<?xml version=\"1.0\"?>\n<plist version=\"1.0\"><dict/></plist>\n")


def emlx_of_one(octets, name="evil.com"):
    """One part: what stands behind it looks like a part of it."""
    header, body = messages.attachment(messages.b64(octets), b"base64", name.encode())
    message = messages.head() + b"MIME-Version: 1.0\r\n" + header + b"\r\n" + body
    return b"%d\n" % len(message) + message + b"<?xml version=\"1.0\"?>\n<plist/>\n"


CARRIERS = {"TNEF": tnef, "TNEF in TNEF": tnef_mapi, "AppleSingle": apple_single,
            "AppleDouble": apple_double, "MacBinary": mac_binary, "MacBinary of two headers": mac_binary_2,
            "MacBinary that goes on beyond the file": mac_binary_longer,
            "Intel HEX": intel_hex, "BinHex": binhex, "BinHex behind text": binhex_behind_text,
            "data URI": data_uri, "data URI with escapes": data_uri_escaped, "emlx": emlx,
            "emlx of one part": emlx_of_one}
