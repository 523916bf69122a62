"""Train what spec.yaml describes; the same command here, on the sample, and on hidden data.

python scripts/train.py
python scripts/train.py trainer.max_duration=2ep optimizer.lr=1e-3
"""

from pathlib import Path

from sightline.engine import launch

if __name__ == "__main__":
    launch(Path(__file__).resolve().parents[1] / "spec.yaml")
