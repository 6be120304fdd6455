"""What these tests need of the stores."""

from tests.stages import clock, lake, now

__all__ = ["clock", "lake", "now"]
