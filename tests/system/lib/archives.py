"""Archives for the tests, made by hand where the standard library has no
writer: small, stored rather than compressed, and wrong where a test wants it.

Each maker takes members as (name, octets) pairs and returns the archive;
makers of compressed files take the octets of their one file."""

import bz2
import gzip
import io
import lzma
import random
import struct
import tarfile
import zipfile
import zlib


# --- zip ---------------------------------------------------------------------

def zip_deflated(*members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, octets in members:
            archive.writestr(name, octets)
    return out.getvalue()


def zip_stored(*members):
    return zip_of([ZipMember(name, octets) for name, octets in members])


class ZipMember:
    """One member, every field of it open to lies."""

    def __init__(self, name, octets, **fields):
        self.name = name if isinstance(name, bytes) else name.encode()
        self.octets = octets
        self.method = 0
        self.flags = 0
        self.host = 3              # Unix
        self.crc = zlib.crc32(octets)
        self.packed = len(octets)
        self.size = len(octets)
        self.descriptor = b""      # behind the data
        self.attributes = 0o100644 << 16
        self.offset = None         # where the directory says that it is
        self.extra = b""           # in front of the data
        self.entry_extra = b""     # in the directory
        self.local_fields = None   # method, packed, size where they differ
        self.local_name = None     # where it differs from the directory's
        self.__dict__.update(fields)

    def fields(self):
        return struct.pack("<HHHHHIII", 20, self.flags, self.method, 0, 0x5a21, self.crc,
                           self.packed, self.size)

    def local(self):
        name = self.local_name or self.name
        fields = self.fields()
        if self.flags & 8:
            fields = fields[:10] + bytes(12)
        if self.local_fields:
            method, packed, size = self.local_fields
            fields = fields[:4] + struct.pack("<H", method) + fields[6:14] + struct.pack(
                "<II", packed, size)
        return b"PK\3\4" + fields + struct.pack("<HH", len(name), len(self.extra)) + name + self.extra

    def entry(self, offset):
        return (b"PK\1\2" + struct.pack("<H", 20 | self.host << 8) + self.fields() +
                struct.pack("<HHHHHII", len(self.name), len(self.entry_extra), 0, 0, 0, self.attributes,
                            offset if self.offset is None else self.offset) +
                self.name + self.entry_extra)


def zip_end(entries, count, offset, comment=b""):
    return (b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, count, count, len(entries), offset,
                                    len(comment)) + comment)


def zip64_end(entries, count, offset):
    """The record of ZIP64, and what leads to it."""
    record = b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, count, count, len(entries),
                                     offset)
    return record + b"PK\6\7" + struct.pack("<IQI", 0, offset + len(entries), 1)


def zip_of_64_bits(*members, plain=None):
    """As some writers make every zip: sizes in 64 bits, behind the data too.
    plain: (size, offset) of the directory in the last record, where they are
    there."""
    out, entries = b"", b""
    for name, octets in members:
        name, crc = name.encode(), zlib.crc32(octets)
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = deflate.compress(octets) + deflate.flush()
        fixed = struct.pack("<HHHHH", 45, 0x808, 8, 0, 0x5a21)
        at = len(out)
        out += b"PK\3\4" + fixed + struct.pack("<IIIHH", 0, 0xffffffff, 0xffffffff, len(name), 20)
        out += name + struct.pack("<HHQQ", 1, 16, 0, 0) + packed
        out += b"PK\7\10" + struct.pack("<IQQ", crc, len(packed), len(octets))
        entries += b"PK\1\2" + struct.pack("<H", 45) + fixed + struct.pack(
            "<IIIHHHHHII", crc, 0xffffffff, 0xffffffff, len(name), 20, 0, 0, 0, 0, at) + name
        entries += struct.pack("<HHQQ", 1, 16, len(octets), len(packed))
    size, offset = plain or (0xffffffff, 0xffffffff)
    last = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 0xffff, 0xffff, size, offset, 0)
    return out + entries + zip64_end(entries, len(members), len(out)) + last


def zip_of_a_mac(*members, links=()):
    """As the Finder makes it: data descriptors, fields of its own, what only a
    Mac knows of each file in __MACOSX; (name, target) of links."""
    files = [("d/", b"", 0o040755)]
    for name, octets in members:
        files += [("d/" + name, octets, 0o100644), ("__MACOSX/d/._" + name, APPLE_DOUBLE, 0o100644)]
    files += [("d/" + name, target, 0o120755) for name, target in links]
    made = []
    for name, octets, mode in files:
        fields = {"attributes": mode << 16, "extra": b"UX\x0c\0" + bytes(12)}
        if mode & 0o100000 and octets and not mode & 0o020000:
            deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
            packed = deflate.compress(octets) + deflate.flush()
            sizes = struct.pack("<III", zlib.crc32(octets), len(packed), len(octets))
            fields.update(method=8, flags=8, crc=zlib.crc32(octets), size=len(octets),
                          packed=len(packed), descriptor=b"PK\7\10" + sizes)
            octets = packed
        made.append(ZipMember(name, octets, **fields))
    return zip_of(made)


# Finder information and an empty resource fork.
APPLE_DOUBLE = (b"\0\5\x16\7\0\2\0\0Mac OS X        \0\2" +
                struct.pack(">IIIIII", 9, 50, 32, 2, 82, 286) + bytes(32 + 286))


def zip_of(members, listed=None, prefix=b"", comment=b"", gap=b""):
    """listed: members of the directory, where they are others."""
    out, offsets = prefix, {}
    for member in members:
        offsets[id(member)] = len(out)
        out += member.local() + member.octets + member.descriptor + gap
    entries = b"".join(m.entry(offsets[id(m)]) for m in (members if listed is None else listed))
    count = len(members if listed is None else listed)
    return out + entries + zip_end(entries, count, len(out), comment)


def zip_streamed(*members):
    """As a writer that cannot seek makes it: sizes behind the data."""
    made = []
    for name, octets in members:
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = deflate.compress(octets) + deflate.flush()
        descriptor = b"PK\7\10" + struct.pack("<III", zlib.crc32(octets), len(packed), len(octets))
        made.append(ZipMember(name, packed, method=8, flags=8, crc=zlib.crc32(octets),
                              size=len(octets), packed=len(packed), descriptor=descriptor))
    return zip_of(made)


def zip_crypto(octets, password):
    """The traditional encryption, header included."""
    keys = [0x12345678, 0x23456789, 0x34567890]
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0xedb88320 if value & 1 else 0)
        table.append(value)

    def update(octet):
        keys[0] = keys[0] >> 8 ^ table[(keys[0] ^ octet) & 255]
        keys[1] = ((keys[1] + (keys[0] & 255)) * 134775813 + 1) & 0xffffffff
        keys[2] = keys[2] >> 8 ^ table[(keys[2] ^ keys[1] >> 24) & 255]

    for octet in password:
        update(octet)
    out = bytearray()
    for octet in random.Random(1).randbytes(11) + bytes([zlib.crc32(octets) >> 24]) + octets:
        low = keys[2] & 0xffff | 2
        out.append(octet ^ low * (low ^ 1) >> 8 & 255)
        update(octet)
    return bytes(out)


def zip_encrypted(*members, password=b"infected"):
    made = []
    for name, octets in members:
        hidden = zip_crypto(octets, password)
        made.append(ZipMember(name, hidden, flags=1, crc=zlib.crc32(octets), size=len(octets),
                              packed=len(hidden)))
    return zip_of(made)


def zip_overlapping(kernel_size, count):
    """A flat bomb: each member holds the next one's header as a stored block,
    and all share one block of zeros."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = deflate.compress(bytes(kernel_size)) + deflate.flush()
    size, headers, members = kernel_size, [], []
    for n in range(count):
        quote = b""
        if headers:
            head = headers[-1]
            quote = b"\0" + struct.pack("<HH", len(head), len(head) ^ 0xffff)
            packed = quote + head + packed
            size += len(head)
        members.append(ZipMember("%d" % n, packed, method=8, crc=0, size=size))
        headers.append(members[-1].local())
    whole = headers[-1] + packed
    entries = b""
    for member, head in zip(members, headers):
        entries += member.entry(len(whole) - len(member.octets) - len(head))
    return whole + entries + zip_end(entries, count, len(whole))


# --- 7z -----------------------------------------------------------------------

def number_7z(value):
    if value < 0x80:
        return bytes([value])
    return b"\xff" + struct.pack("<Q", value)


def wrap_7z(packed, header):
    start = struct.pack("<QQI", len(packed), len(header), zlib.crc32(header))
    return (b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<I", zlib.crc32(start)) + start + packed +
            header)


def streams_7z(packed_size, coder, sizes):
    """StreamsInfo of one folder with one coder."""
    unpacked = sum(sizes)
    out = b"\x06" + number_7z(0) + number_7z(1) + b"\x09" + number_7z(packed_size) + b"\0"
    out += b"\x07\x0b\x01\x00\x01" + coder + b"\x0c" + number_7z(unpacked) + b"\0"
    out += b"\x08\x0d" + number_7z(len(sizes))
    if len(sizes) > 1:
        out += b"\x09" + b"".join(number_7z(n) for n in sizes[:-1])
    return out + b"\0\0"


COPY_7Z = b"\x01\x00"
AES_7Z = b"\x24\x06\xf1\x07\x01\x02\x53\x07"     # with two octets of properties


def names_7z(members):
    names = b"\0" + b"".join(name.encode("utf-16-le", "surrogatepass") + b"\0\0"
                            for name, _ in members)
    return b"\x05" + number_7z(len(members)) + b"\x11" + number_7z(len(names)) + names + b"\0"


def sevenzip(*members, coder=COPY_7Z, mode=None):
    """mode: of Unix, of all members."""
    packed = b"".join(octets for _, octets in members)
    names = names_7z(members)
    if mode is not None:
        attributes = b"\x01\0" + struct.pack("<I", mode << 16 | 0x8000) * len(members)
        names = names[:-1] + b"\x15" + number_7z(len(attributes)) + attributes + b"\0"
    header = (b"\x01\x04" + streams_7z(len(packed), coder, [len(o) for _, o in members]) +
              names + b"\0")
    return wrap_7z(packed, header)


def sevenzip_lzma(*members):
    filters = [{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 16, "lc": 3, "lp": 0, "pb": 2}]
    plain = b"".join(octets for _, octets in members)
    packed = lzma.compress(plain, lzma.FORMAT_RAW, filters=filters)
    coder = b"\x23\x03\x01\x01\x05\x5d" + struct.pack("<I", 1 << 16)
    header = (b"\x01\x04" + streams_7z(len(packed), coder, [len(o) for _, o in members]) +
              names_7z(members) + b"\0")
    return wrap_7z(packed, header)


def sevenzip_empty_files(count):
    """A packed header that lists nothing but files without octets or names."""
    flags = b"\xff" * (count // 8)
    header = b"\x01\x05" + number_7z(count) + b"\x0e" + number_7z(len(flags)) + flags + b"\0\0"
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 22}]
    packed = lzma.compress(header, lzma.FORMAT_RAW, filters=filters)
    return wrap_7z(packed, b"\x17" + streams_7z(len(packed), b"\x21\x21\x01\x14", [len(header)]))


def sevenzip_encrypted_header(*members):
    """The names are hidden too: a header that is itself packed by AES."""
    packed = b"".join(octets for _, octets in members) + random.Random(2).randbytes(64)
    return wrap_7z(packed, b"\x17" + streams_7z(64, AES_7Z, [64]))


# --- tar, cpio, ar, iso ---------------------------------------------------------

def tar(*members, form=tarfile.PAX_FORMAT):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, octets in members:
            info = tarfile.TarInfo(name)
            info.size = len(octets)
            archive.addfile(info, io.BytesIO(octets))
    return out.getvalue()


def tar_sparse(name, octets, size):
    """GNU's: octets at the start, a hole up to size."""
    info = tarfile.TarInfo(name)
    info.type = tarfile.GNUTYPE_SPARSE
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"%011o\0" % len(octets)
    header[386:410] = b"%011o\0%011o\0" % (0, len(octets))
    header[410:434] = b"%011o\0%011o\0" % (size, 0)
    header[483:495] = b"%011o\0" % size
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + octets + bytes(-len(octets) % 512) + bytes(1024)


def tar_headers(*headers, form=tarfile.USTAR_FORMAT):
    """(type, name, octets) as they are, for extended headers."""
    out = b""
    for kind, name, octets in headers:
        info = tarfile.TarInfo(name)
        info.type, info.size = kind, len(octets)
        out += info.tobuf(form) + octets + bytes(-len(octets) % 512)
    return out + bytes(1024)


def pax(key, value):
    """A record of an extended header."""
    rest = " %s=%s\n" % (key, value)
    size = len(rest) + 2
    return b"%d%s" % (size if size < 100 else size + 1, rest.encode())


def tar_old(*members, blank=b" "):
    """Of before POSIX: no magic; the sum with that in front of its digits."""
    out = b""
    for name, octets in members:
        header = bytearray(512)
        header[0:len(name)] = name.encode()
        header[100:108] = b"0000644\0"
        header[124:136] = b"%011o\0" % len(octets)
        header[136:148] = b"%011o\0" % 0
        header[148:156] = b" " * 8
        header[148:156] = blank + b"%06o\0" % sum(header)
        out += bytes(header) + octets + bytes(-len(octets) % 512)
    return out + bytes(1024)


def cpio(*members, mode=0o100644):
    out = b""
    for name, octets in members + (("TRAILER!!!", b""),):
        label = name.encode() + b"\0"
        out += b"070701" + b"%08X" * 13 % (1, mode, 0, 0, 1, 0, len(octets), 0, 0, 0, 0,
                                         len(label), 0) + label
        out += bytes(-len(out) % 4)
        out += octets
        out += bytes(-len(out) % 4)
    return out


def ar(*members):
    out = b"!<arch>\n"
    for name, octets in members:
        out += b"%-16s%-12d%-6d%-6d%-8s%-10d`\n" % (name.encode() + b"/", 0, 0, 0, b"100644",
                                                  len(octets))
        out += octets + b"\n" * (len(octets) % 2)
    return out


def deb(*members):
    return ar(("debian-binary", b"2.0\n"), ("control.tar.gz", gz(tar(("control", b"Package: x\n")))),
              ("data.tar.xz", xz(tar(*members))))


def both(form, value):
    return struct.pack("<" + form, value) + struct.pack(">" + form, value)


def iso_record(extent, size, flags, name, more=b""):
    body = both("I", extent) + both("I", size) + bytes(7) + bytes([flags, 0, 0]) + both("H", 1)
    body += bytes([len(name)]) + name + bytes(1 - len(name) % 2) + more
    return bytes([len(body) + 2, 0]) + body


def rock_ridge(mode):
    return b"PX\x24\1" + both("I", mode) + both("I", 1) + both("I", 0) + both("I", 0)


def iso(*members, mode=None):
    """ISO 9660, one directory; no extensions, or all members of that mode to
    Rock Ridge."""
    root_at, at = 21, 22
    sign, of_file = b"", b""
    if mode is not None:
        sign, of_file = b"SP\7\1\xbe\xef\0" + rock_ridge(0o040755), rock_ridge(mode)
    records = iso_record(root_at, 2048, 2, b"\0", sign) + iso_record(root_at, 2048, 2, b"\1")
    content = b""
    for name, octets in members:
        records += iso_record(at, len(octets), 0, name.upper().encode() + b";1",
                              of_file)
        content += octets + bytes(-len(octets) % 2048)
        at += (len(octets) + 2047) // 2048
    primary = b"\1CD001\1\0" + b" " * 64 + bytes(8) + both("I", at) + bytes(32) + both("H", 1)
    primary += both("H", 1) + both("H", 2048) + both("I", 10) + struct.pack("<II", 19, 0)
    primary += struct.pack(">II", 20, 0) + iso_record(root_at, 2048, 2, b"\0")
    primary += b" " * 623 + b"0" * 16 + b"\0" + b"0" * 16 + b"\0" + b"0" * 16 + b"\0" + b"0" * 16
    primary += b"\0\1\0"
    primary += bytes(2048 - len(primary))
    end = b"\xffCD001\1" + bytes(2041)
    little = struct.pack("<BBIH", 1, 0, root_at, 1) + b"\0\0"
    big = struct.pack(">BBIH", 1, 0, root_at, 1) + b"\0\0"
    out = bytes(16 * 2048) + primary + end + bytes(2048)
    for table in (little, big, records):
        out += table + bytes(2048 - len(table))
    return out + content


# --- cab, rar, lha ----------------------------------------------------------------

def cab(*members):
    """One folder, not compressed."""
    plain = b"".join(octets for _, octets in members)
    blocks = [plain[i:i + 32768] for i in range(0, len(plain), 32768)]
    files, offset = b"", 0
    for name, octets in members:
        files += struct.pack("<IIHHHH", len(octets), offset, 0, 0x5a21, 0, 0x20) + name.encode() + b"\0"
        offset += len(octets)
    data = b"".join(struct.pack("<IHH", 0, len(b), len(b)) + b for b in blocks)
    files_at = 36 + 8
    data_at = files_at + len(files)
    head = b"MSCF" + struct.pack("<IIIIIBBHHHHH", 0, data_at + len(data), 0, files_at, 0, 3, 1, 1,
                                len(members), 0, 0x1234, 0)
    return head + struct.pack("<IHH", data_at, len(blocks), 0) + files + data


def rar4_block(kind, flags, body, data=b""):
    head = struct.pack("<BHH", kind, flags, 7 + len(body)) + body
    return struct.pack("<H", zlib.crc32(head) & 0xffff) + head + data


def rar4(*members, main_flags=0, file_flags=0, mode=0o100644, size=None):
    """size: what is declared, where it is another."""
    out = b"Rar!\x1a\7\0" + rar4_block(0x73, main_flags, bytes(6))
    for name, octets in members:
        label = name.encode()
        body = struct.pack("<IIBIIBBHI", len(octets), size or len(octets), 3, zlib.crc32(octets),
                           0x5a215a21, 20, 0x30, len(label), mode) + label
        out += rar4_block(0x74, 0x8000 | file_flags, body, octets)
    return out + rar4_block(0x7b, 0x4000, b"")


def rar5_number(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def rar5_block(kind, flags, body, data=b""):
    fields = rar5_number(kind) + rar5_number(flags | (2 if data else 0))
    if data:
        fields += rar5_number(len(data))
    fields += body
    head = rar5_number(len(fields)) + fields
    return struct.pack("<I", zlib.crc32(head)) + head + data


def rar5(*members):
    out = b"Rar!\x1a\7\1\0" + rar5_block(1, 0, rar5_number(0))
    for name, octets in members:
        label = name.encode()
        body = (rar5_number(4) + rar5_number(len(octets)) + rar5_number(0o100644) +
                struct.pack("<I", zlib.crc32(octets)) + rar5_number(0) + rar5_number(1) +
                rar5_number(len(label)) + label)
        out += rar5_block(2, 0, body, octets)
    return out + rar5_block(5, 0, rar5_number(0))


def rar5_encrypted_header(*members):
    """Behind the encryption header everything is noise."""
    head = rar5_block(4, 0, rar5_number(0) + rar5_number(0) + b"\x0f" + bytes(range(16)))
    return b"Rar!\x1a\7\1\0" + head + random.Random(3).randbytes(200 + len(members))


def lha(*members):
    """Level 0, not compressed."""
    out = b""
    for name, octets in members:
        label = name.encode()
        crc = 0
        for octet in octets:
            crc ^= octet
            for _ in range(8):
                crc = crc >> 1 ^ (0xa001 if crc & 1 else 0)
        body = b"-lh0-" + struct.pack("<IIIBBB", len(octets), len(octets), 0x5a215a21, 0x20, 0,
                                    len(label)) + label + struct.pack("<H", crc)
        out += bytes([len(body), sum(body) & 255]) + body + octets
    return out + b"\0"


# --- compressed files ---------------------------------------------------------------

def gz(octets):
    return gzip.compress(octets, mtime=0)


def gz_named(octets, name):
    body = gzip.compress(octets, mtime=0)
    return body[:3] + b"\x08" + body[4:10] + name.encode() + b"\0" + body[10:]


def bz(octets):
    return bz2.compress(octets)


def xz(octets):
    return lzma.compress(octets)


def lzma_alone(octets):
    return lzma.compress(octets, lzma.FORMAT_ALONE)


def lzip(octets):
    filters = [{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 16, "lc": 3, "lp": 0, "pb": 2}]
    alone = lzma.compress(octets, lzma.FORMAT_ALONE, filters=filters)
    packed = alone[13:]
    trailer = struct.pack("<IQQ", zlib.crc32(octets), len(octets), 6 + len(packed) + 20)
    return b"LZIP\1\x10" + packed + trailer


def zst(octets):
    """One frame of blocks that are not compressed."""
    out = struct.pack("<IBQ", 0xfd2fb528, 0xe0, len(octets))
    blocks = [octets[i:i + 65536] for i in range(0, len(octets), 65536)] or [b""]
    for n, block in enumerate(blocks):
        out += struct.pack("<I", len(block) << 3 | (n + 1 == len(blocks)))[:3] + block
    return out


def lz4(octets):
    """One frame of blocks that are not compressed."""
    out = b"\x04\x22\x4d\x18\x60\x40\x82"
    for i in range(0, len(octets), 65536):
        block = octets[i:i + 65536]
        out += struct.pack("<I", len(block) | 1 << 31) + block
    return out + bytes(4)


def compress(octets):
    """Codes of 9 bits for single octets; the table is cleared before it grows."""
    codes = []
    for i in range(0, len(octets), 200):
        codes += list(octets[i:i + 200])
        if i + 200 < len(octets):
            codes += [256]
            codes += [0] * (-len(codes) % 8)       # to the end of a group behind a clear
    bits = sum(code << 9 * n for n, code in enumerate(codes))
    return b"\x1f\x9d\x90" + bits.to_bytes((9 * len(codes) + 7) // 8, "little")


# --- what the table test goes through ------------------------------------------------

CONTAINERS = {
    "zip": zip_deflated, "zip stored": zip_stored, "zip streamed": zip_streamed, "7z": sevenzip,
    "7z lzma": sevenzip_lzma, "tar": tar, "tar ustar": lambda *m: tar(*m, form=tarfile.USTAR_FORMAT),
    "tar gnu": lambda *m: tar(*m, form=tarfile.GNU_FORMAT), "cpio": cpio, "ar": ar, "deb": deb,
    "iso": iso, "cab": cab, "rar4": rar4, "rar5": rar5, "lha": lha,
}
STREAMS = {"gz": gz, "bz2": bz, "xz": xz, "lzma": lzma_alone, "lzip": lzip, "zst": zst, "lz4": lz4}


def packed(kind, octets, name="evil.com"):
    """octets in an archive of that kind, beside a harmless file where it can
    hold two; "tar.gz" is a tar in a gz."""
    if kind in CONTAINERS:
        return CONTAINERS[kind](("readme.txt", b"nothing to see here\n"), (name, octets))
    if kind in STREAMS:
        return STREAMS[kind](octets)
    outer, inner = kind.rsplit(".", 1)[1], kind.rsplit(".", 1)[0]
    return packed(outer, packed(inner, octets, name), name)


KINDS = list(CONTAINERS) + list(STREAMS) + [
    "tar.gz", "tar.bz2", "tar.xz", "tar.zst", "tar.lz4", "cpio.gz", "zip.gz"]
