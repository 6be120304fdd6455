"""Which place the settings speak of, and whose key opens it."""

from pathlib import Path

import pytest

from penstock.errors import ConfigurationError
from penstock.lake.local_place import LocalPlace
from penstock.lake.location import find_lake
from penstock.lake.s3_place import S3Place
from penstock.settings import LakeSettings

FOLDER = Path("/home/of/somebody/lake")


def _options(settings: LakeSettings, **environment: str) -> dict[str, str]:
    found = find_lake(settings, FOLDER, environment)
    assert isinstance(found, S3Place)
    return found._bucket.options


def test_without_a_url_the_lake_lies_in_the_home() -> None:
    found = find_lake(LakeSettings(), FOLDER, {"AWS_ACCESS_KEY_ID": "a"})
    assert isinstance(found, LocalPlace) and str(found) == str(FOLDER)


def test_a_url_names_bucket_and_prefix() -> None:
    assert str(find_lake(LakeSettings(url="s3://data/penstock/lake/"), FOLDER, {})) == "s3://data/penstock/lake"


@pytest.mark.parametrize("url", ["s3://", "s3://bucket", "s3:///prefix", "gs://bucket/x", "/some/folder", "s3://b/x?y=1"])
def test_any_other_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"write s3://BUCKET/PREFIX"):
        find_lake(LakeSettings(url=url), FOLDER, {})


def test_a_key_in_the_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigurationError, match="BUCKET") as raised:
        find_lake(LakeSettings(url="s3://key:hush@bucket/prefix"), FOLDER, {})
    assert "hush" not in str(raised.value)


def test_settings_come_before_the_environment() -> None:
    settings = LakeSettings(
        url="s3://b/x", endpoint="http://here:1", region="eu-1", access_key_id="mine", secret_key_env="LAKE_SECRET"
    )
    options = _options(
        settings, LAKE_SECRET="s", AWS_ACCESS_KEY_ID="theirs", AWS_SECRET_ACCESS_KEY="t", AWS_SESSION_TOKEN="u",
        AWS_REGION="us-1", AWS_ENDPOINT_URL="https://there",
    )  # fmt: skip
    assert options == {
        "AWS_ENDPOINT_URL": "http://here:1", "AWS_ALLOW_HTTP": "true", "AWS_REGION": "eu-1", "AWS_ACCESS_KEY_ID": "mine",
        "AWS_SECRET_ACCESS_KEY": "s",
    }  # fmt: skip


def test_the_environment_that_aws_tools_read_is_enough() -> None:
    options = _options(
        LakeSettings(url="s3://b/x"), AWS_ACCESS_KEY_ID="k", AWS_SECRET_ACCESS_KEY="s", AWS_DEFAULT_REGION="eu-2",
        AWS_ENDPOINT_URL_S3="https://there", AWS_ENDPOINT_URL="https://elsewhere", HOME="/",
    )  # fmt: skip
    assert options == {
        "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "eu-2", "AWS_ENDPOINT_URL": "https://there",
    }  # fmt: skip


def test_half_a_key_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="LAKE_SECRET"):
        _options(LakeSettings(url="s3://b/x", access_key_id="k", secret_key_env="LAKE_SECRET"))
    with pytest.raises(ConfigurationError, match=r"lake\.access_key_id is empty"):
        _options(LakeSettings(url="s3://b/x", secret_key_env="LAKE_SECRET"), LAKE_SECRET="s")
