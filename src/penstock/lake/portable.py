"""Expressions that mean the same on DuckDB and on Spark where the engines' own do not; selections use these.

Left out because no expression is the same on both: edit distances (bytes against characters) and `hash()`.
"""

import ibis
import ibis.expr.types as ir


def safe_element(array: ir.ArrayValue, index: int) -> ir.Value:
    """An element by its place from 0; NULL where there is none, which Spark would make an error of."""
    element = array[index]
    return ibis.ifelse(array.length() > index, element, ibis.null(element.type()))


def map_value(mapping: ir.MapValue, key: ir.Value | str, default: ir.Value | str | None = None) -> ir.Value:
    """The value under a key; the default where there is none, also where the whole map is NULL."""
    value = mapping.get(key)
    found = ibis.ifelse(mapping.notnull(), value, ibis.null(value.type()))
    return found if default is None else ibis.coalesce(found, default)


def epoch_us(time: ir.TimestampValue) -> ir.Value:
    """Microseconds since 1970 in UTC, to the last digit; `epoch_seconds` drops them on one engine and keeps them on the other."""
    seconds = time.truncate("s").epoch_seconds()
    return (seconds * 1_000_000 + time.strftime("%f").cast("int64")).cast("int64")


def sha256(text: ir.StringValue) -> ir.Value:
    """The hash of a text in UTF-8, as lower-case hex; the engines' `hash()` differ."""
    return text.hexdigest("sha256")
