"""Makes JSON schemas for kubeconform from what Kubernetes and its extensions publish of their kinds.

    kubernetes-schemas.py FOLDER SOURCE...

A source is Kubernetes' OpenAPI document (swagger.json), or a definition of custom resources (YAML). Each kind becomes a file `<kind>-<group>-<version>.json`
in the folder, as kubeconform asks for it. Unknown fields are errors, as `-strict` means it.
"""

import json
import sys
from pathlib import Path

import yaml


def strict(schema):
    """The same schema, with no fields but those that it names."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: strict(value) for key, value in schema.items()}
    keeps_others = schema.get("x-kubernetes-preserve-unknown-fields")
    if isinstance(schema.get("properties"), dict) and not keeps_others:
        made.setdefault("additionalProperties", False)
    # `int-or-string` and the like are formats of Kubernetes' own.
    if schema.get("format") == "int-or-string" or schema.get("x-kubernetes-int-or-string"):
        made.pop("type", None)
        made.pop("format", None)
        made.setdefault("anyOf", [{"type": "integer"}, {"type": "string"}])
    return made


def write(folder, kind, group, version, schema):
    names = [kind.lower(), group.split(".")[0], version]
    name = "-".join(part for part in names if part)
    (folder / f"{name}.json").write_text(json.dumps(schema))


def quantities_are_numbers_too(definitions):
    """The document calls them strings, and Kubernetes takes numbers."""
    quantity = definitions["io.k8s.apimachinery.pkg.api.resource.Quantity"]
    quantity.pop("type")
    quantity["anyOf"] = [{"type": "string"}, {"type": "number"}]


def from_kubernetes(folder, document):
    definitions = json.loads(document.read_text())["definitions"]
    quantities_are_numbers_too(definitions)
    definitions = {name: strict(schema) for name, schema in definitions.items()}
    (folder / "definitions.json").write_text(json.dumps({"definitions": definitions}))
    for name, schema in definitions.items():
        for kind in schema.get("x-kubernetes-group-version-kind", []):
            # Their references lead to definitions within the same file.
            whole = {"$ref": f"definitions.json#/definitions/{name}"}
            write(folder, kind["kind"], kind["group"], kind["version"], whole)


def from_custom_resources(folder, document):
    for definition in yaml.safe_load_all(document.read_text()):
        spec = definition["spec"]
        for version in spec["versions"]:
            schema = strict(version["schema"]["openAPIV3Schema"])
            # What every object has.
            schema["properties"]["metadata"] = {"type": "object"}
            write(folder, spec["names"]["kind"], spec["group"], version["name"], schema)


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for source in map(Path, sys.argv[2:]):
        if source.suffix == ".json":
            from_kubernetes(folder, source)
        else:
            from_custom_resources(folder, source)


main()
