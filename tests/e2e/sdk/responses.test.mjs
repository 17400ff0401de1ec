// SPDX-License-Identifier: Apache-2.0
// OpenAI's SDK speaking Responses to the gateway, with an upstream that has chat completions only
// (models chat/*) or Responses too (native/*).  The upstream is this file's own: it listens on
// UPSTREAM_PORT.  test_responses.py starts the gateway between the two.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createServer } from "node:http";
import { createRequire } from "node:module";

const require = createRequire(process.env.SDK_FROM ?? import.meta.url);
const sdk = require(process.env.SDK_NAME ?? "openai-newest");
const OpenAI = sdk.OpenAI ?? sdk.default ?? sdk;
const client = (key = process.env.KANMON_KEY) => new OpenAI({
  baseURL: `${process.env.KANMON_URL}/v1`, apiKey: key, maxRetries: 0, timeout: 20000 });
const openai = client();
const seen = [];
let server;

const chunk = (delta, finish = null, more = {}) => `data: ${JSON.stringify({
  id: "c", object: "chat.completion.chunk", created: 1, model: "up",
  choices: [{ index: 0, delta, finish_reason: finish }], ...more })}\n\n`;
const usage = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18,
  prompt_tokens_details: { cached_tokens: 4 },
  completion_tokens_details: { reasoning_tokens: 2 } };
const USED = `data: ${JSON.stringify({ id: "c", choices: [], usage })}\n\n`;
const DONE = "data: [DONE]\n\n";

const streams = {
  text: [chunk({ role: "assistant", content: "" }), chunk({ content: "Hel" }),
    chunk({ content: "lo" }), chunk({}, "stop"), USED, DONE],
  think: [chunk({ reasoning_content: "Let me " }), chunk({ reasoning_content: "see." }),
    chunk({ content: "42" }), chunk({}, "stop"), USED, DONE],
  tools: [chunk({ content: "Looking." }),
    chunk({ tool_calls: [{ index: 0, id: "call_a", type: "function",
      function: { name: "look", arguments: "" } }] }),
    chunk({ tool_calls: [{ index: 0, function: { arguments: '{"q":' } }] }),
    chunk({ tool_calls: [{ index: 0, function: { arguments: '"x"}' } }] }),
    chunk({ tool_calls: [{ index: 1, id: "call_b", type: "function",
      function: { name: "see", arguments: "" } }] }),
    chunk({}, "tool_calls"), USED, DONE],
  patch: [chunk({ tool_calls: [{ index: 0, id: "call_p", type: "function",
    function: { name: "apply_patch", arguments: '{"input":"*** Begin' } }] }),
    chunk({ tool_calls: [{ index: 0, function: { arguments: ' Patch\\n"}' } }] }),
    chunk({}, "tool_calls"), USED, DONE],
  long: [chunk({ content: "Once" }), chunk({}, "length"), USED, DONE],
  refuse: [chunk({ refusal: "I " }), chunk({ refusal: "cannot." }), chunk({}, "stop"), USED, DONE],
  empty: [chunk({ role: "assistant", content: "" }), chunk({}, "stop"), USED, DONE],
  cut: [chunk({ content: "Hal" })],
  broken: [chunk({ content: "Hal" }), 'data: {"error":{"message":"overloaded"}}\n\n'],
};

// The whole answer that a stream's chunks make.
function whole(parts) {
  const message = { role: "assistant", content: null };
  let finish;
  for (const text of parts) {
    if (!text.startsWith("data: {")) continue;
    const choice = JSON.parse(text.slice(6)).choices?.[0];
    if (!choice) continue;
    for (const name of ["content", "reasoning_content", "refusal"])
      if (choice.delta[name]) message[name] = (message[name] ?? "") + choice.delta[name];
    for (const call of choice.delta.tool_calls ?? []) {
      message.tool_calls ??= [];
      const at = (message.tool_calls[call.index] ??= { id: call.id, type: "function",
        function: { name: call.function.name, arguments: "" } });
      at.function.arguments += call.function.arguments ?? "";
    }
    finish = choice.finish_reason ?? finish;
  }
  return { id: "c", object: "chat.completion", created: 1, model: "up", usage,
    choices: [{ index: 0, message, finish_reason: finish }] };
}

function native(body, answer) {
  const id = `resp_up${seen.length}`;
  const object = { id, object: "response", created_at: 1, status: "completed", error: null,
    incomplete_details: null, instructions: null, model: "up-2026", parallel_tool_calls: true,
    output: [{ id: "msg_1", type: "message", status: "completed", role: "assistant", content: [
      { type: "output_text", text: "Native", annotations: [], logprobs: [] }] }],
    tool_choice: "auto", tools: [], metadata: {}, temperature: 1, top_p: 1, store: true,
    usage: { input_tokens: 5, input_tokens_details: { cached_tokens: 0 }, output_tokens: 3,
      output_tokens_details: { reasoning_tokens: 0 }, total_tokens: 8 } };
  if (!body.stream) {
    answer.writeHead(200, { "content-type": "application/json" });
    answer.end(JSON.stringify(object));
    return;
  }
  const [item] = object.output;
  const [part] = item.content;
  const at = { item_id: item.id, output_index: 0, content_index: 0 };
  const early = { ...object, status: "in_progress", output: [], usage: null };
  answer.writeHead(200, { "content-type": "text/event-stream" });
  [{ type: "response.created", response: early },
    { type: "response.in_progress", response: early },
    { type: "response.output_item.added", output_index: 0,
      item: { ...item, status: "in_progress", content: [] } },
    { type: "response.content_part.added", ...at, part: { ...part, text: "" } },
    { type: "response.output_text.delta", ...at, delta: "Native", logprobs: [] },
    { type: "response.output_text.done", ...at, text: "Native", logprobs: [] },
    { type: "response.content_part.done", ...at, part },
    { type: "response.output_item.done", output_index: 0, item },
    { type: "response.completed", response: object },
  ].forEach((event, i) => answer.write(
    `event: ${event.type}\ndata: ${JSON.stringify({ ...event, sequence_number: i })}\n\n`));
  answer.end();
}

before(async () => {
  server = createServer(async (request, answer) => {
    let text = "";
    for await (const piece of request) text += piece;
    const body = JSON.parse(text);
    seen.push({ path: request.url, body });
    if (request.url.endsWith("/responses")) {
      native(body, answer);
      return;
    }
    const parts = streams[body.model];
    if (!parts) {
      answer.writeHead(404, { "content-type": "application/json" });
      answer.end('{"error":{"message":"no such model","type":"invalid_request_error"}}');
    } else if (body.stream) {
      answer.writeHead(200, { "content-type": "text/event-stream" });
      for (const part of parts) answer.write(part);
      answer.end();
    } else {
      answer.writeHead(200, { "content-type": "application/json" });
      answer.end(JSON.stringify(whole(parts)));
    }
  });
  await new Promise((done) => server.listen(Number(process.env.UPSTREAM_PORT), "127.0.0.1", done));
});
after(() => server.close());

const last = () => seen.at(-1);
const tools = ["look", "see"].map((name) => ({ type: "function", name, description: "d",
  strict: true, parameters: { type: "object", properties: { q: { type: "string" } } } }));
// What is asked twice: as a stream, put together by the SDK, and whole.
async function both(request) {
  const types = [];
  const stream = openai.responses.stream(request);
  for await (const event of stream) types.push(event.type);
  const streamed = await stream.finalResponse();
  const whole = await openai.responses.create(request);
  // Without ids, and without what the SDK's helper of streams adds.
  const plain = ({ output }) => output.map(({ id, parsed_arguments, ...item }) => item.content
    ? { ...item, content: item.content.map(({ parsed, ...part }) => part) } : item);
  assert.deepEqual(plain(streamed), plain(whole));
  assert.equal(streamed.status, whole.status);
  assert.deepEqual(streamed.usage, whole.usage);
  return { types, streamed, whole };
}

test("text", async () => {
  const { types, streamed } = await both({ model: "chat/text", input: "Hi",
    instructions: "Be brief.", max_output_tokens: 50, metadata: { a: "b" } });
  assert.deepEqual(types, ["response.created", "response.in_progress",
    "response.output_item.added", "response.content_part.added", "response.output_text.delta",
    "response.output_text.delta", "response.output_text.done", "response.content_part.done",
    "response.output_item.done", "response.completed"]);
  assert.equal(streamed.output_text, "Hello");
  assert.equal(streamed.model, "chat/text");
  assert.equal(streamed.instructions, "Be brief.");
  assert.deepEqual(streamed.metadata, { a: "b" });
  assert.deepEqual(streamed.usage, { input_tokens: 11, input_tokens_details: { cached_tokens: 4 },
    output_tokens: 7, output_tokens_details: { reasoning_tokens: 2 }, total_tokens: 18 });
  assert.deepEqual(last().body.messages, [{ role: "system", content: "Be brief." },
    { role: "user", content: "Hi" }]);
  assert.equal(last().body.max_tokens, 50);
});

test("reasoning comes as a summary", async () => {
  const { streamed } = await both({ model: "chat/think", input: "Hi",
    reasoning: { effort: "high", summary: "auto" } });
  assert.equal(streamed.output[0].type, "reasoning");
  assert.equal(streamed.output[0].summary[0].text, "Let me see.");
  assert.equal(streamed.output_text, "42");
  assert.equal(last().body.reasoning_effort, "high");
});

test("calls of tools, and their results", async () => {
  const { streamed } = await both({ model: "chat/tools", input: "Hi", tools,
    tool_choice: { type: "function", name: "look" }, parallel_tool_calls: false });
  const [text, look, see] = streamed.output;
  assert.equal(text.content[0].text, "Looking.");
  assert.deepEqual([look.call_id, look.name, look.arguments], ["call_a", "look", '{"q":"x"}']);
  assert.deepEqual([see.call_id, see.name, see.arguments], ["call_b", "see", "{}"]);
  assert.deepEqual(last().body.tool_choice, { type: "function", function: { name: "look" } });
  assert.equal(last().body.tools[0].function.strict, true);
  await openai.responses.create({ model: "chat/text", tools, input: [
    { role: "user", content: "Hi" }, ...streamed.output,
    { type: "function_call_output", call_id: "call_a", output: "1" },
    { type: "function_call_output", call_id: "call_b", output: [
      { type: "input_text", text: "2" }] }] });
  assert.deepEqual(last().body.messages, [{ role: "user", content: "Hi" },
    { role: "assistant", content: "Looking.", tool_calls: [
      { id: "call_a", type: "function", function: { name: "look", arguments: '{"q":"x"}' } },
      { id: "call_b", type: "function", function: { name: "see", arguments: "{}" } }] },
    { role: "tool", tool_call_id: "call_a", content: "1" },
    { role: "tool", tool_call_id: "call_b", content: "2" }]);
});

test("a tool of free text is a function upstream", async () => {
  const patch = { type: "custom", name: "apply_patch", description: "Edits files.",
    format: { type: "grammar", syntax: "lark", definition: "start: begin" } };
  const { streamed } = await both({ model: "chat/patch", input: "Hi", tools: [patch] });
  const [call] = streamed.output;
  assert.equal(call.type, "custom_tool_call");
  assert.equal(call.input, "*** Begin Patch\n");
  assert.match(last().body.tools[0].function.description, /start: begin/);
  await openai.responses.create({ model: "chat/text", tools: [patch], input: [
    { role: "user", content: "Hi" }, call,
    { type: "custom_tool_call_output", call_id: "call_p", output: "ok" }] });
  assert.equal(last().body.messages[1].tool_calls[0].function.arguments,
    '{"input":"*** Begin Patch\\n"}');
});

test("pictures, files and forms of the answer", async () => {
  await openai.responses.create({ model: "chat/text", input: [{ role: "user", content: [
    { type: "input_text", text: "a" },
    { type: "input_image", image_url: "data:image/png;base64,AQID", detail: "low" },
    { type: "input_file", filename: "a.pdf", file_data: "data:application/pdf;base64,AQID" }] }],
  text: { format: { type: "json_schema", name: "x", strict: true, schema: { type: "object" } },
    verbosity: "low" } });
  const { body } = last();
  assert.deepEqual(body.messages[0].content.map(({ type }) => type), ["text", "image_url", "file"]);
  assert.deepEqual(body.response_format, { type: "json_schema",
    json_schema: { name: "x", schema: { type: "object" }, strict: true } });
  assert.equal(body.verbosity, "low");
});

test("an answer cut by its bound is incomplete", async () => {
  const { streamed } = await both({ model: "chat/long", input: "Hi" });
  assert.equal(streamed.status, "incomplete");
  assert.equal(streamed.incomplete_details.reason, "max_output_tokens");
});

test("a refusal", async () => {
  const { streamed } = await both({ model: "chat/refuse", input: "Hi" });
  assert.equal(streamed.output[0].content[0].type, "refusal");
  assert.equal(streamed.output[0].content[0].refusal, "I cannot.");
});

test("an empty answer", async () => {
  const { streamed } = await both({ model: "chat/empty", input: "Hi" });
  assert.deepEqual(streamed.output, []);
});

for (const name of ["cut", "broken"])
  test(`a stream that is ${name} ends as failed`, async () => {
    const events = [];
    for await (const event of await openai.responses.create({ model: `chat/${name}`, input: "Hi",
      stream: true })) events.push(event);
    assert.equal(events.at(-1).type, "response.failed");
    assert.equal(events.at(-1).response.error.code, "server_error");
    assert.deepEqual(events.map((e) => e.sequence_number), events.map((_, i) => i));
  });

test("what only OpenAI has is refused by name", async () => {
  for (const [more, param] of [[{ tools: [{ type: "web_search" }] }, "tools"],
    [{ background: true }, "background"], [{ conversation: "conv_1" }, "conversation"],
    [{ input: [{ type: "item_reference", id: "x" }] }, "input[0].type"]])
    await assert.rejects(openai.responses.create({ model: "chat/text", input: "Hi", ...more }),
      (error) => error.status === 400 && error.param === param);
});

test("an upstream that speaks it gets the caller's own words", async () => {
  const request = { model: "native/up-2026", input: "Hi", tools: [{ type: "web_search" }],
    include: ["reasoning.encrypted_content"] };
  const { streamed } = await both(request);
  assert.equal(last().path, "/v1/responses");
  assert.deepEqual(last().body, { ...request, model: "up-2026" });
  assert.equal(streamed.output_text, "Native");
  assert.equal(streamed.model, "native/up-2026");
});

// A key of its own, by the management API.
async function newKey() {
  const answer = await fetch(`${process.env.KANMON_URL}/key/generate`, { method: "POST",
    headers: { authorization: `Bearer ${process.env.KANMON_KEY}`,
      "content-type": "application/json" }, body: "{}" });
  return client((await answer.json()).key);
}

for (const [model, form] of [["chat/think", "stream"], ["chat/think", "whole"],
  ["native/up", "stream"], ["native/up", "whole"]])
  test(`a conversation goes on from what is remembered: ${model}, ${form}`, async () => {
    const mine = await newKey();
    let first = await mine.responses.create({ model, input: "One", stream: form === "stream" });
    if (form === "stream")
      for await (const event of first)
        if (event.type === "response.completed") { first = event.response; break; }
    const second = await mine.responses.create({ model: "chat/text", input: "Two",
      previous_response_id: first.id });
    assert.equal(second.previous_response_id, first.id);
    const third = await mine.responses.create({ model: "native/up", previous_response_id: second.id,
      input: [{ role: "user", content: "Three" }] });
    assert.equal(third.output_text, "Native");
    const { body } = last();
    assert.equal(body.previous_response_id, undefined);
    assert.equal(body.input[0].content, "One");
    assert.deepEqual(body.input.filter((item) => item.role === "user").map((i) => i.content),
      ["One", "Two", "Three"]);
    const kept = await mine.responses.retrieve(second.id);
    assert.deepEqual(kept.output, second.output);
    assert.equal(kept.model, "chat/text");
  });

test("an answer is its owner's, and only while it is kept", async () => {
  const mine = await newKey(), other = await newKey();
  const request = { model: "chat/text", input: "One" };
  const answer = await mine.responses.create(request);
  const gone = (error) => error.status === 404 && /not found/.test(error.message);
  await assert.rejects(other.responses.retrieve(answer.id), gone);
  await assert.rejects(other.responses.create({ ...request, previous_response_id: answer.id }),
    (error) => gone(error) && error.param === "previous_response_id");
  await assert.rejects(other.responses.delete(answer.id), gone);
  await mine.responses.delete(answer.id);
  await assert.rejects(mine.responses.retrieve(answer.id), gone);
  await assert.rejects(mine.responses.retrieve("resp_never"), gone);
  const unkept = await mine.responses.create({ ...request, store: false });
  assert.equal(unkept.store, false);
  await assert.rejects(mine.responses.retrieve(unkept.id), gone);
});

// What Codex sends: instructions, developer and user messages, local tools, no storage, and
// what it got before given back with sealed reasoning.
test("the shape of Codex's requests", async () => {
  const request = { model: "chat/tools", instructions: "You are a coding agent.", input: [
    { type: "message", role: "developer", content: [{ type: "input_text", text: "<rules/>" }] },
    { type: "message", role: "user", content: [{ type: "input_text", text: "List the files" }] }],
  tools: [
    { type: "function", name: "shell", description: "Runs a command", strict: false, parameters: {
      type: "object", properties: { command: { type: "array", items: { type: "string" } } },
      required: ["command"], additionalProperties: false } },
    { type: "custom", name: "apply_patch", description: "Edits files",
      format: { type: "grammar", syntax: "lark", definition: "start: begin_patch" } }],
  tool_choice: "auto", parallel_tool_calls: false, reasoning: { effort: "medium", summary: "auto" },
  store: false, stream: true, include: ["reasoning.encrypted_content"],
  prompt_cache_key: "0190", client_metadata: { a: "b" } };
  const output = [];
  for await (const event of await openai.responses.create(request))
    if (event.type === "response.output_item.done") output.push(event.item);
  assert.deepEqual(output.map((item) => item.type), ["message", "function_call", "function_call"]);
  request.model = "chat/text";
  request.input.push(...output, { type: "reasoning", summary: [{ type: "summary_text", text: "x" }],
    content: null, encrypted_content: "gAAAA" },
  { type: "function_call_output", call_id: "call_a", output: "{\"output\":\"a.c\"}" },
  { type: "function_call_output", call_id: "call_b", output: "ok" });
  let text = "";
  for await (const event of await openai.responses.create(request))
    if (event.type === "response.output_text.delta") text += event.delta;
  assert.equal(text, "Hello");
  assert.deepEqual(last().body.messages.map(({ role }) => role),
    ["system", "system", "user", "assistant", "tool", "tool"]);
});
