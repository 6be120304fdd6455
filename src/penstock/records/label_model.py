"""LabelModel: what labelling functions were found to be worth at one time; the labels made with it name it."""

from datetime import datetime

from msgspec import Struct


class LabelModel(Struct, frozen=True, kw_only=True):
    """One row of the registry's `label_models`; never edited, a new fit is a new one."""

    label_model_id: str  # "lm_" and a hash of all below
    dimension: str
    method: str
    functions: str  # hash of the functions it was fitted for, in their order
    parameters: str  # JSON: prevalence, rates of each group of voters, and where each function was heard
    interactions: int  # that were looked at
    voted: int  # of these, with at least one vote
    audited: int  # of these, labelled by people
    fitted_at: datetime
