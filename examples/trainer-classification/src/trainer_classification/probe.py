"""Say what the machine lets a trainer do: useful once on a new service, and proof of what it refuses."""

import os
import socket
import tempfile
from pathlib import Path


def report() -> None:
    """Print one line each about the network, name resolution and writing to the dataset."""
    print(f"probe: network {_attempt(_connect)}")
    print(f"probe: name resolution {_attempt(_resolve)}")
    dataset = os.environ.get("SIGHTLINE_DATASET_DIR")
    if dataset:
        print(f"probe: writing to the dataset {_attempt(lambda: _write(Path(dataset)))}")


def _attempt(action) -> str:
    try:
        action()
    except OSError as error:
        return f"refused ({type(error).__name__}: {error})"
    return "allowed"


def _connect() -> None:
    # A documentation address (RFC 5737): nobody answers there, so only a refusal comes back at once.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 53))
        probe.send(b"")


def _resolve() -> None:
    socket.getaddrinfo("example.org", 443)


def _write(dataset: Path) -> None:
    with tempfile.TemporaryFile(dir=dataset):
        pass
