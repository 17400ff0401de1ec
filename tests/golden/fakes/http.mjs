// SPDX-License-Identifier: Apache-2.0
// What all fakes share: a server on a port of its own, which conversation a request belongs
// to, how answers are written, and the log of what was seen.
//
// A request names its conversation itself: the text of its first user message begins with
// "golden:<row>.<number of the cell>".  The fake looks the row up and plays its answer; a request that names none,
// or that the vendor would refuse, gets the vendor's refusal.
import { createServer } from "node:http";
import { once } from "node:events";
import { rows, scripts } from "../rows.mjs";
import { roundRows } from "../round_rows.mjs";

/* Vectors of the first texts, exact in 32 bits. */
export const VECTORS = [[0.5, -0.25, 0.125], [1, 0, -1]];

export const later = () => new Promise((resolve) => { setImmediate(resolve); });

/* The row a body speaks of, and which turn of it: a body that carries a row's first answer
 * asks for its second. */
export function rowOf(body) {
  const raw = JSON.stringify(body);
  const [, name, cell] = /golden:([a-z0-9-]+)(?:\.(\d+))?/.exec(raw) ?? [];
  const row = [...rows, ...scripts, ...roundRows].find((r) => r.name === name);
  if (!row) return null;
  const second = row.then && raw.includes(row.then.mark);
  return { row, answer: second ? row.then.answer : row.answer, cell, second: Boolean(second) };
}

/* Starts `serve(exchange)` for each request.  The exchange has method, path, query, headers,
 * body (parsed), raw, and answers by json(), bytes() and reset(). */
export async function start(name, serve) {
  const log = [];
  const server = createServer(async (request, response) => {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const raw = Buffer.concat(pieces);
    const url = new URL(request.url, "http://fake");
    const x = {
      name, method: request.method, target: request.url, path: url.pathname,
      query: url.searchParams, headers: request.headers, rawHeaders: request.rawHeaders, raw,
      body: undefined, request, response,
    };
    const entry = { at: Date.now(), method: x.method, path: x.path, headers: x.headers,
      target: x.target };
    log.push(entry);
    x.entry = entry;
    try {
      if (/json/.test(x.headers["content-type"] ?? "") && raw.length) x.body = JSON.parse(raw);
      entry.body = x.body;
      entry.text = x.body === undefined ? "" : raw.toString();
      entry.conversation = x.body === undefined ? null : rowOf(x.body);
      entry.cell = entry.conversation?.cell;
      await serve(x);
    } catch (error) {
      entry.fault = error;
      if (!response.headersSent) {
        response.writeHead(599, { "content-type": "text/plain" });
        response.end(`the fake ${name} failed: ${error.stack}`);
      } else {
        response.destroy();
      }
    }
  });
  server.keepAliveTimeout = 60000;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  return {
    name, log, port, url: `http://127.0.0.1:${port}`, host: `127.0.0.1:${port}`,
    stop: () => { server.closeAllConnections(); server.close(); },
  };
}

export function json(x, status, value, headers = {}) {
  x.entry.status = status;
  x.response.writeHead(status, { "content-type": "application/json", ...headers });
  x.response.end(JSON.stringify(value));
}

/* A stream: `pieces` are its events in bytes.  Rows may want them cut at odd places (`cut`
 * bytes each), ended early without a word (`eof` after so many pieces), or the connection
 * broken there (`reset`). */
export async function stream(x, type, pieces, { cut = 0, eof = 0, reset = 0, headers = {} } = {}) {
  x.entry.status = 200;
  x.response.socket.setNoDelay(true);
  x.response.writeHead(200, { "content-type": type, "cache-control": "no-cache", ...headers });
  let bytes = pieces.map((p) => Buffer.from(p));
  if (eof || reset) bytes = bytes.slice(0, eof || reset);
  if (cut) {
    const all = Buffer.concat(bytes);
    bytes = [];
    for (let i = 0; i < all.length; i += cut) bytes.push(all.subarray(i, i + cut));
  }
  const endless = x.entry.conversation?.answer.broken === "endless";
  if (endless) {
    bytes = bytes.slice(0, -3);
    x.response.on("close", () => { x.entry.left = true; });
  }
  for (const piece of bytes) {
    if (x.response.destroyed) return;
    if (!x.response.write(piece)) await Promise.race([once(x.response, "drain"),
      once(x.response, "close")]);
    await later();
  }
  if (endless) return; // until the other end leaves
  if (reset) {
    await later();
    x.response.socket.resetAndDestroy();
    return;
  }
  x.response.end();
}

/* What is no vendor's doing: true when it was answered here.  `nothing` is the type of streams. */
export function disturbed(x, answer, streaming, type) {
  const raw = answer.fault?.raw;
  if (raw) {
    x.entry.status = raw.status;
    x.response.writeHead(raw.status, { "content-type": raw.type });
    x.response.end(raw.body);
    return true;
  }
  if (answer.broken === "half") {
    const text = "{\"id\":\"golden\",\"model\":\"m\",\"choices\":[{\"index\":0,";
    x.response.writeHead(200, { "content-type": "application/json", "content-length": text.length * 2 });
    x.response.write(text);
    setImmediate(() => x.response.destroy());
    return true;
  }
  if (answer.broken === "nonsense") {
    x.response.writeHead(200, { "content-type": streaming ? type : "application/json" });
    x.response.end(streaming ? "<html>It works!</html>\r\n\r\n\n" : "<html>It works!</html>");
    return true;
  }
  return false;
}

/* How many of `events` go out before a stream breaks, and what is sent instead of the rest. */
export const brokenAt = (answer, events, at, error) => {
  if (answer.broken === "first") return [error];
  return answer.broken === "error" ? [...events.slice(0, at), error] : events;
};

/* JSON with every character beyond ASCII escaped, as some vendors write it. */
export const ascii = (value) => JSON.stringify(value).replace(/[\u0080-\uffff]/g,
  (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);

export const sse = (value, event) =>
  `${event ? `event: ${event}\n` : ""}data: ${typeof value === "string" ? value : value}\n\n`;
