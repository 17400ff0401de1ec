// SPDX-License-Identifier: Apache-2.0
// AWS around Bedrock: who signed a request (verified with the SDK's own signer), and the
// services that give credentials: STS, the instance metadata (IMDSv2), a container's endpoint.
import { createHash } from "node:crypto";
import { Sha256 } from "@aws-crypto/sha256-js";
import { SignatureV4 } from "@smithy/signature-v4";
import { start, json } from "./http.mjs";

/* What each access key signs with.  ASIA... are temporary: they need their token. */
export const keys = {
  AKIDGOLDENSTATIC0001: { secret: "static/secret+0001" },
  ASIAGOLDENSESSION001: { secret: "session/secret+0001", token: "session//token+0001==" },
  ASIAGOLDENROLE000001: { secret: "role/secret+0001", token: "role//token+0001==" },
  ASIAGOLDENWEB0000001: { secret: "web/secret+0001", token: "web//token+0001==" },
  ASIAGOLDENIMDS000001: { secret: "imds/secret+0001", token: "imds//token+0001==" },
  ASIAGOLDENECS0000001: { secret: "ecs/secret+0001", token: "ecs//token+0001==" },
};
export const BEARER = "ABSKgoldenbearer";
export const ROLE = "arn:aws:iam::123456789012:role/golden";
export const WEB_TOKEN = "eyJ.golden-web-identity.token";
export const ECS_TOKEN = "Bearer golden-pod-identity";

export class Denied extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/* "AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=...": its access key when the
 * signature is right for this service, else Denied as AWS words it. */
export async function signedBy(x, service, ahead = 0) {
  const authorization = x.headers.authorization ?? "";
  const [, id, date, region, named, signed, signature] =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/
      .exec(authorization) ?? [];
  if (!id) throw new Denied("MissingAuthenticationTokenException", "Missing Authentication Token");
  const known = keys[id];
  if (!known) throw new Denied("UnrecognizedClientException",
    "The security token included in the request is invalid.");
  if (named !== service) throw new Denied("InvalidSignatureException",
    `Credential should be scoped to correct service: '${service}'.`);
  const when = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(x.headers["x-amz-date"] ?? "");
  if (!when || when.slice(1, 4).join("") !== date) throw new Denied("InvalidSignatureException",
    "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP");
  const at = new Date(Date.UTC(when[1], when[2] - 1, when[3], when[4], when[5], when[6]));
  if (Math.abs(at - Date.now() - ahead) > 300000) throw new Denied("InvalidSignatureException",
    `Signature expired: ${x.headers["x-amz-date"]} is now earlier than ` +
    `${new Date(Date.now() + ahead - 300000).toISOString()} (now - 5 min.)`);
  if (known.token && x.headers["x-amz-security-token"] !== known.token) throw new Denied(
    "UnrecognizedClientException", "The security token included in the request is invalid.");
  const names = signed.split(";");
  for (const must of ["host", "x-amz-date", ...(known.token ? ["x-amz-security-token"] : [])])
    if (!names.includes(must)) throw new Denied("InvalidSignatureException", `'${must}' must be signed.`);
  if ([...names].sort().join(";") !== signed) throw new Denied("InvalidSignatureException",
    "SignedHeaders is not sorted.");
  const digest = x.headers["x-amz-content-sha256"];
  if (digest && digest !== createHash("sha256").update(x.raw).digest("hex"))
    throw new Denied("InvalidSignatureException", "x-amz-content-sha256 is not that of the body.");
  const signer = new SignatureV4({ service, region, sha256: Sha256, applyChecksum: false,
    credentials: { accessKeyId: id, secretAccessKey: known.secret,
      ...(known.token ? { sessionToken: known.token } : {}) } });
  const [path, search] = x.target.split(/\?(.*)/s);
  const query = {};
  for (const pair of (search ?? "").split("&").filter(Boolean)) {
    const [name, value = ""] = pair.split(/=(.*)/s).map(decodeURIComponent);
    query[name] = query[name] === undefined ? value : [query[name], value].flat();
  }
  const headers = Object.fromEntries(names.map((n) => [n, x.headers[n]]));
  const again = await signer.sign({ method: x.method, protocol: "http:", hostname: "fake",
    path, query, headers, body: x.raw }, { signingDate: at });
  const right = again.headers.authorization ?? again.headers.Authorization;
  if (!right.endsWith(`Signature=${signature}`) || !right.includes(`SignedHeaders=${signed},`)) {
    throw new Denied("InvalidSignatureException", "The request signature we calculated does not " +
      "match the signature you provided. Check your AWS Secret Access Key and signing method. " +
      `(right: ${right})`);
  }
  x.entry.signedBy = id;
  x.entry.region = region;
  return { id, region };
}

const temporary = (id, seconds = 3600) => ({ AccessKeyId: id, SecretAccessKey: keys[id].secret,
  token: keys[id].token, Expiration: new Date(Date.now() + seconds * 1000).toISOString()
    .replace(/\.\d+Z$/, "Z") });

/* STS, the query protocol: XML, as its newest version still speaks. */
export function sts() {
  return start("sts", async (x) => {
    const form = new URLSearchParams(x.raw.toString());
    const xml = (status, body) => {
      x.entry.status = status;
      x.response.writeHead(status, { "content-type": "text/xml", "x-amzn-requestid": "golden" });
      x.response.end(body);
    };
    const refuse = (status, code, message) => xml(status, `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error>
  <RequestId>golden</RequestId>
</ErrorResponse>`);
    const action = form.get("Action");
    x.entry.form = Object.fromEntries(form);
    if (form.get("Version") !== "2011-06-15")
      return refuse(400, "InvalidAction", "Could not find operation for version");
    let id;
    if (action === "AssumeRole") {
      try {
        await signedBy(x, "sts");
      } catch (e) {
        if (!(e instanceof Denied)) throw e;
        x.entry.refused = e.message;
        return refuse(403, "SignatureDoesNotMatch", e.message);
      }
      id = "ASIAGOLDENROLE000001";
      if (form.get("RoleArn") !== ROLE || (form.get("ExternalId") ?? "golden-id") !== "golden-id") {
        return refuse(403, "AccessDenied", "User: golden is not authorized to perform: " +
          `sts:AssumeRole on resource: ${form.get("RoleArn")}`);
      }
    } else if (action === "AssumeRoleWithWebIdentity") {
      if (x.headers.authorization) return refuse(400, "InvalidAction", "must not be signed");
      if (form.get("WebIdentityToken") !== WEB_TOKEN) {
        return refuse(400, "InvalidIdentityToken", "The web identity token is not valid");
      }
      id = "ASIAGOLDENWEB0000001";
    } else {
      return refuse(400, "InvalidAction", `Could not find operation ${action}`);
    }
    if (!/^[\w+=,.@-]{2,64}$/.test(form.get("RoleSessionName") ?? ""))
      return refuse(400, "ValidationError", "RoleSessionName must match [\\w+=,.@-]{2,64}");
    const c = temporary(id);
    return xml(200, `<${action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <${action}Result>
    <AssumedRoleUser><AssumedRoleId>AROA:golden</AssumedRoleId><Arn>${ROLE}/golden</Arn></AssumedRoleUser>
    <Credentials>
      <AccessKeyId>${c.AccessKeyId}</AccessKeyId>
      <SecretAccessKey>${c.SecretAccessKey}</SecretAccessKey>
      <SessionToken>${c.token}</SessionToken>
      <Expiration>${c.Expiration}</Expiration>
    </Credentials>
  </${action}Result>
  <ResponseMetadata><RequestId>golden</RequestId></ResponseMetadata>
</${action}Response>`);
  });
}

/* The instance metadata service, version 2 only: nothing without a token. */
export function imds() {
  const token = "golden-imds-token==";
  return start("imds", async (x) => {
    const plain = (status, body, headers = {}) => {
      x.entry.status = status;
      x.response.writeHead(status, { "content-type": "text/plain", ...headers });
      x.response.end(body);
    };
    if (x.path === "/latest/api/token") {
      const ttl = Number(x.headers["x-aws-ec2-metadata-token-ttl-seconds"]);
      if (x.method !== "PUT") return plain(405, "");
      if (x.headers["x-forwarded-for"]) return plain(403, "");
      if (!(ttl >= 1 && ttl <= 21600)) return plain(400, "");
      return plain(200, token, { "x-aws-ec2-metadata-token-ttl-seconds": String(ttl) });
    }
    if (x.headers["x-aws-ec2-metadata-token"] !== token) return plain(401, "");
    const base = "/latest/meta-data/iam/security-credentials/";
    if (x.path === base) return plain(200, "golden-role");
    if (x.path === `${base}golden-role`) {
      const { token: Token, ...c } = temporary("ASIAGOLDENIMDS000001");
      return plain(200, JSON.stringify({ Code: "Success", Type: "AWS-HMAC",
        LastUpdated: c.Expiration, ...c, Token }));
    }
    if (x.path === "/latest/meta-data/placement/region") return plain(200, "us-east-1");
    return plain(404, "");
  });
}

/* ECS and EKS pod identity. */
export function container() {
  return start("container", async (x) => {
    if (x.headers.authorization !== ECS_TOKEN)
      return json(x, 401, { code: "Unauthorized", message: "no token" });
    if (x.path !== "/v1/credentials") return json(x, 404, { code: "NotFound", message: "none" });
    const { token: Token, ...c } = temporary("ASIAGOLDENECS0000001");
    return json(x, 200, { RoleArn: ROLE, ...c, Token });
  });
}
