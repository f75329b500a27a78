"""The parameters of a request in the Open Inference Protocol: what each word means here.

Source: the extension of that name, and those for scheduling, that Triton documents
(https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_parameters.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelport.core.errors import InvalidInput
from modelport.core.messages import PRIORITIES, Parameter, Priority

__all__ = ["flag", "own_parameters", "priority_of", "timeout_of"]

_BY_NUMBER: tuple[Priority | None, ...] = (None, "high", "normal", "low")
"""Triton's numbers: 0 is the default, 1 the highest; it has as many as the model's owner says."""
_SEQUENCE = ("sequence_id", "sequence_start", "sequence_end")
_OF_THE_PROTOCOL = frozenset(("binary_data_output", "headers", "priority", "timeout", *_SEQUENCE))
"""Those that Triton keeps from a model, too."""


def own_parameters(parameters: Mapping[str, Any]) -> dict[str, Parameter]:
    """The parameters that are for the model.

    Raises:
        InvalidInput: one is no text, number of 64 bits or truth value.
    """
    own = {name: value for name, value in parameters.items() if name not in _OF_THE_PROTOCOL}
    for name, value in own.items():
        is_number = isinstance(value, float) or (isinstance(value, int) and _fits(value))
        if not (is_number or isinstance(value, str)):
            shown = "a larger number" if isinstance(value, int) else repr(str(value)[:40])
            raise InvalidInput(
                f"the parameter '{name[:80]}' is a text, a number of 64 bits, true or false, and"
                f" {shown} came"
            )
    return own


def _fits(value: int) -> bool:
    return -(2**63) <= value < 2**64


def flag(parameters: Mapping[str, Any] | None, name: str, default: bool) -> bool:
    """A parameter that is true or false.

    Raises:
        InvalidInput: it is neither.
    """
    value = (parameters or {}).get(name, default)
    if not isinstance(value, bool):
        raise InvalidInput(f"the parameter '{name}' is true or false, not {str(value)[:40]!r}")
    return value


def timeout_of(parameters: Mapping[str, Any], default_s: float) -> float:
    """The seconds that a request has: `timeout`, in microseconds, where it is shorter.

    Raises:
        InvalidInput: it is no number of microseconds.
    """
    asked = parameters.get("timeout", 0)
    if not isinstance(asked, int) or isinstance(asked, bool) or asked < 0:
        raise InvalidInput(
            "the parameter 'timeout' is a whole number of microseconds, 0 for none, and"
            f" {str(asked)[:40]!r} came"
        )
    # Compared as a whole number: one of any length may come, and not each is a float.
    return asked / 1e6 if 0 < asked < default_s * 1e6 else default_s


def priority_of(parameters: Mapping[str, Any]) -> Priority | None:
    """The priority that a request asks for, as a word or as one of Triton's numbers; None: none.

    Raises:
        InvalidInput: it is neither; says what would be right.
    """
    asked = parameters.get("priority", 0)
    if isinstance(asked, str) and asked in PRIORITIES:
        return PRIORITIES[asked]
    if not isinstance(asked, int) or isinstance(asked, bool) or asked < 0:
        raise InvalidInput(
            "the parameter 'priority' is low, normal or high, or a whole number: 1 for high, 2 for"
            f" normal, 3 and more for low, 0 for none; {str(asked)[:40]!r} came"
        )
    return _BY_NUMBER[min(asked, len(_BY_NUMBER) - 1)]
