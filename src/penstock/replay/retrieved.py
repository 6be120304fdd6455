"""What a retrieval found, as a list of {id, content, score}, from the shapes in which tools log it."""

from collections.abc import Mapping
from typing import Any

from penstock.replay.export_values import first, listing, mapping, structure

_LISTS = ("documents", "output", "results", "matches", "nodes")


def read_documents(value: Any) -> list[dict[str, Any]]:
    """The documents; empty where there are none."""
    found = structure(value)
    if isinstance(found, Mapping):
        found = next((listing(found[name]) for name in _LISTS if name in found), [])
    return [_document(item) for item in listing(found)]


def _document(item: Any) -> dict[str, Any]:
    if isinstance(item, str):
        return {"content": item}
    item = mapping(item)
    inner = mapping(item.get("document") or item.get("kwargs"))
    described = {**item, **inner}
    found = {
        "id": first(described, "id", "document_id") or mapping(described.get("metadata")).get("doc_uri"),
        "content": first(described, "content", "page_content", "text", "pageContent"),
        "score": first(described, "score", "similarity"),
    }
    return {name: value for name, value in found.items() if value is not None} or {"content": str(item)}
