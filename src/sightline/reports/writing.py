"""`write_report`: a page and pictures of what a model makes of a dataset."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from sightline.data.dataset import Dataset
from sightline.data.splits import SPLITS
from sightline.files import written_whole
from sightline.metrics.datasets import Comparison
from sightline.reports.charts import png
from sightline.reports.findings import Chart, Findings, worst_and_best
from sightline.reports.judging import judge
from sightline.reports.page import Facts, Page, Samples, page_html
from sightline.reports.pictures import draw_samples, sheet

PAGE = "report.html"
_SAMPLES = 12  # of the best and of the worst


def write_report(
    dataset: Dataset,
    folder: str | Path,
    *,
    predictions: str = "predictions",
    truth: str | None = None,
    title: str | None = None,
    measured: Mapping[str, float] | None = None,
    charts: Sequence[Chart] = (),
    facts: Sequence[Facts] = (),
    pictures: bool = True,
) -> Path:
    """Compare predictions with the ground truth; write ``report.html`` and PNG files; return the page.

    The page has everything within itself and opens without a server or network. Beside it are its charts
    (``confusion.png`` or ``precision-recall.png``, and those of ``charts``), ``worst.png`` and ``best.png``.

    Args:
        dataset: with the predictions as a task beside the ground truth, as
            `sightline.data.predictions.with_predictions` adds them.
        folder: where to; files of a report before are replaced, the page last.
        predictions: the name of the task of the predictions.
        truth: that of the ground truth; by default the only other one of the same kind.
        title: of the page; by default the dataset's.
        measured: numbers from elsewhere, by name; of those that are found here too they are shown instead.
        charts: further ones, such as of the training.
        facts: further tables, such as of the run.
        pictures: whether to show images of the dataset; not where it is nobody's to see.

    Raises:
        SightlineError: the tasks cannot be compared (see `Comparison`), or an image cannot be read.
    """
    comparison = Comparison.of(dataset, predictions, truth)
    findings = judge(comparison)
    samples = _samples(comparison, findings) if pictures else []
    page = Page(
        title=title or dataset.info.dataset_title or dataset.info.dataset_name,
        subtitle=_subtitle(comparison, left_out=len(dataset) - len(comparison.dataset)),
        findings=findings,
        measured=dict(measured or {}),
        charts=charts,
        samples=samples,
        facts=facts,
    )
    html = page_html(page)
    return _written(Path(folder), html, [*findings.charts, *charts], samples)


def _samples(comparison: Comparison, findings: Findings) -> list[Samples]:
    worst, best = worst_and_best(findings.quality, _SAMPLES)
    groups = [("worst", "Worst samples", worst), ("best", "Best samples", best)]
    return [
        Samples(name, title, f"Ordered by {findings.ranking}.", draw_samples(comparison, findings, positions))
        for name, title, positions in groups
        if positions
    ]


def _subtitle(comparison: Comparison, left_out: int) -> str:
    dataset, truth = comparison.dataset, comparison.truth
    splits = [split for split in SPLITS if (dataset.samples["split"] == split).any()]
    kind = truth.primitive.__name__.lower()
    text = (
        f"{dataset.info.dataset_name} {dataset.info.version} · {', '.join(splits)} · "
        f"{len(dataset):,} samples · {kind} '{truth.name}'"
    )
    return f"{text} · {left_out:,} samples without a ground truth left out" if left_out else text


def _written(folder: Path, html: str, charts: Sequence[Chart], samples: Sequence[Samples]) -> Path:
    """Write all files; the page comes last, as its being there says that they are."""
    contents = {f"{chart.name}.png": chart.png for chart in charts}
    contents |= {f"{one.name}.png": png(sheet(one.pictures, one.title)) for one in samples}
    contents[PAGE] = html.encode()
    for name, content in contents.items():
        with written_whole(folder / name) as temporary:
            temporary.write_bytes(content)
    return folder / PAGE
