"""What a test needs from the machine: a part that is missing skips the test by name.

Under ``SIGHTLINE_REQUIRE=all`` a missing part is a failure, so that nothing is skipped where all is
meant to be there.
"""

import os
import shutil
from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def needs(name: str, available: bool | None = None) -> None:
    """Skip, or fail where all parts are required, unless the part ``name`` is there.

    ``available`` is the answer when the caller knows it; otherwise ``name`` is looked up as a program.
    """
    if available is None:
        available = shutil.which(name) is not None
    if available:
        return
    message = f"needs {name}, which is missing on this machine"
    if os.environ.get("SIGHTLINE_REQUIRE") == "all":
        pytest.fail(message)
    pytest.skip(message)


def shared_data(folder: str) -> Path:
    """A folder of the real data beside the project (``../shared/data/<folder>``)."""
    path = SHARED_DATA / folder
    needs(f"../shared/data/{folder}", path.exists())
    return path


def needs_gpu() -> None:
    """Skip without an NVIDIA GPU. None can be installed, so only ``SIGHTLINE_REQUIRE=gpu`` demands one."""
    import torch

    if torch.cuda.is_available():
        return
    if os.environ.get("SIGHTLINE_REQUIRE") == "gpu":
        pytest.fail("needs an NVIDIA GPU, which is missing on this machine")
    pytest.skip("needs an NVIDIA GPU, which is missing on this machine")
