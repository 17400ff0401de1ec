/* SPDX-License-Identifier: Apache-2.0 */
/* azure.c - Azure OpenAI: OpenAI's bodies behind other paths and keys.
 *
 *     classic  {base}/openai/deployments/{deployment}/chat/completions?api-version=2024-10-21
 *     v1       {base}/chat/completions        base ends in /openai/v1: the deployment is `model`
 *     realtime {base}/openai/realtime?api-version=...&deployment=...       by WebSocket
 *
 * Which of the two is meant, api_base says; Responses are v1's in any case.  The key goes as
 * `api-key`; without one an Entra token does: azure_ad_token as it is, or one of the client
 * credentials (tenant_id, client_id, client_secret), made anew in time.
 *
 * Source: Azure OpenAI's REST reference; OAuth 2.0 client credentials of the Microsoft identity
 * platform.
 */
#include "base/crypto.h"
#include "llm/model_build.h"
#include "llm/provider/codecs.h"
#include "llm/provider/openai.h"
#include "llm/provider/rows.h"
#include "llm/token.h"

#define VERSION "2024-10-21" /* the last that is no preview */
#define SCOPE "https://cognitiveservices.azure.com/.default"
#define AUTHORITY "https://login.microsoftonline.com"

static bool is_v1(const struct km_deployment *d)
{
    return km_str_ends(d->base_path, KM_STR("/openai/v1"));
}

static struct km_str target(const struct km_target_args *args, struct km_arena *arena)
{
    struct km_str path = km_openai_target(args, arena);
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);

    if (is_v1(args->d))
        return path;
    if (args->wire == KM_WIRE_REALTIME) {
        km_buf_str(&out, KM_STR("/openai/realtime?api-version="));
        km_url_encode(&out, args->d->api_version);
        km_buf_str(&out, KM_STR("&deployment="));
        return km_openai_realtime(km_buf_view(&out), args->model, arena);
    }
    if (args->wire == KM_WIRE_RESPONSES)
        return km_arena_cat(arena, (struct km_str[]){ KM_STR("/openai/v1"), path }, 2);
    km_buf_str(&out, KM_STR("/openai"));
    if (args->wire != KM_WIRE_FILES) {
        km_buf_str(&out, KM_STR("/deployments/"));
        km_url_encode(&out, args->model);
    }
    km_buf_str(&out, path);
    km_buf_byte(&out, km_str_chr(path, '?') < path.n ? '&' : '?');
    km_buf_str(&out, KM_STR("api-version="));
    km_url_encode(&out, args->d->api_version);
    return km_arena_str(arena, km_buf_view(&out));
}

/* --- Entra --- */

struct entra {
    struct km_arena arena; /* holds it */
    struct km_str url, client_id, client_secret, scope;
};

static int ask(void *owner, struct km_arena *arena, struct km_token_request *ret,
               struct km_err *err)
{
    const struct entra *e = owner;
    struct km_buf form KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);

    km_buf_str(&form, KM_STR("grant_type=client_credentials"));
    km_token_field(&form, "client_id", e->client_id);
    km_token_field(&form, "client_secret", e->client_secret);
    km_token_field(&form, "scope", e->scope);
    *ret =
        (struct km_token_request){ .url = e->url, .form = km_arena_str(arena, km_buf_view(&form)) };
    km_wipe(form.p, form.n);
    return km_buf_failed(&form) ? km_fail(err, KM_E_LIMIT, "the credentials are too long") : 0;
}

static void entra_free(void *owner)
{
    struct entra *e = owner;
    struct km_arena arena = e->arena;

    km_arena_done(&arena);
}

/* Of litellm_params, else of the environment; which a stored address gets nothing of. */
static struct km_str said(const struct km_model_build *b, const struct km_model_entry *entry,
                          const char *param, const char *variable)
{
    const struct km_node *node = km_node_get(entry->params.all, km_str_c(param));

    if (node && node->text.n)
        return node->text;
    return variable && !km_model_entry_alone(entry) ? km_deployment_env(b, variable) : KM_STR_NONE;
}

static int by_entra(struct km_deployment *d, const struct km_model_build *b,
                    const struct km_model_entry *entry, struct km_err *err)
{
    struct km_str tenant = said(b, entry, "tenant_id", "AZURE_TENANT_ID");
    struct km_str id = said(b, entry, "client_id", "AZURE_CLIENT_ID");
    struct km_str secret = said(b, entry, "client_secret", "AZURE_CLIENT_SECRET");
    struct km_str scope = said(b, entry, "azure_scope", "AZURE_SCOPE");
    struct km_str authority = km_deployment_env(b, "AZURE_AUTHORITY_HOST");
    struct km_arena arena;
    struct entra *e;

    if (!tenant.n || !id.n || !secret.n) {
        km_deployment_unavailable(d, b, entry,
                                  "set litellm_params.api_key, azure_ad_token, or tenant_id, "
                                  "client_id and client_secret",
                                  KM_STR("no key: AZURE_API_KEY is not set"));
        return 0;
    }
    km_arena_init(&arena, 256 * 1024, NULL);
    e = km_arena_zalloc(&arena, sizeof *e);
    if (!e) {
        km_arena_done(&arena);
        return km_fail(err, KM_E_NOMEM, "out of memory");
    }
    e->url = km_arena_cat(&arena,
                          (struct km_str[]){ authority.n ? authority : KM_STR(AUTHORITY),
                                             KM_STR("/"), tenant, KM_STR("/oauth2/v2.0/token") },
                          4);
    e->client_id = km_arena_str(&arena, id);
    e->client_secret = km_arena_str(&arena, secret);
    e->scope = km_arena_str(&arena, scope.n ? scope : KM_STR(SCOPE));
    e->arena = arena;
    d->auth = km_token_auth_new(&(struct km_token_args){ .issuer = "Entra ID",
                                                         .tls = b->args->tls,
                                                         .proxies = b->args->proxies,
                                                         .owner = e,
                                                         .ask = ask,
                                                         .free = entra_free },
                                err);
    return d->auth ? 0 : KM_E_NOMEM;
}

static int build(struct km_deployment *d, const struct km_model_build *b,
                 const struct km_model_entry *entry, struct km_err *err)
{
    struct km_str version = said(b, entry, "api_version", "AZURE_API_VERSION");
    struct km_str token = said(b, entry, "azure_ad_token", "AZURE_AD_TOKEN");

    if (!d->origin) {
        km_deployment_unavailable(d, b, entry, "set litellm_params.api_base",
                                  KM_STR("provider 'azure' needs api_base"));
        return 0;
    }
    d->api_version = version.n ? km_arena_str(b->arena, version) : KM_STR(VERSION);
    if (km_deployment_key(d, b, entry).n)
        return 0;
    if (!token.n)
        return d->mock_response.n ? 0 : by_entra(d, b, entry, err);
    km_deployment_head(d, b, entry, NULL, token);
    return 0;
}

static const struct km_codec codec = {
    .name = "Azure OpenAI",
    .native = KM_WIRE_CHAT | KM_WIRE_COMPLETION | KM_WIRE_EMBEDDING | KM_WIRE_RESPONSES |
              KM_WIRE_MEDIA | KM_WIRE_FILES | KM_WIRE_REALTIME,
    .framing = KM_FRAMING_SSE,
    .maps = KM_OPENAI_MAPS,
    .remote_images = true,
    .top_k_by_row = true,
    .state_size = KM_OPENAI_STATE,
    .target = target,
    .encode = km_openai_encode,
    .idle = km_openai_idle, .carries = KM_OPENAI_CARRIES, .decode = km_openai_read,
    .event = km_openai_read_event,
    .end = km_openai_read_end,
    .refusal = km_refusal_openai,
};

const struct km_provider km_provider_azure = {
    .name = "azure", .key_env = { "AZURE_API_KEY", "AZURE_OPENAI_API_KEY" },
    .base_env = "AZURE_API_BASE", .key_field = "api-key", .max_tokens = "max_completion_tokens",
    .codec = &codec, .build = build,
};
