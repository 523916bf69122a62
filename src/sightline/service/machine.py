"""The environments on offer: those of this machine, or those of a file."""

import os
import platform
from pathlib import Path

import psutil
from pydantic import TypeAdapter, ValidationError

from sightline.client.wire import Environment
from sightline.errors import SightlineError

FILE = "environments.json"
_GB = 1 << 30
_HOUR_S = 3600.0
_FILE_FORM: TypeAdapter[list[Environment]] = TypeAdapter(list[Environment])


def environments(folder: Path) -> list[Environment]:
    """What ``environments.json`` in the service's folder lists, else `local_environments`.

    Raises:
        SightlineError: the file is not a list of environments with different ids and names.
    """
    file = folder / FILE
    if not file.exists():
        return local_environments()
    try:
        listed = _FILE_FORM.validate_json(file.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise SightlineError(f"{file}: {where}: {first['msg']}.") from error
    if not listed:
        raise SightlineError(f"{file}: lists no environment; list one, or remove the file for the defaults.")
    for attribute in ("id", "name"):
        values = [getattr(environment, attribute) for environment in listed]
        repeated = next((value for value in values if values.count(value) > 1), None)
        if repeated is not None:
            raise SightlineError(f"{file}: {attribute} '{repeated}' occurs twice; give each its own.")
    return listed


def local_environments() -> list[Environment]:
    """Two tiers on this machine: half of its memory for an hour, nearly all of it for a day."""
    cores = os.cpu_count() or 1
    memory = psutil.virtual_memory().total
    gpus = _gpus()
    tiers = [("local-small", 0.5, 1, 4), ("local-large", 0.9, 24, 50)]
    return [
        Environment(
            id=name,
            name=name,
            order=order,
            instance=platform.node() or "local",
            cpu=platform.processor() or platform.machine(),
            cpu_count=cores,
            ram=int(memory * share),
            gpu=gpus[0] if gpus else None,
            gpu_count=len(gpus),
            time_limit_s=hours * _HOUR_S,
            output_quota_bytes=quota_gb * _GB,
        )
        for order, (name, share, hours, quota_gb) in enumerate(tiers)
    ]


def _gpus(root: Path = Path("/proc/driver/nvidia/gpus")) -> list[str]:
    """Model names of the NVIDIA GPUs, as their driver lists them."""
    models: list[str] = []
    for information in sorted(root.glob("*/information")):
        fields = dict(line.split(":", 1) for line in information.read_text().splitlines() if ":" in line)
        models.append(fields.get("Model", "NVIDIA GPU").strip())
    return models
