"""What the tensors of a model mean to a person, as plain data.

A runtime fills these from what the model's file says, `model.toml` overrides them, and everything
that faces people (plain JSON, OpenAPI, forms) is derived from the result.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import msgspec

__all__ = [
    "App",
    "Audio",
    "BoxForm",
    "BoxLayout",
    "Boxes",
    "Category",
    "Field",
    "Image",
    "InputMeaning",
    "Number",
    "OutputKind",
    "OutputMeaning",
    "Semantics",
    "Source",
    "Text",
]


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one value that a person gives: a column, or each element of a tensor."""

    unit: str | None = None
    """Such as `mm` or `EUR`; shown, never converted."""
    minimum: float | None = None
    """The smallest value allowed, itself included."""
    maximum: float | None = None
    """The largest value allowed, itself included."""
    choices: tuple[str | int | float | bool, ...] = ()
    """The values allowed; empty means any."""
    nullable: bool | None = None
    """Whether `null` is a missing value (NaN, or the empty text); None means not known: no."""
    description: str | None = None
    """For people."""


class InputMeaning(msgspec.Struct, frozen=True, kw_only=True):
    """What an input tensor holds."""

    columns: tuple[str, ...] = ()
    """The names along its last axis, where each has a meaning of its own."""
    field: Field = Field()
    """What holds for every element."""
    column_fields: Mapping[str, Field] = {}
    """What holds for a named column."""
    mask_of: str | None = None
    """The input of which it tells what is real, 1, and what padding, 0; the server can make it."""


class _Source(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", forbid_unknown_fields=True
):
    """What a person gives in place of tensors; these keys are those of `model.toml`."""

    description: str | None = None
    """For people."""


class Image(_Source, frozen=True, kw_only=True, tag="image"):
    """A picture file, scaled and normalised."""

    tensor: str | None = None
    """The tensor that it fills; None is the one of its own name."""
    size: tuple[int, int] | None = None
    """Height and width in pixels; None is what the tensor's shape says."""
    resize: Literal["stretch", "crop", "pad", "none"] = "stretch"
    """`stretch` to the size, whatever the proportions; `crop` scales the shorter side and cuts out
    the middle; `pad` scales the longer side and fills the rest; `none` takes this size only."""
    short_side: int | None = None
    """With `crop`: the length in pixels that the shorter side is scaled to; None is what fits."""
    filter: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bilinear"
    """How pixels are interpolated."""
    fill: int = 0
    """With `pad`: the value of the pixels around, 0 to 255."""
    channels: Literal["rgb", "bgr", "gray", "rgba"] | None = None
    """The colours in their order; None is by their number: gray, rgb or rgba."""
    layout: Literal["chw", "hwc", "hw"] | None = None
    """The order of the axes of one picture; None is what the tensor's shape says."""
    scale: float | None = None
    """What values from 0 to 255 are multiplied by; None is 1/255, and 1 for whole numbers."""
    mean: tuple[float, ...] = ()
    """Subtracted after scaling: one number, or one for each channel."""
    std: tuple[float, ...] = ()
    """What is divided by then: one number, or one for each channel."""
    max_pixels: int = 64_000_000
    """A larger picture is refused before it is unpacked. Of all pictures of a request together,
    where they keep their size; else 16 times as many."""


class Text(_Source, frozen=True, kw_only=True, tag="text"):
    """A text, cut into tokens by a `tokenizer.json` of the tokenizers library."""

    tokenizer: str = "tokenizer.json"
    """The file's name, beside the model or in a folder there."""
    tensor: str = "input_ids"
    """The tensor that takes the numbers of the tokens."""
    mask: str = "attention_mask"
    """The tensor with 1 for a token and 0 for padding, where the model has it."""
    types: str = "token_type_ids"
    """The tensor with the part of the text that a token is of, where the model has it."""
    max_tokens: int | None = None
    """The longest text; None is what the tensor's shape or the tokenizer's file says, else 512."""
    truncate: bool = True
    """Whether a longer text is cut; else it is refused."""
    padding: Literal["longest", "max_tokens"] = "longest"
    """What the texts of one request are made as long as."""


class Audio(_Source, frozen=True, kw_only=True, tag="audio"):
    """A WAV file as one channel of numbers from -1 to 1."""

    tensor: str | None = None
    """The tensor that it fills; None is the one of its own name."""
    rate: int = 16_000
    """Samples in a second that the model takes; a file of another rate is resampled."""
    max_s: float = 600.0
    """The longest that the recordings of one request may be together, in seconds."""


class Category(_Source, frozen=True, kw_only=True, tag="category"):
    """One of some names, as a number or as columns of 0 and 1."""

    choices: tuple[str, ...]
    """The names."""
    codes: tuple[float, ...] = ()
    """The number of each name; empty is 0, 1, 2, …"""
    columns: tuple[str, ...] = ()
    """For each name the column that holds 1 where it is given; empty is one column of codes."""
    nullable: bool = False
    """Whether it may be missing: NaN as a number, 0 in all columns."""


class Number(_Source, frozen=True, kw_only=True, tag="number"):
    """A number that the model takes standardised: minus the mean, divided by the deviation."""

    mean: float = 0.0
    std: float = 1.0
    unit: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    nullable: bool | None = None


Source: TypeAlias = Image | Text | Audio | Category | Number
"""What a person gives where the model takes tensors that no person writes."""


OutputKind: TypeAlias = Literal[
    "value",
    "label",
    "probabilities",
    "logits",
    "multilabel",
    "boxes",
    "mask",
    "json",
    "hidden",
]
"""`label` is the predicted class, as its name or its index in `classes`; `probabilities` and
`logits` have one element for each of `classes` along the last axis, `multilabel` too, where several
may hold; `boxes` are places in a picture, `mask` a class for each of its pixels; `json` is text
that is shown as the JSON that it holds; `hidden` is left out of plain answers."""


BoxForm: TypeAlias = Literal["xyxy", "yxyx", "xywh", "cxcywh"]
"""What four numbers are: two corners, a corner and the size, the middle and the size."""

BoxLayout: TypeAlias = Literal["separate", "rows", "yolo", "yolo5"]
"""`separate`: `[boxes, 4]` with scores and labels in other tensors; `rows`: `[boxes, 6]`, the score
and the label's index after the four; `yolo`: `[4 + classes, boxes]` or the other way round, the
scores of the classes after the four; `yolo5`: `[boxes, 5 + classes]` or the other way round, with
the sureness that there is anything between them, by which the scores are multiplied."""


class Boxes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a detector writes what it found; these keys are those of `model.toml`."""

    form: BoxForm | None = None
    """None is the middle and the size for `yolo` and `yolo5`, else two corners."""
    relative: bool = False
    """Whether they are parts of the picture's size, from 0 to 1; else pixels of the model's."""
    layout: BoxLayout = "separate"
    scores: str | None = None
    """Where separate: the tensor `[boxes]` of scores, or `[boxes, classes]`."""
    labels: str | None = None
    """Where separate: the tensor `[boxes]` of indices; None is the class of the best score."""
    overlap: float | None = None
    """Of two boxes of a class that share more than this part of their union, the one of the lower
    score is left out; None keeps all, and is 0.45 for `yolo` and `yolo5`."""


class OutputMeaning(msgspec.Struct, frozen=True, kw_only=True):
    """What an output tensor holds."""

    kind: OutputKind = "value"
    classes: tuple[str | int | float | bool, ...] = ()
    """The names of the classes, in the model's order."""
    top_k: int | None = None
    """Of `probabilities` and `logits`: how many a plain answer has, the largest first."""
    sigmoid: bool | None = None
    """Of `multilabel`: whether the scores are logits, which the sigmoid turns into parts of 1."""
    threshold: float | None = None
    """Of `multilabel`: the least score of a label that holds (0.5). Of `boxes`: of one that is
    shown (0.25)."""
    picture: str | None = None
    """Of `boxes` and `mask`: the source whose pixels they are in; None where there is one only."""
    boxes: Boxes | None = None
    """Of `boxes`: how the tensor is laid out; None is as corners with scores beside."""
    unit: str | None = None
    """Such as `EUR`; shown, never converted."""
    description: str | None = None
    """For people."""


class App(msgspec.Struct, frozen=True, kw_only=True):
    """The page on which people use a model, as its owner wants it."""

    title: str | None = None
    """None is the model's."""
    description: str | None = None
    """None is the model's."""
    inputs: tuple[str, ...] | None = None
    """The fields that are shown, in this order; None is all that are not fixed."""
    fixed: dict[str, Any] = {}
    """By the name of a field that is not shown: what every request of the page has there."""
    colour: str | None = None
    """`#rrggbb`, of which the page makes shades that can be read."""
    public: bool = False
    """Whether it needs no key, where the operator permits that, too."""


class Semantics(msgspec.Struct, frozen=True, kw_only=True):
    """What the tensors of one version mean."""

    title: str | None = None
    description: str | None = None
    inputs: Mapping[str, InputMeaning] = {}
    """By the name of the tensor; one that is absent has no meaning beyond its type."""
    sources: Mapping[str, Source] = {}
    """By the name under which a person gives it."""
    outputs: Mapping[str, OutputMeaning] = {}
    """By the name of the tensor; one that is absent is a plain value."""
    examples: tuple[object, ...] = ()
    """Requests in plain JSON that a caller can send as they are."""
    example_names: tuple[str | None, ...] = ()
    """What each example is called; empty where none has a name."""
    app: App = App()
