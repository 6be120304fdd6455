"""Marks tests of the lake that concern disks alone, as files that can be torn do, or that take their time on S3."""

import pytest

only_on_disk = pytest.mark.parametrize("root", ["disk"], indirect=True)
slow_on_s3 = pytest.mark.parametrize("root", ["disk", pytest.param("s3", marks=pytest.mark.slow)], indirect=True)
