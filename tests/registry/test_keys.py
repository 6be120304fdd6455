from datetime import timedelta

import pytest
from sqlalchemy import text

from penstock.errors import BadInputError, NotFoundError
from penstock.registry.registry import Registry
from tests.registry.examples import NOON


def test_a_key_is_known_by_its_plain_text_and_by_nothing_else(registry: Registry) -> None:
    plain = registry.keys.create("editor", {"ingest", "feedback"}, NOON)
    key = registry.keys.verify(plain)
    assert key is not None
    assert (key.name, key.scopes, key.created_at) == ("editor", ("feedback", "ingest"), NOON)

    changed = plain[:-1] + ("0" if plain[-1] != "0" else "1")
    for wrong in (
        "",
        "pk_",
        "pk__",
        plain[:-1],
        plain + "0",
        changed,
        plain.upper(),
        plain[3:],
        f"pk_{key.key_id}_",
        "pk_\ud800_x",
    ):
        assert registry.keys.verify(wrong) is None


def test_two_keys_are_told_apart(registry: Registry) -> None:
    plains = [registry.keys.create(name, {"gateway"}) for name in ("one", "two")]
    keys = [registry.keys.verify(plain) for plain in plains]
    assert [key.name for key in keys if key] == ["one", "two"]
    halves = [plain.rpartition("_") for plain in plains]
    assert registry.keys.verify(f"{halves[0][0]}_{halves[1][2]}") is None


def test_no_column_holds_the_plain_text_or_the_secret_in_it(registry: Registry) -> None:
    plain = registry.keys.create("editor", {"admin"})
    secret = plain.rpartition("_")[2]
    assert len(bytes.fromhex(secret)) == 32
    with registry.engine.connect() as connection:
        assert secret not in str(connection.execute(text("SELECT * FROM keys")).all())


def test_a_revoked_key_opens_nothing(registry: Registry) -> None:
    assert not registry.keys.any_active()
    plain = registry.keys.create("editor", {"ingest"})
    assert registry.keys.any_active()
    key = registry.keys.verify(plain)
    assert key is not None

    revoked = registry.keys.revoke(key.key_id, NOON)
    assert registry.keys.verify(plain) is None
    assert not registry.keys.any_active()
    assert registry.keys.revoke(key.key_id, NOON + timedelta(days=1)) == revoked
    assert registry.keys.list() == [revoked]


def test_a_key_needs_scopes_that_exist(registry: Registry) -> None:
    with pytest.raises(
        BadInputError, match="scope 'write', which does not exist; choose from ingest, feedback, browser, gateway, admin"
    ):
        registry.keys.create("editor", {"write"})
    with pytest.raises(BadInputError, match="no scope"):
        registry.keys.create("editor", set())
    assert registry.keys.list() == []


def test_an_unknown_key_cannot_be_revoked(registry: Registry) -> None:
    with pytest.raises(NotFoundError, match="no key 'none'"):
        registry.keys.revoke("none")
