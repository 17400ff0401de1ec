#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Writes sigv4.json: requests and the header lines AWS's own signer makes of them.
//
//     npm install --prefix build/aws @smithy/signature-v4@5.7.5 @aws-crypto/sha256-js@5.2.0
//     node tests/data/aws/make-sigv4.mjs build/aws > tests/data/aws/sigv4.json
import { createRequire } from 'node:module';
import path from 'node:path';

const require = createRequire(path.resolve(process.argv[2], 'x.js'));
const { SignatureV4 } = require('@smithy/signature-v4');
const { Sha256 } = require('@aws-crypto/sha256-js');

const KEYS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };
const TOKEN = 'IQoJb3JpZ2luX2VjE//////////wEaDmFwLW5vcnRoZWFzdC0xIkcwRQIhAK+/=='.repeat(12);
const TOKYO = 'bedrock-runtime.ap-northeast-1.amazonaws.com';
const label = (id) => encodeURIComponent(id).replace(/[!'()*]/g, (c) => '%' + c.charCodeAt(0).toString(16).toUpperCase());
const converse = (id, tail = 'converse') => `/model/${label(id)}/${tail}`;
const HI = '{"messages":[{"role":"user","content":[{"text":"hi"}]}]}';

const cases = [
  { name: 'Converse in Tokyo', path: converse('jp.anthropic.claude-haiku-4-5-20251001-v1:0') },
  { name: 'with a session token', path: converse('jp.anthropic.claude-haiku-4-5-20251001-v1:0'), token: 'TOKENEXAMPLE' },
  { name: 'with a long session token', path: converse('anthropic.claude-sonnet-4-6', 'converse-stream'), token: TOKEN },
  { name: 'an inference profile by ARN', path: converse('arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0'), region: 'us-east-1', host: 'bedrock-runtime.us-east-1.amazonaws.com' },
  { name: 'an application profile in China', path: converse('arn:aws-cn:bedrock:cn-north-1:123456789012:application-inference-profile/a1b2c3d4e5f6'), region: 'cn-north-1', host: 'bedrock-runtime.cn-north-1.amazonaws.com.cn' },
  { name: 'a body with its hash sent', path: converse('amazon.nova-2-lite-v1:0'), hash: true },
  { name: 'no body', method: 'GET', path: '/foundation-models', body: '' },
  { name: 'a query, out of order', method: 'GET', path: '/inference-profiles', body: '', query: [['type', 'SYSTEM_DEFINED'], ['nextToken', 'a+/b=='], ['maxResults', '100']] },
  { name: 'one name twice in a query', method: 'GET', path: '/x', body: '', query: [['a', 'z'], ['a', 'b'], ['A', '1']] },
  { name: 'blanks and Unicode in a query', method: 'GET', path: '/x', body: '', query: [['q', 'Grüße, 世界 *~!'], ['empty', '']] },
  { name: 'blanks and Unicode in a path', path: '/model/' + label("odd id (v1)*'世") + '/invoke' },
  { name: 'an empty segment and dots in a path', path: '/a//b/./c/../d/' },
  { name: 'a body in Unicode', path: converse('mistral.mistral-large-2407-v1:0'), body: '{"text":"日本語 👋"}' },
  { name: 'a port', path: converse('x'), host: '127.0.0.1:4566' },
  { name: 'header values with blanks', path: converse('x'), headers: { 'X-Amzn-Bedrock-Trace': '  ENABLED \t  full ', Accept: 'application/vnd.amazon.eventstream' } },
  { name: 'headers that are never signed', path: converse('x'), headers: { 'User-Agent': 'kanmon', Connection: 'close', 'X-Amzn-Trace-Id': 'Root=1', 'Proxy-Thing': 'a', 'Sec-Fetch-Mode': 'cors' } },
  { name: 'another service and the last second of a year', service: 'bedrock-mantle', host: 'bedrock-mantle.us-east-1.api.aws', region: 'us-east-1', path: '/v1/chat/completions', time: '2026-12-31T23:59:59.999Z' },
  { name: 'STS in a form', service: 'sts', host: 'sts.us-east-1.amazonaws.com', region: 'us-east-1', path: '/', body: 'Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fx', type: 'application/x-www-form-urlencoded' },
];

const esc = (s) => encodeURIComponent(s).replace(/[!'()*]/g, (c) => '%' + c.charCodeAt(0).toString(16).toUpperCase());
const out = [];
for (const c of cases) {
  const region = c.region ?? 'ap-northeast-1', service = c.service ?? 'bedrock', host = c.host ?? TOKYO;
  const body = c.body ?? HI, method = c.method ?? 'POST', time = c.time ?? '2026-11-20T00:00:00.000Z';
  const credentials = c.token ? { ...KEYS, sessionToken: c.token } : KEYS;
  const signer = new SignatureV4({ credentials, region, service, sha256: Sha256, applyChecksum: Boolean(c.hash) });
  const sent = { ...(body ? { 'content-type': c.type ?? 'application/json' } : {}), ...(c.headers ?? {}) };
  const query = {};
  for (const [k, v] of c.query ?? []) query[k] = k in query ? [].concat(query[k], v) : v;
  const signed = await signer.sign(
    { method, protocol: 'https:', hostname: host, path: c.path, query, headers: { host, ...sent }, body },
    { signingDate: new Date(time) });
  out.push({
    name: c.name, method, host,
    target: c.path + (c.query ? '?' + c.query.map(([k, v]) => `${esc(k)}=${esc(v)}`).join('&') : ''),
    headers: Object.entries(sent), body, region, service, time_us: Date.parse(time) * 1000,
    akid: KEYS.accessKeyId, secret: KEYS.secretAccessKey, token: c.token ?? '', send_body_hash: Boolean(c.hash),
    authorization: signed.headers.authorization, date: signed.headers['x-amz-date'],
    body_hash: signed.headers['x-amz-content-sha256'] ?? '',
  });
}
process.stdout.write(JSON.stringify(out, null, 1) + '\n');
