"""Expressions compiled to SQL once in the life of a process: for a few rows that takes longer than all the rest."""

from collections.abc import Callable, Hashable

import ibis.expr.types as ir
import pyarrow as pa
from msgspec import Struct


class Compiled(Struct, frozen=True, kw_only=True):
    """An expression as SQL, and the columns that it gives."""

    sql: str
    schema: pa.Schema


_compiled: dict[Hashable, Compiled] = {}


def compiled_once(key: Hashable, build: Callable[[], ir.Table], compile_expression: Callable[[ir.Table], str]) -> Compiled:
    """What was compiled under this key before, or else the expression that `build` gives."""
    if key not in _compiled:
        expression = build()
        _compiled[key] = Compiled(sql=compile_expression(expression), schema=expression.schema().to_pyarrow())
    return _compiled[key]
