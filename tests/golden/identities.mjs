// SPDX-License-Identifier: Apache-2.0
// Who the gateway is to a vendor: AWS credentials from every source, Google's and Microsoft's
// tokens, a wrong clock, and another region when one is throttled.  The stand-ins are first
// proved by the vendors' own providers of credentials.
import { fromContainerMetadata, fromInstanceMetadata, fromTemporaryCredentials, fromWebToken }
  from "@aws-sdk/credential-providers";
import jws from "jws"; // what google-auth-library signs with
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as chat from "./callers/chat.mjs";
import { newCell, PROFILE, whyPending } from "./cells.mjs";
import { BEARER, ECS_TOKEN, keys, ROLE, WEB_TOKEN } from "./fakes/aws.mjs";
import { bedrock } from "./fakes/bedrock.mjs";
import { CLIENT, entraToken, TENANT } from "./fakes/entra.mjs";
import { accountToken, metadataToken } from "./fakes/google.mjs";
import { LOCATION, PROJECT } from "./fakes/gemini.mjs";
import { KEY as OPENAI } from "./fakes/openai.mjs";
import { Gateway } from "./gateway.mjs";
import { rows } from "./rows.mjs";

const [STATIC, SESSION, AS_ROLE, AS_WEB, AS_IMDS, AS_ECS] = Object.keys(keys);
const EAST = "us-east-1";
const TOKYO = "ap-northeast-1";
const plain = rows.find((r) => r.name === "plain");

const same = (found, wanted, what) => (found === wanted ? [] : [`${what}: ${found} instead of ${wanted}`]);

/* Variables for the whole of a test, for SDKs that read nothing else. */
async function withEnv(env, run) {
  const before = { ...process.env };
  Object.assign(process.env, env);
  try {
    return await run();
  } finally {
    for (const name of Object.keys(env))
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
  }
}

/* The stand-ins, by the vendors' own clients. */
export const standIns = (f) => [
  { name: "fake sts AssumeRole", run: async () => same((await fromTemporaryCredentials({
    masterCredentials: { accessKeyId: STATIC, secretAccessKey: keys[STATIC].secret },
    params: { RoleArn: ROLE, RoleSessionName: "golden", ExternalId: "golden-id" },
    clientConfig: { endpoint: f.sts.url, region: EAST } })()).accessKeyId, AS_ROLE, "key") },
  { name: "fake sts web identity", run: async () => same((await fromWebToken({
    roleArn: ROLE, roleSessionName: "golden", webIdentityToken: WEB_TOKEN,
    clientConfig: { endpoint: f.sts.url, region: EAST } })()).accessKeyId, AS_WEB, "key") },
  { name: "fake imds", alone: true, run: () => withEnv({
    AWS_EC2_METADATA_SERVICE_ENDPOINT: f.imds.url }, async () =>
    same((await fromInstanceMetadata()()).accessKeyId, AS_IMDS, "key")) },
  { name: "fake container", alone: true, run: () => withEnv({
    AWS_CONTAINER_CREDENTIALS_FULL_URI: `${f.container.url}/v1/credentials`,
    AWS_CONTAINER_AUTHORIZATION_TOKEN: ECS_TOKEN }, async () =>
    same((await fromContainerMetadata()()).accessKeyId, AS_ECS, "key")) },
  { name: "fake google oauth", run: async () => {
    const { client_email: iss, private_key: secret, private_key_id: kid, token_uri: aud } =
      JSON.parse(f.account);
    const iat = Math.floor(Date.now() / 1000);
    const assertion = jws.sign({ header: { alg: "RS256", kid }, secret, payload: { iss, aud, iat,
      exp: iat + 3600, scope: "https://www.googleapis.com/auth/cloud-platform" } });
    const answer = await fetch(aud, { method: "POST", body: new URLSearchParams({
      grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion }) });
    return same((await answer.json()).access_token, accountToken, `token (${answer.status})`);
  } },
];

/* One call through a gateway; what its fake saw must satisfy `look`. */
async function ask(gateway, model, fake, look, row = plain) {
  const at = newCell();
  const turns = structuredClone(row.ask.turns);
  turns[0].parts[0].text = turns[0].parts[0].text.replace(/golden:[a-z-]+/, `$&.${at}`);
  const got = await chat.call({ url: gateway.url, key: gateway.key, model, ask: { turns, max: 64 },
    stream: true });
  const entries = (Array.isArray(fake) ? fake : [fake]).flatMap((one) => one.log)
    .filter((e) => e.cell === at);
  if (got.error) {
    return [`${JSON.stringify(got.error)} (the vendor: ${entries.map((e) => e.refused).join("; ") ||
      "not asked"})`];
  }
  return [...same(got.text, "Hello there!", "text"), ...look(entries)];
}

const by = (id, region) => (entries) => [
  ...same(entries.at(-1)?.signedBy, id, "signed by"),
  ...(region ? same(entries.at(-1)?.region, region, "region") : [])];

const AWS = (f) => ({ model: `bedrock/converse/${PROFILE}`, aws_bedrock_runtime_endpoint: f.bedrock.url,
  aws_region_name: EAST });
const statics = { aws_access_key_id: STATIC, aws_secret_access_key: keys[STATIC].secret };

/* Sources a deployment names: all in one gateway. */
function named(f, folder) {
  mkdirSync(folder, { recursive: true });
  const file = (name, text, mode) => {
    const path = join(folder, name);
    writeFileSync(path, text, { mode });
    return path;
  };
  const token = file("web-token", WEB_TOKEN);
  const account = file("account.json", f.account);
  const said = JSON.stringify({ Version: 1, AccessKeyId: SESSION, SecretAccessKey: keys[SESSION].secret,
    SessionToken: keys[SESSION].token, Expiration: new Date(Date.now() + 3600000).toISOString() });
  const process = file("process.sh", `#!/bin/sh\necho '${said}'\n`, 0o755);
  const env = {
    AWS_SHARED_CREDENTIALS_FILE: file("credentials", `[base]
aws_access_key_id = ${STATIC}
aws_secret_access_key = ${keys[STATIC].secret}

[session]
aws_access_key_id=${SESSION}
aws_secret_access_key=${keys[SESSION].secret}
aws_session_token=${keys[SESSION].token}
`), AWS_CONFIG_FILE: file("config", `[profile base]
region = ${TOKYO}

[profile role]
role_arn = ${ROLE}
source_profile = base
external_id = golden-id
region = ${EAST}

[profile web]
role_arn = ${ROLE}
web_identity_token_file = ${token}

[profile process]
credential_process = ${process}
`), AWS_ENDPOINT_URL_STS: f.sts.url,
  };
  const b = AWS(f);
  const { aws_region_name: _, ...nowhere } = b;
  const arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/g0ld3n";
  const vertex = { model: "vertex_ai/gemini-2.5-flash", api_base: f.vertex.url,
    vertex_project: PROJECT, vertex_location: LOCATION };
  const azure = { model: "azure/gpt-golden", api_base: f.azure.url };
  const v = f.vertex;
  const bearer = (wanted) => (entries) => same(entries.at(-1)?.headers.authorization, `Bearer ${wanted}`,
    "authorization");
  const list = [
    ["bedrock", "session", { ...b, aws_access_key_id: SESSION, aws_session_token: keys[SESSION].token,
      aws_secret_access_key: keys[SESSION].secret }, f.bedrock, by(SESSION, EAST)],
    ["bedrock", "role", { ...b, ...statics, aws_role_name: ROLE, aws_session_name: "golden",
      aws_external_id: "golden-id", aws_sts_endpoint: f.sts.url }, f.bedrock, by(AS_ROLE, EAST)],
    ["bedrock", "web-identity", { ...b, aws_web_identity_token: token, aws_role_name: ROLE,
      aws_session_name: "golden", aws_sts_endpoint: f.sts.url }, f.bedrock, by(AS_WEB, EAST)],
    ["bedrock", "profile", { ...nowhere, aws_profile_name: "base" }, f.bedrock, by(STATIC, TOKYO)],
    ["bedrock", "profile-session", { ...b, aws_profile_name: "session" }, f.bedrock, by(SESSION)],
    ["bedrock", "profile-role", { ...b, aws_profile_name: "role" }, f.bedrock, by(AS_ROLE)],
    ["bedrock", "profile-web", { ...b, aws_profile_name: "web" }, f.bedrock, by(AS_WEB)],
    ["bedrock", "profile-process", { ...b, aws_profile_name: "process" }, f.bedrock, by(SESSION)],
    ["bedrock", "key", { ...b, api_key: BEARER }, f.bedrock, bearer(BEARER)],
    ["bedrock", "arn", { ...b, ...statics, model: `bedrock/converse/${arn}` }, f.bedrock, (entries) =>
      same(entries.at(-1)?.model, arn, "model")],
    ["bedrock", "region-in-model", { ...nowhere, ...statics, model: `bedrock/${TOKYO}/${PROFILE}` },
      f.bedrock, by(STATIC, TOKYO)],
    ["bedrock", "plain-model", { ...b, ...statics, model: "bedrock/us.anthropic.claude-sonnet-4-6" },
      f.bedrock, (entries) => [...same(entries.at(-1)?.model, "us.anthropic.claude-sonnet-4-6", "model"),
        ...same(/converse-stream$/.test(entries.at(-1)?.path), true, "Converse")]],
    ["bedrock", "wrong-clock", { ...b, ...statics, aws_bedrock_runtime_endpoint: f.ahead.url }, f.ahead,
      (entries) => [...same(entries.length <= 2, true, "at most two attempts"), ...by(STATIC)(entries)]],
    ["vertex-gemini", "account-file", { ...vertex, vertex_credentials: account }, v, bearer(accountToken)],
    ["vertex-gemini", "account-json", { ...vertex, vertex_credentials: f.account }, v,
      bearer(accountToken)],
    ["azure", "v1", { ...azure, api_base: `${f.azure.url}/openai/v1`, api_key: OPENAI }, f.azure,
      (entries) => same(entries.at(-1)?.path, "/openai/v1/chat/completions", "path")],
    ["azure", "classic", { ...azure, api_key: OPENAI, api_version: "2024-10-21" }, f.azure,
      (entries) => same(entries.at(-1)?.path, "/openai/deployments/gpt-golden/chat/completions",
        "path")],
    ["azure", "ad-token", { ...azure, api_version: "2024-10-21", azure_ad_token: entraToken }, f.azure,
      bearer(entraToken)],
    ["azure", "entra", { ...azure, api_version: "2024-10-21", tenant_id: TENANT, client_id: CLIENT.id,
      client_secret: CLIENT.secret }, f.azure, bearer(entraToken)],
  ];
  return { env: { ...env, AZURE_AUTHORITY_HOST: f.entra.url }, list };
}

/* Sources of the environment: a gateway each. */
const ofEnvironment = (f, folder) => [
  ["bedrock", "environment", { AWS_ACCESS_KEY_ID: STATIC, AWS_SECRET_ACCESS_KEY: keys[STATIC].secret },
    by(STATIC, EAST)],
  ["bedrock", "environment-session", { AWS_ACCESS_KEY_ID: SESSION, AWS_REGION: TOKYO,
    AWS_SECRET_ACCESS_KEY: keys[SESSION].secret, AWS_SESSION_TOKEN: keys[SESSION].token }, by(SESSION)],
  ["bedrock", "environment-web", { AWS_WEB_IDENTITY_TOKEN_FILE: join(folder, "web-token"),
    AWS_ROLE_ARN: ROLE, AWS_ENDPOINT_URL_STS: f.sts.url }, by(AS_WEB, EAST)],
  ["bedrock", "container", { AWS_CONTAINER_CREDENTIALS_FULL_URI: `${f.container.url}/v1/credentials`,
    AWS_CONTAINER_AUTHORIZATION_TOKEN: ECS_TOKEN }, by(AS_ECS, EAST)],
  ["bedrock", "imds", { AWS_EC2_METADATA_SERVICE_ENDPOINT: f.imds.url }, by(AS_IMDS, EAST)],
  ["bedrock", "key-of-environment", { AWS_BEARER_TOKEN_BEDROCK: BEARER }, (entries) =>
    same(entries.at(-1)?.headers.authorization, `Bearer ${BEARER}`, "authorization")],
  ["vertex-gemini", "metadata", { GCE_METADATA_HOST: f.metadata.host }, (entries) =>
    same(entries.at(-1)?.headers.authorization, `Bearer ${metadataToken}`, "authorization")],
  ["vertex-gemini", "application-default", { GOOGLE_APPLICATION_CREDENTIALS:
    join(folder, "account.json") }, (entries) => same(entries.at(-1)?.headers.authorization,
    `Bearer ${accountToken}`, "authorization")],
];

/* { cells, stop }: each cell { name, group, pending, run }. */
export async function identityCells(binary, f) {
  const fakes = { ...f, ahead: await bedrock({ ahead: 600000 }),
    throttled: await bedrock({ throttled: [EAST] }) };
  const gateway = new Gateway(binary, fakes, {}, []);
  const folder = join(gateway.folder, "identities");
  const { env, list } = named(fakes, folder);
  const entry = (model_name, litellm_params) => ({ model_name, litellm_params });
  const b = { ...AWS(fakes), ...statics, aws_bedrock_runtime_endpoint: fakes.throttled.url };
  const models = [...list.map(([, name, params]) => entry(name, params)),
    entry("two-regions", { ...b, order: 1 }), entry("two-regions", { ...b, aws_region_name: TOKYO,
      order: 2 })];
  let starting;
  const started = () => (starting ??= gateway.start({ env, models, retries: 2 }));
  const cells = list.map(([provider, name, , fake, look]) => ({ group: "identities",
    name: `identity ${provider} ${name}`, pending: whyPending("chat", provider),
    run: async () => { await started(); return ask(gateway, name, fake, look); } }));
  cells.push({ group: "identities", name: "identity bedrock two-regions",
    pending: whyPending("chat", "bedrock"), run: async () => {
      await started();
      return ask(gateway, "two-regions", fakes.throttled, (entries) => [
        ...same(entries.map((e) => e.status).join(), "429,200", "statuses"),
        ...by(STATIC, TOKYO)(entries)]);
    } });
  for (const [provider, name, vars, look] of ofEnvironment(fakes, folder)) {
    cells.push({ group: "identities", name: `identity ${provider} ${name}`,
      pending: whyPending("chat", provider), run: async () => {
        const one = new Gateway(binary, fakes, {}, []);
        const params = provider === "bedrock" ? AWS(fakes) : { model: "vertex_ai/gemini-2.5-flash",
          api_base: fakes.vertex.url, vertex_project: PROJECT, vertex_location: LOCATION };
        try {
          await one.start({ env: { HOME: one.folder, ...vars }, models: [entry("m", params)] });
          return await ask(one, "m", provider === "bedrock" ? fakes.bedrock : fakes.vertex, look);
        } finally {
          await one.stop();
        }
      } });
  }
  return { cells, stop: async () => {
    if (starting) await gateway.stop();
    fakes.ahead.stop();
    fakes.throttled.stop();
  } };
}
