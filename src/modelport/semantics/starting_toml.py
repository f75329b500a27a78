"""A starting point for a `model.toml`, with what is known of a model filled in."""

from __future__ import annotations

import msgspec

from modelport.core.semantics import (
    App,
    Field,
    InputMeaning,
    OutputMeaning,
    Semantics,
    Source,
)
from modelport.core.signature import Signature, TensorSpec, sizes
from modelport.semantics.toml_tables import KINDS, SOURCES

__all__ = ["write_model_toml"]


def write_model_toml(signature: Signature, semantics: Semantics) -> str:
    """A commented starting point for a `model.toml`, with what is known filled in."""
    lines = [
        "# What this model means to the people who use it. Every key is optional.",
        _line("title", semantics.title, "A short name"),
        _line("description", semantics.description, "What it predicts, from what, and for whom"),
    ]
    names = {spec.name for spec in signature.inputs}
    for spec in signature.inputs:
        if spec.name in semantics.sources:  # whose table has its name
            continue
        meaning = semantics.inputs.get(spec.name, InputMeaning())
        lines += ["", f"[inputs.{_key(spec.name)}]  # {_show(spec)}"]
        lines += [_line("columns", list(meaning.columns) or None, ["first", "second"])]
        lines += _field_lines(meaning.field)
        for name in meaning.columns:
            if (
                name not in names and name not in semantics.sources
            ):  # a table of that name means the tensor
                lines += ["", f"[inputs.{_key(name)}]  # a column of {_toml(spec.name)}"]
                lines += _field_lines(meaning.column_fields.get(name, Field()))
    for name, source in semantics.sources.items():
        lines += ["", f"[inputs.{_key(name)}]", *_source_lines(source)]
    for spec in signature.outputs:
        out = semantics.outputs.get(spec.name, OutputMeaning())
        lines += ["", f"[outputs.{_key(spec.name)}]  # {_show(spec)}"]
        lines += [f'kind = "{out.kind}"  # one of: {", ".join(KINDS)}']
        lines += [_line("classes", list(out.classes) or None, ["no", "yes"])]
        more = {key: getattr(out, key) for key in ("top_k", "sigmoid", "threshold", "picture")}
        more |= {} if out.boxes is None else msgspec.structs.asdict(out.boxes)
        lines += [f"{key} = {_toml(value)}" for key, value in more.items() if value is not None]
        lines += [_line("unit", out.unit, "EUR")]
        lines += [_line("description", out.description, "Shown to people")]
    lines += _app_lines(semantics.app)
    lines += ["", "# A request that works when sent; shown in the documentation, used to warm up."]
    examples = [example for example in semantics.examples if not _has_null(example)]
    for example in examples:
        lines += ["[[examples]]", f"input = {_toml(example)}"]
    if not examples:
        lines += ["# [[examples]]", "# input = { NAME = VALUE }", '# name = "On its button"']
    return "\n".join(lines) + "\n"


def _app_lines(app: App) -> list[str]:
    """The page: all of it is a suggestion where nothing is known."""
    lines = [
        _line("title", app.title, "For those who use it"),
        _line("description", app.description, "What they give and what they get"),
        _line("inputs", None if app.inputs is None else list(app.inputs), ["first", "second"]),
        _line("fixed", app.fixed or None, {"third": 1}),
        _line("colour", app.colour, "#1971c2"),
        _line("public", app.public or None, True),
    ]
    head = "[app]" if app != App() else "# [app]"
    return ["", f"{head}  # the page on which people use it", *lines]


def _show(spec: TensorSpec) -> str:
    return f"{spec.dtype.value} {sizes(spec.shape)}"


def _source_lines(source: Source) -> list[str]:
    """The keys of a source that say something, and the others as what they are by themselves."""
    kind = next(kind for kind, struct in SOURCES.items() if isinstance(source, struct))
    lines = [f'kind = "{kind}"']
    defaults = dict(
        zip(source.__struct_fields__[::-1], source.__struct_defaults__[::-1], strict=False)
    )
    for key in source.__struct_fields__:
        value = getattr(source, key)
        if value == defaults.get(key):
            lines += [] if value in (None, ()) else [f"# {_key(key)} = {_toml(value)}"]
        else:
            lines.append(f"{_key(key)} = {_toml(value)}")
    return lines


def _field_lines(field: Field) -> list[str]:
    return [
        _line("unit", field.unit, "mm"),
        _line("minimum", field.minimum, 0),
        _line("maximum", field.maximum, 100),
        _line("choices", list(field.choices) or None, ["a", "b"]),
        _line("nullable", field.nullable, True),
        _line("description", field.description, "Shown to people"),
    ]


def _line(key: str, known: object, suggestion: object) -> str:
    return f"{key} = {_toml(known)}" if known is not None else f"# {key} = {_toml(suggestion)}"


def _toml(value: object) -> str:
    """A value as TOML."""
    match value:
        case dict():
            return (
                "{ " + ", ".join(f"{_toml(str(k))} = {_toml(v)}" for k, v in value.items()) + " }"
            )
        case list() | tuple():
            return "[" + ", ".join(map(_toml, value)) + "]"
        case float():
            return repr(value)  # with nan and inf, as TOML writes them
    # Another JSON scalar is TOML too, but for DEL, which TOML wants escaped.
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")


def _has_null(value: object) -> bool:
    """Whether TOML has no words for a value."""
    if isinstance(value, dict | list | tuple):
        return any(map(_has_null, value.values() if isinstance(value, dict) else value))
    return value is None


def _key(name: str) -> str:
    return name if name.isidentifier() and name.isascii() else _toml(name)
