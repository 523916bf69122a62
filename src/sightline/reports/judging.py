"""What comes of comparing predictions with the ground truth."""

from sightline.data.primitives import Classification, Segmentation
from sightline.errors import SightlineError
from sightline.metrics.datasets import Comparison
from sightline.reports.boxes import judge_boxes
from sightline.reports.classes import judge_classes
from sightline.reports.findings import Findings
from sightline.reports.pixels import judge_pixels


def judge(comparison: Comparison) -> Findings:
    """The findings on all samples.

    Raises:
        SightlineError: there are none, classes of the predictions that the truth does not have, or boxes
            without a confidence.
    """
    dataset, names = comparison.dataset, comparison.names
    if not len(dataset):
        raise SightlineError(
            f"dataset '{dataset.info.dataset_name}': no sample is annotated for task "
            f"'{comparison.truth.name}', so there is nothing to compare with."
        )
    if comparison.truth.primitive is Segmentation:
        return judge_pixels(comparison.maps(), names)
    if comparison.truth.primitive is Classification:
        return judge_classes(len(dataset), *comparison.tables(), names)
    return judge_boxes(len(dataset), *comparison.boxes(), names)
