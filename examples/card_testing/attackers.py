"""Attackers of both forms, who disguise one thing after the other, and move on before they are found.

*Verification* tries cards that were stolen somewhere, of many issuers, each once. *Enumeration* guesses numbers within a range
of one issuer. A pattern is a form and a set of disguises; every few days a new one appears, and others stay in use beside it.
Everything comes from the seed and the time alone, never from what was blocked: each arm meets the very same attempts, and
detecting more does not change what is left to be detected.
"""

from dataclasses import dataclass, field, replace

import numpy
from examples.card_testing.transactions import DAY, HONEST, HOUR, Floats, Transactions, join
from examples.card_testing.world import CATEGORIES, CLIENTS, MERCHANTS, RANGES, World, fresh

VERIFICATION, ENUMERATION = "verification", "enumeration"


@dataclass(frozen=True)
class Pattern:
    """How a generation of attacks works; what is not disguised is plain to see."""

    form: str
    devices: int = 1  # that one campaign changes between; 0: another one for each attempt
    networks: int = 1
    hourly: float = 40.0  # attempts of one campaign
    amount: str = "tiny"  # tiny, none, or typical of the merchant
    human_pace: bool = False  # takes as long at the checkout as people do
    old_accounts: bool = False  # uses accounts that were taken over
    own_client: bool = True  # the tool gives itself away by its build
    foreign: float = 0.6
    category: int | None = None  # of the merchants that it picks


# In the order in which they appear. The later ones recombine what the earlier ones did.
PATTERNS = (
    Pattern(VERIFICATION, hourly=60.0),
    Pattern(ENUMERATION, devices=4, networks=1, hourly=60.0, amount="none"),
    Pattern(ENUMERATION, devices=0, networks=0, hourly=30.0, amount="typical", own_client=False),
    Pattern(VERIFICATION, devices=0, networks=0, hourly=25.0, amount="typical", human_pace=True, foreign=0.3),
    Pattern(ENUMERATION, devices=0, networks=6, hourly=25.0, amount="typical", human_pace=True, old_accounts=True),
    Pattern(VERIFICATION, devices=8, networks=0, hourly=30.0, amount="none", human_pace=True, own_client=False, category=5),
    Pattern(VERIFICATION, devices=0, networks=4, hourly=25.0, amount="tiny", old_accounts=True, own_client=False, category=4),
    Pattern(ENUMERATION, devices=6, networks=0, hourly=25.0, amount="typical", human_pace=True, own_client=False, foreign=0.2),
    Pattern(VERIFICATION, devices=0, networks=0, hourly=20.0, amount="typical", old_accounts=True, foreign=0.2),
)
APPEAR = (0.0, 0.0, 4.0, 4.0, 8.0, 12.0, 16.0, 20.0, 24.0)  # days; the first two are those that the first model knows
NEWEST = 0.5  # share of campaigns begun that use what appeared last, at all times; older patterns share the rest
FADES = 0.8  # how much less an older pattern is used for each one that is newer
MOVES_ON = 0.25  # chance that a campaign goes to another merchant, slower and with other devices, every six hours


@dataclass(frozen=True)
class Campaign:
    """One attack on one merchant at a time."""

    number: int
    pattern: int
    merchant: int
    ends: float
    hourly: float
    things: int  # the first of its ids of devices, networks and clients
    card_range: int
    moves: int = 0


@dataclass
class Attackers:
    """All attacks under way; `daily` is what they try together, whatever is blocked."""

    world: World
    daily: int
    campaigns: list[Campaign] = field(default_factory=list)
    begun: int = 0
    cards: int = 0

    def __post_init__(self) -> None:
        self._draw = numpy.random.default_rng([self.world.seed, 4])

    def step(self, start: float, length: float) -> Transactions | None:
        """What they try in a stretch of time."""
        self.campaigns = [self._move_on(one) for one in self.campaigns if one.ends > start]
        while sum(one.hourly for one in self.campaigns) < self.daily / 24:
            self.campaigns.append(self._begin(start))
        tried = [self._attempts(one, start, length) for one in self.campaigns]
        found = [one for one in tried if len(one)]
        return join(found) if found else None

    def _move_on(self, one: Campaign) -> Campaign:
        """The same attack elsewhere, or where it was."""
        if self._draw.random() >= MOVES_ON:
            return one
        things = fresh(self.world.seed, 6, one.number, one.moves + 1)
        merchant = self._merchant(PATTERNS[one.pattern])
        return replace(one, merchant=merchant, hourly=one.hourly * 0.7, things=things, moves=one.moves + 1)

    def _begin(self, start: float) -> Campaign:
        pattern = int(self._draw.choice(len(PATTERNS), p=shares_of_patterns(start)))
        self.begun += 1
        return Campaign(
            number=self.begun,
            pattern=pattern,
            merchant=self._merchant(PATTERNS[pattern]),
            ends=start + self._draw.uniform(8, 30) * HOUR,
            hourly=PATTERNS[pattern].hourly * self._draw.uniform(0.5, 1.2) / 6,
            things=fresh(self.world.seed, 5, self.begun),
            card_range=int(self._draw.integers(0, RANGES)),
        )

    def _merchant(self, pattern: Pattern) -> int:
        if pattern.category is None:
            return int(self._draw.integers(0, MERCHANTS))
        return int(self._draw.integers(0, MERCHANTS // CATEGORIES)) * CATEGORIES + pattern.category

    def _attempts(self, one: Campaign, start: float, length: float) -> Transactions:
        pattern, draw = PATTERNS[one.pattern], self._draw
        until = min(start + length, one.ends)
        number = int(draw.poisson(one.hourly * (until - start) / HOUR))
        self.cards += number
        spread = numpy.arange(number)
        ranges = numpy.full(number, one.card_range) if pattern.form == ENUMERATION else draw.integers(0, RANGES, number)
        unique = 200_000_000 + self.cards - spread
        human = numpy.exp(draw.normal(3.5, 0.7, number))
        return Transactions(
            number=numpy.zeros(number, dtype=numpy.int64),
            time=numpy.sort(start + draw.random(number) * (until - start)),
            card=unique,
            card_range=ranges,
            merchant=numpy.full(number, one.merchant),
            device=one.things + draw.integers(0, pattern.devices, number) if pattern.devices else unique,
            network=one.things + draw.integers(0, pattern.networks, number) if pattern.networks else unique,
            client=numpy.full(number, CLIENTS + one.pattern)
            if pattern.own_client
            else draw.choice(CLIENTS, number, p=self.world.client_share),
            amount=self._amounts(pattern, one.merchant, number),
            checkout_s=human if pattern.human_pace else draw.uniform(1.0, 6.0, number),
            account_age=draw.exponential(150, number) + 2 if pattern.old_accounts else draw.exponential(0.05, number),
            foreign=(draw.random(number) < pattern.foreign).astype(numpy.int64),
            campaign=numpy.full(number, one.number),
            pattern=numpy.full(number, one.pattern),
        )

    def _amounts(self, pattern: Pattern, merchant: int, number: int) -> Floats:
        draw = self._draw
        if pattern.amount == "none":
            return numpy.zeros(number)
        if pattern.amount == "tiny":
            return numpy.round(draw.uniform(0.5, 2.0, number), 2)
        return numpy.round(self.world.typical[merchant] * numpy.exp(draw.normal(0, 0.5, number)), 2)


def patterns_appeared(at: float) -> list[tuple[int, ...]]:
    """The patterns there are at a time, those that appeared together in one tuple, the newest last."""
    days = sorted({day for day in APPEAR if day * DAY <= at})
    return [tuple(number for number, day in enumerate(APPEAR) if day == each) for each in days]


def shares_of_patterns(at: float) -> Floats:
    """Which share of the campaigns begun at a time uses each pattern: NEWEST for what appeared last, the rest for the others."""
    *before, newest = patterns_appeared(at)
    share = numpy.zeros(len(PATTERNS))
    for generation in before:
        share[list(generation)] = FADES ** (newest[-1] - numpy.array(generation))
    share *= (1 - NEWEST) / max(share.sum(), 1e-9)
    share[list(newest)] = NEWEST / len(newest)
    return numpy.asarray(share / share.sum())


__all__ = ["HONEST", "PATTERNS", "Attackers", "Campaign", "Pattern", "patterns_appeared", "shares_of_patterns"]
