"""Merchants and honest customers: rhythms of day and week, regulars and strangers, shared devices, sales that look like attacks.

Everything comes from the seed and the time alone, never from what was blocked, so that each arm sees the same honest traffic.
"""

import numpy
from examples.card_testing.transactions import DAY, HONEST, HOUR, Floats, Integers, Transactions

MERCHANTS, CATEGORIES, RANGES, CLIENTS = 60, 6, 400, 40
CUSTOMERS = 9_000
DONATIONS, SUBSCRIPTIONS = 4, 5  # categories in which tiny amounts, and none at all, are usual
NIGHT = numpy.array(
    [0.3, 0.2, 0.2, 0.2, 0.2, 0.3, 0.5, 0.8, 1.1, 1.3, 1.4, 1.5, 1.6, 1.5, 1.4, 1.3, 1.3, 1.4, 1.6, 1.7, 1.6, 1.3, 0.9, 0.5]
)
SALE_EACH = 0.12  # chance of a sale per merchant and day
_ID = 1_000_000  # ids of attackers' things lie above those of customers


class World:
    """Who buys where."""

    def __init__(self, seed: int, daily: int) -> None:
        self.seed, self.daily = seed, daily
        draw = numpy.random.default_rng([seed, 1])
        self.category = numpy.arange(MERCHANTS) % CATEGORIES
        self.typical = numpy.exp(draw.normal(3.4, 0.6, MERCHANTS))
        self.typical[self.category == DONATIONS] = 5.0
        self.typical[self.category == SUBSCRIPTIONS] = 9.0
        share = draw.pareto(1.5, MERCHANTS) + 0.4
        self.share = share / share.sum()
        self.range_share = _zipf(RANGES, 0.9)
        self.client_share = _zipf(CLIENTS, 1.3)
        self.home_merchants = draw.choice(MERCHANTS, (CUSTOMERS, 4), p=self.share)
        self.card_range = draw.choice(RANGES, CUSTOMERS, p=self.range_share)
        self.client = draw.choice(CLIENTS, CUSTOMERS, p=self.client_share)
        # Households and workplaces: devices that several share, networks that many do.
        self.device = numpy.where(
            draw.random(CUSTOMERS) < 0.12, draw.integers(0, 300, CUSTOMERS), 1_000 + numpy.arange(CUSTOMERS)
        )
        self.network = numpy.where(
            draw.random(CUSTOMERS) < 0.25, draw.integers(0, 60, CUSTOMERS), 1_000 + numpy.arange(CUSTOMERS) // 2
        )
        self.usual_hourly = numpy.maximum(self.share * daily / 24, 0.05)

    def step(self, start: float, length: float) -> Transactions:
        """The honest transactions of a stretch of time; numbers are given later."""
        draw = numpy.random.default_rng([self.seed, 2, int(start)])
        hours = numpy.arange(start, start + length, HOUR)
        rate = self.daily / 24 * NIGHT[(hours // HOUR % 24).astype(int)] / NIGHT.mean()
        times = numpy.concatenate([at + draw.random(draw.poisson(each)) * HOUR for at, each in zip(hours, rate, strict=True)])
        sale = self._sales(start, length)
        usual = self._visits(draw, times)
        shoppers = [self._sale(draw, merchant, at, until) for merchant, at, until in sale]
        return _sorted([usual, *shoppers])

    def _visits(self, draw: numpy.random.Generator, times: Floats) -> Transactions:
        who = draw.integers(0, CUSTOMERS, len(times))
        regular = draw.random(len(times)) < 0.65
        merchant = numpy.where(
            regular, self.home_merchants[who, draw.integers(0, 4, len(times))], draw.choice(MERCHANTS, len(times), p=self.share)
        )
        age = numpy.where(
            regular, draw.exponential(200, len(times)) + 5, draw.exponential(1.0, len(times)) * (draw.random(len(times)) < 0.3)
        )
        return self._transactions(draw, times, who, merchant, age)

    def _sales(self, start: float, length: float) -> list[tuple[int, float, float]]:
        """The sales that touch a stretch of time: merchant, from and until."""
        found = []
        for day in range(int(start // DAY) - 1, int((start + length - 1) // DAY) + 1):
            draw = numpy.random.default_rng([self.seed, 3, day + 10])
            for merchant in numpy.nonzero(draw.random(MERCHANTS) < SALE_EACH)[0]:
                begins = day * DAY + draw.uniform(8, 20) * HOUR
                ends = begins + draw.uniform(1, 4) * HOUR
                at, until = max(begins, start), min(ends, start + length)
                if at < until:
                    found.append((int(merchant), at, until))
        return found

    def _sale(self, draw: numpy.random.Generator, merchant: int, at: float, until: float) -> Transactions:
        """A rush of customers, strangers for the most part, at one price, and often with one bank that advertised it."""
        number = draw.poisson((until - at) / HOUR * 18)
        who = draw.integers(0, CUSTOMERS, number)
        age = draw.exponential(60, number) * (draw.random(number) < 0.4)
        rush = self._transactions(draw, at + draw.random(number) * (until - at), who, numpy.full(number, merchant), age)
        price = round(float(self.typical[merchant]) * 0.6, 2)
        amount = numpy.where(draw.random(number) < 0.6, price, rush.amount)
        return Transactions(**{**rush.__dict__, "amount": amount, "checkout_s": rush.checkout_s * 0.5})

    def _transactions(
        self, draw: numpy.random.Generator, times: Floats, who: Integers, merchant: Integers, age: Floats
    ) -> Transactions:
        number = len(times)
        amount = self.typical[merchant] * numpy.exp(draw.normal(0, 0.6, number))
        free = (self.category[merchant] == SUBSCRIPTIONS) & (draw.random(number) < 0.3)
        small = (self.category[merchant] == DONATIONS) & (draw.random(number) < 0.4)
        new_card = draw.random(number) < 0.05  # a customer's other card
        travels = draw.random(number) < 0.04
        return Transactions(
            number=numpy.zeros(number, dtype=numpy.int64),
            time=times,
            card=who + numpy.where(new_card, 100_000, 0),
            card_range=numpy.where(new_card, (self.card_range[who] * 7 + 3) % RANGES, self.card_range[who]),
            merchant=merchant,
            device=self.device[who],
            network=numpy.where(travels, 500 + draw.integers(0, 200, number), self.network[who]),
            client=numpy.where(draw.random(number) < 0.02, draw.integers(0, CLIENTS, number), self.client[who]),
            amount=numpy.round(numpy.where(free, 0.0, numpy.where(small, draw.integers(1, 4, number), amount)), 2),
            checkout_s=numpy.exp(draw.normal(3.6, 0.7, number))
            * numpy.where(draw.random(number) < 0.1, 0.08, 1.0),  # stored cards
            account_age=age,
            foreign=(travels | (draw.random(number) < 0.03)).astype(numpy.int64),
            campaign=numpy.full(number, HONEST),
            pattern=numpy.full(number, HONEST),
        )


def fresh(*key: int) -> int:
    """The first of a thousand ids that no customer has."""
    return _ID + int(numpy.random.default_rng(list(key)).integers(0, 2**40)) * 1_000


def _zipf(number: int, power: float) -> Floats:
    share = 1.0 / numpy.arange(1, number + 1) ** power
    return numpy.asarray(share / share.sum())


def _sorted(parts: list[Transactions]) -> Transactions:
    columns = {name: numpy.concatenate([part.__dict__[name] for part in parts]) for name in parts[0].__dict__}
    order = numpy.argsort(columns["time"], kind="stable")
    return Transactions(**{name: column[order] for name, column in columns.items()})
