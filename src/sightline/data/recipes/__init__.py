"""Recipes: a dataset described as data. The same recipe gives the same dataset."""

from sightline.data.recipes.recipe import Recipe
from sightline.data.recipes.sources import FolderSource, MergeSource, NamedSource
from sightline.data.recipes.steps import Step

__all__ = ["FolderSource", "MergeSource", "NamedSource", "Recipe", "Step"]
