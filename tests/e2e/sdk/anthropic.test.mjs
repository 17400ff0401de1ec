// SPDX-License-Identifier: Apache-2.0
// Anthropic's own Node SDK, its oldest and its newest supported major, against the gateway
// of the environment: KANMON_URL, KANMON_KEY.  sdk/test_anthropic_node.py starts it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const url = process.env.KANMON_URL;
const key = process.env.KANMON_KEY;
const messages = [{ role: "user", content: "hi" }];
const tools = [{ name: "look", description: "Looks.", input_schema: {
  type: "object", properties: { q: { type: "string" } }, required: ["q"] } }];

for (const name of ["anthropic-oldest", "anthropic-newest"]) {
  const sdk = require(name);
  const Anthropic = sdk.Anthropic ?? sdk.default ?? sdk;
  const { version } = JSON.parse(readFileSync(
    new URL(`../node_modules/${name}/package.json`, import.meta.url)));
  const client = new Anthropic({ baseURL: url, apiKey: key, maxRetries: 0, timeout: 20000 });
  const title = (what) => `anthropic ${version}: ${what}`;
  const ask = (model, more = {}) =>
    client.messages.create({ model, max_tokens: 50, messages, ...more });
  const stream = (model, more = {}) =>
    client.messages.stream({ model, max_tokens: 50, messages, ...more }).finalMessage();
  const textOf = (answer) =>
    answer.content.filter((b) => b.type === "text").map((b) => b.text).join("");

  for (const [how, get] of [["whole", ask], ["streamed", stream]]) {
    test(title(`text of Claude, ${how}`), async () => {
      const answer = await get("claude/text");
      assert.equal(textOf(answer), "Hello é😀");
      assert.equal(answer.model, "claude/text");
      assert.equal(answer.stop_reason, "end_turn");
      assert.equal(answer.usage.cache_read_input_tokens, 4);
      assert.equal(answer.usage.output_tokens, 15);
    });

    test(title(`tools in parallel, ${how}`), async () => {
      const answer = await get("claude/tools", { tools });
      assert.deepEqual(answer.content.filter((b) => b.type === "tool_use").map((b) => b.input),
        [{ q: "a" }, { q: "b" }]);
      assert.equal(answer.stop_reason, "tool_use");
    });

    test(title(`thinking keeps its signature, ${how}`), async () => {
      const [thinking, sealed, text] = (await get("claude/think")).content;
      assert.deepEqual([thinking.thinking, thinking.signature], ["Let me see.", "c2ln"]);
      assert.equal(sealed.data, "UkVE");
      assert.equal(text.text, "Seen.");
    });

    test(title(`text of an OpenAI model, ${how}`), async () => {
      const answer = await get("open/ok");
      assert.equal(textOf(answer), "Hello from the mock");
      assert.equal(answer.role, "assistant");
      assert.equal(answer.stop_reason, "end_turn");
      // The oldest keeps what message_start said, which is an estimate there.
      assert.ok(name === "anthropic-oldest" || answer.usage.input_tokens === 10);
      assert.equal(answer.usage.output_tokens, 5);
    });

    for (const model of ["claude/text", "open/ok"]) {
      test(title(`results and images reach ${model}, ${how}`), async () => {
        const answer = await get(model, { tools, messages: [
          ...messages,
          { role: "assistant", content: [
            { type: "thinking", thinking: "t", signature: "c2ln" },
            { type: "tool_use", id: "toolu_1", name: "look", input: { q: "a" } }] },
          { role: "user", content: [
            { type: "tool_result", tool_use_id: "toolu_1", content: [
              { type: "text", text: "42" },
              { type: "image", source: { type: "base64", media_type: "image/png",
                data: "iVBORw0KGgo=" } }] },
            { type: "text", text: "go on" }] }] });
        assert.ok(textOf(answer).startsWith("Hello"));
      });
    }

    for (const [model, kind, status] of [
      ["nothing", "NotFoundError", 404],
      ["claude/error-invalid_request_error", "BadRequestError", 400],
      ["claude/error-not_found_error", "NotFoundError", 404],
      ["claude/error-rate_limit_error", "RateLimitError", 429],
      ["claude/error-overloaded_error", "InternalServerError", 529],
      ["open/err-429", "RateLimitError", 429], ["open/err-500", "InternalServerError", 500]]) {
      test(title(`${model} is a ${kind}, ${how}`), async () => {
        await assert.rejects(get(model), (error) => {
          assert.ok(error instanceof Anthropic[kind], `${error.constructor.name}: ${error}`);
          assert.equal(error.status, status);
          assert.equal(error.error.type, "error");
          assert.ok(error.error.error.message);
          return true;
        });
      });
    }
  }

  test(title("a call of an OpenAI model"), async () => {
    const answer = await ask("open/tools", { tools });
    const call = answer.content.find((b) => b.type === "tool_use");
    assert.equal(call.name, "look");
    assert.equal(typeof call.input, "object");
    assert.equal(answer.stop_reason, "tool_use");
  });

  for (const model of ["claude/mid-overloaded_error", "claude/cut", "open/stream-cut",
    "open/stream-reset", "open/stream-error"]) {
    test(title(`${model} raises after what arrived`), async () => {
      let events = 0;
      await assert.rejects(async () => {
        const found = await ask(model, { stream: true });
        for await (const event of found) events += event ? 1 : 0;
      });
      assert.ok(events > 0);
    });
  }

  test(title("an error in the stream keeps its type"), async () => {
    await assert.rejects(stream("claude/mid-overloaded_error"),
      (error) => JSON.stringify(error.error ?? error.message).includes("overloaded_error"));
  });

  test(title("tokens are counted"), async () => {
    const count = (model) => client.messages.countTokens({ model, messages, tools });
    assert.equal((await count("claude/text")).input_tokens, 42);
    assert.ok((await count("open/ok")).input_tokens > 5);
  });

  test(title("a wrong key is an AuthenticationError"), async () => {
    const stranger = new Anthropic({ baseURL: url, apiKey: "sk-wrong-0123456789abcd",
      maxRetries: 0 });
    await assert.rejects(stranger.messages.create({ model: "claude/text", max_tokens: 5, messages }),
      Anthropic.AuthenticationError);
  });

  test(title("fifty calls at once"), async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => stream("claude/text")));
    for (const answer of answers) assert.equal(textOf(answer), "Hello é😀");
  });
}

// The other way: OpenAI's SDK and Claude behind it.
const OpenAI = require("openai-newest").OpenAI;
const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0, timeout: 20000 });

test("openai: text of Claude", async () => {
  const answer = await openai.chat.completions.create({ model: "claude/text", messages });
  assert.equal(answer.choices[0].message.content, "Hello é😀");
  assert.equal(answer.usage.prompt_tokens_details.cached_tokens, 4);
});

test("openai: tools in parallel, streamed, and their results", async () => {
  const function_tools = [{ type: "function", function: { name: "look",
    parameters: tools[0].input_schema } }];
  const { choices: [{ message, finish_reason }] } = await openai.chat.completions.stream({
    model: "claude/tools", messages, tools: function_tools }).finalChatCompletion();
  assert.equal(finish_reason, "tool_calls");
  assert.deepEqual(message.tool_calls.map((c) => JSON.parse(c.function.arguments)),
    [{ q: "a" }, { q: "b" }]);
  const answer = await openai.chat.completions.create({ model: "claude/text",
    tools: function_tools, messages: [...messages, message,
      ...message.tool_calls.map((c) => ({ role: "tool", tool_call_id: c.id, content: "42" }))] });
  assert.equal(answer.choices[0].finish_reason, "stop");
});

test("openai: thinking comes with its signature and goes back", async () => {
  const { choices: [{ message }] } = await openai.chat.completions.create({
    model: "claude/think", messages, reasoning_effort: "low" });
  assert.equal(message.reasoning_content, "Let me see.");
  assert.equal(message.thinking_blocks[0].signature, "c2ln");
  await openai.chat.completions.create({ model: "claude/text",
    messages: [...messages, message, ...messages] });
});

for (const [model, kind] of [["claude/error-rate_limit_error", "RateLimitError"],
  ["claude/error-overloaded_error", "InternalServerError"],
  ["claude/error-invalid_request_error", "BadRequestError"]]) {
  test(`openai: ${model} is a ${kind}`, async () => {
    await assert.rejects(openai.chat.completions.create({ model, messages }), OpenAI[kind]);
  });
}

test("openai: a stream of Claude's that breaks raises", async () => {
  let chunks = 0;
  await assert.rejects(async () => {
    const found = await openai.chat.completions.create({
      model: "claude/mid-overloaded_error", messages, stream: true });
    for await (const chunk of found) chunks += chunk ? 1 : 0;
  });
  assert.ok(chunks > 0);
});
