#!/usr/bin/env python3
"""Return paths that carom verifies. See docs/return-paths.md.

usage: sign.py KEY DOMAIN DAY < recipients
"""
import base64
import hashlib
import hmac
import re
import string
import sys

DIGITS = string.digits + string.ascii_lowercase
LOWER = {ord(upper): upper.lower() for upper in string.ascii_uppercase}


def escape(text):
    out = b""
    octets = text.encode()
    for at, octet in enumerate(octets):
        letter = bytes([octet])
        if letter == b".":
            plain = not out.endswith(b".") and at + 1 < len(octets)
        else:
            plain = letter in b"abcdefghijklmnopqrstuvwxyz0123456789-_"
        out += letter if plain else b"+%02x" % octet
    return out.decode()


def base32(octets, digits):
    return base64.b32encode(octets).decode().lower()[:digits]


def sign(key, domain, recipient, day, prefix="b+"):
    """`day`: days since 1970, int(time.time() // 86400)."""
    local, _, host = recipient.rpartition("@")
    if len(local) > 1 and local[0] == local[-1] == '"':
        local = re.sub(r"\\(.)", r"\1", local[1:-1])
    local, host = local.translate(LOWER), host.removesuffix(".").translate(LOWER)
    domain = domain.translate(LOWER)
    about = escape(local) + "=" + escape(host)
    if len(prefix) + 3 + 1 + 12 + 1 + len(about) > 64:
        about = base32(hashlib.sha256(f"{local}\0{host}".encode()).digest(), 24)
    day %= 46656
    day = DIGITS[day // 1296] + DIGITS[day // 36 % 36] + DIGITS[day % 36]
    signed = f"carom-verp-1\0{domain}\0{day}\0{about}".encode()
    tag = base32(hmac.new(key.encode(), signed, hashlib.sha256).digest(), 12)
    return f"{prefix}{day}-{tag}-{about}@{domain}"


if __name__ == "__main__":
    key, domain, day = sys.argv[1:]
    sys.stdin.reconfigure(encoding="utf-8")
    for line in sys.stdin:
        print(sign(key, domain, line.rstrip("\r\n"), int(day)))
