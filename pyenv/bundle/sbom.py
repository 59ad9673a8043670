"""The list of all that is in a bundle, as CycloneDX 1.5 (ECMA-424) has it."""

import re
import uuid
from datetime import UTC, datetime
from typing import Any

from bundle.parts import Part

_EXPRESSION = re.compile(r"[\w.+()-]+( (AND|OR|WITH) [\w.+()-]+)*")


def document(version: str, made: int, parts: list[Part]) -> dict[str, Any]:
    """Return the document. `made`: when, in seconds since 1970."""
    own = Part("rust", "sluice", version, f"pkg:generic/sluice@{version}", "MIT OR Apache-2.0")
    components = [_component(part) for part in parts]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        # The same parts have the same number, so that two builds of one source are one file.
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, repr((version, components)))}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(made, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {**_component(own), "type": "application"},
        },
        "components": components,
    }


def _component(part: Part) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": part.purl,
        "name": part.name,
        "version": part.version,
        "purl": part.purl,
    }
    if part.license:
        component["licenses"] = [_license(part.license)]
    if part.sha256:
        component["hashes"] = [{"alg": "SHA-256", "content": part.sha256}]
    if part.inside:
        component["components"] = [_component(each) for each in part.inside]
    return component


def _license(text: str) -> dict[str, Any]:
    # An identifier or an expression of them has no words but AND, OR and WITH between.
    return {"expression": text} if _EXPRESSION.fullmatch(text) else {"license": {"name": text}}
