from collections.abc import Callable
from pathlib import Path

import pytest

FILES = {
    "Dockerfile": "FROM python:3.11-slim\n",
    "scripts/train.py": "print('hello')\n",
    "src/trainer/__init__.py": "",
    "src/trainer/model.py": "class Model: ...\n",
    "pyproject.toml": '[project]\nname = "trainer"\ndependencies = ["numpy>=2"]\n',
}

WriteTree = Callable[..., Path]


@pytest.fixture
def write_tree(tmp_path: Path) -> WriteTree:
    """Write a sound package with changes: contents by name, None for a file that is not there."""

    def write(changes: dict[str, str | None] | None = None, *, root: str = "package") -> Path:
        folder = tmp_path / root
        for name, content in {**FILES, **(changes or {})}.items():
            if content is not None:
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content)
        return folder

    return write
