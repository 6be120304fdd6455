"""One checkpoint in memory: its tokenizer, its end tokens and its forward passes. Never calls generate().

Invariant: what is scored here and what is sampled here come from the same logits, so a completion's summed
log-probability is one number wherever it is worked out.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache

from penstock.errors import BadInputError, UpstreamError
from penstock.serving.generation import Prompt, Scored, Scoring, Token

DEFAULT_MAX_TOKENS = 512


class CheckpointModel:
    """A causal language model read from a folder, offline and without running any code found there."""

    def __init__(self, folder: Path) -> None:
        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self._model: Any = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, use_safetensors=True)
        except (
            Exception
        ) as error:  # the libraries raise anything at all on a broken folder, and it must stay this model's problem
            raise UpstreamError(f"Checkpoint {folder.name} cannot be loaded: {type(error).__name__}: {error}") from error
        self._model.train(False)
        self.end_ids = self._end_ids()
        if not self.end_ids:
            raise UpstreamError(
                f"Checkpoint {folder.name} names no end token, neither in its tokenizer nor in its configuration."
            )
        self.end_id = self.tokenizer.eos_token_id if self.tokenizer.eos_token_id is not None else min(self.end_ids)
        self.context_length = int(getattr(self._model.config, "max_position_embeddings", 2048))
        self._token_texts: dict[int, str] = {}

    def _end_ids(self) -> frozenset[int]:
        configured = self._model.generation_config.eos_token_id
        found = list(configured) if isinstance(configured, list | tuple) else [configured]
        return frozenset(int(token) for token in [*found, self.tokenizer.eos_token_id] if token is not None)

    def prompt_ids(self, prompt: Prompt) -> list[int]:
        """The prompt as tokens, ending where the answer begins. Raises BadInputError."""
        text = prompt.text
        if prompt.messages is not None:
            try:
                text = self.tokenizer.apply_chat_template(prompt.messages, tokenize=False, add_generation_prompt=True)
            except Exception as error:  # the template is the checkpoint's own program and may refuse in any way
                raise BadInputError(f"The chat template refused the messages: {error}.") from error
        ids = self.text_ids(text or "")
        if not ids:
            raise BadInputError("The prompt is empty; give at least one token.")
        return ids

    def text_ids(self, text: str) -> list[int]:
        """Tokens of a text, nothing added."""
        return list(self.tokenizer.encode(text, add_special_tokens=False))

    def limit(self, prompt_tokens: int, max_tokens: int | None) -> int:
        """How many tokens may be sampled after a prompt of this length. Raises BadInputError."""
        room = self.context_length - prompt_tokens
        if room <= 0:
            raise BadInputError(
                f"The prompt has {prompt_tokens} tokens; this checkpoint takes at most {self.context_length - 1}."
            )
        return min(room, DEFAULT_MAX_TOKENS if max_tokens is None else max_tokens)

    def decode(self, ids: Sequence[int]) -> str:
        """Tokens as text, special ones left out."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)) if ids else ""

    def token_text(self, token_id: int) -> str:
        """One token as text, special ones by their name."""
        text = self._token_texts.get(token_id)
        if text is None:
            text = self._token_texts[token_id] = str(self.tokenizer.decode([token_id], clean_up_tokenization_spaces=False))
        return text

    def forward(self, ids: Tensor, mask: Tensor, positions: Tensor, cache: DynamicCache) -> Tensor:
        """Logits [row, token] that follow the last column; the cache grows by the columns given."""
        answer = self._model(
            input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True, logits_to_keep=1
        )
        logits: Tensor = answer.logits[:, -1]
        return logits

    def completion_ids(self, scoring: Scoring) -> tuple[list[int], list[int]]:
        """Prompt and completion of a scoring request as tokens. Raises BadInputError."""
        completion = self.text_ids(scoring.completion) + ([self.end_id] if scoring.with_end else [])
        if scoring.prompt.messages is None and not scoring.prompt.text:
            prompt, completion = completion[:1], completion[1:]  # plain text: nothing comes before its first token
        else:
            prompt = self.prompt_ids(scoring.prompt)
        if not prompt or len(prompt) + len(completion) > self.context_length:
            raise BadInputError(
                f"{len(prompt) + len(completion)} tokens to score; this checkpoint takes 1 to {self.context_length}."
            )
        return prompt, completion

    def score(self, pairs: Sequence[tuple[list[int], list[int]]], temperatures: Sequence[float]) -> list[Scored]:
        """Log-probabilities of each completion after its prompt, in one forward pass."""
        width = max(len(prompt) + len(completion) for prompt, completion in pairs)
        ids = torch.tensor(
            [[*prompt, *completion] + [0] * (width - len(prompt) - len(completion)) for prompt, completion in pairs]
        )
        lengths = torch.tensor([len(prompt) + len(completion) for prompt, completion in pairs])
        mask = (torch.arange(width) < lengths[:, None]).long()
        keep = width - min(len(prompt) for prompt, _ in pairs) + 1
        logits = self._model(input_ids=ids, attention_mask=mask, use_cache=False, logits_to_keep=keep).logits[:, :-1]
        warm = torch.tensor(temperatures)[:, None, None]
        logprobs = torch.log_softmax(logits.float() / warm, dim=-1)
        chosen = logprobs.gather(-1, ids[:, width - keep + 1 :, None])[:, :, 0].tolist()
        return [
            self._scored(prompt, completion, row, width - keep + 1)
            for (prompt, completion), row in zip(pairs, chosen, strict=True)
        ]

    def _scored(self, prompt: list[int], completion: list[int], logprobs: list[float], offset: int) -> Scored:
        first = len(prompt) - offset
        tokens = [Token(self.token_text(token), logprobs[first + index]) for index, token in enumerate(completion)]
        return Scored(prompt_tokens=len(prompt), opening=self.token_text(prompt[0]), tokens=tokens)
