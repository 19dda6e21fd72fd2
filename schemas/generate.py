"""Generate ``schemas/*.json`` from field facts: ``python schemas/generate.py FACTS_DIRECTORY``.

The facts hold one JSON Schema a Kubernetes kind over a ``_shared.json`` of definitions; ``own.yaml`` beside this file adds
the kinds that they lack. Each result stands alone: it carries the definitions that it reaches, so an editor or another
validator can use the file as it is. ``x-kubernetes-*`` keep what server-side apply and strategic merge need to know.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def references(value: Any) -> set[str]:
    """Return the names of all definitions that a schema refers to, directly."""
    if isinstance(value, dict):
        found = {value["$ref"].rpartition("/")[2]} if isinstance(value.get("$ref"), str) else set()
        return found.union(*(references(v) for v in value.values()))
    if isinstance(value, list):
        return set().union(*(references(v) for v in value))
    return set()


def localised(value: Any) -> Any:
    """Return the schema with every reference pointing into its own ``$defs``, empty enum words written once."""
    if isinstance(value, dict):
        out = {k: localised(v) for k, v in value.items()}
        if isinstance(out.get("$ref"), str):
            out["$ref"] = "#/$defs/" + out["$ref"].rpartition("/")[2]
        if isinstance(out.get("enum"), list):
            out["enum"] = list(dict.fromkeys(out["enum"]))
        return out
    if isinstance(value, list):
        return [localised(v) for v in value]
    return value


def described(schema: dict[str, Any], path: str, words: dict[str, str]) -> None:
    """Put our own descriptions at the properties they name (``DEFINITION.property``)."""
    for name, prop in (schema.get("properties") or {}).items():
        text = words.get(f"{path}.{name}")
        if text:
            prop["description"] = text


def standalone(
    name: str, schema: dict[str, Any], shared: dict[str, Any], words: dict[str, str]
) -> dict[str, Any]:
    """Return a kind's schema with the definitions that it reaches."""
    schema = localised(schema)
    wanted, done = references(schema), set[str]()
    while wanted - done:
        for one in wanted - done:
            done.add(one)
            wanted = wanted | references(shared[one])
    kind = schema["properties"]["kind"]["const"]
    version = schema["properties"]["apiVersion"]["const"]
    described(schema, kind, words)
    definitions = {n: localised(shared[n]) for n in sorted(done)}
    for definition, body in definitions.items():
        described(body, definition, words)
    head = {"$schema": DIALECT, "$id": name, "title": f"{kind} {version}"}
    body = {k: v for k, v in schema.items() if not k.startswith("$")}
    return head | body | {"$defs": definitions}


def main(facts: Path) -> None:
    shared: dict[str, Any] = json.loads((facts / "_shared.json").read_text())["$defs"]
    own = yaml.safe_load((HERE / "own.yaml").read_text())
    shared |= own["definitions"]
    kinds = {p.name: json.loads(p.read_text()) for p in facts.glob("[a-z]*.json")} | own["kinds"]
    for name, schema in sorted(kinds.items()):
        text = json.dumps(
            standalone(name, schema, shared, own["descriptions"]), indent=1, sort_keys=False
        )
        (HERE / name).write_text(text + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
