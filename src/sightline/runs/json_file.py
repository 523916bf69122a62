"""Reading and writing a JSON object; writing is whole or not at all."""

import json
from pathlib import Path
from typing import Any

from sightline.errors import SightlineError
from sightline.files import written_whole


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write ``content``, indented; readers see the old file or the new one, whole.

    Raises:
        SightlineError: the file cannot be written.
    """
    text = json.dumps(content, indent=2, allow_nan=False) + "\n"
    try:
        with written_whole(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SightlineError(f"{path}: cannot be written ({error.strerror}).") from error


def read_json(path: Path) -> dict[str, Any]:
    """The object in ``path``.

    Raises:
        FileNotFoundError: there is no such file.
        SightlineError: it cannot be read, or holds something else than a JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SightlineError(f"{path}: cannot be read ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        raise SightlineError(f"{path}: is not JSON ({error}).") from error
    if not isinstance(content, dict):
        raise SightlineError(f"{path}: holds {type(content).__name__} instead of a JSON object.")
    return content
