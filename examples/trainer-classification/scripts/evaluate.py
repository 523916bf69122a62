"""Accuracy of trained models on one split of a dataset."""

import json
from pathlib import Path
from typing import Annotated

import torch
import typer
from trainer_classification import model as models
from trainer_classification.data import evaluation_transforms
from trainer_classification.evaluation import accuracy

from sightline.data import Dataset
from sightline.data.loading import Loader, TorchDataset


def main(
    model_folders: Annotated[list[Path], typer.Argument(help="Folders that hold a saved model.")],
    dataset: Annotated[Path, typer.Option(help="Folder of the dataset.")],
    split: Annotated[str, typer.Option()] = "test",
) -> None:
    """Print one JSON line per model: its folder and its accuracy on the split."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    data = Dataset.from_path(dataset).create_split_dataset(split)
    for folder in model_folders:
        model = models.load(folder).to(device)
        images = TorchDataset(data, transforms=evaluation_transforms(model.config.image_size))
        loader = Loader(images, 256, device=device)
        result = {"model": str(folder), "accuracy": accuracy(model, loader), "images": len(data)}
        print(json.dumps(result))


if __name__ == "__main__":
    typer.run(main)
