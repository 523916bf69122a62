"""Where a training's processes come from."""
