# SPDX-License-Identifier: Apache-2.0
"""Does a value have a shape?  The part of JSON Schema that pydantic writes."""

import datetime
import re

KINDS = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None),
         "number": (int, float), "integer": int}


class Shapes:
    def __init__(self, table):
        self.shapes, self.defs = table["shapes"], table["$defs"]

    def faults(self, name, value):
        """What is wrong with it: texts that begin with a place."""
        return list(self._faults(self.shapes[name], value, name))

    def names(self, name):
        schema = self.shapes[name]
        if "$ref" in schema:
            schema = self.defs[schema["$ref"].rsplit("/", 1)[1]]
        return set(schema["properties"])

    def _faults(self, schema, value, place):
        if "$ref" in schema:
            schema = self.defs[schema["$ref"].rsplit("/", 1)[1]]
        if "anyOf" in schema:
            tries = [list(self._faults(s, value, place)) for s in schema["anyOf"]]
            if all(tries):
                yield f"{place}: fits none of {len(tries)}: {min(tries, key=len)[0]}"
            return
        kind = schema.get("type")
        if kind and (not isinstance(value, KINDS[kind])
                     or (isinstance(value, bool) and kind in ("number", "integer"))):
            yield f"{place}: {value!r} is no {kind}"
            return
        yield from self._of_text(schema, value, place)
        if kind == "object":
            yield from self._of_object(schema, value, place)
        if kind == "array" and "items" in schema:
            for n, item in enumerate(value):
                yield from self._faults(schema["items"], item, f"{place}[{n}]")

    @staticmethod
    def _of_text(schema, value, place):
        if "enum" in schema and value not in schema["enum"]:
            yield f"{place}: {value!r} is none of {schema['enum']}"
        if "const" in schema and value != schema["const"]:
            yield f"{place}: {value!r} is not {schema['const']!r}"
        if schema.get("format") == "date-time":
            try:
                datetime.datetime.fromisoformat(re.sub(r"Z$", "+00:00", value))
            except ValueError:
                yield f"{place}: {value!r} is no time"

    def _of_object(self, schema, value, place):
        for name, part in schema.get("properties", {}).items():
            if name in value:
                yield from self._faults(part, value[name], f"{place}.{name}")
        more = schema.get("additionalProperties")
        if isinstance(more, dict):
            for name in set(value) - set(schema.get("properties", {})):
                yield from self._faults(more, value[name], f"{place}.{name}")
        for name in schema.get("required", ()):
            if name not in value:
                yield f"{place}: no {name}"
