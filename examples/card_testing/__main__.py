"""`python -m examples.card_testing`: three arms on the same stream, two at a time, and the curve of each."""

import argparse
import json
import os
import secrets
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
from examples.card_testing.attackers import APPEAR
from examples.card_testing.chart import TITLES, draw_chart
from examples.card_testing.epochs import epochs_of, figures_by_epoch
from examples.card_testing.figures import FIGURES_FILE, Mean, figures_query, mean_of, means, read_figures, summary
from examples.card_testing.running import run_all
from examples.card_testing.stream import ARMS, Arm, ArmResult, Scenario
from rich.console import Console
from rich.table import Table

CHART_FILE = "detection.svg"
RESULT_FILE = "result.json"


def main(arguments: list[str]) -> int:
    """Run the arms and show the result."""
    asked = parse(arguments)
    folder = Path(asked.home or f".penstock/card-testing-{secrets.token_hex(4)}").resolve()
    if folder.exists() and any(folder.iterdir()):
        print(f"{folder} is there already and not empty; give the example a folder of its own with --home.", file=sys.stderr)
        return 2
    folder.mkdir(parents=True, exist_ok=True)
    scenarios = [Scenario(seed=asked.seed + number, days=asked.days) for number in range(asked.seeds)]
    started = time.monotonic()
    results = run_all(scenarios, folder, asked.processes)
    arms = {arm: summarise(arm, results, scenarios[0]) for arm in ARMS}
    (folder / FIGURES_FILE).write_text(figures_query(), encoding="utf-8")
    (folder / CHART_FILE).write_text(chart(arms, scenarios), encoding="utf-8")
    result = {"arms": list(arms.values()), "chart": str(folder / CHART_FILE), "seconds": round(time.monotonic() - started, 1)}
    (folder / RESULT_FILE).write_text(json.dumps(result, indent=1), encoding="utf-8")
    if asked.json:
        print(json.dumps(result))
    else:
        show(result, arms, scenarios[0])
    return 0


def parse(arguments: list[str]) -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="python -m examples.card_testing", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of the stream and the training")
    parser.add_argument("--seeds", type=int, default=1, help="run so many, from --seed on, and show means with intervals")
    parser.add_argument("--days", type=int, default=Scenario().days, help="of the stream; the first 4 are for the first model")
    parser.add_argument("--home", help="folder for the three homes, the chart and the figures; default: a new one in .penstock")
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1), help="arms that run side by side")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    asked = parser.parse_args(arguments)
    if asked.days < 8 or asked.seeds < 1 or asked.processes < 1:
        parser.error(f"--days is {asked.days}, --seeds {asked.seeds}, --processes {asked.processes}; give 8, 1 and 1 or more.")
    return asked


def summarise(arm: Arm, results: list[ArmResult], scenario: Scenario) -> dict[str, Any]:
    """One arm over its seeds, its figures read from its lakes."""
    own = [one for one in results if one.arm == arm]
    figures = [read_figures(Path(one.home)) for one in own]
    epochs = [msgspec.to_builtins(one) for one in figures_by_epoch(figures, epochs_of(scenario))]
    return {**summary(own, figures), "epochs": epochs}


def chart(arms: dict[Arm, dict[str, Any]], scenarios: list[Scenario]) -> str:
    """The curve."""
    one = scenarios[0]
    turns = len(arms["oracle"]["detection"])
    days = [float(one.warm_up_days + turn * one.turn_days) for turn in range(turns)]
    lines = {
        name: [Mean(value=each["mean"], low=each["low"], high=each["high"]) for each in arm["detection"]]
        for name, arm in arms.items()
    }
    lines["first"] = means(arms["oracle"]["by_first_by_seed"])  # the same in every arm, since the stream is
    changes = [day for day in APPEAR if days[0] <= day <= days[-1]]
    return draw_chart(lines, days, changes, one.false_positive_rate, len(scenarios))


def show(result: dict[str, Any], arms: dict[Arm, dict[str, Any]], scenario: Scenario) -> None:
    """The table, and where the same figures are to be had."""
    console = Console()
    table = Table(
        title=f"Card testing found at {scenario.false_positive_rate:.1%} false positives, by what served after each turn"
    )
    table.add_column("turn", justify="right")
    table.add_column("from day", justify="right")
    for arm in ARMS:
        table.add_column(TITLES[arm], justify="right")
        table.add_column("gate")
    for turn in range(len(arms["oracle"]["detection"])):
        day = scenario.warm_up_days + turn * scenario.turn_days
        cells = [cell for arm in ARMS for cell in (_share(arms[arm]["detection"][turn]), _gate(arms[arm]["states"], turn))]
        table.add_row(str(turn), str(day), *cells)
    console.print(table)
    console.print(_epoch_table(arms))
    for arm in ARMS:
        last = mean_of([sum(one[-3:]) / len(one[-3:]) for one in arms[arm]["by_seed"]])
        found = arms[arm]
        console.print(
            f"{TITLES[arm]}: {last.value:.0%} over the last three turns; released {_listed(found['released'])} candidates"
        )
    hours = arms["hours"]
    found = _listed([len(one) for one in hours["findings"]])
    console.print(f"The expert judged {_listed(hours['expert_answers'])} transactions and found {found} functions.")
    console.print(
        f"Chart: {result['chart']}. {result['seconds']:.0f} s in all. Everything was simulated. The same figures, from a lake:"
    )
    home = shlex.quote(hours["homes"][0])
    penstock = shlex.quote(str(Path(sys.executable).with_name("penstock")))
    print(f"  {penstock} sql --home {home} - < {shlex.quote(str(Path(result['chart']).with_name(FIGURES_FILE)))}")


def _epoch_table(arms: dict[Arm, dict[str, Any]]) -> Table:
    """Each epoch's first turn and its later ones, of all attempts and of the newest pattern alone."""
    table = Table(title="By epoch: the turn that meets a new pattern / the later ones; the newest pattern alone in brackets")
    table.add_column("new from day", justify="right")
    for arm in ARMS:
        table.add_column(TITLES[arm], justify="right")
    for number, epoch in enumerate(arms["oracle"]["epochs"]):
        table.add_row(f"{epoch['day']:g}", *(_epoch(arms[arm]["epochs"][number]) for arm in ARMS))
    return table


def _epoch(one: dict[str, Any]) -> str:
    pairs = ((one["first_turn"], one["newest_at_first"]), (one["later_turns"], one["newest_later"]))
    said = [f"{whole['value']:.1%}" + (f" ({newest['value']:.0%})" if newest else "") for whole, newest in pairs if whole]
    return " / ".join(said)


def _share(one: dict[str, Any]) -> str:
    return f"{one['mean']:.1%}" if one["low"] is None else f"{one['mean']:.1%} ({one['low']:.0%} to {one['high']:.0%})"


def _gate(states: list[list[str]], turn: int) -> str:
    """What became of the candidates that would serve from here on."""
    if turn == 0:
        return "first model"
    ended = [one[turn - 1] for one in states]
    return ended[0].replace("_", " ") if len(ended) == 1 else f"{ended.count('released')} of {len(ended)} released"


def _listed(values: list[int]) -> str:
    return ", ".join(map(str, values))


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # at an ordinary exit libraries list what they have not tidied up
