"""Public names stand in `__all__`; everything else starts with an underscore."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

from tests.architecture.modules import NAMES, ROOT


def source_of(name: str) -> ast.Module:
    path = ROOT.parent / Path(*name.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text(encoding="utf-8"))


def declared(tree: ast.Module) -> list[str] | None:
    """The names in `__all__`; None where there is none."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return None


def defined(tree: ast.Module) -> set[str]:
    """The classes and functions at a module's top, but for commands, which a registry names."""
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in tree.body if isinstance(node, kinds)]
    return {
        n.name for n in nodes if not any(".command(" in ast.unparse(d) for d in n.decorator_list)
    }


@pytest.mark.parametrize("name", NAMES)
def test_each_public_class_and_function_is_declared(name: str) -> None:
    tree = source_of(name)
    public = {item for item in defined(tree) if not item.startswith("_")}
    assert public - set(declared(tree) or []) == set()


@pytest.mark.parametrize("name", NAMES)
def test_declared_names_exist_once_in_order_and_are_public(name: str) -> None:
    names = declared(source_of(name))
    if names is None:
        return
    assert len(set(names)) == len(names)
    assert names == sorted(
        names, key=lambda item: (not item.isupper(), not item[0].isupper(), item)
    )
    assert not [item for item in names if item.startswith("_") and item != "__version__"]


@pytest.mark.parametrize("name", ["core", "kit", "semantics", "repository", "guard", "monitor"])
def test_declared_names_can_be_imported(name: str) -> None:
    for module in NAMES:
        if module.startswith(f"modelport.{name}."):
            made = importlib.import_module(module)
            assert [item for item in made.__all__ if not hasattr(made, item)] == []
