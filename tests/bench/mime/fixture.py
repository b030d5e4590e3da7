"""fixture.py FOLDER: the messages that all sides read, and the files
that they build messages around, the same each time."""
import base64
import pathlib
import quopri
import random
import sys

random.seed(5)


def wrapped(octets):
    return base64.encodebytes(octets).decode().replace("\n", "\r\n")


def message(size, attachments, paragraphs=22):
    text = "\r\n".join(
        f"This is line {i} of a plain text with some words in it."
        for i in range(15))
    html = "".join(f'<p style="color:red">Gr\u00fc\u00dfe {i} \u2014 more</p>\n'
                   for i in range(paragraphs))
    printable = quopri.encodestring(html.encode()).decode()
    lines = [
        f"Received: from mail{i}.example.com (mail{i}.example.com "
        f"[192.0.2.{i}])\r\n\tby mx.example.net (Postfix) with ESMTPS id A{i}"
        f"\r\n\tfor <user@example.net>; Thu, 13 Feb 2020 16:01:02 +0000 (UTC)"
        for i in range(4)]
    lines += [
        "From: =?utf-8?q?J=C3=B6rg?= <j@example.com>",
        "To: a@example.net, b@example.net",
        "Subject: =?utf-8?b?R3LDvMOfZQ==?=",
        "Date: Thu, 13 Feb 2020 16:01:02 +0000",
        "Message-ID: <1@example.com>",
        "MIME-Version: 1.0",
        'Content-Type: multipart/mixed; boundary="=_outer_123456"',
        "",
        "This is a message in MIME format.",
        "--=_outer_123456",
        'Content-Type: multipart/alternative; boundary="=_inner_123456"',
        "",
        "--=_inner_123456",
        "Content-Type: text/plain; charset=utf-8",
        "",
        text,
        "--=_inner_123456",
        "Content-Type: text/html; charset=utf-8",
        "Content-Transfer-Encoding: quoted-printable",
        "",
        printable.replace("\n", "\r\n"),
        "--=_inner_123456--"]
    for i in range(attachments):
        lines += [
            "--=_outer_123456",
            f'Content-Type: application/octet-stream; name="file{i}.bin"',
            f'Content-Disposition: attachment; filename="file{i}.bin"',
            "Content-Transfer-Encoding: base64",
            "",
            wrapped(random.randbytes(size)).removesuffix("\r\n")]
    lines += ["--=_outer_123456--", ""]
    return "\r\n".join(lines).encode()


folder = pathlib.Path(sys.argv[1])
for name, *shape in (("10k", 4000, 1), ("1m", 1 << 20, 1), ("25m", 6500000, 3),
                     ("html", 4000, 1, 15000)):
    (folder / f"{name}.eml").write_bytes(message(*shape))
for name, size in (("4k", 4096), ("1m", 1 << 20)):
    (folder / f"{name}.bin").write_bytes(random.randbytes(size))
