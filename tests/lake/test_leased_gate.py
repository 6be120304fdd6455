"""What only the gate of a lake on S3 must do, since leases run out; the rest is in test_writers_gate.py."""

import time

import pytest

from penstock.errors import StorageError
from penstock.lake.leased_gate import LeasedGate
from penstock.lake.s3_place import S3Place
from tests.s3 import S3Server

_LEASE_S = 2.0


@pytest.fixture
def root(s3_server: S3Server) -> S3Place:
    return s3_server.new_root()


def _sleep_as_a_paused_process(gate: LeasedGate, monkeypatch: pytest.MonkeyPatch) -> None:
    """None of its renewals goes through any more."""
    monkeypatch.setattr(gate._lease, "_renew", lambda: None)
    time.sleep(_LEASE_S)


def test_who_was_put_out_while_alone_may_not_go_on(root: S3Place, monkeypatch: pytest.MonkeyPatch) -> None:
    sleeper = LeasedGate(root, _LEASE_S)
    with pytest.raises(StorageError, match="ran out"), sleeper.alone():
        with monkeypatch.context() as patch:
            _sleep_as_a_paused_process(sleeper, patch)
            with LeasedGate(root, _LEASE_S).shared():
                pass
        assert sleeper.is_alone


def test_a_writer_that_slept_may_not_write(root: S3Place, monkeypatch: pytest.MonkeyPatch) -> None:
    sleeper = LeasedGate(root, _LEASE_S)
    with sleeper.shared():
        with monkeypatch.context() as patch:
            _sleep_as_a_paused_process(sleeper, patch)
            with LeasedGate(root, _LEASE_S).alone():
                pass
        with pytest.raises(StorageError, match="ran out"), sleeper.shared():
            pass


def test_after_a_failure_the_gate_can_be_used_again(root: S3Place) -> None:
    gate = LeasedGate(root, _LEASE_S)
    for hold in (gate.shared, gate.alone):
        with pytest.raises(ZeroDivisionError), hold():
            raise ZeroDivisionError
    with gate.alone():
        assert gate.is_alone
    assert not gate.is_alone


def test_writers_leave_nothing_behind(root: S3Place) -> None:
    gate = LeasedGate(root, _LEASE_S)
    for _ in range(3):
        with gate.shared():
            pass
    assert root.files() == []
