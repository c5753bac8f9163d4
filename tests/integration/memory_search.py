#!/usr/bin/env python3
"""Searches the memory of a process for secrets: memory_search.py PID [--age FILE] [--ssh FILE] [--text NAME=TEXT]...

A key is looked for in every form that it takes on its way: as text, decoded, and as what is computed from it; and in
pieces, so that a half overwritten copy is found, too. Prints a line for each form that is there; none: nothing is.
Reading the memory of a process that is not dumpable needs root.
"""
import base64
import hashlib
import re
import struct
import sys

PIECE = 14  # bytes; any leftover of twice that contains a whole piece

BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def age_forms(path):
    for line in open(path):
        line = line.strip()
        if not line.startswith("AGE-SECRET-KEY-1"):
            continue
        values = [BECH32.index(c) for c in line[len("AGE-SECRET-KEY-1"):].lower()]
        bits = "".join(f"{value:05b}" for value in values[:-6])
        key = bytes(int(bits[i:i + 8], 2) for i in range(0, 256, 8))
        yield "an age identity as text", line.encode()[len("AGE-SECRET-KEY-1"):]
        yield "an age identity in digits of bech32", bytes(values)
        yield "an age identity decoded", key


def fields(blob):
    while len(blob) >= 4:
        size = struct.unpack(">I", blob[:4])[0]
        if size > len(blob) - 4:
            return
        yield blob[4:4 + size]
        blob = blob[4 + size:]


def ssh_forms(path):
    text = open(path).read()
    lines = [line for line in text.splitlines() if not line.startswith("-----")]
    for line in lines[2:]:  # what stands before is the same in all files, or public
        yield "an SSH key as text", line.encode()
    blob = base64.b64decode("".join(lines))
    public_and_private = blob.split(b"\0\0\0\1", 1)[1]  # behind the number of keys, which is one
    private = list(fields(public_and_private))[1]
    kind, *numbers = list(fields(private[8:]))
    if kind == b"ssh-ed25519":
        seed = numbers[1][:32]
        yield "the seed of an ssh-ed25519 key", seed
        yield "the scalar of an ssh-ed25519 key", hashlib.sha512(seed).digest()[:32]
    else:
        for name, number in zip("n e d iqmp p q".split(), numbers):
            if name in ("n", "e"):
                continue
            yield f"{name} of an RSA key", number.lstrip(b"\0")
            yield f"{name} of an RSA key as OpenSSL holds it", number.lstrip(b"\0")[::-1]


def pieces(form):
    # The first and the last byte of a scalar are clamped in some copies.
    starts = range(1, len(form) - PIECE, PIECE) if len(form) > PIECE + 1 else [0]
    return [form[start:start + PIECE] for start in starts]


def regions(pid):
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            begin, end, mode, name = re.match(r"(\w+)-(\w+) (\S+) \S+ \S+ \S+ *(.*)", line).groups()
            if mode[0] != "r" or name in ("[vvar]", "[vsyscall]") or name.startswith("[vvar"):
                continue
            try:
                memory.seek(int(begin, 16))
                yield f"{name or 'anonymous'} {mode}", memory.read(int(end, 16) - int(begin, 16))
            except OSError:
                pass


def main():
    pid, arguments = sys.argv[1], sys.argv[2:]
    forms = []
    for option, value in zip(arguments[::2], arguments[1::2]):
        if option == "--age":
            forms += age_forms(value)
        elif option == "--ssh":
            forms += ssh_forms(value)
        else:
            name, text = value.split("=", 1)
            forms.append((name, text.encode()))
    read = 0
    found = set()
    for region, content in regions(pid):
        read += len(content)
        for name, form in forms:
            for piece in pieces(form):
                if piece in content:
                    found.add(f"{name}, in {region}")
    if read < 1 << 20:
        sys.exit(f"only {read} bytes of memory could be read")
    print("\n".join(sorted(found)), end="\n" if found else "")


main()
