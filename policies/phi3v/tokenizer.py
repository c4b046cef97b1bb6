"""Prompts to token ids, from ``tokenizer.json`` alone.

The text is cut at every ``<|image_k|>``; each piece is tokenised on its own and brings its own ``<s>``. Loading through a
tokenizer class would rebuild the pipeline and lose the token before a newline, so the file is used as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from eval.errors import UserError

FILE = "tokenizer.json"
PAD = 32000
KEPT = 4096
"""Prompts whose ids are remembered."""
SPECIAL = {"<s>": 1, "</s>": 2, "<|endoftext|>": PAD, "<|assistant|>": 32001, "<|end|>": 32007, "<|user|>": 32010}
"""Ids that the model was trained with; a tokenizer with others belongs to another model."""

_TAG = re.compile(r"<\|image_(\d+)\|>")


class PromptTokenizer:
    """The tokenizer of one checkpoint."""

    def __init__(self, folder: Path) -> None:
        path = folder / FILE
        if not path.is_file():
            raise UserError(f"{folder} is no complete checkpoint: it has no {FILE}.")
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises a bare Exception for whatever is wrong with the file
            raise UserError(f"{path} is no tokenizer: {error}") from error
        self._kept: dict[tuple[str, tuple[int, ...]], NDArray[np.int64]] = {}
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        for text, number in SPECIAL.items():
            if self._tokenizer.token_to_id(text) != number:
                raise UserError(f"{path} is not Phi-3-vision's: {text} is {self._tokenizer.token_to_id(text)}, not {number}.")

    @property
    def vocab_size(self) -> int:
        """Ids without the added tokens; the last 256 of them are actions."""
        return int(self._tokenizer.get_vocab_size(with_added_tokens=False))

    @property
    def highest_id(self) -> int:
        """The highest id that a text can have, added tokens included."""
        return int(max(self._tokenizer.get_vocab(with_added_tokens=True).values()))

    def id_of(self, token: str) -> int | None:
        """The id of a token; None if there is none of that text."""
        number: int | None = self._tokenizer.token_to_id(token)
        return number

    def piece(self, text: str) -> list[int]:
        """Ids of a text without images, ``<s>`` first."""
        return list(self._tokenizer.encode(text).ids)

    def encode(self, text: str, image_tokens: Sequence[int]) -> list[int]:
        """Ids of a prompt; ``image_tokens[k - 1]`` places with the id -k stand for ``<|image_k|>``.

        Every image must be named exactly once.
        """
        parts = _TAG.split(text)  # text, number, text, number, text
        numbers = [int(number) for number in parts[1::2]]
        if sorted(numbers) != list(range(1, len(image_tokens) + 1)):
            raise UserError(
                f"A prompt with {len(image_tokens)} image(s) must name each of them once, "
                f"but it names {numbers or 'none'}: {_shortened(text)}"
            )
        ids = self.piece(parts[0])
        for number, piece in zip(numbers, parts[2::2], strict=True):
            ids += [-number] * image_tokens[number - 1] + self.piece(piece)
        return ids

    def array(self, text: str, image_tokens: tuple[int, ...]) -> NDArray[np.int64]:
        """:meth:`encode`, kept: the prompt of an episode hardly ever changes."""
        key = (text, image_tokens)
        ids = self._kept.get(key)
        if ids is None:
            if len(self._kept) >= KEPT:
                self._kept.clear()
            ids = self._kept[key] = np.array(self.encode(text, image_tokens), dtype=np.int64)
        return ids


def chat(content: str) -> str:
    """One question of a user, and the turn of the assistant begun."""
    return f"<|user|>\n{content}<|end|>\n<|assistant|>\n"


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 120 else f"{line[:117]}..."
