"""What the classifier is asked about each transaction: what is known at that moment, and nothing of what comes later.

Counts look back over the transactions before, blocked ones too; the platform sees them all.
"""

from typing import Any, NamedTuple

import numpy
from examples.card_testing.transactions import DAY, HOUR, Floats, Integers, Transactions, join
from examples.card_testing.world import World
from numpy.typing import NDArray

LOOKS_BACK = DAY
REMEMBERS = 7 * DAY  # which cards and devices there were
NAMES = (
    "amount", "amount_to_usual", "checkout_s", "account_age", "foreign", "hour", "category",
    "device_1h", "device_24h", "network_1h", "network_24h", "range_at_merchant_1h", "range_at_merchant_24h", "range_1h",
    "merchant_to_usual_1h", "new_accounts_at_merchant_1h", "fast_at_merchant_1h", "client_share_24h",
    "client_at_merchant_24h", "same_amount_at_merchant_1h", "merchant_to_usual_6h", "new_accounts_at_merchant_6h",
    "fast_at_merchant_6h", "small_at_merchant_6h", "foreign_at_merchant_6h", "one_range_at_merchant_6h", "client_at_merchant_6h",
    "unknown_devices_at_merchant_6h", "device_known", "card_known",
)  # fmt: skip


class _Met(NamedTuple):
    """When which card and device were seen, in order of time."""

    time: NDArray[Any]
    card: NDArray[Any]
    device: NDArray[Any]


class FeaturePlatform:
    """Keeps the last day, and which cards and devices there were in the last week, so that what comes can be described by it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._before: Transactions | None = None
        self._met = _Met(*(numpy.zeros(0) for _ in _Met._fields))

    def describe(self, arriving: Transactions) -> Floats:
        """One row of NAMES for each arriving transaction."""
        whole = arriving if self._before is None else join([self._before, arriving])
        is_new = whole.time >= arriving.time[0]
        met = _Met(*(numpy.concatenate([before, getattr(arriving, name)]) for name, before in self._met._asdict().items()))
        card_known, device_known = (_count(key, met.time, REMEMBERS)[-len(whole) :] for key in (met.card, met.device))
        described = self._columns(whole, card_known, device_known)[is_new]
        self._before = whole.take(whole.time >= whole.time[-1] - LOOKS_BACK)
        remembered = met.time >= whole.time[-1] - REMEMBERS
        self._met = _Met(*(column[remembered] for column in met))
        return described

    def _columns(self, all_: Transactions, card_known: Floats, device_known: Floats) -> Floats:
        merchant, time = all_.merchant, all_.time
        new_account, fast = all_.account_age < 1.0, all_.checkout_s < 8.0
        last_hour, six_hours = _count(merchant, time, HOUR), _count(merchant, time, 6 * HOUR)
        cents = numpy.round(all_.amount * 100).astype(numpy.int64)
        client_day = _count(all_.client, time, DAY) / numpy.maximum(
            1, _count(numpy.zeros(len(time), dtype=numpy.int64), time, DAY)
        )
        columns = [
            all_.amount,
            all_.amount / self._world.typical[merchant],
            all_.checkout_s,
            all_.account_age,
            all_.foreign,
            time // HOUR % 24,
            self._world.category[merchant],
            _count(all_.device, time, HOUR),
            _count(all_.device, time, DAY),
            _count(all_.network, time, HOUR),
            _count(all_.network, time, DAY),
            _count(_pair(all_.card_range, merchant), time, HOUR),
            _count(_pair(all_.card_range, merchant), time, DAY),
            _count(all_.card_range, time, HOUR),
            (last_hour + 1) / (self._world.usual_hourly[merchant] + 1),
            _count(merchant, time, HOUR, new_account) / (last_hour + 1),
            _count(merchant, time, HOUR, fast) / (last_hour + 1),
            client_day,
            _count(_pair(all_.client, merchant), time, DAY) / (_count(merchant, time, DAY) + 1),
            _count(_pair(cents, merchant), time, HOUR),
            (six_hours + 1) / (6 * self._world.usual_hourly[merchant] + 1),
            _count(merchant, time, 6 * HOUR, new_account) / (six_hours + 1),
            _count(merchant, time, 6 * HOUR, fast) / (six_hours + 1),
            _count(merchant, time, 6 * HOUR, all_.amount <= 2.0) / (six_hours + 1),
            _count(merchant, time, 6 * HOUR, all_.foreign == 1) / (six_hours + 1),
            _count(_pair(all_.card_range, merchant), time, 6 * HOUR) / (six_hours + 1),
            _count(_pair(all_.client, merchant), time, 6 * HOUR) / (six_hours + 1),
            _count(merchant, time, 6 * HOUR, device_known == 0) / (six_hours + 1),
            device_known,
            card_known,
        ]
        return numpy.column_stack(columns).astype(float)


def _pair(first: Integers, second: Integers) -> Integers:
    return first * 1_000 + second


def _count(
    key: Integers, time: Floats, window: float, which: "numpy.ndarray[tuple[int], numpy.dtype[numpy.bool_]] | None" = None
) -> Floats:
    """How many earlier rows within the window share this key (of those in `which`); rows are in order of time."""
    _names, code = numpy.unique(key, return_inverse=True)
    span = float(time[-1] - time[0]) + window + 1.0
    place = code * span + (time - time[0])
    chosen = place if which is None else place[which]
    ordered = numpy.sort(chosen)
    return (numpy.searchsorted(ordered, place, "left") - numpy.searchsorted(ordered, place - window, "left")).astype(float)
