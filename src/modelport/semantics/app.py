"""A model's page as its owner wants it, and whether its requests are then ones the model takes."""

from __future__ import annotations

import math
from collections.abc import Mapping

from modelport.core.errors import ConfigError, InvalidInput
from modelport.core.semantics import App
from modelport.kit.words import nearest
from modelport.semantics.fields import InputField, PlainView
from modelport.semantics.plain import check_value

__all__ = ["check_app", "shown_inputs"]


def shown_inputs(view: PlainView) -> tuple[str, ...]:
    """The names of the fields that the page shows, in their order."""
    app = view.semantics.app
    if app.inputs is not None:
        return app.inputs
    return tuple(field.name for field in view.fields if field.name not in app.fixed)


def check_app(file: str, view: PlainView) -> None:
    """Refuse an `[app]` that does not go with its model.

    Args:
        file: the name of the `model.toml`.
        view: the model, as plain requests see it.

    Raises:
        ConfigError: a name that no input has, a fixed value that is none of its input, or an input
            that is neither shown nor fixed and may not be missing; says what would be right.
    """
    app = view.semantics.app
    fields = {field.name: field for field in view.fields}
    _check_fixed(f"{file}, [app.fixed]", app, view, fields)
    shown = f"{file}, [app] inputs"
    _check_shown(shown, app, fields)
    given = {*shown_inputs(view), *app.fixed}
    for field in view.fields:
        if field.name not in given and not _may_miss(view, field):
            raise ConfigError(
                f"{shown}: '{field.name}' is not shown, and the model needs a value of it: list it"
                f" here, give it a value in [app.fixed], or, where the model takes a missing one,"
                f" say nullable = true in [inputs.{field.name}]"
            )


def _check_fixed(where: str, app: App, view: PlainView, fields: Mapping[str, InputField]) -> None:
    for name, value in app.fixed.items():
        if name not in fields:
            raise _unknown(where, name, fields)
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{where} {name}: {value} is no number that a request can have")
        try:
            check_value(view, fields[name], value)
        except InvalidInput as error:
            raise ConfigError(f"{where} {name}: {error.message}") from error


def _check_shown(where: str, app: App, fields: Mapping[str, InputField]) -> None:
    for at, name in enumerate(app.inputs or ()):
        if name not in fields:
            raise _unknown(where, name, fields)
        if name in app.fixed:
            raise ConfigError(
                f"{where}: '{name}' has a value in [app.fixed], and what is fixed is not shown:"
                " take it out of one of the two"
            )
        if name in (app.inputs or ())[:at]:
            raise ConfigError(f"{where}: '{name}' is listed twice")
    if app.inputs == () or (app.inputs is None and len(app.fixed) == len(fields)):
        raise ConfigError(f"{where}: no input is shown, and people would have nothing to give")


def _may_miss(view: PlainView, field: InputField) -> bool:
    try:
        check_value(view, field, None)
    except InvalidInput:
        return False
    return True


def _unknown(where: str, name: str, fields: Mapping[str, InputField]) -> ConfigError:
    return ConfigError(f"{where}: the model has no input '{name}'{nearest(name, fields)}")
