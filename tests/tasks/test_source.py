from pathlib import Path

import pytest

from sightline.errors import SightlineError
from sightline.tasks.source import DatasetConfig, open_dataset


@pytest.mark.parametrize("given", ["chips/naip.json", "naip.json", "sets/cells", "./cells"])
def test_a_path_that_is_not_there_is_not_taken_for_a_name(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        SightlineError, match=rf"^{Path(given)}: there is no such recipe or dataset folder; give"
    ):
        open_dataset(DatasetConfig(dataset=given))
