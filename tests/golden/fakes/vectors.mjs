// SPDX-License-Identifier: Apache-2.0
// Cohere, Jina and Voyage: embeddings and ranking, made after the types of cohere-ai and voyageai
// and Jina's published schema.  A member they do not know is refused, as is every format that is
// OpenAI's alone.  Documents are ranked by how many letters they share with the query.
import { start, json, VECTORS } from "./http.mjs";
import { Bad, any, bool, either, int, list, nullable, obj, oneOf, str, word } from "./shape.mjs";

export const KEY = "sk-vectors-upstream";

/* [index, score], best first; exact in binary. */
export function ranked(query, documents, most) {
  const letters = new Set(query);
  const score = (d) => [...new Set(d)].filter((c) => letters.has(c)).length / 64;
  return documents.map((d, i) => [i, score(d)]).sort((a, b) => b[1] - a[1]).slice(0, most);
}

const vectors = (n) => Array.from({ length: n }, (_, i) => VECTORS[i % VECTORS.length]);

const cohere = {
  "/v2/embed": [obj({ "model!": str, "input_type!": word("search_document", "search_query",
    "classification", "clustering", "image"), texts: list(str, { most: 96 }), images: list(str),
  inputs: list(any), max_tokens: int, output_dimension: int, priority: int,
  embedding_types: list(word("float", "int8", "uint8", "binary", "ubinary", "base64")),
  truncate: word("NONE", "START", "END") }), (b) => ({ id: "golden", texts: b.texts,
    response_type: "embeddings_by_type", embeddings: { float: vectors(b.texts.length) },
    meta: { api_version: { version: "2" }, billed_units: { input_tokens: 8 } } })],
  "/v2/rerank": [obj({ "model!": str, "query!": str, "documents!": list(str), top_n: int,
    max_tokens_per_doc: int, priority: int }), (b) => ({ id: "golden",
    results: ranked(b.query, b.documents, b.top_n).map(([index, relevance_score]) =>
      ({ index, relevance_score })),
    meta: { api_version: { version: "2" }, billed_units: { search_units: 1 } } })],
};

const jina = {
  "/v1/embeddings": [obj({ "model!": str, "input!": list(oneOf(str, obj({ text: str, image: str }))),
    task: str, dimensions: int, normalized: bool, late_chunking: bool, truncate: bool,
    embedding_type: either(str, list(str)), return_multivector: bool }), (b) => ({ model: b.model,
    object: "list", usage: { total_tokens: 8, prompt_tokens: 8 },
    data: vectors(b.input.length).map((embedding, index) => ({ object: "embedding", index,
      embedding })) })],
  "/v1/rerank": [obj({ "model!": str, "query!": str, "documents!": list(oneOf(str,
    obj({ text: str }))), top_n: int, return_documents: bool, truncate: bool }), (b) => ({
    model: b.model, object: "list", usage: { total_tokens: 19, prompt_tokens: 19 },
    results: ranked(b.query, b.documents.map((d) => d.text ?? d), b.top_n)
      .map(([index, relevance_score]) => ({ index, relevance_score, ...(b.return_documents === false
        ? {} : { document: { text: b.documents[index].text ?? b.documents[index] } }) })) })],
};

const voyage = {
  "/v1/embeddings": [obj({ "model!": str, "input!": either(str, list(str, { least: 1, most: 1000 })),
    input_type: nullable(word("query", "document")), truncation: bool,
    output_dimension: nullable(int), output_dtype: word("float", "int8", "uint8", "binary", "ubinary"),
    encoding_format: nullable(word("base64")) }), (b) => ({ object: "list", model: b.model,
    usage: { total_tokens: 8 }, data: vectors([b.input].flat().length).map((embedding, index) =>
      ({ object: "embedding", index, embedding })) })],
  "/v1/rerank": [obj({ "model!": str, "query!": str, "documents!": list(str, { most: 1000 }),
    top_k: nullable(int), return_documents: bool, truncation: bool }), (b) => ({ object: "list",
    model: b.model, usage: { total_tokens: 19 },
    data: ranked(b.query, b.documents, b.top_k ?? undefined).map(([index, relevance_score]) =>
      ({ index, relevance_score, ...(b.return_documents ? { document: b.documents[index] } : {}) })) })],
};

/* Each vendor writes its errors in its own way. */
const vendor = (name, paths, error) => () => start(name, async (x) => {
  const [shape, answer] = paths[x.path] ?? [];
  if (x.headers.authorization !== `Bearer ${KEY}`) return json(x, 401, error("no such key"));
  if (!shape || x.method !== "POST") return json(x, 404, error("Not Found"));
  try {
    shape(x.body, "");
  } catch (e) {
    if (!(e instanceof Bad)) throw e;
    x.entry.refused = e.message;
    return json(x, 400, error(e.message));
  }
  return json(x, 200, answer(x.body));
});

export const cohereFake = vendor("cohere", cohere, (message) => ({ id: "golden", message }));
export const jinaFake = vendor("jina", jina, (detail) => ({ detail }));
export const voyageFake = vendor("voyage", voyage, (detail) => ({ detail }));
