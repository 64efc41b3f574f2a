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
        "node_count": count,
        "record_size": 32,
        "ip_version": 4,
        "database_type": "Test",
        "languages": ["en"],
        "binary_format_major_version": 2,
        "binary_format_minor_version": 0,
        "build_epoch": 1,
        "description": {"en": "Test"},
    }
    path.write_bytes(tree + bytes(16) + data + MARK + _encoded(about))


def _encoded(value: Any) -> bytes:
    if isinstance(value, str):
        body = value.encode()
        return _control(2, len(body)) + body
    if isinstance(value, int):
        body = value.to_bytes((value.bit_length() + 7) // 8, "big")
        return _control(6, len(body)) + body
    if isinstance(value, dict):
        return _control(7, len(value)) + b"".join(_encoded(k) + _encoded(v) for k, v in value.items())
    return bytes([len(value), 11 - 7]) + b"".join(map(_encoded, value))


def _control(kind: int, size: int) -> bytes:
    if size < 29:
        return bytes([kind << 5 | size])
    return bytes([kind << 5 | 29, size - 29])
