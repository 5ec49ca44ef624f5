"""Messages for the tests: clean ones, and EICAR and GTUBE in every wrapping.

The two test strings are put together here from pieces, so that no file of the
source tree is itself an alarm for a virus scanner or a spam filter."""

import base64
import binascii
import io
import quopri
import random
import zipfile

EICAR = (b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR" + b"-STANDARD-ANTIVIRUS-" + b"TEST-FILE!$H+H*")
GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*" + b"GTUBE" + b"-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"

HEAD = (b"From: Sender <sender@example.org>\r\nTo: rcpt@example.net\r\n"
        b"Subject: %s\r\nDate: Thu, 1 Jan 2026 12:00:00 +0000\r\nMessage-ID: <%s@example.org>\r\n")


def head(subject=b"test", msgid=b"m1"):
    return HEAD % (subject, msgid)


def clean(subject=b"a clean mail", msgid=b"clean1", text=b"Hello,\r\n\r\nall is well.\r\n-- \r\nme\r\n"):
    return head(subject, msgid) + b"\r\n" + text


def b64(octets):
    return base64.encodebytes(octets).replace(b"\n", b"\r\n")


def uu(octets, name=b"eicar.com"):
    lines = [binascii.b2a_uu(octets[i:i + 45]).rstrip(b"\n") for i in range(0, len(octets), 45)]
    return b"begin 644 " + name + b"\r\n" + b"\r\n".join(lines) + b"\r\n`\r\nend\r\n"


def multipart(*parts, boundary=b"=_b1", kind=b"mixed", top=None):
    """A message of parts, each given as (header lines with CR LF, body)."""
    top = head() if top is None else top
    text = (top + b"MIME-Version: 1.0\r\nContent-Type: multipart/" + kind + b"; boundary=\""
            + boundary + b"\"\r\n\r\nThis is MIME.\r\n")
    for header, body in parts:
        text += b"--" + boundary + b"\r\n" + header + b"\r\n" + body
        if not body.endswith(b"\r\n"):
            text += b"\r\n"
    return text + b"--" + boundary + b"--\r\n"


TEXT_PART = (b"Content-Type: text/plain\r\n", b"see the attachment\r\n")


def attachment(body, encoding, name=b"eicar.com"):
    return (b"Content-Type: application/octet-stream; name=\"" + name + b"\"\r\n"
            b"Content-Disposition: attachment; filename=\"" + name + b"\"\r\n"
            b"Content-Transfer-Encoding: " + encoding + b"\r\n", body)


def nested(message, depth, boundary=b"=_n"):
    """message as message/rfc822 inside depth further messages."""
    for level in range(depth):
        message = multipart(TEXT_PART, (b"Content-Type: message/rfc822\r\n", message),
                            boundary=boundary + b"%d" % level)
    return message


def zipped():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("eicar.com", EICAR)
    return out.getvalue()


def eicar_variants():
    """name -> message with EICAR in it, each one a way it travels in mail."""
    octets = EICAR
    qp = quopri.encodestring(octets).replace(b"\n", b"\r\n")
    qp_all = b"".join(b"=%02X" % c + (b"=\r\n" if i % 20 == 19 else b"")
                      for i, c in enumerate(octets)) + b"\r\n"
    inner = multipart(TEXT_PART, attachment(b64(octets), b"base64"), boundary=b"=_inner")
    single = head() + b"MIME-Version: 1.0\r\n"
    misread = multipart(TEXT_PART, attachment(b64(octets), b"base64"), boundary=b"xyz")
    quoted = multipart(TEXT_PART, attachment(qp_all, b"quoted-printable"), boundary=b"xyz")
    return {
        "plain": head() + b"\r\n" + octets + b"\r\n",
        "plain_attachment": multipart(TEXT_PART, attachment(octets, b"7bit")),
        "base64": multipart(TEXT_PART, attachment(b64(octets), b"base64")),
        "base64_upper_case": multipart(TEXT_PART, attachment(b64(octets), b"BASE64")),
        "base64_single_part": single + b"Content-Type: application/x-msdownload\r\n"
                              b"Content-Transfer-Encoding: base64\r\n\r\n" + b64(octets),
        "base64_one_line": multipart(TEXT_PART, attachment(base64.b64encode(octets), b"base64")),
        "quoted_printable": multipart(TEXT_PART, attachment(qp, b"quoted-printable")),
        "quoted_printable_all": multipart(TEXT_PART, attachment(qp_all, b"Quoted-Printable")),
        "uuencode_text": head() + b"\r\nlook:\r\n\r\n" + uu(octets) + b"\r\nbye\r\n",
        "uuencode_attachment": multipart(TEXT_PART, attachment(uu(octets), b"x-uuencode")),
        "rfc822_one_deep": nested(inner, 1),
        "rfc822_three_deep": nested(inner, 3),
        "alternative_in_mixed": multipart(
            (b"Content-Type: multipart/alternative; boundary=in\r\n",
             b"--in\r\n\r\ntext\r\n--in\r\nContent-Transfer-Encoding: base64\r\n\r\n"
             + b64(octets) + b"--in--\r\n"), boundary=b"out"),
        "unclosed_multipart": multipart(TEXT_PART, attachment(b64(octets), b"base64"))
                              .rsplit(b"--=_b1--", 1)[0],
        "behind_a_line_without_colon": multipart(TEXT_PART, (
            b"Content-Type: application/octet-stream; name=eicar.com\r\n"
            b"Content-Transfer-Encoding: base64\r\nno field\r\n" + b64(octets), b"")),
        "first_line_has_blank_before_a_colon": single + b"Content-Transfer-Encoding: base64\r\n"
                              + base64.b64encode(octets).replace(b"I", b"I :", 1) + b"\r\n\r\n",
        "first_line_has_8_bit_name": multipart(TEXT_PART, (
            b"Content-Transfer-Encoding: base64\r\n\xe8"
            + base64.b64encode(octets).replace(b"I", b"I:", 1) + b"\r\n", b"")),
        "second_line_without_name": single + b"Content-Type: application/octet-stream\r\n"
                              b":x\r\n" + octets + b"\r\n",
        "no_blank_before_first_boundary": head() + b"MIME-Version: 1.0\r\n"
                              b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
                              b"Content-Transfer-Encoding: base64\r\n\r\n" + b64(octets) + b"--b--\r\n",
        # What some program takes for another boundary than most.
        "boundary_in_angles": misread.replace(b'"xyz"', b'"<xyz>"').replace(
            b"--xyz", b"--<xyz>", 1),
        "boundary_cut": misread.replace(b"xyz", b"A" * 80 + b"B").replace(
            b'B"', b'C"').replace(b"B", b"C", 1),
        "boundary_in_a_long_line": misread.replace(
            b"\r\n--xyz\r\nContent-Type: app", b"\r\n" + b"x" * 1023 + b"--xyz\r\nContent-Type: app"),
        "boundary_that_fills_a_piece": head() + b"MIME-Version: 1.0\r\n"
                                       b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
                                       b"--b\r\n\r\ntext\r\n--b" + b" " * 1020
                                       + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
                                       + qp_all + b"--b--\r\n",
        "boundary_with_a_colon_in_the_header_of_a_message": quoted.replace(
            b"xyz", b"xy:z").replace(b'"xy:z"', b'"<xy:z>"').replace(
            b"--xy:z", b"--<xy:z>", 1).replace(
            b"\r\n--xy:z\r\nContent-Type: app",
            b"\r\n--<xy:z>\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n"
            b"--xy:z\r\nContent-Type: app", 1),
        "part_without_fields": head() + b"MIME-Version: 1.0\r\n"
                               b"Content-Type: multipart/mixed; boundary*0=xx; boundary*2=c\r\n\r\n"
                               b"--xxc\r\n\r\ntext\r\n--xx\r\n\r\n" + octets + b"\r\n--xx--\r\n",
        "message_in_a_digest": head() + b"MIME-Version: 1.0\r\n"
                               b"Content-Type: multipart/digest; boundary*0=xx; boundary*2=c\r\n\r\n"
                               b"--xxc\r\n\r\ntext\r\n--xx\r\n\r\nSubject: x\r\n"
                               b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + qp_all
                               + b"--xx--\r\n",
        "multipart_in_a_text": head() + b"\r\nreturned:\r\n\r\n" + misread,
        "x_sun_attachment": single + b"Content-Type: X-sun-attachment\r\n\r\n----------\r\n"
                            b"X-Sun-Data-Type: default-app\r\n\r\n" + octets + b"\r\n----------\r\n",
    }


def odd_encodings():
    """name -> message that some reader decodes to EICAR, though its header says
    otherwise, or not quite."""
    def attached(encoding, body):
        return multipart(TEXT_PART, attachment(body, encoding))

    def tar_of(name):
        header = (name.ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + b"%011o\0" % len(EICAR)
                  + b"0" * 11 + b"\0" + b" " * 8 + b"0").ljust(257, b"\0") + b"ustar\00000"
        header = header.ljust(512, b"\0")
        return header[:148] + b"%06o\0 " % sum(header) + header[156:] + EICAR.ljust(512, b"\0")

    def tar_in_qp(name, encoded):
        rest = tar_of(name)[len(name):]
        return attached(b"quoted-printable", encoded + b"".join(
            b"=\r\n" + b"".join(b"=%02X" % c for c in rest[i:i + 24])
            for i in range(0, len(rest), 24)) + b"\r\n")

    file = uu(EICAR)
    single = head() + b"MIME-Version: 1.0\r\n"
    qp_all = b"".join(b"=%02X" % c for c in EICAR) + b"\r\n"
    split = base64.b64encode(EICAR).replace(b"I", b"I:", 1) + b"\r\n"
    forwarded = (b"From: a@example.org\r\nSubject: =0D=0A=0D=0Afoo bar=0D=0A\r\n"
                 b"Content-Type: application/octet-stream\r\n"
                 b"Content-Transfer-Encoding: base64\r\n\r\n" + b64(EICAR))
    return {
        "yenc_that_is_none": attached(b"x-yencode", EICAR),
        "message_that_is_not_quoted": multipart(TEXT_PART, (
            b"Content-Type: message/rfc822\r\n"
            b"Content-Transfer-Encoding: quoted-printable\r\n", forwarded)),
        "uuencode_behind_prose": attached(b"x-uuencode", b"Hello, see below\r\n" + uu(EICAR).replace(
            b"begin 644 eicar.com", b"begin foo")),
        # No line has a "=" but at its end, so it is well-formed quoted-printable.
        "uuencode_that_is_quoted": head() + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
                                   b"begin 644 eicar.com\r\n" + b"".join(
                                       binascii.b2a_uu(EICAR[i:j]).rstrip(b"\n") + b"=\r\n"
                                       for i, j in ((0, 15), (15, 24), (24, 25), (25, 68)))
                                   + b"`\r\nend\r\n",
        "soft_break_with_a_vertical_tab": attached(b"quoted-printable",
                                                   EICAR[:9] + b"=\x0b\r\n" + EICAR[9:]),
        "line_end_with_a_form_feed": attached(b"quoted-printable", EICAR + b"\x0c\r\n\r\n"),
        "tar_with_blanks_before_a_line_end": tar_in_qp(b"a  \r\nb", b"a  \r\nb"),
        "tar_stored_with_lf": attached(b"8bit", tar_of(b"a\nb").replace(b"\n", b"\r\n")),
        "tar_with_a_line_end": tar_in_qp(b"a\nb", b"a\r\nb"),
        "tar_with_an_equals_sign": tar_in_qp(b"a=41b", b"a==41b"),
        "tar_with_three_octets_as_they_are": tar_in_qp(b"a=x=41b", b"a=x=41b"),
        # The line is read in pieces of 255 octets; with "=" at the end of one.
        "tar_with_a_soft_break_in_a_line": tar_in_qp(b"x" * 95, b"=78" * 84 + b"xx==78" + b"x" * 8),
        "uuencode_in_a_piece": attached(b"x-uuencode", b"M" * 127 + file),
        "uuencode_with_a_vertical_tab": attached(b"x-uuencode", b"text\r\n" + file.replace(
            b"begin 644 ", b"begin\v")),
        "uuencode_without_a_name": attached(b"x-uuencode", b"text\r\n" + file.replace(
            b"begin 644 eicar.com", b"begin")),
        # More decoys than boundaries are guessed.
        "nul_that_joins_lines": head() + b"MIME-Version: 1.0\r\n"
                                b"Content-Type: multipart/mixed; bound\0junk\r\nary=b\r\n\r\n"
                                + b"".join(b"--d%d\r\n\r\ntext\r\n" % n for n in range(7))
                                + b"--b\r\nContent-Transfer-Encoding: base64\r\n\r\n"
                                + b64(EICAR) + b"--b--\r\n",
        # Where lines are read in pieces, a NUL hides no more than the piece.
        "nul_that_hides_a_piece": single + b"Content-Transfer-Encoding: \0 7bit;"
                                  + b"x" * 988 + b" quoted-printable;\r\n7bit;: x\r\n\r\n"
                                  + qp_all,
        "nul_that_hides_a_quoted_piece": single + b"Content-Transfer-Encoding: quoted-printable"
                                         b"\r\n\r\n" + qp_all[:30] + b"\0" + b"x" * 224
                                         + qp_all[30:],
        # What is hidden does not count: the part goes on behind its end.
        "nul_that_hides_the_end": multipart(TEXT_PART, attachment(
            (b"a\0" + b"x" * 253) * 9 + b"\r\n\r\n", b"quoted-printable", b"e.zip"))
            + b"=\r\n".join(b"=%02X" % c for c in zipped()) + b"\r\n",
        "line_that_is_empty_to_some": single + b"Content-Transfer-Encoding: base64\r\n"
                                      b"A\x80: x\r\nbogus\r\n\x0bB: x\r\n" + split,
        "quoted_mbox_line_behind_another": single + b"Content-Transfer-Encoding: base64\r\n"
                                           b"From a\r\nX: y\r\n>From b\r\n" + split,
        "no_mbox_line_behind_one": single + b"Content-Transfer-Encoding: base64\r\n"
                                   b"From a: b\r\nX: y\r\nfrom b: c\r\n" + split,
        "folded_before_the_colon": (single + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
                                    b"--b\r\nContent-Transfer-Encoding: quoted-printable\r\n"
                                    b"\r\n" + qp_all + b"--b--\r\n").replace(
                                        b"Encoding:", b"Encoding\r\n :"),
    }


def spam(msgid=b"spam1"):
    return head(b"buy now", msgid) + b"\r\nDear friend,\r\n\r\n" + GTUBE + b"\r\n\r\nbye\r\n"


def random_body(size, seed=1, line=76):
    """Printable lines, reproducible; some begin with dots."""
    rng = random.Random(seed)
    block = b"".join((b"." if rng.random() < 0.1 else b"x")
                     + bytes(rng.choices(range(33, 127), k=line - 1)) + b"\r\n" for _ in range(200))
    whole = block * (size // len(block) + 1)
    return whole[:max(0, size - 2)] + b"\r\n" if size >= 2 else b""
