// SPDX-License-Identifier: Apache-2.0
// Images, audio and moderations by OpenAI's own Node SDK, its oldest and its newest supported
// major, and by its AzureOpenAI client.  sdk/test_media_node.py starts it.
import assert from "node:assert/strict";
import { createReadStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const url = process.env.KANMON_URL;
const key = process.env.KANMON_KEY;
const folder = mkdtempSync(join(tmpdir(), "media-"));
const tape = join(folder, "tape.wav");
writeFileSync(tape, Buffer.alloc(200000, "RIFF"));
after(() => rmSync(folder, { recursive: true }));

for (const name of ["openai-oldest", "openai-newest"]) {
  const sdk = require(name);
  const OpenAI = sdk.OpenAI ?? sdk.default ?? sdk;
  const { version } = JSON.parse(readFileSync(
    new URL(`../node_modules/${name}/package.json`, import.meta.url)));
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0, timeout: 20000 });
  const title = (what) => `openai ${version}: ${what}`;

  test(title("image"), async () => {
    const answer = await client.images.generate({ model: "dall", prompt: "a cat", n: 2 });
    assert.equal(answer.data.length, 2);
  });

  test(title("edit, the image before the model"), async () => {
    const image = await sdk.toFile(createReadStream(tape), "cat.png", { type: "image/png" });
    const answer = await client.images.edit({ image, prompt: "a hat", model: "painter" });
    assert.equal(answer.data.length, 1);
  });

  test(title("variation"), async () => {
    const image = await sdk.toFile(createReadStream(tape), "cat.png", { type: "image/png" });
    const answer = await client.images.createVariation({ image, model: "dall", n: 1 });
    assert.equal(answer.data.length, 1);
  });

  test(title("transcription, the file before the model"), async () => {
    const answer = await client.audio.transcriptions.create({
      file: createReadStream(tape), model: "scribe" });
    assert.equal(answer.text, "Hello from the tape");
  });

  test(title("transcription, 20 MiB before the model"), async () => {
    const file = await sdk.toFile(Buffer.alloc(20 << 20, "RIFF"), "long.wav", { type: "audio/wav" });
    const answer = await client.audio.transcriptions.create({ file, model: "scribe" });
    assert.equal(answer.text, "Hello from the tape");
    const types = [];
    for await (const event of await client.audio.transcriptions.create({ file, model: "scribe",
      stream: true })) types.push(event.type);
    assert.equal(types.at(-1), "transcript.text.done");
  });

  test(title("transcription as a stream"), async () => {
    const types = [];
    for await (const event of await client.audio.transcriptions.create({
      file: createReadStream(tape), model: "scribe", stream: true })) types.push(event.type);
    assert.equal(types.at(-1), "transcript.text.done");
  });

  test(title("translation"), async () => {
    const answer = await client.audio.translations.create({
      file: createReadStream(tape), model: "ears" });
    assert.equal(answer.text, "Hello from the tape");
  });

  test(title("speech"), async () => {
    const answer = await client.audio.speech.create({ model: "voice", voice: "alloy", input: "hi" });
    assert.equal((await answer.arrayBuffer()).byteLength, 100000);
  });

  test(title("moderation"), async () => {
    const answer = await client.moderations.create({ input: "fine?" });
    assert.equal(answer.results[0].flagged, false);
  });

  test(title("a refusal is the SDK's own error"), async () => {
    await assert.rejects(client.images.generate({ model: "claude", prompt: "x" }),
      (error) => error instanceof sdk.BadRequestError && /images\/generations/.test(error.message));
    await assert.rejects(client.audio.transcriptions.create({
      file: createReadStream(tape), model: "busy" }),
    (error) => error instanceof sdk.RateLimitError);
  });

  test(title("files and batches"), async () => {
    const line = JSON.stringify({ custom_id: "a", method: "POST", url: "/v1/chat/completions",
      body: { model: "gpt-4o-mini", messages: [] } });
    const file = await client.files.create({ file: await sdk.toFile(Buffer.from(line), "a.jsonl"),
      purpose: "batch" });
    assert.equal((await client.files.retrieve(file.id)).bytes, line.length);
    assert.equal(await (await client.files.content(file.id)).text(), line);
    const batch = await client.batches.create({ input_file_id: file.id,
      endpoint: "/v1/chat/completions", completion_window: "24h" });
    const ids = [];
    for await (const one of client.batches.list({ limit: 1 })) ids.push(one.id);
    assert.ok(ids.includes(batch.id));
    assert.equal((await client.batches.cancel(batch.id)).status, "cancelled");
    await (client.files.delete ?? client.files.del).call(client.files, file.id);
    await assert.rejects(client.files.retrieve(file.id),
      (error) => error instanceof sdk.NotFoundError);
  });

  test(title("Azure's client"), async () => {
    const azure = new sdk.AzureOpenAI({ endpoint: url, apiKey: key, maxRetries: 0, timeout: 20000,
      apiVersion: "2024-10-21", deployment: "azure-ears" });
    const answer = await azure.audio.transcriptions.create({
      file: createReadStream(tape), model: "azure-ears" });
    assert.equal(answer.text, "Hello from the tape");
  });
}
