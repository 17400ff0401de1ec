// SPDX-License-Identifier: Apache-2.0
// The GraphQL that prisma's Python client writes, as the JSON protocol that the
// WebAssembly engine reads.  Only what that client produces is understood: one
// operation of fields with arguments and selections; no variables, fragments or types.
"use strict";

const TOKEN = /\s*(?:([A-Za-z_][A-Za-z0-9_]*)|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|("(?:[^"\\]|\\.)*")|([{}()\[\]:,]))/y;

const ACTIONS = [
  "findUniqueOrThrow", "findFirstOrThrow", "findUnique", "findFirst", "findMany",
  "createManyAndReturn", "createMany", "createOne", "updateMany", "updateOne", "upsertOne",
  "deleteMany", "deleteOne", "aggregate", "groupBy", "executeRaw", "queryRaw",
];

function tokens(text) {
  const found = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (!match) {
      if (text.slice(at).trim() === "") break;
      throw new Error(`not understood: ${text.slice(at, at + 60)}`);
    }
    found.push(match);
  }
  return found;
}

class Parser {
  constructor(text) {
    this.tokens = tokens(text);
    this.at = 0;
  }
  peek() {
    const token = this.tokens[this.at];
    return token && token[0].trim();
  }
  take(expected) {
    const text = this.peek();
    if (expected !== undefined && text !== expected) {
      throw new Error(`expected ${expected}, found ${text}`);
    }
    return this.tokens[this.at++];
  }
  skipCommas() {
    while (this.peek() === ",") this.at++;
  }
  value() {
    const token = this.take();
    const [, word, number, string, mark] = token;
    if (word !== undefined) {
      return word === "null" ? null : word === "true" ? true : word === "false" ? false : word;
    }
    if (number !== undefined) {
      return /^-?\d+$/.test(number) && !Number.isSafeInteger(Number(number))
        ? { $type: "BigInt", value: number } : Number(number);
    }
    if (string !== undefined) return JSON.parse(string);
    if (mark === "[") {
      const list = [];
      for (this.skipCommas(); this.peek() !== "]"; this.skipCommas()) list.push(this.value());
      this.take("]");
      return list;
    }
    if (mark === "{") return this.members("}");
    throw new Error(`expected a value, found ${mark}`);
  }
  members(end) {
    const object = {};
    for (this.skipCommas(); this.peek() !== end; this.skipCommas()) {
      const [, word, , string] = this.take();
      this.take(":");
      object[word ?? JSON.parse(string)] = this.value();
    }
    this.take(end);
    return object;
  }
  selection() {
    const fields = {};
    this.take("{");
    for (this.skipCommas(); this.peek() !== "}"; this.skipCommas()) {
      const field = this.field();
      fields[field.name] = field.arguments || field.selection
        ? { arguments: field.arguments ?? {}, selection: field.selection ?? {} } : true;
    }
    this.take("}");
    return fields;
  }
  field() {
    const field = { name: this.take()[1] };
    if (this.peek() === ":") {
      this.take(":");
      field.alias = field.name;
      field.name = this.take()[1];
    }
    if (this.peek() === "(") {
      this.take("(");
      field.arguments = this.members(")");
    }
    if (this.peek() === "{") field.selection = this.selection();
    return field;
  }
}

// {model: {field: type}} of a prisma schema.
function readSchema(text) {
  const models = {};
  for (const [, name, body] of text.matchAll(/^model\s+(\w+)\s*{([^]*?)^}/gm)) {
    models[name] = Object.fromEntries(
      [...body.matchAll(/^\s+(\w+)\s+(\w+)/gm)].map(([, field, type]) => [field, type]));
  }
  return models;
}

// GraphQL spells a JSON value as text, and the field's type says that it is one; the JSON
// protocol would take the text for a JSON string, so each is marked.
function markJson(value, fields, models) {
  if (Array.isArray(value)) return value.map((item) => markJson(item, fields, models));
  if (value === null || typeof value !== "object" || "$type" in value) return value;
  const mark = (item) => {
    if (typeof item === "string") return { $type: "Json", value: item };
    if (Array.isArray(item)) return item.map(mark);
    if (item === null || typeof item !== "object") return item;
    return Object.fromEntries(Object.entries(item).map(([k, v]) => [k, k === "path" ? v : mark(v)]));
  };
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key,
    fields[key] === "Json" ? mark(item) : markJson(item, models[fields[key]] ?? fields, models)]));
}

// One operation: what to send, and under which name its result is to be returned.
function translate(text, models) {
  const parser = new Parser(text);
  const word = parser.peek();
  if (word === "query" || word === "mutation") parser.take();
  parser.take("{");
  const field = parser.field();
  const action = ACTIONS.find((name) => field.name.startsWith(name));
  if (!action) throw new Error(`unknown operation ${field.name}`);
  const model = field.name.slice(action.length);
  const query = { action, query: {
    arguments: markJson(field.arguments ?? {}, models[model] ?? {}, models),
    selection: field.selection ?? {} } };
  if (model) query.modelName = model;
  return { query, name: field.name, alias: field.alias ?? field.name };
}

// The columns of a raw query whose type is json come as text here, as values there.
function raw(table) {
  const json = table.types.map((type) => type === "json");
  const cell = (value, i) => (json[i] && typeof value === "string" ? JSON.parse(value) : value);
  return { ...table, rows: table.rows.map((row) => row.map((value, i) => cell(untag(value), i))) };
}

// {"$type": "DateTime", "value": "..."} is what GraphQL answers as "...".
function untag(value) {
  if (Array.isArray(value)) return value.map(untag);
  if (value === null || typeof value !== "object") return value;
  if ("$type" in value) return value.$type === "Raw" ? value.value : untag(value.value);
  if (Array.isArray(value.columns) && Array.isArray(value.types) && Array.isArray(value.rows)) {
    return raw(value);
  }
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, untag(v)]));
}

module.exports = { readSchema, translate, untag };
