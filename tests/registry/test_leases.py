from datetime import timedelta

from penstock.registry.registry import Registry
from tests.registry.examples import NOON


def test_only_one_holder_at_a_time(registry: Registry) -> None:
    assert registry.leases.acquire("settle", "worker-1", 10.0, NOON)
    assert not registry.leases.acquire("settle", "worker-2", 10.0, NOON + timedelta(seconds=9))
    assert registry.leases.acquire("compact", "worker-2", 10.0, NOON)
    lease = registry.leases.get("settle")
    assert lease is not None
    assert (lease.holder, lease.expires_at) == ("worker-1", NOON + timedelta(seconds=10))


def test_an_expired_lease_goes_to_who_comes_next(registry: Registry) -> None:
    registry.leases.acquire("settle", "worker-1", 10.0, NOON)
    late = NOON + timedelta(seconds=10)
    assert registry.leases.acquire("settle", "worker-2", 10.0, late)
    assert not registry.leases.renew("settle", "worker-1", 10.0, late)


def test_a_holder_keeps_it_by_renewing_in_time_or_acquiring_again(registry: Registry) -> None:
    registry.leases.acquire("settle", "worker-1", 10.0, NOON)
    assert registry.leases.renew("settle", "worker-1", 10.0, NOON + timedelta(seconds=5))
    assert not registry.leases.acquire("settle", "worker-2", 10.0, NOON + timedelta(seconds=12))
    assert registry.leases.acquire("settle", "worker-1", 10.0, NOON + timedelta(seconds=12))
    assert not registry.leases.acquire("settle", "worker-2", 10.0, NOON + timedelta(seconds=20))


def test_a_lease_that_has_expired_cannot_be_renewed(registry: Registry) -> None:
    registry.leases.acquire("settle", "worker-1", 10.0, NOON)
    assert not registry.leases.renew("settle", "worker-1", 10.0, NOON + timedelta(seconds=10))
    assert not registry.leases.renew("other", "worker-1", 10.0, NOON)


def test_only_the_holder_gives_it_up(registry: Registry) -> None:
    registry.leases.acquire("settle", "worker-1", 10.0, NOON)
    registry.leases.release("settle", "worker-2")
    assert not registry.leases.acquire("settle", "worker-2", 10.0, NOON)
    registry.leases.release("settle", "worker-1")
    assert registry.leases.acquire("settle", "worker-2", 10.0, NOON)
