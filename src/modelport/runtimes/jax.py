"""Artefacts of `jax.export`, kept as `.jaxexport`. Grade: silver.

A file is a FlatBuffer around a StableHLO program: data that is parsed, with nothing that is
unpickled or imported. A program only computes, but for its custom calls, which are functions of
native code by name; one of them calls back into Python through an address. Those that jax itself
uses for linear algebra, sharding and shapes are allowed, all others refused, as are ordered
effects. What is exported for other platforms than the CPU, or for several devices, is not served.

An artefact has no names: inputs are named by `model.toml`, in its order, else by the keys of the
arguments that are dictionaries, else `input_0`, `input_1`, ...; outputs likewise, with `output_0`.
A symbolic dimension is a free one. XLA sets its own number of threads, for the whole process. A
batch of a new size is compiled when it first comes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeAlias

import jax
import numpy as np
from jax import export
from jax.interpreters import mlir  # noqa: F401  # registers the dialects
"""
