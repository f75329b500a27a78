"""CatBoost's `.cbm` files, run through ONNX where that answers the same. Grade: silver.

A file is data: trees, tables of statistics and settings. The input is one `X` of numbers, NaN
where missing; with category or text features, one input for each column, and CatBoost itself
runs the model. A category that was a number in training is given as its text. Not supported:
embedding features.

CatBoost takes a second to import, so it is imported where it is needed: a file that was converted
once is served without it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from modelport.core.errors import CorruptModel, UnsupportedModel
from modelport.core.tensors import Array, Batch, DType, decode_text
from modelport.runtimes import _conversion
from modelport.runtimes._boosting import (
    Boosting,
    class_outputs,
    graph_of,
    opened,
    plan_of,
    value_output,
)
from modelport.runtimes._catboost_file import check_file
from modelport.runtimes._check_rows import Splits
from modelport.runtimes._conversion import Library, Opened, content
from modelport.runtimes._converted import Graph
from modelport.runtimes._plan import Column, Output, Plan
from modelport.runtimes._trees import Link, Tree
from modelport.runtimes.base import LoadOptions, Model, Runtime

__all__ = ["RUNTIME"]

_CLASSES = ("Logloss", "CrossEntropy", "MultiClass", "MultiClassOneVsAll")
_LINKS: dict[str, Link] = {
    **dict.fromkeys(("Logloss", "CrossEntropy"), "binary"),
    **dict.fromkeys(("MultiClassOneVsAll", "MultiLogloss", "MultiCrossEntropy"), "sigmoid"),
    **dict.fromkeys(("Poisson", "Tweedie"), "exp"),
    "MultiClass": "softmax",
}
_KINDS = {
    **dict.fromkeys((*_CLASSES, "MultiLogloss", "MultiCrossEntropy"), "Probability"),
    **dict.fromkeys(("Poisson", "Tweedie"), "Exponent"),
    "RMSEWithUncertainty": "RMSEWithUncertainty",
}
"""What CatBoost's own classifier and regressor predict, by loss; else the plain sum."""


def _open(path: Path, options: LoadOptions) -> Opened:
    model = _read(path, options)
    if model.get_embedding_feature_indices():
        raise UnsupportedModel(f"'{path.name}' takes embeddings; train it on their numbers")
    if _threshold(model) != 0.5:
        raise UnsupportedModel(
            f"'{path.name}' tells its classes apart at a probability of {_threshold(model):g};"
            " save it without set_probability_threshold, and compare the probability yourself"
        )
    loss, columns = _loss(model), _columns(model)
    ask = partial(_ask, model, _KINDS.get(loss, "RawFormulaVal"), options.threads)
    plan = plan_of(columns, _outputs(model, loss, ask, columns), named=_is_named(model))
    texts = any(column.text for column in columns)
    return opened(
        "CatBoost",
        plan,
        lambda batch: ask(_rows(columns, batch)),
        single=True,
        attempts=[partial(_converted, model, _LINKS.get(loss, "identity"), plan)],
        splits=[] if texts else list(_splits(model)),
        why_native="it has category or text features" if texts else "",
    )


def _read(path: Path, options: LoadOptions) -> Any:
    import catboost  # type: ignore[import-untyped, import-not-found, unused-ignore]

    data = content(path, options)
    try:
        check_file(data)
        model = catboost.CatBoost()
        model.load_model(blob=data)
    except (ValueError, catboost.CatBoostError) as error:
        reason = _conversion.first_line(error)
        raise CorruptModel(f"'{path.name}' is no usable CatBoost model: {reason}") from error
    return model


def _loss(model: Any) -> str:
    """What the model was trained for; a model that does not say it answers with the sum."""
    trained = json.loads(dict(model.get_metadata()).get("params", "{}"))
    loss = trained.get("loss_function", {})
    return str(loss.get("type", "") if isinstance(loss, Mapping) else loss)


def _columns(model: Any) -> list[Column]:
    texts = {*model.get_cat_feature_indices(), *model.get_text_feature_indices()}
    return [
        Column(name=name, index=at, text=at in texts, missing=None if at in texts else "nan")
        for at, name in enumerate(model.feature_names_)
    ]


def _is_named(model: Any) -> bool:
    names = list(model.feature_names_)
    return names != [str(at) for at in range(len(names))]


def _outputs(
    model: Any, loss: str, ask: Callable[[Any], Array], columns: Sequence[Column]
) -> tuple[Output, ...]:
    classes = np.asarray(model.classes_).tolist()
    if loss in _CLASSES and len(classes) > 1:
        return class_outputs(DType.FP64, classes)
    row = np.array([["" if column.text else 0.0 for column in columns]], dtype=np.object_)
    return value_output(DType.FP64, ask(row).size)


def _threshold(model: Any) -> float:
    """The probability from which on a row is of the second of two classes."""
    return float(dict(model.get_metadata()).get("binclass_probability_threshold", 0.5))


def _ask(model: Any, kind: str, threads: int, rows: Any) -> Array:
    value: Array = np.asarray(model.predict(rows, prediction_type=kind, thread_count=threads))
    return value


def _rows(columns: Sequence[Column], batch: Batch) -> Any:
    if "X" in batch and not any(column.text for column in columns):
        return batch["X"].astype(np.float32)
    table = np.empty((len(batch[columns[0].name]), len(columns)), dtype=np.object_)
    for at, column in enumerate(columns):
        given = batch[column.name].ravel()
        table[:, at] = decode_text(column.name, given) if column.text else given
    return table


def _splits(model: Any) -> Iterator[Splits]:
    """Each border as a tree of its own, for check rows there."""
    for feature, borders in model.get_borders().items():
        listed = np.asarray(borders, dtype=np.float32)
        # The largest numbers part what is missing from what is not.
        for border in listed[np.abs(listed) < np.finfo(np.float32).max]:
            threshold = np.array([border, 0, 0], dtype=np.float32)
            above = np.nextafter(threshold, np.float32(np.inf))
            children = np.array([1, -1, -1]), np.array([2, -1, -1])
            yield Splits(*children, np.array([feature, 0, 0]), threshold, above)


def _converted(model: Any, link: Link, plan: Plan) -> tuple[Graph, bytes]:
    """Its trees as CatBoost exports them; its own export to ONNX adds up in single precision."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        model.save_model(str(path), format="json")
        exported = json.loads(path.read_bytes())
    scale, bias = exported["scale_and_bias"]
    features = exported["features_info"]["float_features"]
    trees = [_symmetric(tree, len(bias), features) for tree in exported.get("oblivious_trees", ())]
    trees += [_grown(tree, len(bias), features) for tree in exported.get("trees", ())]
    scaled = [tree._replace(values=np.multiply(tree.values, scale)) for tree in trees]
    boosting = Boosting(trees=scaled, start=np.array(bias, dtype=float), link=link, single=True)
    return graph_of(boosting, plan)


_Node: TypeAlias = tuple[Mapping[str, Any] | None, int, Any]
"""A split and its left child, whose sibling is the next; or no split and the leaf's values."""


def _symmetric(tree: Any, dimension: int, features: Any) -> Tree:
    """A tree in which all nodes of a level split alike, the last of `splits` at the root."""
    splits = tree["splits"]
    values = np.array(tree["leaf_values"], dtype=float).reshape(-1, dimension)
    levels = [(split, 2**at) for at, split in enumerate(reversed(splits))]
    nodes: list[_Node] = []
    for split, width in levels:
        nodes += [(split, 2 * width - 1 + 2 * at, None) for at in range(width)]
    return _tree([*nodes, *((None, -1, each) for each in values)], dimension, features)


def _grown(root: Any, dimension: int, features: Any) -> Tree:
    """A tree whose nodes hold their children."""
    nodes: list[_Node] = []
    level = [root]
    while level:
        after: list[Any] = []
        start = len(nodes) + len(level)
        for each in level:
            inner = "split" in each
            nodes.append((each.get("split"), start + len(after), each.get("value")))
            after += [each["left"], each["right"]] if inner else []
        level = after
    return _tree(nodes, dimension, features)


def _tree(nodes: Sequence[_Node], dimension: int, features: Any) -> Tree:
    """The arrays of a tree; a row goes right if it is above the border."""
    inner = np.array([split is not None for split, _, _ in nodes])
    left = np.where(inner, [child for _, child, _ in nodes], -1)
    taken = [features[split["float_feature_index"] if split else 0] for split, _, _ in nodes]
    return Tree(
        left=left,
        right=np.where(inner, left + 1, -1),
        feature=np.array([feature["flat_feature_index"] for feature in taken]),
        threshold=np.array([split["border"] if split else 0.0 for split, _, _ in nodes]),
        missing_left=np.array([f["nan_value_treatment"] != "AsTrue" for f in taken]),
        values=np.array([np.zeros(dimension) if v is None else np.ravel(v) for _, _, v in nodes]),
    )


_LIBRARY = Library(
    name="CatBoost",
    prefix="catboost",
    packages=("catboost", "onnx", "onnxruntime", "numpy"),
    open=_open,
)


def _load(path: Path, options: LoadOptions) -> Model:
    return _conversion.load(path, options, _LIBRARY)


RUNTIME = Runtime(name="CatBoost", load=_load)
