// SPDX-License-Identifier: Apache-2.0
// What a request body may look like: a member nobody described is an error, as at the vendors.
// Written after the types of the vendors' packages, in the order they list them.
//
//     const message = obj({ "role!": word("user", "assistant"), "content!": str });
//     message(body, "messages[0]");            throws Bad with path and what is wrong

export class Bad extends Error {
  constructor(path, what, kind = "invalid") {
    super(path ? `${path}: ${what}` : what);
    this.path = path;
    this.what = what;
    this.kind = kind; // "invalid", "unknown", "missing"
  }
}

const scalar = (type, what) => (v, path) => {
  if (typeof v !== type) throw new Bad(path, `Input should be a valid ${what}`);
};
export const str = scalar("string", "string");
export const bool = scalar("boolean", "boolean");
export const num = (v, path) => {
  if (typeof v !== "number" || !Number.isFinite(v)) throw new Bad(path, "Input should be a number");
};
export const int = (v, path) => {
  if (!Number.isInteger(v)) throw new Bad(path, "Input should be a valid integer");
};
export const any = () => {};
export const text = (v, path) => { // blank text is refused by Anthropic and Bedrock
  str(v, path);
  if (!v.trim()) throw new Bad(path, "text content blocks must be non-empty");
};
export const between = (low, high) => (v, path) => {
  num(v, path);
  if (v < low || v > high) throw new Bad(path, `must be between ${low} and ${high}`);
};
export const match = (pattern) => (v, path) => {
  str(v, path);
  if (!pattern.test(v)) throw new Bad(path, `String should match pattern '${pattern.source}'`);
};
export const base64 = (v, path) => {
  str(v, path);
  if (!v || Buffer.from(v, "base64").toString("base64") !== v)
    throw new Bad(path, "is not valid base64");
};
export const word = (...words) => (v, path) => {
  if (!words.includes(v)) throw new Bad(path, `Input should be ${words.map((w) => `'${w}'`)}`);
};
export const nullable = (of) => (v, path) => { if (v !== null) of(v, path); };
export const object = (v, path) => {
  if (typeof v !== "object" || v === null || Array.isArray(v))
    throw new Bad(path, "Input should be an object");
};
export const list = (of, { least = 0, most = Infinity } = {}) => (v, path) => {
  if (!Array.isArray(v)) throw new Bad(path, "Input should be a valid list");
  if (v.length < least) throw new Bad(path, `at least ${least} item(s) are needed`);
  if (v.length > most) throw new Bad(path, `at most ${most} item(s) are allowed`);
  v.forEach((one, i) => of(one, `${path}[${i}]`));
};
export const map = (of) => (v, path) => {
  object(v, path);
  for (const [name, one] of Object.entries(v)) of(one, `${path}.${name}`);
};
/* Members; a name that ends in "!" must be there. */
export const obj = (fields) => {
  const known = new Map(Object.entries(fields).map(([n, of]) => [n.replace("!", ""), of]));
  const needed = Object.keys(fields).filter((n) => n.endsWith("!")).map((n) => n.slice(0, -1));
  return (v, path) => {
    object(v, path);
    const at = (name) => (path ? `${path}.${name}` : name);
    for (const name of needed)
      if (v[name] === undefined) throw new Bad(at(name), "Field required", "missing");
    for (const [name, value] of Object.entries(v)) {
      if (!known.has(name)) throw new Bad(at(name), "Extra inputs are not permitted", "unknown");
      known.get(name)(value, at(name));
    }
  };
};
/* Which of several shapes, by a member. */
export const tagged = (tag, shapes) => (v, path) => {
  object(v, path);
  const of = shapes[v[tag]];
  if (!of) {
    throw new Bad(`${path}.${tag}`, `Input tag '${v[tag]}' found using '${tag}' does not match ` +
      `any of the expected tags: ${Object.keys(shapes).map((s) => `'${s}'`).join(", ")}`);
  }
  of(v, path);
};
/* Text or something else. */
export const either = (one, other) => (v, path) =>
  (typeof v === "string" ? one : other)(v, path);
/* One or the other, decided by trying. */
export const oneOf = (...shapes) => (v, path) => {
  let last;
  for (const of of shapes) {
    try { return of(v, path); } catch (e) { last = e; }
  }
  throw last;
};
/* Exactly one member of those. */
export const union = (fields) => {
  const of = obj(fields);
  return (v, path) => {
    of(v, path);
    if (Object.keys(v).length !== 1) throw new Bad(path, "exactly one member must be set");
  };
};
