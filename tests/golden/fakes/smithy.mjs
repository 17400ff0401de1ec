// SPDX-License-Identifier: Apache-2.0
// A JSON body against a shape of the AWS SDK's own model (its schemas, @smithy/core): members
// nobody knows, members that miss, wrong types, unions with more than one member.
import { NormalizedSchema } from "@smithy/core/schema";
import { Bad } from "./shape.mjs";

/* Members that AWS requires; the SDK lists them first in a structure and says how many. */
const needed = (schema) => schema[4].slice(0, schema[0] === 3 ? schema[6] ?? 0 : 0);

export function check(shape, value, path = "") {
  walk(NormalizedSchema.of(shape), value, path);
}

function walk(ns, value, path) {
  const wrong = (what) => { throw new Bad(path, what); };
  if (ns.isDocumentSchema()) return;
  if (ns.isStructSchema()) {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      wrong("must be an object");
    const members = new Map([...ns.structIterator()]);
    for (const name of needed(ns.getSchema())) {
      const labelled = members.get(name)?.getMergedTraits().httpLabel;
      if (value[name] === undefined && !labelled) throw new Bad(join(path, name), "must not be null", "missing");
    }
    for (const [name, one] of Object.entries(value)) {
      const member = members.get(name);
      if (!member || member.getMergedTraits().httpLabel)
        throw new Bad(join(path, name), "extraneous key is not permitted", "unknown");
      walk(member, one, join(path, name));
    }
    if (ns.isUnionSchema() && Object.keys(value).length !== 1) wrong("exactly one member must be set");
    return;
  }
  if (ns.isListSchema()) {
    if (!Array.isArray(value)) wrong("must be a list");
    value.forEach((one, i) => walk(ns.getValueSchema(), one, `${path}.${i + 1}.member`));
  } else if (ns.isMapSchema()) {
    if (typeof value !== "object" || value === null) wrong("must be a map");
    for (const [name, one] of Object.entries(value)) walk(ns.getValueSchema(), one, join(path, name));
  } else if (ns.isBlobSchema()) {
    if (typeof value !== "string" || Buffer.from(value, "base64").toString("base64") !== value || !value)
      wrong("must be base64");
  } else if (ns.isStringSchema()) {
    if (typeof value !== "string") wrong("must be a string");
  } else if (ns.isBooleanSchema()) {
    if (typeof value !== "boolean") wrong("must be a boolean");
  } else if (ns.isNumericSchema()) {
    if (typeof value !== "number") wrong("must be a number");
  }
}

const join = (path, name) => (path ? `${path}.${name}` : name);
