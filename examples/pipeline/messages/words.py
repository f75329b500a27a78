"""The words that are known, by their number; what they say of mood and topic is in `make.py`."""

from __future__ import annotations

WORDS = {
    word: number
    for number, word in enumerate(
        ["late", "broken", "thanks", "great", "parcel", "courier", "invoice", "paid"], 1
    )
}
