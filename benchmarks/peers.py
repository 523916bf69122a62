"""Virtual environments for the libraries that benchmarks compare with, made once under ``.bench/``."""

import fcntl
import re
import shutil
import subprocess
import sys
from pathlib import Path

BENCH_FOLDER = Path(__file__).resolve().parents[1] / ".bench"


def peer_python(*requirements: str) -> Path:
    """The Python of an environment with exactly ``requirements``, such as ``"hafnia==0.8.6"``.

    Made with uv at the first call and reused after that; a half-made one is made anew. Two benchmarks that
    ask at once wait for each other.
    """
    name = "_".join(re.sub(r"[^\w.]+", "-", requirement).strip("-") for requirement in requirements)
    folder = BENCH_FOLDER / name
    python = folder / "bin" / "python"
    complete = folder / "complete"
    BENCH_FOLDER.mkdir(exist_ok=True)
    with (BENCH_FOLDER / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            print(f"making {folder} for the comparison ...", file=sys.stderr)
            shutil.rmtree(folder, ignore_errors=True)
            uv = [sys.executable, "-m", "uv", "--quiet"]
            subprocess.run([*uv, "venv", "--python", sys.executable, folder], check=True)
            subprocess.run([*uv, "pip", "install", "--python", python, *requirements], check=True)
            complete.write_text("\n".join(requirements) + "\n")
    return python
