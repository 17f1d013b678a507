# SPDX-License-Identifier: Apache-2.0
"""
Finds secrets where they should not be. A canary is a text with MARK in it, so one search finds all of them, in whatever
was made of them: as it is, in base64 at any offset, in hexadecimal digits, percent-encoded or escaped for JSON (both leave
letters and digits alone). Texts that the gateway makes itself are known by their form; keys also by their checksum.
Other texts can be added as they are.
"""

import base64
import collections
import ctypes
import gzip
import json
import os
import re
import struct
import urllib.parse

MARK = "CANARY9Q7X"
OWN = re.compile(rb"(?<![0-9A-Za-z])(?:t[gsu]-[0-9A-Za-z]{38}|ti-[0-9A-Za-z]{32})(?![0-9A-Za-z])")
TOKEN = re.compile(rb"eyJ[0-9A-Za-z_-]{8,}\.eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]{20,}")
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ZSTD = b"\x28\xb5\x2f\xfd"


def crc32c(data, table=[]):
    if not table:
        for n in range(256):
            for _ in range(8):
                n = n >> 1 ^ (0x82f63b78 if n & 1 else 0)
            table.append(n)
    crc = 0xffffffff
    for byte in data:
        crc = table[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xffffffff


def is_own(text):
    """Whether the checksum of a key is right; links of invitations have none."""
    if text.startswith(b"ti-"):
        return True
    n, digits = crc32c(text[:-6]), b""
    for _ in range(6):
        n, d = divmod(n, 62)
        digits = BASE62[d].encode() + digits
    return digits == text[-6:]


def base64_forms(data):
    """What stands in a base64 text wherever the data begins in it."""
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + data + b"\0\0\0")
        first = (shift * 8 + 5) // 6
        whole = text[first:(shift + len(data)) * 8 // 6]
        yield whole
        yield whole.replace(b"+", b"-").replace(b"/", b"_")


def forms(text):
    """Needles for a text, each with what it is."""
    data = text.encode() if isinstance(text, str) else text
    found = {data: "raw", data.hex().encode(): "hex", data.hex().upper().encode(): "hex"}
    for needle in base64_forms(data):
        found[needle] = "base64"
    if isinstance(text, str):
        for safe in ("", "/"):
            found[urllib.parse.quote(text, safe=safe).encode()] = "percent"
        found[json.dumps(text)[1:-1].encode()] = "JSON"
        found[json.dumps(text)[1:-1].replace("/", "\\/").encode()] = "JSON"
    return {needle: form for needle, form in found.items() if len(needle) >= 8}


def unpacked(data):
    """What is compressed inside, too: gzip bodies of an exporter, zstd frames of kept bodies and cached answers."""
    yield data
    if data[:2] == b"\x1f\x8b":
        yield gzip.decompress(data)
    at = data.find(ZSTD)
    if at < 0:
        return
    z = ctypes.CDLL("libzstd.so.1")
    z.ZSTD_findFrameCompressedSize.restype = z.ZSTD_decompress.restype = ctypes.c_size_t
    z.ZSTD_getFrameContentSize.restype = ctypes.c_ulonglong
    while at >= 0:
        frame = data[at:]
        size = z.ZSTD_findFrameCompressedSize(frame, ctypes.c_size_t(len(frame)))
        whole = z.ZSTD_getFrameContentSize(frame, ctypes.c_size_t(len(frame)))
        if not z.ZSTD_isError(ctypes.c_size_t(size)) and whole < 64 << 20:
            out = ctypes.create_string_buffer(max(whole, 1))
            n = z.ZSTD_decompress(out, ctypes.c_size_t(whole), frame, ctypes.c_size_t(size))
            if not z.ZSTD_isError(ctypes.c_size_t(n)):
                yield out.raw[:n]
        at = data.find(ZSTD, at + 4)


Hit = collections.namedtuple("Hit", "place secret form around")


class Canaries:
    def __init__(self, own=True):
        self.needles = {needle: (MARK, form) for needle, form in forms(MARK).items()}
        self.own = own

    def add(self, name, text):
        for needle, form in forms(text).items():
            self.needles[needle] = (name, form)

    def scan(self, place, data):
        """Every hit; the text around a MARK says whose it is."""
        hits = []
        for part in unpacked(data.encode() if isinstance(data, str) else data):
            for needle, (name, form) in self.needles.items():
                at = part.find(needle)
                while at >= 0:
                    hits.append(Hit(place, name, form, part[max(0, at - 40):at + len(needle) + 40]))
                    at = part.find(needle, at + len(needle))
            for m in OWN.finditer(part) if self.own else ():
                if is_own(m.group()):
                    hits.append(Hit(place, "a key or token of ours", "raw", part[max(0, m.start() - 40):m.end() + 20]))
            for m in TOKEN.finditer(part) if self.own else ():
                hits.append(Hit(place, "a signed token", "raw", part[max(0, m.start() - 40):m.end() + 20]))
        return hits

    def scan_file(self, path, name=None):
        with open(path, "rb") as f:
            return self.scan(name or path, f.read())

    def scan_tree(self, folder, skip=()):
        hits = []
        for where, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(where, name)
                if name not in skip and os.path.isfile(path) and not os.path.islink(path):
                    hits += self.scan_file(path, os.path.relpath(path, folder))
        return hits
