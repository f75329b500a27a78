"""scikit-learn files, run through their ONNX conversion where it answers the same. Grade: silver.

A `.skops` file is loaded by a reviewed list of types (`trusted`); joblib and pickle files
run code when loaded, and the operator allows them by digest.

The signature is the estimator's own view, whatever runs it: one input `X` of numbers, or, where
columns hold texts, one input for each column that the estimator uses, or one `text` for a
pipeline that begins by splitting texts into words. A missing number is NaN. A missing text is the
empty text, unless the empty text is one of the column's categories.

What is found out about a file is kept in `LoadOptions.cache_dir`, whether it was converted or not
and why. scikit-learn takes seconds to import, so the modules that need it are imported inside
functions: a file that was converted once is served without them.
"""

from __future__ import annotations

from pathlib import Path

from modelport.runtimes.base import Description, LoadOptions, Model, Runtime
from modelport.runtimes.sklearn.cache import Entry, Slot, slot_for, version_of
from modelport.runtimes.sklearn.plan import semantics, signature
from modelport.runtimes.sklearn.session import ConvertedModel

__all__ = ["RUNTIME"]


def _load(path: Path, options: LoadOptions) -> Model:
    slot = slot_for(options)
    found = slot.read()
    if found is None:
        with slot.lock():
            # Another process may have converted it while this one waited.
            found = slot.read()
            if found is None:
                return _first_time(path, options, slot)
    entry, model = found
    if entry.graph is None:
        return _native(path, options, entry)
    return ConvertedModel(model, entry.graph, entry.plan, _describe(entry), options.threads)


def _first_time(path: Path, options: LoadOptions, slot: Slot) -> Model:
    from modelport.runtimes.sklearn import conversion, files, native, view

    loaded = files.read(path, options)
    plan = view.plan_of(loaded.estimator)
    native.settle(loaded.estimator, keep_names=plan.frame)
    found = conversion.convert(loaded.estimator, plan, threads=options.threads)
    entry = Entry(plan=plan, note=found.note, warnings=loaded.warnings, graph=found.graph)
    slot.write(entry, found.model)
    if found.model is not None and found.graph is not None:
        return ConvertedModel(found.model, found.graph, plan, _describe(entry), options.threads)
    return native.NativeModel(loaded.estimator, plan, _describe(entry), options.threads)


def _native(path: Path, options: LoadOptions, entry: Entry) -> Model:
    from modelport.runtimes.sklearn import files, native

    loaded = files.read(path, options)
    native.settle(loaded.estimator, keep_names=entry.plan.frame)
    return native.NativeModel(loaded.estimator, entry.plan, _describe(entry), options.threads)


def _describe(entry: Entry) -> Description:
    runtime = f"scikit-learn {version_of('scikit-learn')}"
    if entry.graph is not None:
        runtime += f" through ONNX Runtime {version_of('onnxruntime')}"
    return Description(
        runtime=runtime,
        signature=signature(entry.plan),
        semantics=semantics(entry.plan),
        notes=(entry.note,),
        warnings=entry.warnings,
    )


RUNTIME = Runtime(name="scikit-learn", load=_load)
