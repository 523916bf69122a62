"""Predicting with images, folders, datasets and videos: in batches, read ahead, resumable."""
