"""Datasets of torchvision: those already on disk, and any dataset object."""

from sightline.data.formats.torchvision.reading import is_torchvision, read_torchvision

__all__ = ["is_torchvision", "read_torchvision"]
