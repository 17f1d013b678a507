# SPDX-License-Identifier: Apache-2.0
"""
The internet as ssrf.py plays it: a name server whose names carry their addresses (ssrf_urls.py), and one HTTP server that
stands for every host there is. preload_connects.c leads the gateway's connections here and notes where they were meant to go.
"""

import ipaddress
import json
import os
import socket
import struct
import threading

from harness import completion, read_request

NO_NAME, NO_ERROR = 3, 0


class Names:
    """Answers by the name alone. TTL 0. `asked` counts questions for addresses, by lower-case name and type."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.asked = {}
        threading.Thread(target=self._run, daemon=True).start()

    def addresses(self, name, wanted):
        """The addresses of `name`, or None when there is no such name."""
        for label in name.split("."):
            kind, _, rest = label.partition("-")
            parts = rest.split("-")
            if kind in ("a", "cname"):
                parts = parts[:1]
            elif kind == "turn":
                parts = parts[2:] if self.asked[name, wanted] > 1 else parts[1:2]
            elif kind != "all":
                continue
            try:
                return [ipaddress.ip_address(bytes.fromhex(p)) for p in parts]
            except ValueError:
                return None
        return None

    def _run(self):
        while True:
            try:
                packet, peer = self.socket.recvfrom(4096)
                self.socket.sendto(self.answer(packet), peer)
            except OSError:
                return

    def answer(self, packet):
        labels, at = [], 12
        while packet[at]:
            labels.append(packet[at + 1:at + 1 + packet[at]].decode("latin-1").lower())
            at += 1 + packet[at]
        name, question = ".".join(labels), packet[12:at + 5]
        kind = struct.unpack(">H", packet[at + 1:at + 3])[0]
        self.asked[name, kind] = self.asked.get((name, kind), 0) + 1
        found = self.addresses(name, kind)
        code = NO_NAME if found is None else NO_ERROR
        records, owner = [], b"\xc0\x0c"
        if found and labels[0].startswith("cname-"):
            target = b"".join(bytes([len(x)]) + x.encode() for x in ["a" + labels[0][5:], *labels[1:]]) + b"\0"
            records.append(owner + struct.pack(">HHIH", 5, 1, 0, len(target)) + target)
            owner = target
        for a in found or []:
            if kind == (1 if a.version == 4 else 28):
                records.append(owner + struct.pack(">HHIH", kind, 1, 0, len(a.packed)) + a.packed)
        head = packet[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(records), 0, 0)
        return head + question + b"".join(records)


class World:
    """Every host: takes any request and remembers (host, target, authorization, api-key). Hosts named redirect… redirect to `away`."""

    def __init__(self, away):
        self.listener = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True, backlog=4096)
        self.port = self.listener.getsockname()[1]
        self.away, self.seen = away, []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            with connection:
                connection.settimeout(20)
                if connection.recv(1, socket.MSG_PEEK) == b"\x16":
                    return  # TLS: nobody here has a certificate for it
                request, _ = read_request(connection, b"")
                if request:
                    self.seen.append((request.headers.get("host", ""), request.method, request.target,
                                      {**request.headers, "body": request.body.decode("latin-1")}))
                    connection.sendall(self.reply(request))
        except (OSError, ValueError):
            pass

    def reply(self, request):
        host = request.headers.get("host", "")
        if request.method == "CONNECT":
            return b"HTTP/1.1 502 no\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        if host.startswith("redirect"):
            return (f"HTTP/1.1 {host[8:11]} moved\r\nLocation: {self.away}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").encode()
        body = json.dumps({**completion(), "data": [], "object": "page", "has_more": False, "verdict": True}).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body


class Watch:
    """What the gateway connected to; `environment` makes it tell."""

    def __init__(self, folder, names, world):
        self.path = os.path.join(folder, "connects")
        resolv = os.path.join(folder, "resolv.conf")
        with open(resolv, "w") as f:
            f.write("nameserver 127.0.0.1\n")
        open(self.path, "w").close()
        build = os.environ.get("TOLLGATE_BUILD") or os.path.join(os.path.dirname(__file__), "../../../build")
        library = os.path.abspath(os.path.join(build, "e2e", "preload_connects.so"))
        if not os.path.exists(library):
            raise AssertionError(f"{library} is not built; its target is e2e-tools")
        self.environment = {"LD_PRELOAD": library, "CONNECTS_LOG": self.path, "CONNECTS_DNS": str(names.port),
                            "CONNECTS_WORLD": str(world.port), "CONNECTS_RESOLV": resolv,
                            "ASAN_OPTIONS": "verify_asan_link_order=0"}

    def connects(self):
        """[(address, port)] so far."""
        with open(self.path) as f:
            return [(ipaddress.ip_address(a), int(p)) for a, p in (line.split() for line in f)]
