// SPDX-License-Identifier: Apache-2.0
// Google's generateContent: the Gemini API (key) and Vertex AI (OAuth2 tokens), there Claude's
// rawPredict too, after the types and converters of @google/genai 3.1.
import * as claude from "./anthropic.mjs";
import { accountToken, metadataToken } from "./google.mjs";
import { Bad, any, base64, between, bool, int, list, map, num, obj, oneOf, str, union, word }
  from "./shape.mjs";
import { ascii, brokenAt, disturbed, json, start, stream, VECTORS } from "./http.mjs";

export const KEY = "AIza-golden-upstream";
export const PROJECT = "golden-project";
export const LOCATION = "us-central1";

/* What its documentation gives who has no signature. */
const UNSIGNED = "skip_thought_signature_validator";
const blob = obj({ "mimeType!": str, "data!": base64, displayName: str });
/* Google's SDK for Python writes protobuf's own names here. */
const file = ({ file_uri: uri, mime_type: type, ...rest }, path) => obj({ mimeType: str,
  "fileUri!": str, displayName: str })({ ...(uri && { fileUri: uri }),
  ...(type && { mimeType: type }), ...rest }, path);
/* One kind of data, and what may stand beside it. */
const part = (v, path) => {
  const { thought, thoughtSignature, mediaResolution, ...data } = v;
  union({
    text: str, inlineData: blob, fileData: file,
    functionCall: obj({ "name!": str, args: map(any), id: str }),
    functionResponse: obj({ "name!": str, "response!": map(any), id: str, parts: any }),
    executableCode: any, codeExecutionResult: any,
  })(data, path);
  if (thought !== undefined) bool(thought, `${path}.thought`);
  if (![undefined, UNSIGNED].includes(thoughtSignature))
    base64(thoughtSignature, `${path}.thoughtSignature`);
};
const system = obj({ role: str, "parts!": list(part, { least: 1 }) });
const schema = map(any);
const body = (vertex) => obj({
  "contents!": list(obj({ role: word("user", "model"), "parts!": list(part, { least: 1 }) }),
    { least: 1 }),
  systemInstruction: system, cachedContent: str, safetySettings: list(any),
  ...(vertex ? { labels: map(str) } : { serviceTier: str, store: bool }),
  tools: list(obj({ functionDeclarations: list(obj({ "name!": str, description: str,
    parameters: schema, parametersJsonSchema: schema, response: any, responseJsonSchema: any })),
  googleSearch: any, codeExecution: any, urlContext: any })),
  toolConfig: obj({ functionCallingConfig: obj({ mode: word("AUTO", "ANY", "NONE", "VALIDATED"),
    allowedFunctionNames: list(str), streamFunctionCallArguments: bool }) }),
  generationConfig: obj({
    temperature: between(0, 2), topP: num, topK: num, candidateCount: int, maxOutputTokens: int,
    stopSequences: list(str, { most: 5 }), responseLogprobs: bool, logprobs: int,
    presencePenalty: num, frequencyPenalty: num, seed: int, responseMimeType: str,
    responseSchema: schema, responseJsonSchema: schema, responseModalities: list(str),
    mediaResolution: str, speechConfig: any, ...(vertex ? {} : { enableEnhancedCivicAnswers: bool }),
    thinkingConfig: oneOf(obj({ includeThoughts: bool, thinkingBudget: int }),
      obj({ includeThoughts: bool, thinkingLevel: word("MINIMAL", "LOW", "MEDIUM", "HIGH",
        "minimal", "low", "medium", "high") })),
  }),
});

/* Of a schema in `parameters`: the OpenAPI subset, not JSON Schema. */
function openapi(s, path) {
  for (const name of Object.keys(s ?? {})) {
    if (["additionalProperties", "$ref", "$defs", "$schema", "const", "oneOf", "allOf"].includes(name))
      throw new Bad(`${path}.${name}`, "Cannot find field.", "unknown");
  }
  for (const [n, one] of Object.entries(s?.properties ?? {})) openapi(one, `${path}.properties.${n}`);
}

function rules(b, model) {
  let calls = null;
  b.contents.forEach((c, i) => {
    const at = `contents[${i}]`;
    const role = c.role ?? "user";
    const answers = c.parts.filter((p) => p.functionResponse);
    const asked = c.parts.filter((p) => p.functionCall);
    if (calls || answers.length) {
      if (answers.length !== (calls?.length ?? 0)) {
        throw new Bad("", "Please ensure that the number of function response parts is equal to " +
          "the number of function call parts of the function call turn.");
      }
      const names = calls.map((k) => k.functionCall.name).sort();
      if (answers.map((k) => k.functionResponse.name).sort().join() !== names.join())
        throw new Bad(at, "function response without its function call");
    }
    if (asked.length && role !== "model")
      throw new Bad(at, "function call turn must come from the model");
    if (asked.length && i === 0)
      throw new Bad("", "Please ensure that function call turn comes immediately after a user " +
        "turn or after a function response turn.");
    calls = asked.length ? asked : null;
    if (asked.length && /gemini-3/.test(model) && !asked[0].thoughtSignature) {
      throw new Bad("", `Function call is missing a thought_signature in functionCall parts. This ` +
        `is required for tools to work correctly. Additional data, function call ` +
        `\`default_api:${asked[0].functionCall.name}\`, position ${i}.`);
    }
    for (const [j, p] of c.parts.entries()) {
      const s = p.thoughtSignature;
      if (s && !/^c2lnbm/.test(s) && s !== UNSIGNED && s !== "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=")
        throw new Bad(`${at}.parts[${j}]`, "Thought signature is not valid.");
    }
  });
  if (calls) throw new Bad("", "the conversation ends with a function call");
  for (const [i, t] of (b.tools ?? []).entries()) {
    for (const [j, f] of (t.functionDeclarations ?? []).entries()) {
      const at = `tools[${i}].function_declarations[${j}]`;
      if (f.parameters && f.parametersJsonSchema)
        throw new Bad(at, "only one of parameters and parameters_json_schema may be set");
      if (!/^[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}$/.test(f.name))
        throw new Bad(`${at}.name`, "Invalid function name.");
      openapi(f.parameters, `${at}.parameters`);
    }
  }
  const g = b.generationConfig ?? {};
  if ((g.responseSchema || g.responseJsonSchema) && g.responseMimeType !== "application/json")
    throw new Bad("", "response_schema needs response_mime_type application/json");
  if (g.responseSchema) openapi(g.responseSchema, "generation_config.response_schema");
  if (g.thinkingConfig?.thinkingLevel && !/gemini-[3-9]/.test(model))
    throw new Bad("", "Thinking level is not supported for this model.");
  const f = b.toolConfig?.functionCallingConfig;
  if (f?.allowedFunctionNames && !["ANY", "VALIDATED"].includes(f.mode))
    throw new Bad("", "Allowed function names should be set only when function calling mode is ANY.");
}

export function seen(b) {
  const one = (p, i) => {
    if (p.thought) return { think: p.text, signature: p.thoughtSignature };
    if (p.text !== undefined) return p.text === "" ? null : { text: p.text };
    if (p.inlineData?.mimeType === "application/pdf") return { document: p.inlineData.data };
    if (p.inlineData) return { image: { type: p.inlineData.mimeType, data: p.inlineData.data } };
    if (p.functionCall) {
      return { call: { id: p.functionCall.id ?? `position ${i}`, name: p.functionCall.name,
        input: p.functionCall.args ?? {} }, ...(p.thoughtSignature &&
          p.thoughtSignature !== "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="
        ? { signature: p.thoughtSignature } : {}) };
    }
    if (p.functionResponse) {
      const r = p.functionResponse.response;
      const text = r.result ?? r.output ?? r.error ?? JSON.stringify(r);
      return { result: { name: p.functionResponse.name, id: p.functionResponse.id, text:
        typeof text === "string" ? text : JSON.stringify(text) } };
    }
    return p;
  };
  const f = b.toolConfig?.functionCallingConfig;
  const g = b.generationConfig ?? {};
  const turns = [];
  for (const c of b.contents) {
    const role = c.role === "model" ? "assistant" : "user";
    const parts = c.parts.map(one).filter(Boolean);
    if (turns.at(-1)?.role === role) turns.at(-1).parts.push(...parts);
    else turns.push({ role, parts });
  }
  const t = g.thinkingConfig;
  return {
    system: (b.systemInstruction?.parts ?? []).map((p) => p.text).join("\n"), turns,
    tools: (b.tools ?? []).flatMap((x) => x.functionDeclarations ?? []).map((x) => ({
      name: x.name, description: x.description, schema: x.parametersJsonSchema ?? x.parameters })),
    choice: f?.allowedFunctionNames?.length === 1 ? { name: f.allowedFunctionNames[0] }
      : { ANY: "required", NONE: "none", AUTO: "auto", VALIDATED: "auto" }[f?.mode],
    max: g.maxOutputTokens, temperature: g.temperature, stop: g.stopSequences,
    schema: g.responseJsonSchema ?? g.responseSchema,
    thinks: Boolean(t && t.thinkingBudget !== 0 && (t.thinkingBudget || t.thinkingLevel)),
  };
}

const STOP = { stop: "STOP", length: "MAX_TOKENS", tools: "STOP", filter: "SAFETY",
  refusal: "STOP" };
const usageOf = (u, vertex) => ({
  promptTokenCount: u.input, candidatesTokenCount: u.output - (u.reasoning ?? 0),
  totalTokenCount: u.input + u.output,
  ...(u.cached ? { cachedContentTokenCount: u.cached } : {}),
  ...(u.reasoning ? { thoughtsTokenCount: u.reasoning } : {}),
  promptTokensDetails: [{ modality: "TEXT", tokenCount: u.input }],
  ...(vertex ? { trafficType: "ON_DEMAND" } : {}),
});

const base = (model, answer, vertex) => ({ modelVersion: model, responseId: "golden",
  usageMetadata: usageOf(answer.usage, vertex) });
const candidate = (parts, finishReason, more) => ({ content: { parts, role: "model" }, index: 0,
  ...(finishReason ? { finishReason } : {}), ...more });

/* Its places are bytes: of a part, of a stream's all text. */
function grounding(answer, streaming) {
  const blocks = answer.blocks.filter((k) => k.text);
  const before = (k) => (streaming ? blocks.slice(0, blocks.indexOf(k)) : [])
    .map((o) => o.text.join("")).join("");
  const cited = blocks.filter((k) => k.cites);
  if (!cited.length) return {};
  const chunks = cited.flatMap((k) => k.cites);
  return { groundingMetadata: {
    groundingChunks: chunks.map(({ url, title }) => ({ web: { uri: url, title } })),
    groundingSupports: cited.map((k) => {
      const startIndex = Buffer.byteLength(before(k));
      const text = k.text.join("");
      const partIndex = streaming ? 0 : answer.blocks.indexOf(k);
      return { segment: { ...(partIndex ? { partIndex } : {}), ...(startIndex ? { startIndex } : {}),
        endIndex: startIndex + Buffer.byteLength(text), text },
      groundingChunkIndices: k.cites.map((c) => chunks.indexOf(c)) };
    }) } };
}

/* Parts of an answer; the signature of a thought stands on what follows it. */
function* partsOf(answer, whole) {
  let signature;
  for (const k of answer.blocks) {
    if (k.think) {
      for (const text of whole ? [k.think.join("")] : k.think) yield { text, thought: true };
      ({ signature } = k);
      continue;
    }
    if (k.call) {
      yield { functionCall: { name: k.call.name, args: k.call.input },
        ...(signature ? { thoughtSignature: signature } : {}) };
      signature = undefined;
      continue;
    }
    for (const text of whole ? [k.text.join("")] : k.text) {
      yield { text, ...(signature ? { thoughtSignature: signature } : {}) };
      signature = undefined;
    }
  }
}

const FAULTS = {
  invalid: [400, "INVALID_ARGUMENT"], context: [400, "INVALID_ARGUMENT"],
  auth: [400, "INVALID_ARGUMENT"], model: [404, "NOT_FOUND"], rate: [429, "RESOURCE_EXHAUSTED"],
  server: [500, "INTERNAL"], overloaded: [503, "UNAVAILABLE"],
};

function errorOf(kind, text, { retryAfter } = {}) {
  const [code, status] = FAULTS[kind];
  const type = "type.googleapis.com/google.rpc.";
  const details = kind === "auth" ? [{ "@type": `${type}ErrorInfo`, reason: "API_KEY_INVALID",
    domain: "googleapis.com", metadata: { service: "generativelanguage.googleapis.com" } }]
    : retryAfter ? [{ "@type": `${type}RetryInfo`, retryDelay: `${retryAfter}s` }] : undefined;
  const message = kind === "context" ? "The input token count (2000000) exceeds the maximum " +
    "number of tokens allowed (1048576)." : kind === "auth"
    ? "API key not valid. Please pass a valid API key." : text;
  return { error: { code, message, status, ...(details ? { details } : {}) } };
}

/* Google's errors of a stream without alt=sse, and Vertex's, come in a list. */
function refuse(x, kind, text, more) {
  json(x, FAULTS[kind][0], errorOf(kind, text, more));
}

async function generate(x, model, streaming, vertex) {
  try {
    body(vertex)(x.body, "");
    rules(x.body, model);
  } catch (e) {
    x.entry.refused = e.message;
    if (!(e instanceof Bad)) throw e;
    return refuse(x, "invalid", e.kind === "unknown" ? "Invalid JSON payload received. Unknown " +
      `name "${e.path.split(".").at(-1)}" at '${e.path}': Cannot find field.` : e.message);
  }
  const c = x.entry.conversation;
  if (!c) return refuse(x, "invalid", "no golden conversation is named");
  x.entry.seen = seen(x.body);
  const { answer } = c;
  if (disturbed(x, answer, streaming, "text/event-stream")) return undefined;
  if (answer.fault) return refuse(x, answer.fault.kind, answer.fault.text, answer.fault);
  const last = base(model, answer, vertex);
  if (answer.blocked) {
    const blocked = { promptFeedback: { blockReason: "PROHIBITED_CONTENT" }, ...last,
      usageMetadata: { promptTokenCount: answer.usage.input, totalTokenCount: answer.usage.input } };
    return streaming ? stream(x, "text/event-stream", [`data: ${JSON.stringify(blocked)}\r\n\r\n`])
      : json(x, 200, blocked);
  }
  if (!streaming) {
    return json(x, 200, { candidates: [candidate([...partsOf(answer, true)],
      STOP[answer.finish], grounding(answer, false))], ...last });
  }
  const write = answer.escape ? ascii : JSON.stringify;
  const parts = [...partsOf(answer, false)];
  const middle = { ...last, usageMetadata: { promptTokenCount: answer.usage.input,
    totalTokenCount: answer.usage.input } };
  const events = parts.map((p) => ({ candidates: [candidate([p])], ...middle }));
  // the last one has the reason, and sometimes an empty text
  events.push({ candidates: [candidate([{ text: "" }], STOP[answer.finish],
    grounding(answer, true))], ...last });
  if (x.query.get("alt") !== "sse") return json(x, 200, events);
  const all = events.map((e) => `data: ${write(e)}\r\n\r\n`);
  const at = parts.length;
  const sent = brokenAt(answer, all, at,
    `data: ${JSON.stringify(errorOf("overloaded", "The model is overloaded."))}\r\n\r\n`);
  return stream(x, "text/event-stream", sent, { cut: answer.cut,
    eof: answer.broken === "eof" ? at : 0, reset: answer.broken === "reset" ? at : 0 });
}

export function gemini() {
  return start("gemini", async (x) => {
    if (x.headers["x-goog-api-key"] !== KEY && x.query.get("key") !== KEY) {
      x.entry.refused = "no key";
      return refuse(x, "auth", "");
    }
    const [, model, action] = /^\/v1(?:beta|alpha)?\/models\/([^/:]+):([a-zA-Z]+)$/.exec(x.path) ?? [];
    if (x.method !== "POST" || !model) return refuse(x, "model", "Requested entity was not found.");
    if (action === "countTokens")
      return json(x, 200, { totalTokens: x.entry.conversation?.answer.usage?.input ?? 21 });
    if (action === "batchEmbedContents") {
      list(obj({ "model!": str, "content!": system, taskType: str, outputDimensionality: int,
        title: str }), { least: 1 })(x.body.requests, "requests");
      return json(x, 200, { embeddings: x.body.requests.map((_, i) => ({ values: VECTORS[i] })) });
    }
    if (!/^(stream)?[gG]enerateContent$/.test(action)) return refuse(x, "model", "not found");
    return generate(x, model, action[0] === "s", false);
  });
}

export function vertex() {
  return start("vertex", async (x) => {
    const bearer = x.headers.authorization?.replace("Bearer ", "");
    if (![accountToken, metadataToken].includes(bearer)) {
      x.entry.refused = "no token";
      return json(x, 401, { error: { code: 401, status: "UNAUTHENTICATED", message: "Request had " +
        "invalid authentication credentials. Expected OAuth 2 access token." } });
    }
    const [, project, location, publisher, model, action] =
      /^\/v1(?:beta1)?\/projects\/([^/]+)\/locations\/([^/]+)\/publishers\/([^/]+)\/models\/([^/:]+):([a-zA-Z]+)$/
        .exec(x.path) ?? [];
    if (x.method !== "POST" || project !== PROJECT || location !== LOCATION)
      return refuse(x, "model", `not found: ${x.path}`);
    const total = x.entry.conversation?.answer.usage?.input ?? 21;
    if (action === "countTokens")
      return json(x, 200, { totalTokens: total, totalBillableCharacters: 4 * total });
    if (publisher === "anthropic" && model === "count-tokens" && action === "rawPredict") {
      return /^claude-/.test(x.body.model) ? json(x, 200, { input_tokens: total })
        : claude.refuse(x, "invalid", "model: Field required");
    }
    if (publisher === "anthropic") {
      if (!/^(rawPredict|streamRawPredict)$/.test(action)) return refuse(x, "model", "not found");
      if (Boolean(x.body.stream) !== (action === "streamRawPredict"))
        return claude.refuse(x, "invalid", "stream does not fit the method");
      const beta = (x.headers["anthropic-beta"] ?? "").split(",");
      return claude.messages(x, { platform: "vertex", beta,
        version: x.body.anthropic_version }, model);
    }
    if (publisher !== "google" || !/^(stream)?[gG]enerateContent$/.test(action))
      return refuse(x, "model", "not found");
    return generate(x, model, action[0] === "s", true);
  });
}
