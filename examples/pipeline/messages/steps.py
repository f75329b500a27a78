"""The step that is a function: its type hints are its signature, its rows one call each."""

from __future__ import annotations

import re
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from words import WORDS

LENGTH = 16


def tokenise(
    text: Annotated[str, "What the customer wrote."],
) -> Annotated[NDArray[np.int64], (LENGTH,)]:
    """The numbers of the first words; 0 is a word that is not known, and the rest of the row."""
    known = [WORDS.get(word, 0) for word in re.findall(r"\w+", text.lower())]
    return np.array([*known, *[0] * LENGTH][:LENGTH], dtype=np.int64)
