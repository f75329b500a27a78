"""What an estimator takes and gives: its columns, and its outputs."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from sklearn.base import is_classifier, is_outlier_detector  # type: ignore[import-untyped]
from sklearn.compose import ColumnTransformer  # type: ignore[import-untyped]
from sklearn.feature_extraction.text import (  # type: ignore[import-untyped]
    CountVectorizer,
    HashingVectorizer,
)
from sklearn.impute import SimpleImputer  # type: ignore[import-untyped]
from sklearn.pipeline import FeatureUnion, Pipeline  # type: ignore[import-untyped]
from sklearn.preprocessing import (  # type: ignore[import-untyped]
    OneHotEncoder,
    OrdinalEncoder,
    TargetEncoder,
)

from modelport.core.errors import UnsupportedModel
from modelport.core.semantics import OutputMeaning
from modelport.core.signature import TensorSpec
from modelport.core.tensors import Array, DType
from modelport.runtimes._conversion import first_line
from modelport.runtimes._plan import Choice, Column, Output, Plan, example
from modelport.runtimes.sklearn.checks import parts
from modelport.runtimes.sklearn.native import rows_of

__all__ = ["TEXT_STEPS", "leaves", "plan_of", "vars_of"]

TEXT_STEPS = (CountVectorizer, HashingVectorizer)
_ENCODERS = (OneHotEncoder, OrdinalEncoder, TargetEncoder)
_TRIED_EACH = 200
"""Up to how many columns are tried one by one for missing values."""


@dataclass
class _Seen:
    """What the steps that read a column tell of it."""

    text: bool = False
    choices: tuple[Choice, ...] = ()
    open: bool = True
    none: bool = False


def plan_of(estimator: Any) -> Plan:
    """The plan of a fitted estimator.

    Raises:
        UnsupportedModel: it is not fitted, has nothing to serve, or its inputs are not understood.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plan = _with_example(estimator, _inputs(estimator))
        plan = _with_missing(estimator, plan)
        rows = rows_of(plan, example(plan, 2))
        return msgspec.structs.replace(plan, outputs=_outputs(estimator, rows))


def leaves(step: Any, columns: Sequence[int]) -> Iterator[tuple[Any, Sequence[int]]]:
    """The steps that read columns as the caller gives them, each with the columns it reads."""
    if isinstance(step, str) or step is None:
        if step != "drop":
            yield None, columns
    elif isinstance(step, Pipeline):
        yield from _through(step, columns)
    elif isinstance(step, FeatureUnion):
        for _, inner in step.transformer_list:
            yield from leaves(inner, columns)
    elif isinstance(step, ColumnTransformer):
        taken = step._transformer_to_input_indices
        for name, inner, _ in step.transformers_:
            yield from leaves(inner, [columns[at] for at in taken[name]])
    elif wrapped := _wrapped(step):
        for inner in wrapped:
            yield from leaves(inner, columns)
    else:
        yield step, columns


def _through(pipeline: Any, columns: Sequence[int]) -> Iterator[tuple[Any, Sequence[int]]]:
    for _, step in pipeline.steps:
        yield from leaves(step, columns)
        keeps = isinstance(step, SimpleImputer) and not step.add_indicator
        if not keeps and step not in (None, "passthrough"):
            return


def _wrapped(step: Any) -> list[Any]:
    """The estimators inside a search, a calibration, a vote or a boosting with categories."""
    for name in ("best_estimator_", "_preprocessor"):
        if getattr(step, name, None) is not None:
            return [getattr(step, name)]
    inner = [each.estimator for each in getattr(step, "calibrated_classifiers_", ())]
    if isinstance(getattr(step, "estimators_", None), list):
        inner += [each for each in step.estimators_ if isinstance(each, Pipeline)]
    return inner


def _inputs(estimator: Any) -> Plan:
    first = next(leaves(estimator, [0]), (None, ()))[0] if _unsized(estimator) else None
    if isinstance(first, TEXT_STEPS):
        column = Column(name="text", index=0, text=True)
        return Plan(layout="text", columns=(column,), width=1, named=False, frame=False)
    width = getattr(estimator, "n_features_in_", None)
    if width is None:
        raise UnsupportedModel(
            f"this {type(estimator).__name__} does not say how many features it takes; fit it"
            " before saving it"
        )
    names = [str(name) for name in getattr(estimator, "feature_names_in_", ())]
    return _sized(estimator, int(width), names)


def _unsized(estimator: Any) -> bool:
    try:
        return not hasattr(estimator, "n_features_in_")
    except Exception:  # a pipeline asks its first step, in its own words
        return True


def _sized(estimator: Any, width: int, names: list[str]) -> Plan:
    seen: dict[int, _Seen] = {}
    for step, columns in leaves(estimator, range(width)):
        for at, column in enumerate(columns):
            _look(step, at, seen.setdefault(column, _Seen()))
    shown = names or [f"x{at}" for at in range(width)]
    texts = [at for at in seen if seen[at].text]
    unused = len(seen) < width
    apart = len(texts) not in (0, width) or bool(texts and names) or bool(unused and names)
    used = sorted(seen) if apart else range(width)
    addressed = any(
        isinstance(part, ColumnTransformer) or "_sklearn_output_config" in vars_of(part)
        for part in parts(estimator)
    )
    return Plan(
        layout="columns" if apart else "matrix",
        columns=tuple(_column(shown[at], at, seen.get(at, _Seen())) for at in used),
        width=width,
        named=bool(names),
        frame=bool(names) and (apart or addressed),
    )


def vars_of(part: object) -> dict[str, object]:
    """The attributes of an object, empty where it has no dictionary of them."""
    return getattr(part, "__dict__", {})


def _column(name: str, index: int, seen: _Seen) -> Column:
    return Column(
        name=name,
        index=index,
        text=seen.text,
        choices=seen.choices,
        open=seen.open,
        # What is tried first; `_with_missing` finds out whether any is accepted.
        missing="none" if seen.none else "nan",
    )


def _look(step: Any, at: int, seen: _Seen) -> None:
    if isinstance(step, TEXT_STEPS):
        seen.text = True
    elif isinstance(step, SimpleImputer):
        seen.text |= isinstance(step.statistics_[at], str)
        seen.none |= step.missing_values is None
    elif isinstance(step, _ENCODERS):
        values = [getattr(value, "item", lambda v=value: v)() for value in step.categories_[at]]
        known = [value for value in values if value is not None and value == value]
        seen.text |= any(isinstance(value, str) for value in known)
        seen.none |= None in values
        seen.choices = seen.choices or tuple(_choice(value) for value in known)
        seen.open &= getattr(step, "handle_unknown", "error") != "error"
        if seen.text and not all(isinstance(value, str) for value in known):
            raise UnsupportedModel("a column has categories of texts and of numbers at once")


def _choice(value: Any) -> Choice:
    """Categories of numbers as whole numbers where they are whole: `1`, not `1.0` or `true`."""
    if isinstance(value, str):
        return value
    return int(value) if float(value).is_integer() else float(value)


def _ask(estimator: Any, rows: Any) -> Array:
    ask = estimator.predict if hasattr(estimator, "predict") else estimator.transform
    return np.asarray(ask(rows))


def _with_example(estimator: Any, plan: Plan) -> Plan:
    """The plan, once the estimator has answered rows that fit it."""
    if not (hasattr(estimator, "predict") or hasattr(estimator, "transform")):
        raise UnsupportedModel(
            f"a {type(estimator).__name__} has neither `predict` nor `transform` for new rows"
        )
    try:
        _ask(estimator, rows_of(plan, example(plan, 2)))
    except Exception as error:
        raise UnsupportedModel(
            f"this {type(estimator).__name__} did not answer a row that was made for it"
            f" ({first_line(error)}); save the whole fitted pipeline, from the columns that you"
            " have to the answer, in one file"
        ) from error
    return plan


def _with_missing(estimator: Any, plan: Plan) -> Plan:
    """The plan that says which columns take missing values, and as what."""
    if plan.layout == "text":
        columns = tuple(msgspec.structs.replace(c, missing=None) for c in plan.columns)
        return msgspec.structs.replace(plan, columns=columns)
    everywhere = set(range(len(plan.columns)))
    if not any(c.text for c in plan.columns) and _takes(estimator, plan, everywhere):
        return plan
    single = plan.frame and len(everywhere) <= _TRIED_EACH
    for at in everywhere:
        plan = _with_missing_at(estimator, plan, at, tried=single or plan.layout == "columns")
    return plan


def _with_missing_at(estimator: Any, plan: Plan, at: int, *, tried: bool) -> Plan:
    first = plan.columns[at].missing
    for missing in (first, "none" if first == "nan" else "nan") if tried else ():
        changed = _changed(plan, at, missing)
        if _takes(estimator, changed, {at}):
            return changed
    return _changed(plan, at, None)


def _changed(plan: Plan, at: int, missing: Any) -> Plan:
    column = msgspec.structs.replace(plan.columns[at], missing=missing)
    columns = (*plan.columns[:at], column, *plan.columns[at + 1 :])
    return msgspec.structs.replace(plan, columns=columns)


def _takes(estimator: Any, plan: Plan, missing: set[int]) -> bool:
    """Whether the estimator answers rows where these columns are missing."""
    if any(plan.columns[at].text and not plan.columns[at].empty_is_missing for at in missing):
        return False
    try:
        answer = _ask(estimator, rows_of(plan, example(plan, 2, missing)))
    except Exception:  # however it refuses
        return False
    return answer.dtype.kind != "f" or bool(np.isfinite(answer).all())


def _outputs(estimator: Any, rows: Any) -> tuple[Output, ...]:
    if not hasattr(estimator, "predict"):
        answer = estimator.transform(rows)
        return (_output("output", answer.toarray() if hasattr(answer, "toarray") else answer),)
    answer = np.asarray(estimator.predict(rows))
    classes = getattr(estimator, "classes_", None)
    single = isinstance(classes, np.ndarray) and classes.ndim == 1 and answer.ndim == 1
    if not (is_classifier(estimator) and single):
        told = "1 is an inlier, -1 an outlier" if is_outlier_detector(estimator) else None
        return (_output("prediction", answer, OutputMeaning(description=told)),)
    names = tuple(
        value.item() if hasattr(value, "item") else value for value in np.asarray(classes)
    )
    label = _output("label", np.asarray(classes), OutputMeaning(kind="label", classes=names))
    if not hasattr(estimator, "predict_proba"):
        return (label,)
    shape = (None, len(names))
    meaning = OutputMeaning(kind="probabilities", classes=names)
    return (label, Output(TensorSpec("probabilities", DType.FP64, shape), meaning))


def _output(name: str, answer: Any, meaning: OutputMeaning | None = None) -> Output:
    array = np.asarray(answer)
    texts = array.dtype.kind in "OU" and all(isinstance(value, str) for value in array.flat)
    dtype = DType.BYTES if texts else _NUMBERS.get(array.dtype.kind)
    if dtype is None or array.ndim not in (1, 2):
        raise UnsupportedModel(
            f"the estimator answers with {array.ndim} dimensions of {array.dtype}; what can be"
            " served is one or two dimensions of numbers or of texts"
        )
    spec = TensorSpec(name, dtype, (None, *array.shape[1:]))
    return Output(spec, meaning or OutputMeaning())


_NUMBERS = {"b": DType.INT64, "i": DType.INT64, "u": DType.INT64, "f": DType.FP64}
