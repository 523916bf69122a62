import zipfile
from pathlib import Path

import pytest

from sightline.service.dataset_archive import inspect
from sightline.service.domain.refusals import RefusedError


def test_damaged_bytes_in_an_archive_are_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "dataset.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("dataset_info.json", "{}")
        archive.writestr("annotations.jsonl", '{"sample_index": 0}\n' * 1000)
    assert inspect(path).item_count == 1000
    data = bytearray(path.read_bytes())
    at = data.index(b"annotations.jsonl") + len("annotations.jsonl")
    data[at : at + 8] = b"\xff" * 8  # no deflate stream begins like this
    path.write_bytes(data)
    with pytest.raises(RefusedError, match="The archive is damaged"):
        inspect(path)
