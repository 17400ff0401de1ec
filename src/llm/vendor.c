/* SPDX-License-Identifier: Apache-2.0 */
/* vendor.c - the prefixes, the paths below them, and where they are at a deployment's upstream.
 *
 * A row says what a path costs.  What has no row (files, batches, conversations, stored answers,
 * caches, tuned models, and whatever the vendor adds tomorrow) belongs to the vendor's account
 * as a whole: a key that may use a model has no right to it.
 *
 * Paths are compared as they were sent.  An escape, a doubled slash or another case makes one
 * that has no row, never one that has a milder row than the vendor would give it.
 */
#include "llm/vendor.h"

#include "llm/api/gemini.h"
#include "llm/api/messages.h"

#define METERED(path_, kind)                                                                       \
    {                                                                                              \
        .method = "POST", .path = (path_), .cost = KM_VENDOR_METERED, .meter = &(kind)             \
    }
#define COUNT(path_, api_)                                                                         \
    {                                                                                              \
        .method = "POST", .path = (path_), .cost = KM_VENDOR_FREE, .api = &(api_)                  \
    }
#define FREE(path_)                                                                                \
    {                                                                                              \
        .method = "POST", .path = (path_), .cost = KM_VENDOR_FREE                                  \
    }
#define UNPRICED(path_)                                                                            \
    {                                                                                              \
        .method = "POST", .path = (path_), .cost = KM_VENDOR_UNPRICED                              \
    }
#define LIST(path_)                                                                                \
    {                                                                                              \
        .method = "GET", .path = (path_), .cost = KM_VENDOR_FREE                                   \
    }

/* "v1", "v1beta", "v1alpha1": a path's version. */
static bool is_version(struct km_str s)
{
    return s.n >= 2 && s.p[0] == 'v' && s.p[1] >= '0' && s.p[1] <= '9';
}

/* Takes the first segment off *rest when it is `word`. */
static bool take(struct km_str *rest, struct km_str word)
{
    size_t n = km_str_chr(*rest, '/');

    if (n == rest->n || !km_str_eq(km_str_sub(*rest, 0, n), word))
        return false;
    *rest = km_str_skip(*rest, n + 1);
    return true;
}

static void take_version(struct km_vendor_path *path)
{
    size_t n = km_str_chr(path->core, '/');

    if (n == path->core.n || !is_version(km_str_sub(path->core, 0, n)))
        return;
    path->version = km_str_sub(path->core, 0, n);
    path->core = km_str_skip(path->core, n + 1);
}

static struct km_str base_without(const struct km_deployment *d, struct km_str tail)
{
    return km_str_ends(d->base_path, tail) ? km_str_sub(d->base_path, 0, d->base_path.n - tail.n)
                                           : d->base_path;
}

static struct km_str join(struct km_arena *arena, struct km_str base, struct km_str path)
{
    return km_arena_cat(arena, (struct km_str[]){ base, KM_STR("/"), path }, 3);
}

/* --- OpenAI, Anthropic: the base has the version --- */

static void split_version(struct km_vendor_path *path)
{
    path->core = path->rest;
    take_version(path);
}

static struct km_str target_core(const struct km_deployment *d, const struct km_vendor_path *path,
                                 struct km_arena *arena)
{
    return join(arena, d->base_path, path->core);
}

#define OPENAI_RULES(ours_)                                                                        \
    METERED("chat/completions", km_meter_chat), METERED("completions", km_meter_completion),       \
        METERED("embeddings", km_meter_embedding),                                                 \
        { .method = "POST", .path = "responses", .cost = KM_VENDOR_METERED,                        \
          .meter = &km_meter_responses, .ours = (ours_) },                                         \
        FREE("responses/input_tokens"), FREE("moderations"), UNPRICED("images/generations"),       \
        UNPRICED("audio/speech"), LIST("models"), LIST("models/*")

static const struct km_vendor_rule openai_rules[] = { OPENAI_RULES(true) };
static const char *const openai_foreign[] = { "previous_response_id", "conversation",
                                              "file_id",              "file_ids",
                                              "vector_store_id",      "vector_store_ids",
                                              "container",            "container_id",
                                              "batch_id",             "audio",
                                              "data_sources",         "project_connection_id",
                                              "connection_id",        "agent_reference",
                                              NULL };

static const struct km_vendor_rule anthropic_rules[] = {
    METERED("messages", km_meter_messages),
    COUNT("messages/count_tokens", km_api_count_messages),
    LIST("models"),
    LIST("models/*"),
};
static const char *const anthropic_foreign[] = { "file_id", "container", NULL };
static const char *const anthropic_opaque[] = { "input", NULL };

/* --- Gemini: the caller's version counts --- */

static struct km_str gemini_target(const struct km_deployment *d, const struct km_vendor_path *path,
                                   struct km_arena *arena)
{
    size_t slash = km_str_rchr(d->base_path, '/');
    struct km_str root = d->base_path;

    if (slash < root.n && is_version(km_str_skip(root, slash + 1)) &&
        !km_str_eq(path->core, path->rest))
        root = km_str_sub(root, 0, slash);
    return join(arena, root, path->rest);
}

#define GOOGLE_RULES(at)                                                                           \
    METERED(at "/{model}:generateContent", km_meter_gemini),                                       \
        METERED(at "/{model}:streamGenerateContent", km_meter_gemini_stream),                      \
        METERED(at "/{model}:embedContent", km_meter_gemini_embed),                                \
        METERED(at "/{model}:batchEmbedContents", km_meter_gemini_embed),                          \
        COUNT(at "/{model}:countTokens", km_api_gemini_count), FREE(at "/{model}:computeTokens")

static const struct km_vendor_rule gemini_rules[] = {
    GOOGLE_RULES("models"),
    UNPRICED("models/{model}:predict"),
    LIST("models"),
    LIST("models/*"),
};
static const char *const google_foreign[] = {
    "cachedContent",  "cached_content",       "fileUri",
    "file_uri",       "fileSearchStoreNames", "file_search_store_names",
    "vertexAiSearch", "vertex_ai_search",     "vertexRagStore",
    "vertex_rag_store", "gcsUri",             "gcs_uri",
    "storageUri",     "storage_uri",          NULL,
};
static const char *const google_opaque[] = { "args", "response", NULL };

/* --- Vertex AI: project and location are the deployment's, the version is the caller's --- */

static void vertex_split(struct km_vendor_path *path)
{
    struct km_str rest, ignored;

    split_version(path);
    rest = path->core;
    if (!take(&rest, KM_STR("projects")) || !km_str_split(&rest, '/', &ignored) ||
        !take(&rest, KM_STR("locations")) || !km_str_split(&rest, '/', &ignored))
        return;
    path->core = rest;
}

static struct km_str vertex_target(const struct km_deployment *d, const struct km_vendor_path *path,
                                   struct km_arena *arena)
{
    size_t at = km_str_find(d->base_path, KM_STR("/projects/"));
    struct km_str root = km_str_sub(d->base_path, 0, at);
    size_t slash = km_str_rchr(root, '/');

    if (!path->version.n || slash == root.n || !is_version(km_str_skip(root, slash + 1)))
        return join(arena, d->base_path, path->core);
    return km_arena_cat(arena,
                        (struct km_str[]){ km_str_sub(root, 0, slash + 1), path->version,
                                           km_str_skip(d->base_path, at), KM_STR("/"), path->core },
                        5);
}

#define RAW_RULES(at)                                                                              \
    METERED(at "/{model}:rawPredict", km_meter_raw),                                               \
        METERED(at "/{model}:streamRawPredict", km_meter_raw),                                     \
        METERED(at "/{model}:predict", km_meter_predict)

static const struct km_vendor_rule vertex_rules[] = {
    FREE("publishers/anthropic/models/count-tokens:rawPredict"),
    GOOGLE_RULES("publishers/*/models"),
    RAW_RULES("publishers/*/models"),
    GOOGLE_RULES("endpoints"),
    RAW_RULES("endpoints"),
};

/* --- Bedrock --- */

static void split_none(struct km_vendor_path *path)
{
    path->core = path->rest;
}

static const char *const bedrock_foreign[] = { "s3Location", "s3_location", NULL };

static const struct km_vendor_rule bedrock_rules[] = {
    METERED("model/{model}/converse", km_meter_converse),
    METERED("model/{model}/converse-stream", km_meter_converse),
    METERED("model/{model}/invoke", km_meter_invoke),
    METERED("model/{model}/invoke-with-response-stream", km_meter_invoke),
    FREE("model/{model}/count-tokens"),
};

/* --- Azure: everything stands below openai/ --- */

static void azure_split(struct km_vendor_path *path)
{
    path->core = path->rest;
    if (take(&path->core, KM_STR("openai")))
        take_version(path);
    else
        path->core = path->rest;
}

static struct km_str azure_target(const struct km_deployment *d, const struct km_vendor_path *path,
                                  struct km_arena *arena)
{
    return join(arena, base_without(d, KM_STR("/openai/v1")), path->rest);
}

static const struct km_vendor_rule azure_rules[] = {
    METERED("deployments/{model}/chat/completions", km_meter_chat),
    METERED("deployments/{model}/completions", km_meter_completion),
    METERED("deployments/{model}/embeddings", km_meter_embedding),
    UNPRICED("deployments/{model}/images/generations"),
    UNPRICED("deployments/{model}/audio/speech"),
    OPENAI_RULES(false),
};

#define RULES(v) .rules = (v), .nrules = sizeof(v) / sizeof(v)[0]

const struct km_vendor km_vendors[KM_VENDORS] = {
    { .prefix = { "/openai", 7 }, .provider = "openai", .dialect = KM_DIALECT_OPENAI,
      RULES(openai_rules), .foreign = openai_foreign, .split = split_version,
      .target = target_core },
    { .prefix = { "/anthropic", 10 }, .provider = "anthropic", .dialect = KM_DIALECT_ANTHROPIC,
      RULES(anthropic_rules), .foreign = anthropic_foreign, .opaque = anthropic_opaque,
      .split = split_version, .target = target_core },
    { .prefix = { "/gemini", 7 }, .provider = "gemini", .dialect = KM_DIALECT_GOOGLE,
      RULES(gemini_rules), .foreign = google_foreign, .opaque = google_opaque,
      .split = split_version,
      .target = gemini_target },
    { .prefix = { "/bedrock", 8 }, .provider = "bedrock", .dialect = KM_DIALECT_AWS,
      RULES(bedrock_rules), .foreign = bedrock_foreign, .split = split_none,
      .target = target_core },
    { .prefix = { "/vertex_ai", 10 }, .provider = "vertex_ai", .dialect = KM_DIALECT_GOOGLE,
      RULES(vertex_rules), .foreign = google_foreign, .opaque = google_opaque,
      .split = vertex_split,
      .target = vertex_target },
    { .prefix = { "/azure", 6 }, .provider = "azure", .dialect = KM_DIALECT_OPENAI,
      RULES(azure_rules), .foreign = openai_foreign, .split = azure_split,
      .target = azure_target },
};

/* --- matching --- */

static bool segment_fits(struct km_str pattern, struct km_str segment, struct km_str *ret_model)
{
    static const struct km_str model = { "{model}", 7 };
    struct km_str action;

    if (km_str_eq(pattern, KM_STR("*")))
        return segment.n > 0;
    if (!km_str_starts(pattern, model))
        return km_str_eq(pattern, segment);
    action = km_str_skip(pattern, model.n);
    if (segment.n <= action.n || !km_str_ends(segment, action))
        return false;
    *ret_model = km_str_sub(segment, 0, segment.n - action.n);
    return true;
}

static bool path_fits(struct km_str pattern, struct km_str path, struct km_str *ret_model)
{
    struct km_str p, s;

    *ret_model = KM_STR_NONE;
    while (km_str_split(&pattern, '/', &p))
        if (!km_str_split(&path, '/', &s) || !segment_fits(p, s, ret_model))
            return false;
    return !km_str_split(&path, '/', &s);
}

const struct km_vendor_rule *km_vendor_match(const struct km_vendor *v, struct km_str method,
                                             const struct km_vendor_path *path,
                                             struct km_str *ret_model)
{
    if (km_str_eq(method, KM_STR("HEAD")))
        method = KM_STR("GET");
    for (size_t i = 0; i < v->nrules; i++)
        if (km_str_eq(method, km_str_c(v->rules[i].method)) &&
            path_fits(km_str_c(v->rules[i].path), path->core, ret_model))
            return &v->rules[i];
    *ret_model = KM_STR_NONE;
    return NULL;
}
