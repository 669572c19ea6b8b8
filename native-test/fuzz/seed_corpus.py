"""Writes the first inputs of corpus/frames: one frame of every kind, the refusals, and some of them together."""

import os
import sys


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def number(field, n):
    return varint(field << 3) + varint(n)


def chunk(field, value):
    return varint(field << 3 | 2) + varint(len(value)) + value


def frame(ident, field, body):
    message = (number(1, ident) if ident else b"") + chunk(field, body)
    return len(message).to_bytes(4, "big") + message


FRAMES = {
    "hello_ack": frame(1, 2, number(1, 1) + number(2, 1024) + number(3, 65536) + number(4, 5000000) + chunk(5, b"signet/0.1.0")),
    "sign_ecdsa": frame(2, 3, chunk(1, bytes(range(71))) + number(2, 15) + number(3, 130)),
    "sign_rsa4096": frame(3, 3, chunk(1, bytes(512))),
    "sign_too_long": frame(3, 3, chunk(1, bytes(513))),
    "sign_empty": frame(4, 3, b""),
    "error": frame(5, 4, number(1, 2) + chunk(2, b"key unknown, or use not granted")),
    "error_unprintable": frame(6, 4, number(1, 99) + chunk(2, b"\x1b[31m\xc3\xa9\n")),
    "error_long": frame(7, 4, number(1, 3) + chunk(2, b"x" * 511)),
    "pong": frame(8, 5, b""),
    "go_away": frame(0, 6, chunk(1, b"restart")),
    "unknown_body": frame(9, 15, b"later"),
    "two_bodies": (lambda m: len(m).to_bytes(4, "big") + m)(number(1, 9) + chunk(3, chunk(1, b"s")) + chunk(4, number(1, 1))),
    "length_zero": b"\0\0\0\0",
    "length_too_long": b"\0\1\0\1",
    "http": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "half": frame(2, 3, chunk(1, bytes(71)))[:40],
}

folder = sys.argv[1]
os.makedirs(folder, exist_ok=True)
for name, content in FRAMES.items():
    with open(os.path.join(folder, name), "wb") as file:
        file.write(b"\xff" + content)
with open(os.path.join(folder, "conversation"), "wb") as file:
    file.write(b"\x06" + b"".join(FRAMES[name] for name in ("hello_ack", "sign_ecdsa", "error", "go_away", "sign_rsa4096")))
