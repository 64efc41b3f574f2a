"""Writes small databases in MaxMind's format (its specification 2.0), for tests of reading them."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

MARK = b"\xab\xcd\xefMaxMind.com"


def write_database(path: Path, rows: dict[str, dict[str, Any]]) -> None:
    """A database of IPv4 networks that do not overlap."""
    data, nodes = b"", [[None, None]]
    for text, row in rows.items():
        network, at, offset = IPv4Network(text), 0, len(data)
        data += _encoded(row)
        bits = f"{int(network.network_address):032b}"[: network.prefixlen]
        for bit in bits[:-1]:
            if nodes[at][int(bit)] is None:
                nodes.append([None, None])
                nodes[at][int(bit)] = ("node", len(nodes) - 1)
            at = nodes[at][int(bit)][1]
        nodes[at][int(bits[-1])] = ("data", offset)
    count = len(nodes)

    def record(value: Any) -> bytes:
        kind, place = value or ("node", count)
        return (place if kind == "node" else place + count + 16).to_bytes(4, "big")

    tree = b"".join(record(value) for node in nodes for value in node)
    about = {
        "node_count": (6, count),
        "record_size": (5, 32),
        "ip_version": (5, 4),
        "database_type": "Test",
        "languages": ["en"],
        "binary_format_major_version": (5, 2),
        "binary_format_minor_version": (5, 0),
        "build_epoch": (9, 1),
        "description": {"en": "Test"},
    }
    path.write_bytes(tree + bytes(16) + data + MARK + _encoded(about))


def _encoded(value: Any) -> bytes:
    if isinstance(value, str):
        body = value.encode()
        return _control(2, len(body)) + body
    if isinstance(value, tuple):
        # A number of this kind (unsigned, 16, 32 or 64 bits).
        kind, number = value
        body = number.to_bytes((number.bit_length() + 7) // 8, "big")
        return _control(kind, len(body)) + body
    if isinstance(value, dict):
        return _control(7, len(value)) + b"".join(_encoded(k) + _encoded(v) for k, v in value.items())
    return _control(11, len(value)) + b"".join(map(_encoded, value))


def _control(kind: int, size: int) -> bytes:
    if kind > 7:
        return bytes([size, kind - 7])
    if size < 29:
        return bytes([kind << 5 | size])
    return bytes([kind << 5 | 29, size - 29])
