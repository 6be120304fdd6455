"""The sequences of one checkpoint that are being generated side by side; they join and leave between any two steps.

Rows are padded on the left, so that every row's next token goes into the same column of the shared key-value cache.
Invariant: column j of the cache belongs to row i only where j >= width - length[i].
"""

import random
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from penstock.serving.checkpoint_model import CheckpointModel
from penstock.serving.generation import Generation, Piece, Token
from penstock.serving.sampling import draw


class RunningBatch:
    """Up to `max_rows` generations that share one forward pass per token."""

    def __init__(self, model: CheckpointModel) -> None:
        self._model = model
        self._unseeded = random.Random()  # noqa: S311 - sampling, no secret
        self._rows: list[Generation] = []
        self._last_ids: list[int] = []
        self._lengths = torch.zeros(0, dtype=torch.long)  # columns of the cache that each row owns
        self._temperature = torch.zeros(0)
        self._top_p = torch.zeros(0)
        self._cache: Any = DynamicCache()

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def rows(self) -> list[Generation]:
        """The generations under way."""
        return list(self._rows)

    def admit(self, generations: Sequence[Generation]) -> list[tuple[Generation, Piece]]:
        """Run the prompts of new generations in one pass, draw their first token, and let them join."""
        width = max(len(generation.prompt_ids) for generation in generations)
        lengths = torch.tensor([len(generation.prompt_ids) for generation in generations])
        ids = torch.tensor([[0] * (width - len(generation.prompt_ids)) + generation.prompt_ids for generation in generations])
        columns = torch.arange(width)
        starts = (width - lengths)[:, None]
        cache = DynamicCache()
        logits = self._model.forward(ids, (columns >= starts).long(), (columns - starts).clamp(min=0), cache)
        newcomers = RunningBatch(self._model)
        newcomers._unseeded = self._unseeded
        newcomers._rows, newcomers._cache, newcomers._lengths = list(generations), cache, lengths
        newcomers._temperature = torch.tensor([generation.rule.temperature for generation in generations])
        newcomers._top_p = torch.tensor([generation.rule.top_p for generation in generations])
        pieces = newcomers._take(logits)
        self._join(newcomers)
        return pieces

    def step(self) -> list[tuple[Generation, Piece]]:
        """One more token for every row."""
        width = self._width() + 1
        self._lengths = self._lengths + 1
        mask = (torch.arange(width) >= (width - self._lengths)[:, None]).long()
        ids = torch.tensor(self._last_ids)[:, None]
        logits = self._model.forward(ids, mask, (self._lengths - 1)[:, None], self._cache)
        return self._take(logits)

    def drop_cancelled(self) -> None:
        """Free the rows whose client has gone."""
        if any(row.cancelled for row in self._rows):
            self._keep([index for index, row in enumerate(self._rows) if not row.cancelled])

    def _take(self, logits: Tensor) -> list[tuple[Generation, Piece]]:
        uniform = torch.tensor([row.uniform(self._unseeded) for row in self._rows], dtype=torch.float64)
        chosen, logprobs = draw(logits, self._temperature, self._top_p, uniform)
        pieces: list[tuple[Generation, Piece]] = []
        unfinished: list[int] = []
        self._last_ids = chosen.tolist()
        for index, (row, token_id, logprob) in enumerate(zip(self._rows, self._last_ids, logprobs.tolist(), strict=True)):
            token = Token(self._model.token_text(token_id), logprob)
            piece = row.accept(token_id, token, is_end=token_id in self._model.end_ids, decode=self._model.decode)
            if piece is not None:
                pieces.append((row, piece))
            if piece is None or piece.finish_reason is None:
                unfinished.append(index)
        if len(unfinished) < len(self._rows):
            self._keep(unfinished)
        return pieces

    def _width(self) -> int:
        return int(self._cache.layers[0].keys.shape[-2])

    def _keep(self, indices: list[int]) -> None:
        """Drop the other rows, and the columns that only they needed."""
        chosen = torch.tensor(indices, dtype=torch.long)
        self._rows = [self._rows[index] for index in indices]
        self._last_ids = [self._last_ids[index] for index in indices]
        self._lengths, self._temperature, self._top_p = self._lengths[chosen], self._temperature[chosen], self._top_p[chosen]
        if not indices:
            self._cache = DynamicCache()
            return
        widest = int(self._lengths.max())
        for layer in self._cache.layers:
            layer.keys, layer.values = layer.keys[chosen, :, -widest:], layer.values[chosen, :, -widest:]

    def _join(self, other: "RunningBatch") -> None:
        if not other._rows:
            return
        if not self._rows:
            self._cache = other._cache
        else:
            width = max(self._width(), other._width())
            for mine, theirs in zip(self._cache.layers, other._cache.layers, strict=True):
                mine.keys = torch.cat([_widen(mine.keys, width), _widen(theirs.keys, width)])
                mine.values = torch.cat([_widen(mine.values, width), _widen(theirs.values, width)])
        self._rows += other._rows
        self._last_ids += other._last_ids
        self._lengths = torch.cat([self._lengths, other._lengths])
        self._temperature = torch.cat([self._temperature, other._temperature])
        self._top_p = torch.cat([self._top_p, other._top_p])


def _widen(states: Tensor, width: int) -> Tensor:
    """Pad [row, head, column, dimension] with columns on the left."""
    return torch.nn.functional.pad(states, (0, 0, width - states.shape[-2], 0))
