"""One holder at a time, without clocks that must agree."""

import threading
import time

import pytest

from penstock.lake.lease import Lease, Watch, is_free
from penstock.lake.s3_place import S3Place
from tests.s3 import S3Server

_LEASE_S = 0.6


@pytest.fixture
def place(s3_server: S3Server) -> S3Place:
    return s3_server.new_root() / "lease.json"


def test_a_lease_has_one_holder_until_it_is_given_back(place: S3Place) -> None:
    first, second = Lease(place), Lease(place)
    assert first.try_acquire(Watch()) and not second.try_acquire(Watch())
    first.release()
    assert second.try_acquire(Watch()) and second.is_held() and not first.is_held()
    second.release()
    found = place.read_tagged()
    assert found is not None and is_free(found[0])


def test_of_many_who_ask_at_once_one_gets_it(place: S3Place) -> None:
    leases = [Lease(place) for _ in range(8)]
    got: list[bool] = []
    threads = [threading.Thread(target=lambda lease=lease: got.append(lease.try_acquire(Watch()))) for lease in leases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(got) == 1 == sum(lease.is_held() for lease in leases)


def test_a_lease_that_is_renewed_does_not_run_out(place: S3Place) -> None:
    holder, watch = Lease(place, _LEASE_S), Watch(_LEASE_S)
    assert holder.try_acquire(watch)
    end = time.monotonic() + 3 * _LEASE_S
    while time.monotonic() < end:
        assert holder.is_held() and not Lease(place, _LEASE_S).try_acquire(watch)
        time.sleep(0.1)
    holder.release()


def test_a_holder_that_stopped_renewing_is_replaced_and_knows_it(place: S3Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lease, "_renew", lambda _: None)
    dead, heir, watch = Lease(place, _LEASE_S), Lease(place, _LEASE_S), Watch(_LEASE_S)
    assert dead.try_acquire(watch)
    while not heir.try_acquire(watch):
        assert dead.is_held() or not heir.is_held()
        time.sleep(0.05)
    assert not dead.is_held()
    dead.release()
    found = place.read_tagged()
    assert found is not None and not is_free(found[0])


def test_an_answer_that_was_lost_is_recognised_as_ones_own(place: S3Place, monkeypatch: pytest.MonkeyPatch) -> None:
    put_when = S3Place.put_when

    def put_and_say_no(self: S3Place, content: bytes, tag: str | None) -> None:
        put_when(self, content, tag)  # an answer lost on the way makes the client try again, and find its own write

    monkeypatch.setattr(S3Place, "put_when", put_and_say_no)
    lease = Lease(place)
    assert lease.try_acquire(Watch()) and lease.is_held()
    assert not Lease(place).try_acquire(Watch())
