/* SPDX-License-Identifier: Apache-2.0 */
/* vertex.c - Vertex AI: Google's models and Anthropic's, as its customers reach them.
 *
 *     https://{location}-aiplatform.googleapis.com/v1/projects/{project}/locations/{location}
 *         /publishers/google/models/{m}:generateContent          Gemini's codec
 *         /publishers/anthropic/models/{m}:rawPredict            Anthropic's, model in the path
 *
 * Which of the two is the model's family to say.  Location `global` has no prefix, `us` and `eu`
 * have hosts of their own.  Project, location and credentials come from litellm_params, else from
 * the variables LiteLLM reads; the project also from the credentials' file.  An api_key (express
 * mode) stands in for credentials.
 */
#include "config/tree.h"
#include "llm/google/auth.h"
#include "llm/model_build.h"
#include "llm/provider/anthropic.h"
#include "llm/provider/codecs.h"
#include "llm/provider/rows.h"

#define LOCATION "us-central1" /* LiteLLM's default */
#define VERSION "vertex-2023-10-16"

/* --- Claude --- */

static struct km_str claude_target(const struct km_target_args *args, struct km_arena *arena)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(8192);

    km_buf_str(&b, KM_STR("/publishers/anthropic/models/"));
    if (args->wire == KM_WIRE_COUNT_MESSAGES) {
        km_buf_str(&b, KM_STR("count-tokens:rawPredict"));
    } else {
        for (size_t i = 0; i < args->model.n; i++) /* "claude-opus-4@20250514" stays readable */
            if (args->model.p[i] == '@')
                km_buf_byte(&b, '@');
            else
                km_url_encode(&b, km_str_sub(args->model, i, 1));
        km_buf_str(&b, args->stream ? KM_STR(":streamRawPredict") : KM_STR(":rawPredict"));
    }
    return km_arena_str(arena, km_buf_view(&b));
}

static int claude_encode(const struct km_encode_args *args, const struct km_chat *chat,
                         struct km_json_out *out, struct km_err *err)
{
    static const struct km_messages_options options = { .stream = true, .version = VERSION };

    return km_messages_encode(&options, args, chat, out, err);
}

/* Google answers for the place, Anthropic for the model: the shape tells who said no. */
static void claude_refusal(struct km_arena *arena, int status, const struct km_headers *headers,
                           struct km_str body, struct km_refusal *ret)
{
    const struct km_json *root;
    struct km_str s;

    if (km_json_parse_answer(arena, body, &root, NULL) == 0 &&
        km_json_string(km_json_get(km_json_get(root, "error"), "type"), &s))
        km_messages_refusal(arena, status, headers, body, ret);
    else
        km_codec_gemini.refusal(arena, status, headers, body, ret);
}

/* The betas of a caller who speaks Anthropic's protocol: without them Claude refuses what they
 * stand for. */
static int claude_head(const struct km_encode_args *args, const struct km_chat *chat,
                       struct km_buf *head, struct km_err *err)
{
    struct km_str beta = KM_STR_NONE;

    (void)chat;
    if (args->caller)
        beta = km_header_get(args->caller, KM_STR("anthropic-beta"));
    return beta.n ? km_header_put(head, KM_STR("anthropic-beta"), beta, err) : 0;
}

static const struct km_codec claude = {
    .name = "Anthropic Messages on Vertex AI",
    .native = KM_WIRE_MESSAGES,
    .messages_version = VERSION,
    .framing = KM_FRAMING_SSE,
    .maps = KM_MESSAGES_MAPS,
    .drops = KM_MESSAGES_DROPS,
    .extras = km_messages_extras,
    .own = km_messages_own,
    .state_size = KM_MESSAGES_STATE,
    .target = claude_target,
    .head = claude_head,
    .encode = claude_encode,
    .idle = km_messages_idle,
    .carries = KM_MESSAGES_CARRIES,
    .decode = km_messages_decode,
    .event = km_messages_event,
    .end = km_messages_end,
    .refusal = claude_refusal,
};

/* --- the deployment --- */

/* What the entry says, or the first variable that is set. */
static struct km_str setting(const struct km_model_build *b, struct km_str said,
                             const char *const names[2])
{
    for (size_t i = 0; i < 2 && !said.n && names[i]; i++)
        said = km_deployment_env(b, names[i]);
    return said;
}

/* One segment of a path: nothing else could come through a project's or a location's name. */
static bool is_segment(struct km_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z') ||
              (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '-' || s.p[i] == '.' || s.p[i] == ':' ||
              s.p[i] == '_'))
            return false;
    return s.n > 0;
}

static struct km_str host_of(struct km_arena *arena, struct km_str location)
{
    if (km_str_eq(location, KM_STR("global")))
        return KM_STR("https://aiplatform.googleapis.com");
    if (km_str_eq(location, KM_STR("us")) || km_str_eq(location, KM_STR("eu")))
        return km_arena_printf(arena, "https://aiplatform.%.*s.rep.googleapis.com",
                               KM_STR_ARG(location));
    return km_arena_printf(arena, "https://%.*s-aiplatform.googleapis.com", KM_STR_ARG(location));
}

/* d->auth, and the project that its credentials name. */
static int authenticate(struct km_deployment *d, const struct km_model_build *b,
                        const struct km_model_entry *entry, struct km_str *ret_project,
                        struct km_err *err)
{
    struct km_google_args args = { .credentials = entry->params.vertex_credentials,
                                   .config = b->args->config,
                                   .tls = km_deployment_tls(b, entry),
                                   .proxies = b->args->proxies };
    struct km_err why = { 0 };
    int r;

    if (km_deployment_lends_none(d, b, entry, args.credentials.n > 0))
        return 0;
    r = km_google_auth_new(&args, b->arena, &d->auth, ret_project, &why);
    if (r == KM_E_CONFIG) {
        km_deployment_unavailable(d, b, entry,
                                  "vertex_credentials is the path of a service account's JSON "
                                  "file, or that JSON",
                                  km_arena_str(b->arena, km_str_c(why.text)));
        return 0;
    }
    if (r < 0 && err)
        *err = why;
    return r;
}

static int place(struct km_deployment *d, const struct km_model_build *b,
                 const struct km_model_entry *entry, struct km_str project, struct km_str location,
                 struct km_err *err)
{
    const struct km_node *version = km_node_get(entry->params.all, KM_STR("api_version"));
    int r = d->origin ? 0 : km_deployment_base(d, b, entry, host_of(b->arena, location), err);

    if (r < 0 || !d->origin || km_str_find(d->base_path, KM_STR("/locations/")) < d->base_path.n)
        return r; /* a base that says it all is taken as it is */
    d->base_path =
        km_arena_printf(b->arena, "%.*s/%.*s", KM_STR_ARG(d->base_path),
                        KM_STR_ARG(version && version->text.n ? version->text : KM_STR("v1")));
    if (project.n)
        d->base_path =
            km_arena_printf(b->arena, "%.*s/projects/%.*s/locations/%.*s", KM_STR_ARG(d->base_path),
                            KM_STR_ARG(project), KM_STR_ARG(location));
    return 0;
}

static int build(struct km_deployment *d, const struct km_model_build *b,
                 const struct km_model_entry *entry, struct km_err *err)
{
    static const char *const projects[] = { "VERTEXAI_PROJECT", "GOOGLE_CLOUD_PROJECT" };
    static const char *const locations[] = { "VERTEXAI_LOCATION", "GOOGLE_CLOUD_LOCATION" };
    struct km_str project = setting(b, entry->params.vertex_project, projects);
    struct km_str location = setting(b, entry->params.vertex_location, locations);
    struct km_str from_file = KM_STR_NONE;
    bool express = entry->params.api_key.n > 0;
    int r = express || d->mock_response.n ? 0 : authenticate(d, b, entry, &from_file, err);

    if (km_capability_find(d->upstream_model)->family == KM_FAMILY_CLAUDE)
        d->codec = &claude;
    if (!project.n)
        project = from_file;
    if (!location.n)
        location = KM_STR(LOCATION);
    if (!km_str_ieq(location, KM_STR("global")))
        d->price.uplift = KM_UPLIFT_LOCATION;
    if (!is_segment(location) || (project.n && !is_segment(project)))
        km_deployment_unavailable(d, b, entry, "they are names like 'my-project' and 'us-central1'",
                                  KM_STR("vertex_project or vertex_location is no name"));
    else if (!project.n && !express)
        km_deployment_unavailable(d, b, entry,
                                  "set litellm_params.vertex_project or VERTEXAI_PROJECT",
                                  KM_STR("provider 'vertex_ai' needs vertex_project"));
    return r == 0 ? place(d, b, entry, project, location, err) : r;
}

const struct km_provider km_provider_vertex_ai = {
    .name = "vertex_ai",
    .base_env = "VERTEXAI_API_BASE",
    .key_field = "x-goog-api-key",
    .usage = KM_USAGE_ALWAYS,
    .codec = &km_codec_gemini_vertex,
    .build = build,
};
const struct km_provider km_provider_vertex_ai_beta = {
    .name = "vertex_ai_beta",
    .base_env = "VERTEXAI_API_BASE",
    .key_field = "x-goog-api-key",
    .usage = KM_USAGE_ALWAYS,
    .codec = &km_codec_gemini_vertex,
    .build = build,
};
