"""Where a lake lies, by its settings: in a folder of the home, or on an S3 API.

A secret is never a setting: settings name the variable that holds it, or it comes as AWS's own tools are given it.
"""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from penstock.errors import ConfigurationError
from penstock.lake.local_place import LocalPlace
from penstock.lake.place import Place
from penstock.lake.s3_place import S3Bucket, S3Place
from penstock.settings import LakeSettings

_TAKEN = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
)


def find_lake(settings: LakeSettings, folder: Path, environment: Mapping[str, str]) -> Place:
    """The lake's root: `lake.url`, or this folder where it is empty. Raises ConfigurationError."""
    if not settings.url:
        return LocalPlace(folder.absolute())
    url = urlsplit(settings.url)
    prefix = url.path.strip("/")
    if url.scheme != "s3" or not url.netloc or not prefix or "@" in url.netloc or url.query or url.fragment:
        raise ConfigurationError(
            f"lake.url is {_without_secret(settings.url)!r}; write s3://BUCKET/PREFIX, or leave it empty for <home>/lake."
        )
    return S3Place(S3Bucket(url.netloc, _options(settings, environment)), prefix)


def _options(settings: LakeSettings, environment: Mapping[str, str]) -> dict[str, str]:
    options = {name: environment[name] for name in _TAKEN if environment.get(name)}
    if settings.access_key_id or settings.secret_key_env:
        options = {
            name: value for name, value in options.items() if name.startswith(("AWS_REGION", "AWS_DEFAULT", "AWS_ENDPOINT"))
        }
        options |= {"AWS_ACCESS_KEY_ID": settings.access_key_id, "AWS_SECRET_ACCESS_KEY": _secret(settings, environment)}
    if settings.region:
        options["AWS_REGION"] = settings.region
    if endpoint := settings.endpoint or options.pop("AWS_ENDPOINT_URL_S3", ""):
        options["AWS_ENDPOINT_URL"] = endpoint
    options.pop("AWS_ENDPOINT_URL_S3", None)
    if options.get("AWS_ENDPOINT_URL", "").startswith("http://"):
        options["AWS_ALLOW_HTTP"] = "true"
    options.setdefault("AWS_REGION", options.pop("AWS_DEFAULT_REGION", "us-east-1"))
    options.pop("AWS_DEFAULT_REGION", None)
    return options


def _secret(settings: LakeSettings, environment: Mapping[str, str]) -> str:
    name = settings.secret_key_env or "AWS_SECRET_ACCESS_KEY"
    if not settings.access_key_id:
        raise ConfigurationError(f"lake.secret_key_env is {name!r}, and lake.access_key_id is empty; set both or neither.")
    if not environment.get(name):
        raise ConfigurationError(f"lake.access_key_id is set, and its secret is not in {name}; set that variable.")
    return environment[name]


def _without_secret(url: str) -> str:
    """Who writes a key into the URL must not read it in a log."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}…@{rest.rpartition('@')[2]}" if "@" in rest else url
