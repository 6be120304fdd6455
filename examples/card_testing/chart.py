"""The curve as an SVG: detection by turn for each arm, its interval over seeds, and where attackers came with something new."""

from collections.abc import Sequence
from html import escape

from examples.card_testing.figures import Mean

WIDTH, HEIGHT = 860, 470
LEFT, RIGHT, TOP, BOTTOM = 64, 150, 56, 64
COLOURS = {"week": "#b3541e", "hours": "#1f5fa8", "oracle": "#3d7a3a", "first": "#888888"}
TITLES = {"week": "labels after a week", "hours": "weak labels after hours", "oracle": "oracle", "first": "first model kept"}
DASHES = {"week": "2 4", "hours": "", "oracle": "8 4", "first": "1 3"}


def draw_chart(arms: dict[str, Sequence[Mean]], days: Sequence[float], changes: Sequence[float], rate: float, seeds: int) -> str:
    """One line per arm; `days` are those on which each turn began to serve, `changes` those on which a new pattern appeared."""
    place = _Place(days)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" viewBox="0 0 {WIDTH} {HEIGHT}" style="max-width: 100%" '
        'font-family="Helvetica, Arial, sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text(LEFT, 24, f"Card testing found at {rate:.1%} false positives, by what served after each turn", size=16),
        *_axes(place, days),
        *_changes(place, changes),
        *(_band(place, days, COLOURS[name], means) for name, means in arms.items()),
        *(_line(place, days, name, means) for name, means in arms.items()),
        *_names(place, arms),
        _text(LEFT, HEIGHT - 6, _footnote(seeds), size=12, colour="#555"),
        "</svg>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


class _Place:
    """From days and shares to points."""

    def __init__(self, days: Sequence[float]) -> None:
        self._first, self._last = days[0], max(days[-1], days[0] + 1)

    def x(self, day: float) -> float:
        return LEFT + (day - self._first) / (self._last - self._first) * (WIDTH - LEFT - RIGHT)

    def y(self, share: float) -> float:
        return TOP + (1 - share) * (HEIGHT - TOP - BOTTOM)


def _axes(place: _Place, days: Sequence[float]) -> list[str]:
    drawn = []
    for tenth in range(0, 11, 2):
        y = place.y(tenth / 10)
        drawn.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#ddd"/>')
        drawn.append(_text(LEFT - 8, y + 4, f"{tenth * 10} %", anchor="end"))
    for turn, day in enumerate(days):
        drawn.append(_text(place.x(day), HEIGHT - BOTTOM + 20, str(turn), anchor="middle"))
    drawn.append(
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM + 38, "turns of the wheel so far (0: the first model)", anchor="middle")
    )
    return drawn


def _changes(place: _Place, changes: Sequence[float]) -> list[str]:
    drawn = []
    for day in sorted(set(changes)):
        x = place.x(day)
        drawn.append(f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{HEIGHT - BOTTOM}" stroke="#bbb" stroke-dasharray="1 3"/>')
        drawn.append(f'<path d="M {x - 4:.1f} {TOP - 8} L {x + 4:.1f} {TOP - 8} L {x:.1f} {TOP - 1} Z" fill="#999"/>')
    return drawn


def _band(place: _Place, days: Sequence[float], colour: str, means: Sequence[Mean]) -> str:
    known = [
        (day, one.low, one.high) for day, one in zip(days, means, strict=False) if one.low is not None and one.high is not None
    ]
    if not known:
        return ""
    above = [f"{place.x(day):.1f},{place.y(high):.1f}" for day, _low, high in known]
    below = [f"{place.x(day):.1f},{place.y(low):.1f}" for day, low, _high in reversed(known)]
    return f'<polygon points="{" ".join([*above, *below])}" fill="{colour}" fill-opacity="0.13"/>'


def _line(place: _Place, days: Sequence[float], name: str, means: Sequence[Mean]) -> str:
    points = [(place.x(day), place.y(one.value)) for day, one in zip(days, means, strict=False)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{COLOURS[name]}"/>' for x, y in points)
    dash = f' stroke-dasharray="{DASHES[name]}"' if DASHES[name] else ""
    return f'<polyline points="{path}" fill="none" stroke="{COLOURS[name]}" stroke-width="2.5"{dash}/>{dots}'


def _names(place: _Place, arms: dict[str, Sequence[Mean]]) -> list[str]:
    """Each line's name at its end, moved apart where they would lie on each other."""
    ends = sorted(((place.y(means[-1].value), name) for name, means in arms.items()))
    drawn, last = [], 0.0
    for y, name in ends:
        last = max(y, last + 34)
        words = TITLES[name].split(" after ")
        drawn.append(_text(WIDTH - RIGHT + 12, last, words[0], colour=COLOURS[name], weight="bold"))
        rest = f"after {words[1]}: " if len(words) > 1 else ""
        drawn.append(_text(WIDTH - RIGHT + 12, last + 15, f"{rest}{arms[name][-1].value:.0%}", colour=COLOURS[name]))
    return drawn


def _footnote(seeds: int) -> str:
    shown = f"means of {seeds} seeds with 95 % intervals" if seeds > 1 else "one seed"
    return f"▼ attackers begin to use something new. Everything is simulated; {shown}."


def _text(
    x: float, y: float, text: str, *, size: int = 13, anchor: str = "start", colour: str = "#222", weight: str = "normal"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}" font-weight="{weight}">'
        f"{escape(text)}</text>"
    )
