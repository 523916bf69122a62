"""Writing a JSON object whole or not at all."""

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
