// SPDX-License-Identifier: Apache-2.0
// OpenAI's own Realtime clients for Node, oldest and newest, Azure's, and plain ws, against the
// gateway of the environment: KANMON_URL (https), KANMON_KEY.  test_realtime_sdk.py starts it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WebSocket } from 'ws';

const url = process.env.KANMON_URL;
const key = process.env.KANMON_KEY;
const limit = { timeout: 60000 };
const options = { ca: process.env.KANMON_CA, rejectUnauthorized: false };

// One answer over an SDK's client: what came, until response.done, and the close.
function converse(rt, update) {
  return new Promise((resolve, reject) => {
    const seen = [];
    rt.on('error', reject);
    rt.on('event', (event) => {
      seen.push(event.type);
      if (event.type === 'session.created') rt.send({ type: 'session.update', session: update });
      if (event.type === 'session.updated') rt.send({ type: 'response.create' });
      if (event.type === 'response.done') {
        rt.socket.on('close', (code) => resolve({ seen, done: event, code }));
        rt.close({ code: 1000, reason: 'OK' });
      }
    });
  });
}

function check({ seen, done, code }, delta) {
  assert.equal(done.response.usage.total_tokens, 253);
  assert.ok(seen.includes(delta), seen.join());
  assert.equal(code, 1000);
}

const GA = { type: 'realtime', instructions: 'Be brief.' };
const BETA = { instructions: 'Be brief.', modalities: ['text'] };

test('openai, newest', limit, async () => {
  const { default: OpenAI } = await import('openai-newest');
  const { OpenAIRealtimeWS } = await import('openai-newest/realtime/ws');
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key });
  check(await converse(new OpenAIRealtimeWS({ model: 'voice', options }, client), GA), 'response.output_audio.delta');
});

test('openai, oldest: the beta', limit, async () => {
  const { default: OpenAI } = await import('openai-oldest');
  const { OpenAIRealtimeWS } = await import('openai-oldest/beta/realtime/ws');
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key });
  check(await converse(new OpenAIRealtimeWS({ model: 'voice', options }, client), BETA), 'response.audio.delta');
});

test('openai, oldest: a browser', limit, async () => {
  const { default: OpenAI } = await import('openai-oldest');
  const { OpenAIRealtimeWebSocket } = await import('openai-oldest/beta/realtime/websocket');
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, dangerouslyAllowBrowser: true });
  const rt = new OpenAIRealtimeWebSocket({ model: 'voice', dangerouslyAllowBrowser: true }, client);
  rt.socket.on = (name, fn) => rt.socket.addEventListener(name, (e) => fn(e.code));
  check(await converse(rt, BETA), 'response.audio.delta');
});

test('azure, newest: v1', limit, async () => {
  const { AzureOpenAI } = await import('openai-newest');
  const { OpenAIRealtimeWS } = await import('openai-newest/realtime/ws');
  const client = new AzureOpenAI({ endpoint: url, apiKey: key, apiVersion: '2025-04-01-preview', deployment: 'v1' });
  const rt = await OpenAIRealtimeWS.azure(client, { deploymentName: 'v1', options });
  check(await converse(rt, GA), 'response.output_audio.delta');
});

test('azure, oldest: classic', limit, async () => {
  const { AzureOpenAI } = await import('openai-oldest');
  const { OpenAIRealtimeWS } = await import('openai-oldest/beta/realtime/ws');
  const client = new AzureOpenAI({ endpoint: url, apiKey: key, apiVersion: '2025-04-01-preview', deployment: 'classic' });
  const rt = await OpenAIRealtimeWS.azure(client, { deploymentName: 'classic' });
  check(await converse(rt, BETA), 'response.audio.delta');
});

test('ws: pings, pongs and the close are the protocol\'s', limit, async () => {
  const ws = new WebSocket(`${url.replace('https', 'wss')}/v1/realtime?model=voice`, ['realtime'],
    { ...options, headers: { authorization: `Bearer ${key}` } });
  await new Promise((resolve, reject) => { ws.once('message', resolve); ws.once('error', reject); });
  assert.equal(ws.protocol, 'realtime');
  assert.equal(ws.extensions, '');
  const pong = new Promise((resolve) => { ws.once('pong', resolve); });
  ws.ping('are you there');
  assert.equal((await pong).toString(), 'are you there');
  const closed = new Promise((resolve) => { ws.once('close', (code, reason) => resolve([code, reason.toString()])); });
  ws.close(4000, 'bye');
  assert.equal((await closed)[0], 4000);
});
