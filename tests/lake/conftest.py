"""A fresh lake per test: on a disk and on S3, since both keep the same promises."""

import pytest

from penstock.lake.lake import Lake
from penstock.lake.place import Place
from penstock.lake.s3_place import S3Place
from penstock.settings import LakeSettings
from tests.s3 import S3Server


@pytest.fixture(scope="session")
def objects_of_an_empty_lake(s3_server: S3Server) -> dict[str, bytes]:
    """The objects of a lake without rows; to copy them is quicker than to make them."""
    root = s3_server.new_root()
    _create(root)
    return {str(file).removeprefix(f"{root}/"): file.read_bytes() for file in root.files()}


@pytest.fixture
def lake(request: pytest.FixtureRequest, root: Place) -> Lake:
    """An empty lake."""
    if isinstance(root, S3Place):
        for name, content in request.getfixturevalue("objects_of_an_empty_lake").items():
            (root / name).replace_durably(content)
        return _create(root)
    return request.getfixturevalue("disk_lake")


@pytest.fixture
def disk_lake(empty_lake: Lake) -> Lake:
    """An empty lake on a disk, for what concerns disks alone."""
    return empty_lake


def _create(root: Place) -> Lake:
    lake = Lake(root, LakeSettings())
    lake.create()
    return lake
