"""Ports of this machine that nobody listens at."""

from __future__ import annotations

import socket


def free_ports(count: int) -> list[int]:
    """So many, all different."""
    open_ones = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [one.getsockname()[1] for one in open_ones]
    for one in open_ones:
        one.close()
    return ports


def free_port() -> int:
    return free_ports(1)[0]
