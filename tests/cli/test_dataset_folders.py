from pathlib import Path

from PIL import ExifTags, Image

from sightline.data import Classification, Dataset, DatasetInfo, Sample, TaskInfo
from tests.cli.conftest import Person


def _dataset(folder: Path, with_position: int) -> Path:
    """A dataset of 4 photos, of which so many say where they were taken."""
    samples = []
    for number in range(4):
        exif = Image.Exif()
        if number < with_position:
            exif[ExifTags.IFD.GPSInfo] = {ExifTags.GPS.GPSLatitude: (33.0, 30.0, 36.0)}
        path = folder / f"{number}.jpg"
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (9 * number, 0, 0)).save(path, exif=exif)
        labels = [Classification(class_name="a")]
        samples.append(Sample(file_path=str(path), height=8, width=8, classifications=labels))
    info = DatasetInfo(dataset_name="photos", tasks=[TaskInfo.from_class_names(Classification, ["a"])])
    Dataset.from_samples(samples, info).write(folder / "set")
    return folder / "set"


def test_positions_in_the_sample_are_said_before_it_is_published(owner: Person, tmp_path: Path) -> None:
    options = ("--sample-path", _dataset(tmp_path / "sample", with_position=3), "--name", "photos")
    result = owner.ok("dataset", "publish", _dataset(tmp_path / "hidden", with_position=0), *options)
    assert "3 of 4 images of the sample say where they were taken (GPS in EXIF; the first is" in result.err
    assert "strip_metadata" in result.err
    owner.ok("dataset", "delete", "photos", "--yes")


def test_without_positions_nothing_is_said(owner: Person, tmp_path: Path) -> None:
    options = ("--sample-path", _dataset(tmp_path / "sample", with_position=0), "--name", "photos")
    result = owner.ok("dataset", "publish", _dataset(tmp_path / "hidden", with_position=4), *options)
    assert "taken" not in result.err
    owner.ok("dataset", "delete", "photos", "--yes")
