// SPDX-License-Identifier: Apache-2.0
// A Realtime API of its own, made with npm's ws from the types the openai package publishes:
// strict, it refuses events and members it does not know, like the real one.
//
//     wss path   /v1/realtime?model=   /openai/v1/realtime?model=   /openai/realtime?api-version=&deployment=
//     GET /log   what every session was: path, headers, digests of all text both ways, events
//
// The model's name scripts it: rt-401, rt-429, rt-500 refuse the handshake, rt-wrong answers it
// badly, rt-mute answers no pings.  response.metadata scripts an answer: usage (JSON), behave: hang | close | burst | write (words).
// Deleting the item `die` kills the connection.
import crypto from 'node:crypto';
import http from 'node:http';
import { WebSocketServer } from 'ws';

const EVENTS = {
  'session.update': ['session'],
  'response.create': ['response'],
  'response.cancel': ['response_id'],
  'conversation.item.create': ['previous_item_id', 'item'],
  'conversation.item.delete': ['item_id'],
  'input_audio_buffer.append': ['audio'],
  'input_audio_buffer.commit': [],
  'input_audio_buffer.clear': [],
};
const GA_SESSION = ['type', 'model', 'instructions', 'output_modalities', 'audio', 'tools', 'tool_choice',
  'max_output_tokens', 'truncation', 'tracing', 'include', 'prompt'];
const BETA_SESSION = ['model', 'instructions', 'modalities', 'voice', 'input_audio_format', 'output_audio_format',
  'input_audio_transcription', 'turn_detection', 'tools', 'tool_choice', 'temperature', 'max_response_output_tokens'];
const RESPONSE = ['conversation', 'metadata', 'instructions', 'output_modalities', 'modalities', 'max_output_tokens',
  'input', 'tools', 'tool_choice', 'audio'];
const USAGE = {
  total_tokens: 253, input_tokens: 132, output_tokens: 121,
  input_token_details: {
    text_tokens: 119, audio_tokens: 13, image_tokens: 0, cached_tokens: 64,
    cached_tokens_details: { text_tokens: 60, audio_tokens: 4, image_tokens: 0 },
  },
  output_token_details: { text_tokens: 30, audio_tokens: 91 },
};

const sessions = [];
const id = (kind) => `${kind}_${crypto.randomBytes(8).toString('hex')}`;

class Session {
  constructor(socket, request, model) {
    Object.assign(this, { socket, beta: request.headers['openai-beta'] === 'realtime=v1', running: new Map() });
    this.log = {
      path: request.url, headers: request.headers, events: [], in: 0, out: 0, closed: null, pings: 0,
      heard: crypto.createHash('sha256'), said: crypto.createHash('sha256'),
    };
    sessions.push(this.log);
    this.session = this.beta
      ? { id: id('sess'), object: 'realtime.session', model, modalities: ['text', 'audio'], max_response_output_tokens: 'inf' }
      : { type: 'realtime', id: id('sess'), object: 'realtime.session', model, output_modalities: ['audio'], max_output_tokens: 'inf' };
    socket.on('message', (data, binary) => this.hear(data, binary));
    socket.on('close', (code, reason) => { this.log.closed = [code, reason.toString()]; });
    socket.on('ping', () => { this.log.pings += 1; });
    socket.on('error', (err) => { this.log.error = err.message; });
    this.say({ type: 'session.created', session: this.session });
  }

  say(event) {
    const text = JSON.stringify({ event_id: id('event'), ...event });
    this.log.out += 1;
    if (!event.type.startsWith('session.')) this.log.said.update(text);
    this.socket.send(text);
  }

  refuse(message, event, param = null) {
    this.say({ type: 'error', error: { type: 'invalid_request_error', code: 'unknown_parameter', message, param, event_id: event?.event_id ?? null } });
  }

  known(object, names, where, event) {
    const bad = Object.keys(object).find((k) => !names.includes(k));
    if (bad) this.refuse(`Unknown parameter: '${where}${bad}'.`, event, `${where}${bad}`);
    return !bad;
  }

  hear(data, binary) {
    const text = data.toString();
    this.log.in += 1;
    this.log.heard.update(text);
    if (binary) return this.socket.close(1003, 'text only');
    const event = JSON.parse(text);
    this.log.events.push(event.type);
    const members = EVENTS[event.type];
    if (!members) return this.refuse(`Invalid value: '${event.type}'.`, event, 'type');
    if (!this.known(event, ['type', 'event_id', ...members], '', event)) return undefined;
    return this[event.type.replaceAll('.', '_')](event);
  }

  session_update(event) {
    const names = this.beta ? BETA_SESSION : GA_SESSION;
    if (!this.known(event.session, names, 'session.', event)) return;
    if (event.session.model && event.session.model !== this.session.model) {
      this.refuse('Cannot change the model.', event, 'session.model');
      return;
    }
    Object.assign(this.session, event.session);
    this.say({ type: 'session.updated', session: this.session });
  }

  conversation_item_create(event) {
    const item = { id: id('item'), object: 'realtime.item', status: 'completed', ...event.item };
    if (this.beta) this.say({ type: 'conversation.item.created', previous_item_id: null, item });
    else this.say({ type: 'conversation.item.added', previous_item_id: null, item });
  }

  conversation_item_delete(event) {
    if (event.item_id === 'die') {
      this.socket.terminate();
      return;
    }
    this.say({ type: 'conversation.item.deleted', item_id: event.item_id });
  }

  input_audio_buffer_append(event) {
    this.audio = (this.audio ?? '') + event.audio;
    // What a voice does: an answer nobody asked for.
    if (event.audio === 'VkFE') this.begin({ metadata: { behave: 'vad' } });
  }

  input_audio_buffer_clear() {
    this.audio = '';
    this.say({ type: 'input_audio_buffer.cleared' });
  }

  input_audio_buffer_commit() {
    const item = id('item');
    const how = this.session.audio?.input?.transcription ?? this.session.input_audio_transcription;
    this.say({ type: 'input_audio_buffer.committed', previous_item_id: null, item_id: item });
    if (!how) return;
    const usage = how.model === 'whisper-1' ? { type: 'duration', seconds: 2.48 }
      : { type: 'tokens', total_tokens: 26, input_tokens: 17, output_tokens: 9, input_token_details: { text_tokens: 3, audio_tokens: 14 } };
    this.say({ type: 'conversation.item.input_audio_transcription.completed', item_id: item, content_index: 0, transcript: 'hello', usage });
  }

  response_create(event) {
    const response = event.response ?? {};
    if (this.known(response, RESPONSE, 'response.', event)) this.begin(response);
  }

  begin(asked) {
    const { usage, behave } = asked.metadata ?? {};
    const response = { object: 'realtime.response', id: id('resp'), status: 'in_progress', output: [], usage: null, metadata: asked.metadata ?? null };
    const audio = this.beta ? 'response.audio.delta' : 'response.output_audio.delta';
    this.running.set(response.id, { response, usage: usage ? JSON.parse(usage) : USAGE });
    this.say({ type: 'response.created', response });
    this.say({ type: audio, response_id: response.id, item_id: 'item_1', output_index: 0, content_index: 0, delta: 'UklGRg=='.repeat(800) });
    if (behave === 'close') this.socket.close(4321, 'upstream says so');
    else if (behave === 'burst') this.burst(response.id);
    else if (behave === 'write') this.write(response.id, Number(asked.metadata.words));
    else if (behave !== 'hang') this.done(response.id, 'completed');
  }

  // Much, and only as fast as it is taken.
  burst(responseId, left = 400) {
    if (left === 0) return this.done(responseId, 'completed');
    const text = JSON.stringify({ type: 'response.output_audio.delta', event_id: id('event'), response_id: responseId, delta: 'A'.repeat(65536) });
    this.log.out += 1;
    this.log.said.update(text);
    return this.socket.send(text, () => this.burst(responseId, left - 1));
  }

  // So many words, a token each, as fast as they are taken; it stops when it is told to.
  write(responseId, left) {
    if (!this.running.has(responseId)) return undefined;
    if (left === 0) return this.done(responseId, 'completed');
    const text = JSON.stringify({ type: 'response.output_text.delta', event_id: id('event'), response_id: responseId, delta: 'word ' });
    this.log.out += 1;
    this.log.said.update(text);
    return this.socket.send(text, () => setImmediate(() => this.write(responseId, left - 1)));
  }

  done(responseId, status) {
    const { response, usage } = this.running.get(responseId);
    this.running.delete(responseId);
    this.say({ type: 'response.done', response: { ...response, status, usage } });
    this.say({ type: 'rate_limits.updated', rate_limits: [{ name: 'requests', limit: 1000, remaining: 999, reset_seconds: 60 }] });
  }

  response_cancel(event) {
    const which = event.response_id ?? [...this.running.keys()][0];
    if (this.running.has(which)) this.done(which, 'cancelled');
    else this.refuse('Cancellation failed: no active response found', event);
  }
}

const server = http.createServer((request, response) => {
  const log = sessions.map((s) => ({ ...s, heard: s.heard.copy().digest('hex'), said: s.said.copy().digest('hex') }));
  response.end(JSON.stringify(log));
});
const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: 32 << 20 });
const mute = new WebSocketServer({ noServer: true, perMessageDeflate: false, autoPong: false });

function refuse(socket, status, body, more = '') {
  const text = JSON.stringify(body);
  socket.end(`HTTP/1.1 ${status} No\r\nContent-Type: application/json\r\n${more}Content-Length: ${text.length}\r\n\r\n${text}`);
}

server.on('upgrade', (request, socket, head) => {
  const url = new URL(request.url, 'http://upstream');
  const classic = url.pathname === '/openai/realtime' && url.searchParams.get('api-version');
  const model = url.searchParams.get(classic ? 'deployment' : 'model');
  const key = request.headers.authorization?.replace('Bearer ', '') ?? request.headers['api-key'];
  const error = (message, code) => ({ error: { message, type: 'invalid_request_error', param: null, code } });
  if (!classic && !/^\/(openai\/)?v1\/realtime$/.test(url.pathname)) return refuse(socket, 404, error('no such path', 'not_found'));
  if (!['sk-upstream', 'az-upstream'].includes(key) || model === 'rt-401') return refuse(socket, 401, error('Incorrect API key provided', 'invalid_api_key'));
  if (model === 'rt-429') return refuse(socket, 429, error('Rate limit reached', 'rate_limit_exceeded'), 'Retry-After: 7\r\n');
  if (model === 'rt-500') return refuse(socket, 500, error('The server had an error', null));
  if (model === 'rt-wrong') {
    return socket.end('HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: wrong\r\n\r\n');
  }
  return (model === 'rt-mute' ? mute : sockets).handleUpgrade(request, socket, head, (ws) => new Session(ws, request, model));
});

server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.on('end', () => process.exit(0)).resume();
