// SPDX-License-Identifier: Apache-2.0
// OpenAI's own Node SDK, its oldest and its newest supported major, against the gateway
// of the environment: KANMON_URL, KANMON_KEY.  sdk/test_node.py starts it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const url = process.env.KANMON_URL;
const key = process.env.KANMON_KEY;
const messages = [{ role: "user", content: "hi" }];

for (const name of ["openai-oldest", "openai-newest"]) {
  const sdk = require(name);
  const OpenAI = sdk.OpenAI ?? sdk.default ?? sdk;
  const { version } = JSON.parse(readFileSync(
    new URL(`../node_modules/${name}/package.json`, import.meta.url)));
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0, timeout: 20000 });
  const title = (what) => `openai ${version}: ${what}`;

  test(title("chat"), async () => {
    const answer = await client.chat.completions.create({ model: "chat", messages });
    assert.equal(answer.choices[0].message.content, "Hello from the mock");
    assert.equal(answer.model, "chat");
    assert.equal(answer.usage.total_tokens, 15);
  });

  test(title("stream"), async () => {
    let text = "";
    let finish;
    for await (const chunk of await client.chat.completions.create({
      model: "chat", messages, stream: true })) {
      text += chunk.choices[0].delta.content ?? "";
      finish = chunk.choices[0].finish_reason ?? finish;
    }
    assert.equal(text, "Hello from the mock");
    assert.equal(finish, "stop");
  });

  test(title("stream with usage"), async () => {
    let usage;
    for await (const chunk of await client.chat.completions.create({
      model: "chat", messages, stream: true, stream_options: { include_usage: true } })) {
      usage = chunk.usage ?? usage;
    }
    assert.equal(usage.total_tokens, 15);
  });

  test(title("tools"), async () => {
    const answer = await client.chat.completions.create({ model: "any/tools", messages,
      tools: [{ type: "function", function: { name: "look", parameters: {
        type: "object", properties: {} } } }] });
    assert.equal(answer.choices[0].message.tool_calls[0].function.name, "look");
  });

  test(title("embeddings"), async () => {
    const answer = await client.embeddings.create({ model: "embed", input: ["a", "b"] });
    assert.deepEqual([...answer.data[0].embedding], [0.5, -0.25, 0.125]);
    assert.equal(answer.data.length, 2);
  });

  test(title("models"), async () => {
    const ids = [];
    for await (const model of await client.models.list()) ids.push(model.id);
    assert.ok(ids.includes("chat"));
    assert.equal((await client.models.retrieve("chat")).id, "chat");
  });

  for (const [model, kind, status] of [
    ["nothing", "BadRequestError", 400], ["any/err-401", "InternalServerError", 502],
    ["any/err-403", "InternalServerError", 502], ["any/err-404", "NotFoundError", 404],
    ["any/err-422", "UnprocessableEntityError", 422], ["any/err-429", "RateLimitError", 429],
    ["any/err-500", "InternalServerError", 500], ["mock-rate", "RateLimitError", 429]]) {
    for (const stream of [false, true]) {
      test(title(`${model} is a ${kind}${stream ? ", streaming" : ""}`), async () => {
        await assert.rejects(client.chat.completions.create({ model, messages, stream }),
          (error) => {
            assert.ok(error instanceof OpenAI[kind], `${error.constructor.name}: ${error.message}`);
            assert.equal(error.status, status);
            assert.ok(error.error.message);
            return true;
          });
      });
    }
  }

  test(title("a wrong key is an AuthenticationError"), async () => {
    const stranger = new OpenAI({ baseURL: `${url}/v1`, apiKey: "sk-wrong-0123456789abcd" });
    await assert.rejects(async () => { await stranger.models.list(); }, OpenAI.AuthenticationError);
  });

  for (const model of ["any/stream-cut", "any/stream-reset", "any/stream-error"]) {
    test(title(`${model} raises after what arrived`), async () => {
      let chunks = 0;
      await assert.rejects(async () => {
        const stream = await client.chat.completions.create({ model, messages, stream: true });
        for await (const chunk of stream) chunks += chunk ? 1 : 0;
      });
      assert.ok(chunks > 0);
    });
  }

  test(title("retries pass over a flaky upstream"), async () => {
    const patient = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 3 });
    const answer = await patient.chat.completions.create({
      model: `any/flaky-2-500-node-${version}`, messages });
    assert.equal(answer.choices[0].message.content, "Hello from the mock");
  });

  test(title("a hundred calls at once"), async () => {
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) =>
      client.chat.completions.create({ model: `any/ok-many-${i}`, messages })));
    answers.forEach((answer, i) => assert.equal(answer.model, `any/ok-many-${i}`));
  });

  test(title("leaving a stream ends it"), async () => {
    const stream = await client.chat.completions.create({
      model: `any/stream-forever-${version}`, messages, stream: true });
    for await (const chunk of stream) {
      assert.ok(chunk.choices);
      break;
    }
    stream.controller.abort();
  });
}
