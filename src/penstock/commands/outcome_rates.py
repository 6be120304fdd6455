"""`penstock outcomes rates`: how many interactions get an outcome, by cohort, corrected for what has not come yet."""

from typing import Annotated

import typer

from penstock.app import Penstock
from penstock.commands import options
from penstock.commands.printing import print_rows, to_plain
from penstock.errors import BadInputError, NotFoundError
from penstock.ingest.attribution import outcome_definitions
from penstock.outcomes.cohort_rates import COHORTS, cohort_rates
from penstock.outcomes.outcome_cases import DIMENSIONS, read_cases
from penstock.records.clock import utc_now
from penstock.records.feedback import OUTCOME_PREFIX


def rates(
    name: Annotated[str, typer.Argument(metavar="NAME", help="An outcome of [outcomes.NAME].")],
    cohort: Annotated[str, typer.Option(help="Interactions of a day, a week, or all together: day, week, all.")] = "day",
    by: Annotated[str, typer.Option(help="Split cohorts further: segment, model_version or application.")] = "",
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """The share of interactions that get an outcome above 0, by cohort.

    A cohort of which 90 % of the outcomes have come stands as it is; a younger one is corrected by how late outcomes come, with
    its interval, and marked provisional. `naive` is without the correction.
    """
    penstock = Penstock(options.load(home).settings)
    definitions = {one.name: one for one in outcome_definitions(penstock.settings.outcomes)}
    chosen = definitions.get(OUTCOME_PREFIX + name.removeprefix(OUTCOME_PREFIX))
    if chosen is None:
        there = ", ".join(penstock.settings.outcomes) or "none at all"
        raise NotFoundError(f"There is no [outcomes.{name}]; there is {there}. Rates need a definition (docs/outcomes.md).")
    if cohort not in COHORTS or by not in ("", *DIMENSIONS):
        raise BadInputError(f"--cohort {cohort} --by {by}: use one of {', '.join(COHORTS)}, by one of {', '.join(DIMENSIONS)}.")
    cases = read_cases(penstock.lake, chosen, penstock.settings.traffic.exposures, utc_now())
    found = [to_plain(rate) for rate in cohort_rates(cases, chosen.settings, cohort, by or None)]
    rows = [{name: value for name, value in row.items() if by or name != "by"} for row in found]
    print_rows(rows, as_json=json, empty="No interaction carries a key of this outcome.")
