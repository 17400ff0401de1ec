/* SPDX-License-Identifier: Apache-2.0 */
/* gemini.c - Google's generateContent: the codec's rows and the provider `gemini`.
 *
 *     Gemini API   {base}/v1beta/models/{m}:generateContent            x-goog-api-key
 *     Vertex AI    {base}/v1/projects/{p}/locations/{l}/publishers/google/models/{m}:...
 *
 * Both take the same bodies, but for the ids of calls, which Vertex refuses: two rows share all
 * the rest.  A base that ends in a version ("/v1", "/v1alpha") is taken as it is; api_version
 * says another one for a base without.
 */
#include "llm/provider/gemini.h"

#include "config/tree.h"
#include "llm/model_build.h"
#include "llm/provider/codecs.h"
#include "llm/provider/rows.h"

static struct km_str method_of(const struct km_target_args *args)
{
    if (args->wire == KM_WIRE_COUNT_GEMINI)
        return KM_STR(":countTokens");
    if (args->wire == KM_WIRE_EMBEDDING)
        return args->d->codec == &km_codec_gemini_vertex ? KM_STR(":predict")
                                                         : KM_STR(":batchEmbedContents");
    return args->stream ? KM_STR(":streamGenerateContent?alt=sse") : KM_STR(":generateContent");
}

static struct km_str path_to(const struct km_target_args *args, const char *folder,
                             struct km_arena *arena)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(8192);
    struct km_str model = args->model;

    if (km_str_starts(model, KM_STR("models/")))
        model = km_str_skip(model, 7);
    km_buf_str(&b, km_str_c(folder));
    km_url_encode(&b, model);
    km_buf_str(&b, method_of(args));
    return km_arena_str(arena, km_buf_view(&b));
}

static struct km_str target(const struct km_target_args *args, struct km_arena *arena)
{
    return path_to(args, "/models/", arena);
}

static bool is_endpoint(struct km_str model)
{
    for (size_t i = 0; i < model.n; i++)
        if (model.p[i] < '0' || model.p[i] > '9')
            return false;
    return model.n > 0;
}

static struct km_str vertex_target(const struct km_target_args *args, struct km_arena *arena)
{
    return path_to(args, is_endpoint(args->model) ? "/endpoints/" : "/publishers/google/models/",
                   arena);
}

#define MAPS                                                                                       \
    (KM_P_BIT(KM_P_MAX_TOKENS) | KM_P_BIT(KM_P_TEMPERATURE) | KM_P_BIT(KM_P_TOP_P) |               \
     KM_P_BIT(KM_P_TOP_K) | KM_P_BIT(KM_P_STOP) | KM_P_BIT(KM_P_N) | KM_P_BIT(KM_P_SEED) |         \
     KM_P_BIT(KM_P_FREQUENCY_PENALTY) | KM_P_BIT(KM_P_PRESENCE_PENALTY) |                          \
     KM_P_BIT(KM_P_LOGPROBS) | KM_P_BIT(KM_P_TOP_LOGPROBS) | KM_P_BIT(KM_P_FORMAT) |               \
     KM_P_BIT(KM_P_TOOLS) | KM_P_BIT(KM_P_TOOL_CHOICE) | KM_P_BIT(KM_P_EFFORT) |                   \
     KM_P_BIT(KM_P_THINKING))
#define DROPS                                                                                      \
    (KM_P_BIT(KM_P_VERBOSITY) | KM_P_BIT(KM_P_USER) | KM_P_BIT(KM_P_METADATA) |                    \
     KM_P_BIT(KM_P_STORE) | KM_P_BIT(KM_P_PREDICTION) | KM_P_BIT(KM_P_CACHE_KEY))

static const char *const extras[] = { "safetySettings", "safety_settings", "cachedContent",
                                      "cached_content", NULL };
static const char *const vertex_extras[] = { "safetySettings", "safety_settings", "cachedContent",
                                             "cached_content", "labels",          NULL };

static const char *const own[][2] = {
    { "contents", NULL },
    { "systemInstruction", "system_instruction" },
    { "tools", NULL },
    { "toolConfig", "tool_config" },
    { "generationConfig", "generation_config" },
    { NULL, NULL },
};

#define GEMINI                                                                                     \
    .native = KM_WIRE_GEMINI | KM_WIRE_COUNT_GEMINI, .framing = KM_FRAMING_SSE, .maps = MAPS,      \
    .drops = DROPS, .remote_images = true, .account_files = true,                                  \
    .state_size = sizeof(struct km_gemini_state), .encode = km_gemini_encode,                      \
    .idle = km_gemini_idle,                                                                        \
    .carries = KM_TRAIT_BIT(RESULT_ERROR) | KM_TRAIT_BIT(PREFILL) | KM_TRAIT_BIT(SPOKEN_IMAGE) |   \
               KM_TRAIT_BIT(SPOKEN_FILE) | KM_TRAIT_BIT(DISPLAY),                                 \
    .decode = km_gemini_decode, .event = km_gemini_event, .end = km_gemini_end,                    \
    .refusal = km_gemini_refusal, .own = own

const struct km_codec km_codec_gemini = { .name = "Gemini's generateContent",
                                          .extras = extras,
                                          .target = target,
                                          .embed_most = 100,
                                          .embed_encode = km_gemini_embed_encode,
                                          .embed_decode = km_gemini_embed_decode,
                                          GEMINI };
const struct km_codec km_codec_gemini_vertex = { .name = "Vertex AI's generateContent",
                                                 .extras = vertex_extras,
                                                 .target = vertex_target,
                                                 .embed_most = 1,
                                                 .embed_encode = km_vertex_embed_encode,
                                                 .embed_decode = km_vertex_embed_decode,
                                                 GEMINI };

/* "/v1", "/v1beta": the last segment of a path. */
static bool ends_in_version(struct km_str path)
{
    struct km_str last = km_str_skip(path, km_str_rchr(path, '/') + 1);

    return last.n >= 2 && last.p[0] == 'v' && last.p[1] >= '0' && last.p[1] <= '9';
}

static int build(struct km_deployment *d, const struct km_model_build *b,
                 const struct km_model_entry *entry, struct km_err *err)
{
    const struct km_node *version = km_node_get(entry->params.all, KM_STR("api_version"));

    (void)err;
    if (d->origin && !ends_in_version(d->base_path))
        d->base_path = km_arena_printf(
            b->arena, "%.*s/%.*s", KM_STR_ARG(d->base_path),
            KM_STR_ARG(version && version->text.n ? version->text : KM_STR("v1beta")));
    return 0;
}

const struct km_provider km_provider_gemini = {
    .name = "gemini",
    .base = "https://generativelanguage.googleapis.com",
    .key_env = { "GEMINI_API_KEY", "GOOGLE_API_KEY" },
    .base_env = "GEMINI_API_BASE",
    .key_needed = true,
    .key_field = "x-goog-api-key",
    .usage = KM_USAGE_ALWAYS,
    .codec = &km_codec_gemini,
    .build = build,
};
