"""The parts of the classification trainer."""
