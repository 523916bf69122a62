import pytest

from sightline.errors import SightlineError
from sightline.runs.sinks import MLflow, TensorBoard, WandB


@pytest.mark.parametrize("sink", [MLflow, TensorBoard, WandB])
def test_a_missing_library_is_a_sentence_that_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, sink: type
) -> None:
    extra = sink.__name__.lower()
    monkeypatch.setattr(f"sightline.runs.sinks.{extra}.find_spec", lambda _name: None)
    with pytest.raises(SightlineError, match=rf"pip install 'sightline\[{extra}\]'"):
        sink()
