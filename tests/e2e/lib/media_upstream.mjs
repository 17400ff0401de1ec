// SPDX-License-Identifier: Apache-2.0
// OpenAI's and Azure OpenAI's endpoints for images, audio, moderations, files and batches, and as
// much of chat and responses as reads files, after
// OpenAI's API reference and the types of openai 7.55; forms are read by busboy.  What a request
// may hold is named here, and anything else is refused as OpenAI refuses it.
//
//     node media_upstream.mjs          prints {"port": N}, serves until its stdin ends
//
// The first segment of a path chooses a temper: /ok (serves), /fail (500 when all was read), /busy
// (429 at once, Retry-After), /stall (never reads), /cut (breaks its stream), /early (401 before
// the body).  GET /seen is what came, POST /forget empties it; POST /finish and /finish-with end every batch, POST
// /busy-batches?n=N answers the next N questions for one with 429.
import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const busboy = require("busboy");
const KEY = "sk-media-upstream";
let seen = [];
const files = new Map();
const batches = new Map();
let busyBatches = 0;

const fields = {
  "images/generations": "model prompt n size quality style response_format user background " +
    "moderation output_compression output_format partial_images stream",
  "chat/completions": "model messages",
  responses: "model input tools prompt metadata store conversation",
  "images/edits": "model images image image[] mask prompt n size quality response_format user " +
    "background input_fidelity output_compression output_format partial_images stream",
  "images/variations": "model image n size response_format user",
  "audio/speech": "model input voice instructions response_format speed stream_format",
  "audio/transcriptions": "model file language prompt response_format temperature stream " +
    "chunking_strategy include[] timestamp_granularities[]",
  "audio/translations": "model file prompt response_format temperature",
  moderations: "model input",
  files: "file purpose expires_after[anchor] expires_after[seconds]",
  batches: "input_file_id endpoint completion_window metadata output_expires_after",
};

function refuse(response, status, message, more = {}) {
  const body = JSON.stringify({ error: { message, type: "invalid_request_error", param: null,
    code: null } });
  response.writeHead(status, { "content-type": "application/json", ...more });
  response.end(body);
}

function readForm(request) {
  return new Promise((resolve, reject) => {
    const form = { fields: {}, files: [], order: [] };
    const reader = busboy({ headers: request.headers, limits: { fieldSize: 1 << 20 } });
    reader.on("field", (name, value) => {
      form.order.push(name);
      form.fields[name] = name in form.fields ? [form.fields[name], value].flat() : value;
    });
    reader.on("file", (name, stream, info) => {
      const hash = createHash("sha256");
      const file = { name, filename: info.filename, type: info.mimeType, bytes: 0 };
      const kept = [];
      form.order.push(name);
      form.files.push(file);
      stream.on("data", (piece) => {
        file.bytes += piece.length;
        hash.update(piece);
        if (file.bytes < 1 << 20) kept.push(piece);
      });
      stream.on("end", () => { file.sha256 = hash.digest("hex"); file.content = kept; });
    });
    reader.on("error", reject);
    reader.on("close", () => resolve(form));
    request.pipe(reader);
  });
}

async function readJson(request) {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  return pieces.length ? JSON.parse(Buffer.concat(pieces)) : {};
}

function json(response, body) {
  const text = JSON.stringify(body);
  response.writeHead(200, { "content-type": "application/json",
    "content-length": Buffer.byteLength(text), "x-request-id": "req_media" });
  response.end(text);
}

async function events(response, list, cut) {
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
  for (const event of cut ? list.slice(0, -1) : list) {
    response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
    await new Promise(setImmediate);
  }
  response.end();
}

const imageTokens = { input_tokens: 50, output_tokens: 1056, total_tokens: 1106,
  input_tokens_details: { text_tokens: 10, image_tokens: 40 } };

function images(x) {
  const n = Number(x.fields.n ?? 1);
  const tokens = /^gpt-image/.test(x.model);
  if (x.fields.stream === true || x.fields.stream === "true") {
    const kind = x.what === "images/edits" ? "image_edit" : "image_generation";
    return events(x.response, [
      { type: `${kind}.partial_image`, b64_json: "x".repeat(200000), partial_image_index: 0,
        created_at: 1, size: "1024x1024", quality: "medium", background: "opaque",
        output_format: "png" },
      { type: `${kind}.completed`, b64_json: "ZG9uZQ==", created_at: 1, size: "1024x1024",
        quality: "medium", background: "opaque", output_format: "png", usage: imageTokens },
    ], x.temper === "cut");
  }
  const data = Array.from({ length: n }, (_, i) => ({ b64_json: `aW1hZ2U${i}` }));
  return json(x.response, { created: 1, data,
    ...(tokens ? { usage: imageTokens, size: "1024x1024", quality: "medium" } : {}) });
}

function transcript(x) {
  const format = x.fields.response_format ?? "json";
  const text = "Hello from the tape";
  if (x.fields.stream === "true") {
    return events(x.response, [
      { type: "transcript.text.delta", delta: "Hello " },
      { type: "transcript.text.delta", delta: "from the tape" },
      { type: "transcript.text.done", text, usage: { type: "tokens", input_tokens: 100,
        input_token_details: { text_tokens: 4, audio_tokens: 96 }, output_tokens: 6,
        total_tokens: 106 } },
    ], x.temper === "cut");
  }
  if (format === "text" || format === "srt" || format === "vtt") {
    x.response.writeHead(200, { "content-type": "text/plain; charset=utf-8" });
    return x.response.end(`${text}\n`);
  }
  if (format === "verbose_json") {
    return json(x.response, { task: "transcribe", language: "english", duration: 8.47, text,
      segments: [] });
  }
  const usage = /^gpt-4o/.test(x.model)
    ? { type: "tokens", input_tokens: 100, output_tokens: 6, total_tokens: 106,
      input_token_details: { text_tokens: 4, audio_tokens: 96 } }
    : { type: "duration", seconds: 9 };
  return json(x.response, { text, usage });
}

function speech(x) {
  const audio = Buffer.alloc(100000, "ID3");
  if (x.fields.stream_format === "sse") {
    return events(x.response, [
      { type: "speech.audio.delta", audio: audio.subarray(0, 300).toString("base64") },
      { type: "speech.audio.done", usage: { input_tokens: 14, output_tokens: 101,
        total_tokens: 115 } },
    ], x.temper === "cut");
  }
  x.response.writeHead(200, { "content-type": "audio/mpeg" });
  x.response.write(audio.subarray(0, 50000));
  if (x.temper === "cut") {
    setImmediate(() => x.response.destroy());
    return undefined;
  }
  return x.response.end(audio.subarray(50000));
}

/* --- files and batches --- */

const deleted = (id) => ({ id, object: "file", deleted: true });

function newFile(filename, purpose, content, bytes) {
  const id = `file-${randomUUID().replaceAll("-", "")}`;
  const object = { id, object: "file", bytes: bytes ?? content.length, created_at: 1, filename,
    purpose, status: "processed" };
  files.set(id, { object, content });
  return object;
}

function uploadFile(x) {
  const [file] = x.form.files;
  if (!file || !x.fields.purpose) return refuse(x.response, 400, "file and purpose are required");
  return json(x.response, newFile(file.filename, x.fields.purpose, Buffer.concat(file.content),
    file.bytes));
}

function oneFile(x, id, rest) {
  const file = files.get(id);
  if (!file) return refuse(x.response, 404, `No such File object: ${id}`);
  if (x.method === "DELETE" && !rest) {
    files.delete(id);
    return json(x.response, deleted(id));
  }
  if (rest === "content") {
    x.response.writeHead(200, { "content-type": "application/octet-stream",
      "content-length": file.content.length });
    return x.response.end(file.content);
  }
  return json(x.response, file.object);
}

function newBatch(x) {
  const id = `batch_${randomUUID().replaceAll("-", "")}`;
  const input = files.get(x.fields.input_file_id);
  if (!input) return refuse(x.response, 400, `No such File object: ${x.fields.input_file_id}`);
  const object = { id, object: "batch", endpoint: x.fields.endpoint,
    input_file_id: x.fields.input_file_id, completion_window: x.fields.completion_window,
    status: "in_progress", output_file_id: null, error_file_id: null, created_at: 1,
    metadata: x.fields.metadata ?? null, errors: null,
    request_counts: { total: 0, completed: 0, failed: 0 } };
  batches.set(id, { object, input });
  return json(x.response, object);
}

/* Every line of every open batch is answered in turn by one of these bodies, or not at all (null);
 * the batch says of itself what `report` has, and its output may be gone already. */
function finishWith({ bodies, report, gone }) {
  for (const { object, input } of batches.values()) {
    if (object.status !== "in_progress") continue;
    const lines = input.content.toString().split("\n").filter(Boolean).map((l) => JSON.parse(l));
    const answers = lines.map((line, i) => JSON.stringify({ id: `r${i}`, custom_id: line.custom_id,
      error: null, response: { status_code: 200, request_id: `q${i}`,
        body: bodies[i % bodies.length] } }));
    object.output_file_id = newFile("out.jsonl", "batch_output",
      Buffer.from(`${answers.join("\n")}\n`)).id;
    if (gone) files.delete(object.output_file_id);
    Object.assign(object, { status: "completed" }, report);
  }
}

/* Every line of every open batch is answered: 10 tokens in, 5 out, or what `counted` says. */
function finishBatches(withUsage, counted) {
  for (const { object, input } of batches.values()) {
    if (object.status !== "in_progress") continue;
    const lines = input.content.toString().split("\n").filter(Boolean).map((l) => JSON.parse(l));
    const answers = lines.map((line, i) => JSON.stringify({ id: `r${i}`, custom_id: line.custom_id,
      error: null, response: { status_code: 200, request_id: `q${i}`, body: {
        id: `chatcmpl-${i}`, object: "chat.completion", created: 1, model: line.body.model,
        choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant",
          content: "done" } }],
        usage: counted === null ? { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 }
          : "COUNTED" } } }).replace('"COUNTED"', () => counted));
    object.output_file_id = newFile("out.jsonl", "batch_output",
      Buffer.from(`${answers.join("\n")}\n`)).id;
    object.status = "completed";
    object.request_counts = { total: lines.length, completed: lines.length, failed: 0 };
    if (withUsage) {
      object.usage = { input_tokens: 10 * lines.length, output_tokens: 5 * lines.length,
        total_tokens: 15 * lines.length, input_tokens_details: { cached_tokens: 0 },
        output_tokens_details: { reasoning_tokens: 0 } };
    }
  }
}

function oneBatch(x, id, rest) {
  const batch = batches.get(id);
  if (!batch) return refuse(x.response, 404, `No batch found with id '${id}'.`);
  if (busyBatches-- > 0) return refuse(x.response, 429, "Slow down.");
  if (rest === "cancel" && batch.object.status === "in_progress") batch.object.status = "cancelled";
  return json(x.response, batch.object);
}

function list(x, all) {
  const data = [...all.values()].map(({ object }) => object);
  return json(x.response, { object: "list", data, has_more: false,
    first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null });
}

/* --- what reads files --- */

function chat(x) {
  return json(x.response, { id: "chatcmpl-1", object: "chat.completion", created: 1,
    model: x.model, choices: [{ index: 0, finish_reason: "stop",
      message: { role: "assistant", content: "read" } }],
    usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 } });
}

function responses(x) {
  const used = (x.fields.tools ?? []).find((t) => t.type === "code_interpreter")?.container;
  const ran = used ? [{ type: "code_interpreter_call", id: "ci_1", status: "completed", code: "1",
    container_id: used.id ?? (typeof used === "string" ? used : `cntr_${randomUUID()}`),
    outputs: null }] : [];
  return json(x.response, { id: `resp_${randomUUID()}`, object: "response", created_at: 1,
    status: "completed", model: x.model, tools: [], tool_choice: "auto",
    parallel_tool_calls: true, output: [...ran, { type: "message", id: "msg_1", role: "assistant",
      status: "completed", content: [{ type: "output_text", text: "read", annotations: [] }] }],
    usage: { input_tokens: 10, output_tokens: 5, total_tokens: 15,
      input_tokens_details: { cached_tokens: 0 }, output_tokens_details: { reasoning_tokens: 0 } } });
}

/* --- the door --- */

/* {what, id, rest, deployment} of a path, or null. */
function place(path) {
  const azure = /^\/openai\/deployments\/([^/]+)\/(.+)$/.exec(path);
  if (azure) return { what: azure[2], deployment: azure[1], azure: true };
  const plain = /^\/(?:v1|openai\/v1|openai)\/(.+)$/.exec(path);
  if (!plain) return null;
  const [kind, id, rest] = plain[1].split("/");
  if (kind === "files" || kind === "batches") {
    return { what: kind, id, rest, azure: path.startsWith("/openai") };
  }
  return { what: plain[1], azure: path.startsWith("/openai") };
}

async function serve(request, response) {
  const url = new URL(request.url, "http://fake");
  const control = { "/seen": () => json(response, seen), "/forget": () => { seen = []; json(response, {}); },
    "/finish": () => { finishBatches(url.searchParams.get("usage") === "1", url.searchParams.get("line")); json(response, {}); },
    "/finish-with": async () => {
      const parts = [];
      for await (const part of request) parts.push(part);
      finishWith(JSON.parse(Buffer.concat(parts)));
      json(response, {});
    },
    "/busy-batches": () => { busyBatches = Number(url.searchParams.get("n")); json(response, {}); } };
  if (control[url.pathname]) return control[url.pathname]();
  const [, temper, rest] = /^\/(ok|fail|busy|stall|cut|early)(\/.*)$/.exec(url.pathname) ?? [];
  const at = temper && place(rest);
  if (!at) return refuse(response, 404, `Invalid URL (${request.method} ${url.pathname})`);
  const entry = { method: request.method, path: rest, temper, query: url.search,
    headers: request.headers };
  seen.push(entry);
  request.on("close", () => { entry.aborted = !request.complete; });
  if (temper === "stall") {
    request.pause();
    return undefined;
  }
  if (temper === "busy") return refuse(response, 429, "Slow down.", { "retry-after": "7" });
  if (temper === "early") return refuse(response, 401, "Incorrect API key provided.");
  const key = at.azure ? request.headers["api-key"] : request.headers.authorization;
  if (key !== (at.azure ? KEY : `Bearer ${KEY}`)) return refuse(response, 401, "Incorrect API key.");
  const form = /^multipart\/form-data/.test(request.headers["content-type"] ?? "");
  const body = form ? await readForm(request) : await readJson(request);
  if (form) body.files.forEach((f) => { f.kept = undefined; });
  entry.fields = form ? body.fields : body;
  entry.files = form ? body.files.map(({ content, ...file }) => file) : [];
  entry.order = form ? body.order : Object.keys(body);
  if (temper === "fail") return refuse(response, 500, "The server had an error.");
  const known = new Set((fields[at.what] ?? "").split(" "));
  const names = new Set([...Object.keys(entry.fields), ...entry.files.map((f) => f.name)]);
  for (const name of names) {
    if (!known.has(name)) return refuse(response, 400, `Unknown parameter: '${name}'.`);
    if (Array.isArray(entry.fields[name]) && form && !name.endsWith("[]")) {
      return refuse(response, 400, `Duplicate parameter: '${name}'.`);
    }
  }
  const x = { ...at, temper, method: request.method, response, form: body, fields: entry.fields,
    model: at.deployment ?? entry.fields.model };
  const serves = {
    "chat/completions": () => chat(x), responses: () => responses(x),
    "images/generations": () => images(x), "images/edits": () => images(x),
    "images/variations": () => images(x), "audio/speech": () => speech(x),
    "audio/transcriptions": () => transcript(x), "audio/translations": () => transcript(x),
    moderations: () => json(response, { id: "modr-1", model: "omni-moderation-latest",
      results: [{ flagged: false, categories: {}, category_scores: {} }] }),
    files: () => (x.id ? oneFile(x, x.id, x.rest)
      : x.method === "POST" ? uploadFile(x) : list(x, files)),
    batches: () => (x.id ? oneBatch(x, x.id, x.rest)
      : x.method === "POST" ? newBatch(x) : list(x, batches)),
  };
  if (!serves[at.what]) return refuse(response, 404, `Invalid URL (${request.method} ${rest})`);
  if (["files", "batches"].includes(at.what) || x.model || at.what === "moderations")
    return serves[at.what]();
  return refuse(response, 400, "you must provide a model parameter");
}

const server = createServer((request, response) => {
  serve(request, response).catch((error) => {
    if (!response.headersSent) refuse(response, 400, `unreadable: ${error.message}`);
    else response.destroy();
  });
});
server.requestTimeout = 0;
server.listen(0, "127.0.0.1");
await once(server, "listening");
process.stdout.write(`${JSON.stringify({ port: server.address().port })}\n`);
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
