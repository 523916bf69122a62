from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sightline.data import Dataset, Sample
from tests.data.factory import INFO, samples


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(samples(Path("a.png")), max_size=4))
def test_samples_come_out_as_they_went_in_one_by_one_and_in_bulk(written: list[Sample]) -> None:
    dataset = Dataset.from_samples(written, INFO)
    in_bulk = list(dataset)
    assert in_bulk == [dataset[position] for position in range(len(dataset))]
    for position, (before, after) in enumerate(zip(written, in_bulk, strict=True)):
        before.sample_index, before.dataset_name = position, INFO.dataset_name
        for annotation in before.annotations():
            task = INFO.task(annotation.task_name)
            assert task.class_names is not None
            annotation.class_idx = task.class_names.index(annotation.class_name or "")
        assert after == before
        assert [type(mask) for mask in after.bitmasks or ()] == [type(mask) for mask in before.bitmasks or ()]
