"""JSON Schema of the files, for editors: completion and red lines while typing. Made from the pydantic models.

`weir policy schema` prints it; `policies/library/*.schema.json` are kept equal by a test. It knows shapes only: names
of signals and thresholds are `weir policy check`'s business.
"""

from __future__ import annotations

from typing import Any, Final

from policies.engine.leaves import SIGNAL_NAME
from policies.engine.schema import BundleFile, ListFile, PolicyFile, ProfilesFile, Written
from policies.engine.schema_banks import BankFile
from policies.engine.schema_counters import CountersFile
from policies.engine.schema_taxonomies import MappingFile
from policies.engine.taxonomy import CATEGORIES

KINDS: Final[dict[str, type[Written]]] = {
    "policy": PolicyFile,
    "list": ListFile,
    "profiles": ProfilesFile,
    "bundle": BundleFile,
    "bank": BankFile,
    "counters": CountersFile,
    "taxonomy": MappingFile,
}

_LEAF: Final = {
    "type": "string",
    "pattern": rf"^\s*{SIGNAL_NAME.pattern}\s*(==|!=|<=|>=|<|>|in\s)\s*\S",
    "description": "one comparison: signal op value, for example score.hate >= threshold.hate.mid",
}
_CONDITION: Final = {
    "oneOf": [
        _LEAF,
        {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
            "properties": {
                "all": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/Condition"}},
                "any": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/Condition"}},
                "not": {"$ref": "#/$defs/Condition"},
            },
        },
    ]
}


def editor_schema(kind: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of one kind of file."""
    made = KINDS[kind].model_json_schema(by_alias=True)
    made = {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}
    if kind == "policy":
        definitions = made["$defs"]
        definitions["Condition"] = _CONDITION
        reference = {"$ref": "#/$defs/Condition"}
        rule = definitions["RuleFile"]["properties"]
        rule["when"] = reference
        rule["points"] = {
            "type": "array",
            "minItems": 1,
            "items": {"type": "array", "prefixItems": [{"type": "number"}, reference], "minItems": 2, "maxItems": 2},
        }
        rule["category"] = {"type": "string", "pattern": f"^({'|'.join(CATEGORIES)})(\\.[a-z_]+)?$"}
        definitions["ExceptionFile"]["properties"]["when"] = reference
    return made
