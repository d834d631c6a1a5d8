"""Metrics as whoever reads them gets them."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path

from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics.parser import text_string_to_metric_families

PLAIN = "text/plain;version=0.0.4"


def fetch(where: Path | tuple[str, int], path: str, **headers: str) -> tuple[int, str, str]:
    """(status, content type, text) of a GET on a Unix socket or at an address."""
    family = socket.AF_UNIX if isinstance(where, Path) else socket.AF_INET
    with socket.socket(family) as line:
        line.settimeout(30)
        line.connect(os.fspath(where) if isinstance(where, Path) else where)
        given = {"Host": "127.0.0.1", "Connection": "close", **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        line.sendall(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
        answer = b""
        while chunk := line.recv(65536):
            answer += chunk
    head, _, text = answer.decode().partition("\r\n\r\n")
    media = next(
        one.partition(": ")[2] for one in head.split("\r\n") if one.lower().startswith("content-type")
    )
    return int(head.split()[1]), media, text


def families(text: str) -> dict[str, Family]:
    """By name. The parser is strict: it refuses what is not OpenMetrics."""
    return {family.name: family for family in text_string_to_metric_families(text)}  # type: ignore[no-untyped-call]


def value(text: str, name: str, labels: Mapping[str, str] | None = None) -> float:
    """The one sample of this name with these labels."""
    (found,) = [
        sample.value
        for family in families(text).values()
        for sample in family.samples
        if sample.name == name and sample.labels == (labels or {})
    ]
    return float(found)


def free_port() -> int:
    """A port that nobody has now."""
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        return int(line.getsockname()[1])
