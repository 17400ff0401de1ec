// SPDX-License-Identifier: Apache-2.0
// Google's generateContent by Google's own SDK.
import { ApiError, GoogleGenAI } from "@google/genai";

export const title = "Google generateContent";
export const shows = { cached: true, written: false, reasoning: true, signature: true, think: true };

const part = (p) => {
  if (p.document) return { inlineData: { mimeType: "application/pdf", data: p.document.data } };
  if (p.image) return { inlineData: { mimeType: p.image.type, data: p.image.data } };
  if (p.call) return { functionCall: { id: p.call.id, name: p.call.name, args: p.call.input } };
  if (p.result) {
    return { functionResponse: { id: p.result.id, name: p.result.name,
      response: { output: p.result.text } } };
  }
  return { text: p.text };
};

export function request(ask) {
  const c = ask.choice;
  const modes = { required: "ANY", none: "NONE", auto: "AUTO" };
  return {
    contents: ask.turns.map((t) => ({ role: t.role === "assistant" ? "model" : "user",
      parts: t.parts.map(part) })),
    config: {
      ...(ask.system ? { systemInstruction: ask.system } : {}),
      ...(ask.max ? { maxOutputTokens: ask.max } : {}),
      ...(ask.temperature !== undefined ? { temperature: ask.temperature } : {}),
      ...(ask.stop ? { stopSequences: ask.stop } : {}),
      ...(ask.tools ? { tools: [{ functionDeclarations: ask.tools.map((t) => ({ name: t.name,
        description: t.description, parametersJsonSchema: t.schema })) }] } : {}),
      ...(c ? { toolConfig: { functionCallingConfig: c.name ? { mode: "ANY",
        allowedFunctionNames: [c.name] } : { mode: modes[c] } } } : {}),
      ...(ask.effort ? { thinkingConfig: { thinkingBudget: 2048, includeThoughts: true } } : {}),
      ...(ask.schema ? { responseMimeType: "application/json",
        responseJsonSchema: ask.schema.schema } : {}),
    },
  };
}

const FINISH = { STOP: "stop", MAX_TOKENS: "length", SAFETY: "filter", PROHIBITED_CONTENT: "filter",
  OTHER: "stop" };

/* A support's words are those its bytes say, of its part or of all that came. */
function citesOf({ groundingChunks: chunks, groundingSupports: supports } = {}, parts) {
  return (supports ?? []).flatMap(({ segment: s, groundingChunkIndices: at }) => at.map((i) => {
    const text = parts ? parts[s.partIndex ?? 0]?.text ?? "" : s.text;
    const of = parts ? Buffer.from(text).subarray(s.startIndex ?? 0, s.endIndex).toString() : text;
    return { url: chunks[i].web?.uri, title: chunks[i].web?.title, of };
  })).concat((supports ?? []).length ? [] : (chunks ?? []).map(({ web }) => ({ url: web?.uri,
    title: web?.title, of: "" })));
}

function resultOf(parts, finish, u, model) {
  const calls = parts.filter((p) => p.functionCall).map(({ functionCall: f }) => ({
    id: f.id, name: f.name, input: f.args ?? {} }));
  return {
    text: parts.filter((p) => !p.thought).map((p) => p.text ?? "").join(""), refusal: "",
    think: parts.filter((p) => p.thought).map((p) => p.text ?? "").join(""),
    signature: parts.map((p) => p.thoughtSignature ?? "").join(""), calls,
    finish: calls.length && finish === "STOP" ? "tools" : FINISH[finish] ?? finish,
    usage: u && { input: u.promptTokenCount, cached: u.cachedContentTokenCount ?? 0, written: 0,
      output: (u.candidatesTokenCount ?? 0) + (u.thoughtsTokenCount ?? 0),
      reasoning: u.thoughtsTokenCount ?? 0, total: u.totalTokenCount },
    model,
  };
}

const blockOf = (r) => (r.promptFeedback?.blockReason ? "SAFETY" : undefined);

export function errorOf(e) {
  // the oldest SDK has no ApiError: status and body stand in the message
  const [, old, text] = /^got status: (\d+)[^{]*(.*)$/s.exec(e.message) ?? [];
  if (!(e instanceof ApiError) && !old) return { thrown: `${e.constructor.name}: ${e.message}` };
  let body = {};
  try { body = JSON.parse(old ? text : e.message).error ?? {}; } catch { /* text */ }
  const retry = body.details?.find((d) => /RetryInfo/.test(d["@type"]))?.retryDelay;
  return { status: e.status ?? Number(old), type: body.status, class: e.constructor.name, message: e.message,
    retryAfter: retry ? parseFloat(retry) : undefined };
}

export async function call({ url, key, model, ask, stream, back, options, Sdk = GoogleGenAI }) {
  const google = new Sdk({ apiKey: key, httpOptions: { baseUrl: url, timeout: 90000,
    retryOptions: { attempts: 1 } }, ...options });
  const body = { model, ...request(ask) };
  if (back) {
    body.contents.push({ role: "model", parts: back.carry });
    body.contents.push({ role: "user", parts: back.calls.map((c, i) => ({ functionResponse: {
      ...(c.id ? { id: c.id } : {}), name: c.name, response: { output: back.results[i] } } })) });
  }
  let text = "";
  try {
    if (!stream) {
      const r = await google.models.generateContent(body);
      const parts = r.candidates?.[0]?.content?.parts ?? [];
      return { ...resultOf(parts, r.candidates?.[0]?.finishReason ?? blockOf(r), r.usageMetadata,
        r.modelVersion), carry: parts, cites: citesOf(r.candidates?.[0]?.groundingMetadata, parts) };
    }
    const parts = [];
    let finish;
    let usage;
    let version;
    let grounding;
    for await (const r of await google.models.generateContentStream(body)) {
      for (const p of r.candidates?.[0]?.content?.parts ?? []) {
        if (p.text === "" && !p.thoughtSignature) continue;
        parts.push(p);
        if (!p.thought) text += p.text ?? "";
      }
      finish = r.candidates?.[0]?.finishReason ?? blockOf(r) ?? finish;
      usage = r.usageMetadata ?? usage;
      version = r.modelVersion ?? version;
      grounding = r.candidates?.[0]?.groundingMetadata ?? grounding;
    }
    // this SDK takes any end of a stream for its end: who reads it must look for the reason
    if (!finish) return { error: { thrown: "the stream ended without a finishReason" }, text };
    return { ...resultOf(parts, finish, usage, version), carry: parts, cites: citesOf(grounding) };
  } catch (e) {
    return { error: errorOf(e), text };
  }
}
