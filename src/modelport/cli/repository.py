"""`modelport push`, `models`, `versions`, `alias`, `rollback` and `remove`: the repository."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelport.cli.fetching import fetched
from modelport.cli.output import out, print_table
from modelport.cli.trust import trusted

if TYPE_CHECKING:
    from modelport.engine.cost_curves import VersionCost
    from modelport.repository.store import Manifest

__all__ = ["COMMANDS", "alias", "models", "push", "remove", "rollback", "versions"]

_Repository = Annotated[
    Path,
    typer.Option(
        "--repository", "-r", envvar="MODELPORT_REPOSITORY", help="The folder of the models."
    ),
]
_Name = Annotated[str, typer.Argument(help="The model's name.")]
_Version = Annotated[str, typer.Argument(help="A version's number.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_MODELS = Path("models")


def push(
    model: Annotated[str, typer.Argument(help="A model's file or folder, or its URL.")],
    name: Annotated[
        str | None, typer.Option(help="The model's name, in place of its file's.")
    ] = None,
    alias: Annotated[
        str | None, typer.Option(help="An alias to move to the new version, such as production.")
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option(help="What you measured, as NAME=NUMBER; repeatable.")
    ] = None,
    trust: Annotated[
        list[str] | None, typer.Option(help="The digest of a file that may run code when loaded.")
    ] = None,
    repository: _Repository = _MODELS,
    as_json: _Json = False,
) -> None:
    """Publish a model as the next version of its name: checked, immutable, whole or not at all."""
    from modelport.app.publishing import publish
    from modelport.repository.store import Repository

    made = publish(
        Repository(repository),
        fetched(model),
        name=name,
        alias=alias,
        metrics=_metrics(metric or []),
        trusted=trusted(trust or ()),
    )
    digest = f"sha256:{made.manifest.digest}"
    for warning in made.warnings:
        sys.stderr.write(f"warning: {warning}\n")
    _reload()
    if as_json:
        _print({"name": made.name, "version": made.version, "alias": alias, "digest": digest})
    else:
        moved = f", which '{alias}' points to now" if alias else ""
        out(f"{made.name} has version {made.version}{moved}  ({digest})")


def models(
    repository: _Repository = _MODELS,
    cost: Annotated[
        bool, typer.Option("--cost", help="Show what runs take, as servers here measured it.")
    ] = False,
    as_json: _Json = False,
) -> None:
    """List the models of the repository, and how their versions stand in servers that run."""
    if cost:
        _print_costs(as_json)
        return
    from modelport.app.publishing import served_states
    from modelport.repository.store import Repository

    store = Repository(repository)
    served = served_states(Path(repository))
    rows: list[dict[str, Any]] = []
    for name in store.names():
        versions = store.versions(name)
        aliases = store.aliases(name).current
        rows.append(
            {"name": name, "latest": versions[0], "versions": len(versions), "aliases": aliases}
            | {
                "served": [
                    {"version": each.version, "state": each.state, "reason": each.reason}
                    for each in served.get(name, ())
                ]
            }
        )
    if as_json:
        _print(rows)
        return
    print_table(
        ("model", "latest", "versions", "aliases", "served"),
        [
            (
                r["name"],
                r["latest"],
                str(r["versions"]),
                _shown(r["aliases"]),
                ", ".join(f"{v['version']} {v['state'].lower()}" for v in r["served"]),
            )
            for r in rows
        ],
        empty=f"There are no models in '{repository}'. 'modelport push FILE --name NAME' adds one.",
    )
    for row in rows:
        for version in row["served"]:
            if version["reason"] is not None:
                out(f"\n{row['name']} version {version['version']}: {version['reason']}")


def _print_costs(as_json: bool) -> None:
    import msgspec

    from modelport.app.spec import state_folder
    from modelport.engine.cost_curves import curves_of
    from modelport.engine.cost_files import kept

    found = kept(state_folder() / "cost")
    if as_json:
        _print(msgspec.to_builtins(found))
        return
    print_table(
        ("model", "version", "placement", "elements", "at once", "rows", "ms", "rows/s", ""),
        [
            row
            for each, cost in zip(found, curves_of(found), strict=True)
            for row in _cost_rows(each.model, cost)
        ],
        empty="Nothing was measured yet: a server learns it while it answers requests.",
    )


def _cost_rows(model: str, cost: VersionCost) -> Iterator[tuple[str, ...]]:
    where = cost.placement if cost.threads == 1 else f"{cost.placement}, {cost.threads} threads"
    for curve in cost.curves:
        for point in curve.points:
            yield (
                model,
                cost.version,
                where,
                f"{curve.row_elements:,}" if curve.row_elements else "",
                str(curve.at_once),
                str(point.rows),
                f"{point.seconds * 1e3:.3g}",
                f"{point.rows_per_s:,.0f}",
                "best" if point.rows == curve.best_rows else "",
            )


def versions(name: _Name, repository: _Repository = _MODELS, as_json: _Json = False) -> None:
    """List the versions of a model, the newest first, with what was published as each."""
    from modelport.repository.store import Repository

    store = Repository(repository)
    aliases = store.aliases(name)
    rows = [
        {"version": version, "aliases": aliases.pointing_to(version)}
        | _published(store.manifest(name, version))
        for version in store.versions(name)
    ]
    if as_json:
        _print(rows)
        return
    print_table(
        ("version", "aliases", "created", "source", "runtime", "digest", "metrics"),
        [_version_row(row) for row in rows],
        empty="",
    )


def alias(
    name: _Name,
    alias: Annotated[str, typer.Argument(help="Such as production or canary.")],
    version: Annotated[str | None, typer.Argument(help="The version to point to.")] = None,
    delete: Annotated[bool, typer.Option("--delete", help="Forget the alias.")] = False,
    repository: _Repository = _MODELS,
) -> None:
    """Have an alias point to a version, or tell where it points."""
    from modelport.core.errors import ConfigError
    from modelport.repository.store import Repository

    store = Repository(repository)
    if delete:
        store.drop_alias(name, alias)
        _reload()
        sys.stderr.write(f"'{alias}' of {name} is forgotten\n")
        return
    if version is not None:
        store.set_alias(name, alias, version)
        _reload()
    current = store.aliases(name).current
    if alias not in current:
        known = ", ".join(current) or "none"
        raise ConfigError(f"there is no alias '{alias}'; there are: {known}")
    out(current[alias])


def rollback(
    name: _Name,
    alias: Annotated[str, typer.Option(help="The alias to move back.")] = "production",
    repository: _Repository = _MODELS,
) -> None:
    """Have an alias point to the version that it pointed to before."""
    from modelport.repository.store import Repository

    aliases = Repository(repository).roll_back(name, alias)
    _reload()
    out(aliases.current[alias])


def remove(name: _Name, version: _Version, repository: _Repository = _MODELS) -> None:
    """Delete a version for good; refused while an alias points to it."""
    from modelport.repository.store import Repository

    Repository(repository).remove(name, version)
    _reload()
    sys.stderr.write(f"version {version} of {name} is removed\n")


COMMANDS = (push, models, versions, alias, rollback, remove)


def _reload() -> None:
    """Have running servers follow; what one of them could not do is said, and changes nothing."""
    from modelport.app.publishing import reload_servers

    for problem in reload_servers():
        sys.stderr.write(f"warning: {problem}\n")


def _metrics(given: list[str]) -> dict[str, float]:
    from modelport.core.errors import ConfigError

    found = {}
    for text in given:
        key, separator, number = text.partition("=")
        try:
            found[key] = float(number)
        except ValueError:
            separator = ""
        if not separator or not key:
            raise ConfigError(f"--metric takes NAME=NUMBER, such as accuracy=0.93, not {text!r}")
    return found


def _shown(aliases: dict[str, str]) -> str:
    return ", ".join(f"{alias} → {version}" for alias, version in aliases.items())


def _published(manifest: Manifest | None) -> dict[str, Any]:
    """What the manifest tells; nothing of a version that was laid there by hand."""
    if manifest is None:
        return {"digest": None, "created": None, "source": None, "runtime": None, "metrics": {}}
    return {
        "digest": f"sha256:{manifest.digest}",
        "created": manifest.created,
        "source": manifest.source,
        "runtime": manifest.runtime,
        "metrics": manifest.metrics,
    }


def _version_row(row: dict[str, Any]) -> tuple[str, ...]:
    created = (row["created"] or "")[:16].replace("T", " ")
    digest = (row["digest"] or "")[: len("sha256:") + 12]
    metrics = ", ".join(f"{key} {value:g}" for key, value in row["metrics"].items())
    facts = created, row["source"] or "", row["runtime"] or "", digest, metrics
    return (row["version"], ", ".join(row["aliases"]), *facts)


def _print(value: object) -> None:
    out(json.dumps(value, indent=2))
