"""What a person gives in place of tensors: every declared source with its preparation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from modelport.core.errors import ConfigError
from modelport.core.semantics import (
    Audio,
    Category,
    Image,
    InputMeaning,
    Number,
    Semantics,
    Text,
)
from modelport.core.signature import Signature, TensorSpec
from modelport.semantics.audio import audio_preparation
from modelport.semantics.columns import columns_preparation
from modelport.semantics.image import image_preparation
from modelport.semantics.preparation import Preparation, unfit
from modelport.semantics.text import text_preparation

__all__ = ["preparations"]


def preparations(
    signature: Signature, semantics: Semantics, folder: Path
) -> tuple[Preparation, ...]:
    """The preparation of each source that the semantics declare.

    Args:
        signature: the model's.
        semantics: what is declared.
        folder: where files that belong to the model lie, such as a tokenizer's.

    Raises:
        ConfigError: a source does not go with the model; says why.
        MissingLibrary: a library that it needs is not installed.
    """
    found = tuple(_made(signature, semantics, folder))
    _check_once(found, signature, semantics)
    _check_pictures(found, semantics)
    return found


def _made(signature: Signature, semantics: Semantics, folder: Path) -> Iterator[Preparation]:
    tables: dict[str, dict[str, Category | Number]] = {}
    for name, source in semantics.sources.items():
        match source:
            case Image():
                spec = _spec(signature, name, source.tensor or name)
                yield image_preparation(name, source, spec)
            case Audio():
                spec = _spec(signature, name, source.tensor or name)
                yield audio_preparation(name, source, spec)
            case Text():
                yield text_preparation(name, source, signature, folder)
            case _:
                tensor = _tensor_of(signature, semantics, name, source)
                tables.setdefault(tensor, {})[name] = source
    for tensor, columns in tables.items():
        meaning = semantics.inputs.get(tensor, InputMeaning())
        yield columns_preparation(signature.input(tensor), meaning, columns)


def _spec(signature: Signature, name: str, tensor: str) -> TensorSpec:
    for spec in signature.inputs:
        if spec.name == tensor:
            return spec
    names = ", ".join(spec.name for spec in signature.inputs)
    raise unfit(name, f"the model has no input '{tensor}': say tensor = one of {names}")


def _tensor_of(
    signature: Signature, semantics: Semantics, name: str, source: Category | Number
) -> str:
    """The tensor that has the columns of a source."""
    wanted = (source.columns if isinstance(source, Category) else ()) or (name,)
    for spec in signature.inputs:
        if wanted[0] in (semantics.inputs.get(spec.name, InputMeaning()).columns or (spec.name,)):
            return spec.name
    raise unfit(name, f"no input has a column '{wanted[0]}': name columns in [inputs.TENSOR]")


def _check_pictures(found: tuple[Preparation, ...], semantics: Semantics) -> None:
    """Refuse boxes or a mask of which nobody can tell whose pixels they are in."""
    pictures = [field.name for part in found for field in part.fields if field.kind == "image"]
    for name, meaning in semantics.outputs.items():
        if meaning.kind not in ("boxes", "mask"):
            continue
        known = ", ".join(pictures) or "none"
        if meaning.picture is not None and meaning.picture not in pictures:
            raise ConfigError(
                f"model.toml, [outputs.{name}]: picture is a source of pictures, not"
                f" '{meaning.picture}'; there are: {known}"
            )
        if meaning.picture is None and len(pictures) > 1:
            raise ConfigError(
                f"model.toml, [outputs.{name}]: say picture = the one whose pixels it is in:"
                f" {known}"
            )


def _check_once(found: tuple[Preparation, ...], signature: Signature, semantics: Semantics) -> None:
    """Refuse two sources for one tensor, and one with the name of another tensor or column."""
    by_tensor: dict[str, str] = {}
    own = {spec.name for spec in signature.inputs}
    columns = {
        tensors: {
            column
            for spec in signature.inputs
            if spec.name not in tensors
            for column in semantics.inputs.get(spec.name, InputMeaning()).columns
        }
        for tensors in (part.tensors for part in found)
    }
    for part in found:
        for tensor in part.tensors:
            if tensor in by_tensor:
                raise unfit(
                    part.fields[0].name, f"'{tensor}' is filled by '{by_tensor[tensor]}' too"
                )
            by_tensor[tensor] = part.fields[0].name
    for part in found:
        for field in part.fields:
            if field.name in own and field.name not in part.tensors:
                raise unfit(field.name, "the model has another input of this name")
            if field.kind != "column" and field.name in columns[part.tensors]:
                raise unfit(field.name, "a column of another input has this name")
