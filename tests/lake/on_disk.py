"""Marks a test of the lake that concerns disks alone: files that can be torn, fsync, times of files that can be set."""

import pytest

only_on_disk = pytest.mark.parametrize("root", ["disk"], indirect=True)
