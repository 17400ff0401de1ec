// SPDX-License-Identifier: Apache-2.0
// Embeddings and ranking: each vendor's own library against its fake, with no gateway between;
// then OpenAI's library for vectors and Cohere's for ranking over every one of them, and Voyage's
// own in front of its own model.  What comes must be what the vendor gave, digit by digit.
import { CohereClient, CohereClientV2 } from "cohere-ai";
import OpenAI from "openai";
import { VoyageAIClient } from "voyageai";
import { setTimeout as pause } from "node:timers/promises";
import { KEY as OPENAI } from "./fakes/openai.mjs";
import { KEY, ranked } from "./fakes/vectors.mjs";
import { VECTORS } from "./fakes/http.mjs";

const same = (found, wanted, what) => (JSON.stringify(found) === JSON.stringify(wanted) ? []
  : [`${what}: ${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}`]);

const query = "what is golden";
const documents = ["zzz", "gold", "what is gold", "q"];
const PRICE = { input_cost_per_token: 0.0000001, output_cost_per_token: 0 };

/* vectors: the model and its price by tokens; the tokens its vendor counts. */
const vendors = (f) => ({
  cohere: { fake: "cohere", vectors: "embed-golden", ranker: "rerank-golden",
    tokens: { vectors: 8, rank: 0 },
    params: (model) => ({ model: `cohere/${model}`, api_base: f.cohere.url, api_key: KEY }) },
  jina: { fake: "jina", vectors: "jina-golden", ranker: "jina-ranker",
    tokens: { vectors: 8, rank: 19 },
    params: (model) => ({ model: `jina_ai/${model}`, api_base: `${f.jina.url}/v1`, api_key: KEY }) },
  voyage: { fake: "voyage", vectors: "voyage-golden", ranker: "rerank-golden",
    tokens: { vectors: 8, rank: 19 },
    params: (model) => ({ model: `voyage/${model}`, api_base: `${f.voyage.url}/v1`, api_key: KEY }) },
  vllm: { fake: "vllm", vectors: "golden-embed", ranker: "bge-golden", tokens: { vectors: 8, rank: 19 },
    params: (model) => ({ model: `hosted_vllm/${model}`, api_base: `${f.vllm.url}/v1`,
      api_key: OPENAI }) },
});

export const vectorModels = (f) => Object.entries(vendors(f)).flatMap(([name, v]) => [
  { model_name: `vectors.${name}`, litellm_params: { ...v.params(v.vectors), ...PRICE } },
  { model_name: `rank.${name}`, litellm_params: { ...v.params(v.ranker), ...PRICE } },
  { model_name: `rank-priced.${name}`, litellm_params: { ...v.params(v.ranker),
    input_cost_per_request: 0.002 } }]);

const isRanked = (results, most) => same(results.map((r) => [r.index, r.relevanceScore]),
  ranked(query, documents, most), "ranking");

/* --- the fakes alone --- */

export function vectorFakes(f) {
  const add = (name, run) => ({ part: "fakes", group: "vectors", name: `fake vectors ${name}`, run });
  const cohere = () => new CohereClientV2({ token: KEY, environment: f.cohere.url });
  const voyage = () => new VoyageAIClient({ apiKey: KEY, environment: `${f.voyage.url}/v1` });
  return [
    add("cohere embed", async () => {
      const r = await cohere().embed({ model: "embed-golden", inputType: "search_query",
        texts: ["one", "two"], embeddingTypes: ["float"] });
      return same(r.embeddings.float, VECTORS, "vectors");
    }),
    add("cohere rerank", async () => isRanked((await cohere().rerank({ model: "rerank-golden",
      query, documents, topN: 2 })).results, 2)),
    add("voyage embed", async () => same((await voyage().embed({ model: "voyage-golden",
      input: ["one", "two"], inputType: "document" })).data.map((d) => d.embedding), VECTORS,
    "vectors")),
    add("voyage rerank", async () => isRanked((await voyage().rerank({ model: "rerank-golden",
      query, documents, topK: 3 })).data, 3)),
    add("a member of OpenAI's alone is refused", async () => {
      const r = await fetch(`${f.voyage.url}/v1/embeddings`, { method: "POST", headers: {
        authorization: `Bearer ${KEY}`, "content-type": "application/json" },
      body: JSON.stringify({ model: "m", input: "one", encoding_format: "float" }) });
      return same(r.status, 400, "status");
    }),
  ];
}

/* --- through the gateway --- */

async function spentBy(gateway, key, wanted) {
  let spend;
  for (let i = 0; i < 400; i++) { // the books are written with the next commit
    spend = (await gateway.admin(`/key/info?key=${key}`)).info.spend;
    if (Math.round(spend * 1e9) === Math.round(wanted * 1e9)) return [];
    await pause(25);
  }
  return [`spend: ${spend} instead of ${wanted}`];
}

const keyOf = async (gateway) => (await gateway.admin("/key/generate", {})).key;

async function embeds(gateway, v, name, format, more) {
  const key = await keyOf(gateway);
  const client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: key, maxRetries: 0 });
  const r = await client.embeddings.create({ model: `vectors.${name}`, input: ["one", "two"],
    ...(format ? { encoding_format: format } : {}), ...more });
  return [...same(r.data.map((d) => [...d.embedding]), VECTORS, "vectors"),
    ...same(r.model, `vectors.${name}`, "model"),
    ...same(r.usage.prompt_tokens, v.tokens.vectors, "tokens"),
    ...await spentBy(gateway, key, v.tokens.vectors * PRICE.input_cost_per_token)];
}

async function ranks(gateway, v, name, Client, stream) {
  const key = await keyOf(gateway);
  const client = new Client({ token: key, environment: gateway.url });
  const r = await client.rerank({ model: `rank.${name}`, query, documents, topN: 3, ...stream });
  const given = stream.returnDocuments
    ? same(r.results.map((d) => d.document?.text), r.results.map((d) => documents[d.index]), "documents")
    : [];
  // Cohere counts searches, not tokens: what a model costs there is said by the request
  const spent = v.tokens.rank ? await spentBy(gateway, key, v.tokens.rank * PRICE.input_cost_per_token)
    : [];
  return [...isRanked(r.results, 3), ...given, ...spent];
}

export function vectorCells(gateway, f) {
  const cells = [];
  const add = (name, run) => cells.push({ group: "vectors", name: `vectors ${name}`, run });
  for (const [name, v] of Object.entries(vendors(f))) {
    add(`${name} as the SDK likes`, () => embeds(gateway, v, name)); // base64, unasked
    add(`${name} float`, () => embeds(gateway, v, name, "float", { user: "somebody" }));
    add(`${name} dimensions`, () => embeds(gateway, v, name, undefined, { dimensions: 256 }));
    add(`${name} ranked by Cohere's v2`, () => ranks(gateway, v, name, CohereClientV2, {}));
    add(`${name} ranked by Cohere's v1 with documents`,
      () => ranks(gateway, v, name, CohereClient, { returnDocuments: true }));
    add(`${name} ranked at a price a request`, async () => {
      const key = await keyOf(gateway);
      const client = new CohereClientV2({ token: key, environment: gateway.url });
      const r = await client.rerank({ model: `rank-priced.${name}`, query, documents });
      return [...isRanked(r.results), ...await spentBy(gateway, key, 0.002)];
    });
    add(`${name} refused`, async () => {
      const client = new CohereClientV2({ token: gateway.key, environment: gateway.url });
      try {
        await client.rerank({ model: `rank.${name}`, query, documents: [] });
      } catch (e) {
        return e.statusCode === 400 ? [] : [`${e.statusCode} ${e.message}`];
      }
      return name === "vllm" || name === "jina" ? [] : ["it was not refused"]; // theirs to say
    });
  }
  add("voyage by its own library", async () => {
    const client = new VoyageAIClient({ apiKey: gateway.key, environment: `${gateway.url}/v1` });
    const r = await client.embed({ model: "vectors.voyage", input: ["one", "two"],
      inputType: "query", outputDimension: 256, truncation: false });
    const { body } = f.voyage.log.findLast((e) => e.body?.input_type === "query");
    return [...same(r.data.map((d) => d.embedding), VECTORS, "vectors"),
      ...same([body.output_dimension, body.truncation], [256, false], "what was asked")];
  });
  add("jina takes images", async () => {
    const r = await fetch(`${gateway.url}/v1/embeddings`, { method: "POST", headers: {
      authorization: `Bearer ${gateway.key}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "vectors.jina", input: [{ image: "https://a.example/b.png" }],
      task: "retrieval.query" }) });
    return same([r.status, (await r.json()).data?.length], [200, 1], "answer");
  });
  add("cohere takes 200 texts in three requests", async () => {
    const before = f.cohere.log.length;
    const client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: gateway.key, maxRetries: 0 });
    const r = await client.embeddings.create({ model: "vectors.cohere",
      input: Array.from({ length: 200 }, (_, i) => `text ${i}`) });
    const asked = f.cohere.log.slice(before).filter((e) => /text /.test(JSON.stringify(e.body)));
    return [...same(r.data.length, 200, "vectors"), ...same(asked.length, 3, "requests")];
  });
  return cells;
}
