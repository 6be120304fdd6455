"""Sends reports to an edge as any client would, so that they pass the same door, redaction and spool."""

import asyncio
from collections.abc import Sequence
from typing import Any

import aiohttp

from penstock.errors import BadInputError
from penstock.replay.sender import EdgeSender, Patience

_AT_ONCE = 500


def send_reports(
    reports: Sequence[dict[str, Any]], edge_url: str, api_key: str | None, patience: Patience | None = None
) -> list[str]:
    """The reasons for those that were refused; the others are on disk. Raises PenstockError where none can be sent."""
    return asyncio.run(_send(reports, edge_url, api_key, patience or Patience()))


async def _send(reports: Sequence[dict[str, Any]], edge_url: str, api_key: str | None, patience: Patience) -> list[str]:
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    refused: list[str] = []
    async with aiohttp.ClientSession(headers=headers) as http:
        sender = EdgeSender(http, edge_url, patience, lambda _trouble: None)
        for first in range(0, len(reports), _AT_ONCE):
            answer = await sender.send_feedback(list(reports[first : first + _AT_ONCE]))
            if not answer.accepted:
                raise BadInputError(answer.reason or "The edge refused the reports.")
            refused += [reason for _, reason in answer.rejected]
    return refused
