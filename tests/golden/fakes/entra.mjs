// SPDX-License-Identifier: Apache-2.0
// Microsoft Entra's token endpoint: client credentials for Azure OpenAI.
import { json, start } from "./http.mjs";

export const entraToken = "eyJ.golden-entra.token";
export const TENANT = "11111111-2222-3333-4444-555555555555";
export const CLIENT = { id: "golden-client", secret: "golden-secret" };

export function entra() {
  return start("entra", async (x) => {
    const form = new URLSearchParams(x.raw.toString());
    if (x.method !== "POST" || x.path !== `/${TENANT}/oauth2/v2.0/token`)
      return json(x, 404, { error: "invalid_request", error_description: "AADSTS900023" });
    if (form.get("grant_type") !== "client_credentials" || form.get("client_id") !== CLIENT.id ||
        form.get("client_secret") !== CLIENT.secret) {
      return json(x, 401, { error: "invalid_client",
        error_description: "AADSTS7000215: Invalid client secret provided." });
    }
    if (form.get("scope") !== "https://cognitiveservices.azure.com/.default")
      return json(x, 400, { error: "invalid_scope", error_description: "AADSTS70011" });
    return json(x, 200, { token_type: "Bearer", expires_in: 3599, ext_expires_in: 3599,
      access_token: entraToken });
  });
}
