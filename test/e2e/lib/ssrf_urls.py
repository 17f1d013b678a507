# SPDX-License-Identifier: Apache-2.0
"""
URLs that must lead nowhere: every address that is not plainly on the public internet, in every spelling somebody may
read as that address, and names that resolve to it. `urls(count, seed)` gives (class, url) pairs, each class at least once.

Names end in .example.org and carry their addresses, for the name server in world.py:

    a-7f000001.…              one address, in hexadecimal; with 32 digits an IPv6 one
    all-5db8d822-7f000001.…   several at once
    cname-7f000001.…          by way of another name
    turn-N-5db8d822-7f000001.…  the first question gets the first one, all further ones the second (rebinding)
"""

import ipaddress
import random

PUBLIC4 = ipaddress.ip_address("93.184.216.34")
PUBLIC6 = ipaddress.ip_address("2606:2800:220:1:248:1893:25c8:1946")
ZONE = "example.org"

NETWORKS4 = ["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
             "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",
             "240.0.0.0/4", "255.255.255.255/32"]
SINGLE4 = ["127.0.0.1", "169.254.169.254", "169.254.170.2", "169.254.170.23", "100.100.100.200", "192.0.0.192", "168.63.129.16", "0.0.0.0"]
NETWORKS6 = ["::/128", "::1/128", "100::/64", "64:ff9b:1::/48", "2001::/32", "2001:2::/48", "2001:10::/28", "2001:20::/28", "2001:db8::/32",
             "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8", "4000::/3", "e000::/4"]
SINGLE6 = ["::1", "fd00:ec2::254", "fd20:ce::254", "fe80::a9fe:a9fe"]


METADATA = {ipaddress.ip_address(a) for a in SINGLE4 + SINGLE6}


def blocked(address):
    """Whether nobody may be connected there. Written by the registries and Python's own table, not by net/address.c."""
    a = ipaddress.ip_address(address)
    if a in METADATA or a.is_multicast or not a.is_global:
        return not (a.version == 6 and a in ipaddress.ip_network("64:ff9b::/96") and not blocked(int(a) & 0xffffffff))
    if a.version == 4:
        return a in ipaddress.ip_network("192.88.99.0/24")
    if a.ipv4_mapped:
        return blocked(a.ipv4_mapped)
    if a in ipaddress.ip_network("64:ff9b::/96"):
        return blocked(int(a) & 0xffffffff)
    return a not in ipaddress.ip_network("2000::/3") or a in ipaddress.ip_network("2002::/16") or a in ipaddress.ip_network("3fff::/20")


def pick(r, singles, networks):
    if r.random() < 0.35:
        return ipaddress.ip_address(r.choice(singles))
    network = ipaddress.ip_network(r.choice(networks))
    return network[r.randrange(network.num_addresses)]


def octets(a):
    return list(a.packed)


def number(r, n):
    return r.choice([str(n), oct(n).replace("0o", "0"), hex(n), hex(n).upper().replace("X", "x"), "0X%X" % n, "0" * r.randrange(1, 9) + oct(n)[2:]])


FULL = {ord(c): chr(0xfee0 + ord(c)) for c in "0123456789abcdefghijklmnopqrstuvwxyz"}
DOTS = ["\u3002", "\uff0e", "\uff61"]
CIRCLED = "⓪①②③④⑤⑥⑦⑧⑨"


def hidden(text, r):
    """One character or more percent-encoded."""
    return "".join("%%%02x" % ord(c) if r.random() < 0.5 else c for c in text) + r.choice(["", "%00", "%0d%0a", "%09", "%2e"])


def spellings4():
    """name → what stands where a host does, for an IPv4 address."""
    return {
        "dotted": lambda a, r: str(a),
        "decimal": lambda a, r: str(int(a)),
        "octal": lambda a, r: "0%o" % int(a),
        "hex": lambda a, r: r.choice(["0x%x", "0X%X", "0x%08x", "0x00%08X"]) % int(a),
        "hex-without-prefix": lambda a, r: "%08x" % int(a),
        "one-number-too-large": lambda a, r: str(int(a) + 2 ** 32 * r.randrange(1, 9)),
        "two-parts": lambda a, r: f"{octets(a)[0]}.{int(a) & 0xffffff}",
        "three-parts": lambda a, r: "%d.%d.%d" % (*octets(a)[:2], int(a) & 0xffff),
        "parts-in-any-base": lambda a, r: ".".join(number(r, o) for o in octets(a)),
        "leading-zeros": lambda a, r: ".".join("%0*d" % (r.randrange(2, 6), o) for o in octets(a)),
        "parts-too-large": lambda a, r: ".".join(str(o + 256 * r.randrange(1, 3)) for o in octets(a)),
        "trailing-dot": lambda a, r: f"{a}.",
        "two-trailing-dots": lambda a, r: f"{a}..",
        "leading-dot": lambda a, r: f".{a}",
        "bracketed": lambda a, r: f"[{a}]",
        "full-width": lambda a, r: str(a).translate(FULL),
        "other-dots": lambda a, r: str(a).replace(".", r.choice(DOTS)),
        "circled": lambda a, r: "".join(CIRCLED[int(c)] if c.isdigit() else c for c in str(a)),
        "arabic-digits": lambda a, r: "".join(chr(0x660 + int(c)) if c.isdigit() else c for c in str(a)),
        "percent": lambda a, r: hidden(str(a), r),
        "soft-hyphen": lambda a, r: str(a).replace(".", "\u00ad.", 1),
        "a-name-of-it": lambda a, r: f"{a}.nip.io." + ZONE,
    }


def wrapped(v4, prefix, shift=0):
    return str(ipaddress.IPv6Address((int(ipaddress.IPv6Address(prefix)) | int(v4) << shift)))


def spellings6of4():
    dotted = {
        "mapped-dotted": lambda a, r: f"::ffff:{a}",
        "compatible-dotted": lambda a, r: f"::{a}",
        "translated-dotted": lambda a, r: f"::ffff:0:{a}",
        "nat64-dotted": lambda a, r: f"64:ff9b::{a}",
    }
    return dotted | {
        "mapped": lambda a, r: wrapped(a, "::ffff:0:0"),
        "mapped-long": lambda a, r: ipaddress.ip_address(wrapped(a, "::ffff:0:0")).exploded,
        "compatible": lambda a, r: wrapped(a, "::"),
        "translated": lambda a, r: wrapped(a, "::ffff:0:0:0"),
        "6to4": lambda a, r: wrapped(a, "2002::", 80),
        "6to4-with-rest": lambda a, r: wrapped(a, "2002::%x" % r.randrange(1, 65535), 80),
        "nat64": lambda a, r: wrapped(a, "64:ff9b::"),
        "nat64-local": lambda a, r: wrapped(a, "64:ff9b:1::"),
        "teredo-server": lambda a, r: wrapped(a, "2001::", 64),
        "teredo-client": lambda a, r: wrapped(ipaddress.ip_address(int(a) ^ 0xffffffff), "2001::"),
        "isatap": lambda a, r: wrapped(a, "fe80::5efe:0:0"),
    }


def spellings6():
    return {
        "short": lambda a, r: str(a),
        "long": lambda a, r: a.exploded,
        "upper": lambda a, r: str(a).upper(),
        "zone": lambda a, r: f"{a}%{r.choice(['25', ''])}{r.choice(['lo', 'eth0', '1'])}",
        "zeros": lambda a, r: "0" * r.randrange(1, 3) + a.exploded[1:],
    }


def names(a):
    digits = a.packed.hex()
    return {
        "name": lambda r: f"a-{digits}.{ZONE}",
        "name-dot": lambda r: f"a-{digits}.{ZONE}.",
        "name-case": lambda r: "".join(r.choice([c.upper(), c]) for c in f"a-{digits}.{ZONE}"),
        "name-cname": lambda r: f"cname-{digits}.{ZONE}",
        "name-several": lambda r: f"all-{digits}-{digits}.{ZONE}",
        "name-deep": lambda r: f"x.y.z.a-{digits}.{ZONE}",
    }


LOCAL_NAMES = ["localhost", "LOCALHOST", "localhost.", "a.localhost", "x.y.localhost.", "localhost.localdomain", "ip6-localhost", "ip6-loopback",
               "metadata.google.internal", "metadata", "instance-data", "metadata.azure.com", "kubernetes.default.svc", "host.docker.internal",
               "ｌｏｃａｌｈｏｓｔ", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "loca%6chost", "local\u00adhost", "localhost%00." + ZONE, "localhost\t", " localhost"]


def frames():
    """How a host becomes a URL: name → function of host, port text, r."""
    good = f"a-{PUBLIC4.packed.hex()}.{ZONE}"
    return {
        "http": lambda h, p, r: f"http://{h}{p}/v1",
        "https": lambda h, p, r: f"https://{h}{p}/v1",
        "bare": lambda h, p, r: f"http://{h}{p}",
        "case": lambda h, p, r: f"hTTp://{h}{p}/v1",
        "user": lambda h, p, r: f"http://{good}@{h}{p}/v1",
        "user-password": lambda h, p, r: f"http://user:{good}@{h}{p}/v1",
        "user-encoded": lambda h, p, r: f"http://{good}%40{h}{p}/v1",
        "fragment": lambda h, p, r: f"http://{h}{p}#@{good}/v1",
        "query": lambda h, p, r: f"http://{h}{p}?@{good}/v1",
        "backslash": lambda h, p, r: f"http://{good}\\@{h}{p}/v1",
        "backslashes": lambda h, p, r: f"http:\\\\{h}{p}/v1",
        "no-scheme": lambda h, p, r: f"//{h}{p}/v1",
        "no-slashes": lambda h, p, r: f"{h}{p}",
        "one-slash": lambda h, p, r: f"http:/{h}{p}/v1",
        "three-slashes": lambda h, p, r: f"http:///{h}{p}/v1",
        "other-scheme": lambda h, p, r: f"{r.choice(['ftp', 'file', 'gopher', 'dict', 'ldap', 'ws', 'unix', 'jar:http'])}://{h}{p}/v1",
        "space": lambda h, p, r: f"http:// {h}{p}/v1",
        "line-end": lambda h, p, r: f"http://{good}\r\nHost: {h}{p}/v1",
        "dot-path": lambda h, p, r: f"http://{h}{p}/../v1",
        "comma": lambda h, p, r: f"http://{good},{h}{p}/v1",
    }


def hosts(r, own_ports):
    """class → function that gives a host of it."""
    def v4():
        return pick(r, SINGLE4, NETWORKS4)

    def v6():
        return pick(r, SINGLE6, NETWORKS6)
    found = {}
    for name, spell in spellings4().items():
        found["v4 " + name] = lambda spell=spell: spell(v4(), r)
    for name, spell in spellings6of4().items():
        found["v6 of v4 " + name] = lambda spell=spell: f"[{spell(v4(), r)}]"
    for name, spell in spellings6().items():
        found["v6 " + name] = lambda spell=spell: f"[{spell(v6(), r)}]"
    found["v6 without brackets"] = lambda: str(v6())
    for name in names(PUBLIC4):
        found["to v4 " + name] = lambda name=name: names(v4())[name](r)
        found["to v6 " + name] = lambda name=name: names(v6())[name](r)
        found["to v6 of v4 " + name] = lambda name=name: names(ipaddress.ip_address(r.choice(
            [s for n, s in spellings6of4().items() if "dotted" not in n])(v4(), r)))[name](r)
    found["local names"] = lambda: r.choice(LOCAL_NAMES)
    found["own listener"] = lambda: "%s:%d" % (r.choice(["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::]", "127.1", "[::ffff:127.0.0.1]",
                                                         f"a-7f000001.{ZONE}"]), r.choice(own_ports))
    return found


def urls(count, seed, own_ports):
    r = random.Random(seed)
    kinds, shapes = hosts(r, own_ports), frames()
    plain = ["http", "https", "bare"]
    made = []
    for kind in kinds:
        made += [(kind, shape, kinds[kind]()) for shape in shapes]
    while len(made) < count:
        shape = r.choice(plain) if r.random() < 0.7 else r.choice(list(shapes))
        kind = r.choice(list(kinds))
        made.append((kind, shape, kinds[kind]()))
    for kind, shape, host in made[:max(count, len(made))]:
        port = "" if kind == "own listener" else r.choice(["", "", ":80", ":443", ":8787", ":22", ":6379", ":0080", ":65536", ":", ":0"])
        yield f"{kind}, {shape}", shapes[shape](host, port, r)
