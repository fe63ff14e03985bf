"""Files as they are after a crash, an editor or a bad disk."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random


def mutations(genuine: bytes, count: int, chance: Random) -> Iterator[bytes]:
    """`count` files, each different from `genuine`."""
    made = 0
    while made < count:
        mutant = chance.choice(WAYS)(genuine, chance)
        if mutant != genuine:
            made += 1
            yield mutant


def _cut(data: bytes, chance: Random) -> bytes:
    return data[: chance.randrange(len(data))]


def _flipped(data: bytes, chance: Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]


def _without_a_piece(data: bytes, chance: Random) -> bytes:
    start = chance.randrange(len(data))
    return data[:start] + data[start + chance.randrange(1, 40) :]


def _with_a_piece_twice(data: bytes, chance: Random) -> bytes:
    start = chance.randrange(len(data))
    end = start + chance.randrange(1, 40)
    return data[:end] + data[start:]


def _with_noise(data: bytes, chance: Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + chance.randbytes(chance.randrange(1, 9)) + data[at:]


def _edited(data: bytes, chance: Random) -> bytes:
    old = chance.choice([b"create", b"update", b"web1", b"sha256:", b"null", b'"', b"[", b"0"])
    new = chance.choice([b"delete", b"web2", b"sha256:0", b"{}", b"9", b"", b"[[", b"\\u0000"])
    return data.replace(old, new, 1)


def _nested(data: bytes, chance: Random) -> bytes:
    depth = chance.randrange(1, 3000)
    return chance.choice([b"[", b'{"a":']) * depth + data


WAYS = (_cut, _flipped, _without_a_piece, _with_a_piece_twice, _with_noise, _edited, _nested)
