"""Make tiny packages to install: wheels, and sources whose build runs code of our choice."""

import io
import tarfile
import zipfile
from pathlib import Path

_BACKEND = """
import zipfile
def build_wheel(folder, config_settings=None, metadata_directory=None):
    found = {{}}
{code}
    files = {{
        "{name}/__init__.py": f"found = {{found!r}}",
        "{name}-1.0.dist-info/METADATA": "Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0\\n",
        "{name}-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        "{name}-1.0.dist-info/RECORD": "",
    }}
    with zipfile.ZipFile(f"{{folder}}/{name}-1.0-py3-none-any.whl", "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return "{name}-1.0-py3-none-any.whl"
"""


def make_wheel(folder: Path, name: str, version: str = "1.0", requires: str = "") -> None:
    """``import <name>`` gives a module with ``version``."""
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    if requires:
        metadata += f"Requires-Dist: {requires}\n"
    files = {
        f"{name}/__init__.py": f"version = {version!r}\n",
        f"{name}-{version}.dist-info/METADATA": metadata,
        f"{name}-{version}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{name}-{version}.dist-info/RECORD": "",
    }
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)


def make_source(folder: Path, name: str, code: str) -> None:
    """A source distribution; ``code`` runs when it is built and may put text into the dict ``found``."""
    indented = "\n".join("    " + line for line in code.strip().splitlines())
    files = {
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        "backend.py": _BACKEND.format(name=name, code=indented),
        "pyproject.toml": f'[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        f'[project]\nname = "{name}"\nversion = "1.0"\n',
    }
    with tarfile.open(folder / f"{name}-1.0.tar.gz", "w:gz") as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(f"{name}-1.0/{path}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
