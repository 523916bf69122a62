"""Metrics that a script logged through MLflow, read from MLflow's file store without MLflow.

Layout: ``<store>/<experiment>/<run>/metrics/<name>`` (a name may hold slashes), one line per value:
milliseconds since the epoch, value, step. See "Backend Stores" in MLflow's documentation.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_MAX_FILE_BYTES = 64 << 20


def read_mlflow_metrics(store: Path) -> Iterator[dict[str, Any]]:
    """The points of all runs in ``store``, as `sightline.runs.metrics_file.scan_metrics` gives them.

    The store may hold anything, since a script wrote it: links are not followed, files above 64 MiB and
    lines that are not points are passed over. A missing store has none.
    """
    for folder, folders, files in os.walk(store, followlinks=False):
        folders.sort()
        parts = Path(folder).relative_to(store).parts
        if len(parts) < 3 or parts[2] != "metrics":
            continue
        for file in sorted(files):
            path = Path(folder) / file
            if path.is_symlink() or not path.is_file() or path.stat().st_size > _MAX_FILE_BYTES:
                continue
            name = "/".join([*parts[3:], file])
            for line in path.read_text(errors="replace").splitlines():
                point = _parse(name, line)
                if point is not None:
                    yield point


def _parse(name: str, line: str) -> dict[str, Any] | None:
    try:
        milliseconds, value, step = line.split()[:3]
        number = float(value)
        finite = number if abs(number) < float("inf") else None
        return {
            "t": int(milliseconds) / 1000,
            "name": name,
            "kind": "metric",
            "value": finite,
            "step": int(step),
        }
    except (ValueError, OverflowError):
        return None
