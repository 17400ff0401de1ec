/* SPDX-License-Identifier: Apache-2.0 */
/* api.c - what every API's request goes through before its own reading, and shared small things.
 *
 * A body is one JSON object or it is refused here, before any API looks at it.  What follows is
 * used by several of them: counts with their bounds, the model's name at the upstream with its
 * star filled, the text of somebody else's error, and estimates of tokens where nobody counted.
 */
#include "llm/api.h"

#include "base/encode.h"
#include "llm/refusal.h"
#include "llm/spellings.h"
#include "llm/usage.h"

/* An upstream that reads names without their case would take this one for the one that was judged:
 * a model the key may use, and another that is run. */
static int odd_case(struct km_str name, struct km_err *err)
{
    return km_fail_param(err, KM_E_INVALID, "request_body",
                         "'%.*s' is the name of a parameter in another case: write it as the API "
                         "has it.",
                         KM_STR_ARG(km_str_sub(name, 0, 80)));
}

/* Maps of a caller's own names in which nothing is judged: bodies with a name twice there have
 * always passed, and go on as they came. */
static const struct km_str free_members[] = { { "logit_bias", 10 } };
#define FREE_MEMBERS (sizeof free_members / sizeof free_members[0])

int km_llm_parse_body(struct km_arena *arena, struct km_str body, const struct km_json **ret_root,
                      struct km_err *err)
{
    const struct km_json *root;
    int r = km_json_parse_answer(arena, body, &root, err);

    if (r == 0)
        r = km_json_unique_but(root, free_members, FREE_MEMBERS, arena, err);
    if (r == 0)
        *ret_root = root;
    return r;
}

/* The tree is of no further use: its memory is given back before the call, which may wait long,
 * takes any. */
static int ask_parser(const struct km_arena *arena, struct km_str body, const struct km_str *names,
                      size_t n, struct km_err *err)
{
    struct km_arena scratch KM_CLEANUP(km_arena_done);
    const struct km_json *root;
    struct km_str member;
    int r;

    km_arena_init(&scratch, arena->cap, arena->pool);
    r = km_llm_parse_body(&scratch, body, &root, err);
    if (r < 0 && err)
        err->param = "request_body";
    if (r == 0 && km_json_kind(root) != KM_JSON_OBJECT)
        r = km_fail_param(err, KM_E_INVALID, "request_body",
                          "The request body must be a JSON object.");
    if (r == 0 && km_json_other_case(root, names, n, &member))
        r = odd_case(member, err);
    return r;
}

int km_llm_request_parse(struct km_llm_request *r, const struct km_llm_api *api,
                         struct km_arena *arena, struct km_str body, struct km_str path_model,
                         struct km_err *err)
{
    *r = (struct km_llm_request){
        .api = api, .body = body, .max_tokens = -1, .choices = 1, .num_retries = -1
    };
    return api->parse(r, arena, path_model, err);
}

/* judge_model, Models, context_window_fallbacks; not the call's own, which is judged anyhow. */
static bool ends_as_model(struct km_str name, bool inside)
{
    struct km_str tail = KM_STR("model");
    size_t n = name.n;

    if (n <= tail.n && !inside)
        return false;
    n -= n && (name.p[n - 1] | 32) == 's';
    if (n && (name.p[n - 1] | 32) == 'k')
        tail = KM_STR("fallback");
    else if (!n || (name.p[n - 1] | 32) != 'l')
        return false;
    return n >= tail.n && km_str_ieq(km_str_sub(name, n - tail.n, tail.n), tail);
}

/* What servers run beside, or instead of, the model that is named: TGI's and SGLang's adapters,
 * and what gateways and hosts call a model by. */
#define OTHER_MODELS(X)                                                                            \
    X(LORA_PATH, "lora_path")                                                                      \
    X(ADAPTER_ID, "adapter_id")                                                                    \
    X(ADAPTERS, "adapters")                                                                        \
    X(DEPLOYMENT_ID, "deployment_id")                                                              \
    X(ENGINE, "engine")                                                                            \
    X(MODEL_ID_CAMEL, "modelId")                                                                   \
    X(MODEL_NAME, "model_name")                                                                    \
    X(MODEL_NAME_CAMEL, "modelName")                                                               \
    X(MODEL_LIST, "model_list")

bool km_llm_names_model(struct km_str name, bool inside)
{
#define OTHER_NAME(id, name) { name, sizeof(name) - 1 },
    static const struct km_str others[] = { OTHER_MODELS(OTHER_NAME) };

    return ends_as_model(name, inside) ||
           km_str_iamong(name, others, sizeof others / sizeof others[0]);
}

/* What the gateway does before a call that names an MCP server, a file or a further model, or says
 * by another name how long the answer may be, is done for bodies only that have such a member: the
 * walk that judges them tells.  Files' are those of every API (kept/file_refs.c), as are
 * models' (kept/other_models.c).  Names of the second list say something below the outermost
 * object only; at the top a call may have them as a matter of course.  A name must not fall on the
 * bit of one that every body has many times (messages, role, content): that costs a call a
 * hundredth, as bench/run --counts shows. */
#define WATCHED(X)                                                                                 \
    KM_SPELLINGS(X)                                                                                \
    X(SERVER, "server_url")                                                                        \
    X(ROUTE, "route")                                                                              \
    X(PRESET, "preset")                                                                            \
    X(EXTRA_BODY, "extra_body")                                                                    \
    OTHER_MODELS(X)                                                                                \
    X(AUDIO, "audio")                                                                              \
    X(FILE_ID, "file_id")                                                                          \
    X(FILE_IDS, "file_ids")                                                                        \
    X(FILE_URI, "fileUri")                                                                         \
    X(FILE_URI_SNAKE, "file_uri")                                                                  \
    X(CONVERSATION, "conversation")                                                                \
    X(VECTOR_STORES, "vector_store_ids")                                                           \
    X(CONTAINER, "container")                                                                      \
    X(CONTAINER_ID, "container_id")                                                                \
    X(FILE_STORES, "fileSearchStoreNames")                                                         \
    X(FILE_STORES_SNAKE, "file_search_store_names")                                                \
    X(VERTEX_SEARCH, "vertexAiSearch")                                                             \
    X(VERTEX_SEARCH_SNAKE, "vertex_ai_search")                                                     \
    X(VERTEX_RAG, "vertexRagStore")                                                                \
    X(VERTEX_RAG_SNAKE, "vertex_rag_store")                                                        \
    X(DATA_SOURCES, "data_sources")                                                                \
    X(PROJECT_CONNECTION, "project_connection_id")                                                 \
    X(CONNECTION, "connection_id")                                                                 \
    X(AGENT, "agent_reference")                                                                    \
    X(CACHED, "cachedContent")                                                                     \
    X(CACHED_SNAKE, "cached_content")
#define WATCHED_INSIDE(X) X(ID, "id")
/* What may change a price: rows of priced_rows.c.  Of the first list at the top of a body. */
#define PRICED(X)                                                                                  \
    X(SPEED, "speed")                                                                              \
    X(GEO, "inference_geo")                                                                        \
    X(SEARCH_OPTIONS, "web_search_options")                                                        \
    X(SEARCH_PARAMETERS, "search_parameters")                                                      \
    X(SEARCH, "enable_search")                                                                     \
    X(PLUGINS, "plugins")                                                                          \
    X(MCP_SERVERS, "mcp_servers")                                                                  \
    X(BACKGROUND, "background")                                                                    \
    X(PREVIOUS, "previous_response_id")
#define PRICED_INSIDE(X)                                                                           \
    X(TIER, "service_tier")                                                                        \
    X(TIER_CAMEL, "serviceTier")
/* Media are told by what they have inside: "image" falls on a bit that "type" has. */
#define MEDIA_INSIDE(X)                                                                            \
    X(IMAGE_URL, "image_url")                                                                      \
    X(URL, "url")                                                                                  \
    X(DATA, "data")                                                                                \
    X(FILE_DATA, "file_data")                                                                      \
    X(SOURCE, "source")
#define MEDIA_RESPONSES(X) X(FILE_URL, "file_url") /* "function" has its bit elsewhere */
#define HOUR_INSIDE(X) X(TTL, "ttl")
#define WATCHED_ALL(X)                                                                             \
    WATCHED(X) WATCHED_INSIDE(X) PRICED(X) PRICED_INSIDE(X) MEDIA_INSIDE(X) MEDIA_RESPONSES(X)     \
    HOUR_INSIDE(X)

#define WATCHED_ENUM(id, name) WATCHED_##id,
#define WATCHED_NAME(id, name) { name, sizeof(name) - 1 },
#define WATCHED_FILTER(id, name) | KM_JSON_WATCH(name)
enum { WATCHED_ALL(WATCHED_ENUM) WATCHED_COUNT };
static const struct km_str watched[WATCHED_COUNT] = { WATCHED_ALL(WATCHED_NAME) };
static const uint64_t watched_filter =
    0 WATCHED(WATCHED_FILTER) PRICED(WATCHED_FILTER) PRICED_INSIDE(WATCHED_FILTER);
static const uint64_t watched_inside = 0 WATCHED(WATCHED_FILTER) WATCHED_INSIDE(WATCHED_FILTER)
    PRICED_INSIDE(WATCHED_FILTER) MEDIA_INSIDE(WATCHED_FILTER) HOUR_INSIDE(WATCHED_FILTER);
static const uint64_t watched_responses = 0 MEDIA_RESPONSES(WATCHED_FILTER);

#define BIT_OF(id) (UINT64_C(1) << WATCHED_##id)
#define PRICED_SEEN (UINT64_C(1) << 60)
#define MEDIA_SEEN (UINT64_C(1) << 61)
#define HOUR_SEEN (UINT64_C(1) << 62)
#define AS_ITSELF(id, name) [WATCHED_##id] = BIT_OF(id),
#define AS_PRICED(id, name) [WATCHED_##id] = PRICED_SEEN,
#define AS_MEDIA(id, name) [WATCHED_##id] = MEDIA_SEEN,
#define AS_HOUR(id, name) [WATCHED_##id] = HOUR_SEEN,
static const uint64_t watched_as[WATCHED_COUNT] = {
    WATCHED(AS_ITSELF) WATCHED_INSIDE(AS_ITSELF) PRICED(AS_PRICED) PRICED_INSIDE(AS_PRICED)
        MEDIA_INSIDE(AS_MEDIA) MEDIA_RESPONSES(AS_MEDIA) HOUR_INSIDE(AS_HOUR)
};
_Static_assert(WATCHED_ID < 60, "a name has a bit of its own");

#define BITS_TO(id) ((UINT64_C(2) << WATCHED_##id) - 1)
#define SPELLINGS_SEEN (BITS_TO(OPTIONS))
#define SERVER_SEEN (BIT_OF(SERVER))
#define MODELS_SEEN ((BITS_TO(MODEL_LIST) & ~BITS_TO(SERVER)) | KM_JSON_ENDED)
#define FILES_SEEN (BITS_TO(CACHED_SNAKE) & ~BITS_TO(MODEL_LIST))

/* Items of the Responses API may be taken from an earlier answer by their ids. */
static uint64_t files_seen(const struct km_llm_request *r)
{
    return r->api && r->api->wire == KM_WIRE_RESPONSES ? FILES_SEEN | BIT_OF(ID) : FILES_SEEN;
}

int km_llm_read_members(struct km_llm_request *r, struct km_arena *arena,
                        const struct km_str *names, size_t n, struct km_err *err)
{
    struct km_json_watch watch = { .names = watched,
                                   .n = WATCHED_COUNT,
                                   .as = watched_as,
                                   .filter = watched_filter,
                                   .inside = watched_inside,
                                   .ends = KM_JSON_END('l') | KM_JSON_END('L') | KM_JSON_END('k') |
                                           KM_JSON_END('K') | KM_JSON_END('s') | KM_JSON_END('S'),
                                   .counts = ends_as_model,
                                   .free = free_members,
                                   .nfree = FREE_MEMBERS };
    bool sure;
    int e;

    if (r->api && r->api->wire == KM_WIRE_RESPONSES)
        watch.inside |= watched_responses;
    r->spans = km_arena_alloc(arena, n * sizeof *r->spans);
    if (!r->spans)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    sure = km_json_judged_spans(r->body, names, n, r->spans, &r->object, &watch);
    if (sure && watch.other.n)
        return odd_case(watch.other, err);
    if (!sure)
        watch.seen = UINT64_MAX;
    r->names = (watch.seen & files_seen(r) ? KM_NAMES_FILES : 0) |
               (watch.seen & BIT_OF(AUDIO) ? KM_NAMES_AUDIO : 0) |
               (watch.seen & MODELS_SEEN ? KM_NAMES_MODELS : 0) |
               (watch.seen & SERVER_SEEN ? KM_NAMES_SERVERS : 0) |
               (watch.seen & (PRICED_SEEN | BIT_OF(EXTRA_BODY)) ? KM_NAMES_PRICED : 0) |
               (watch.seen & MEDIA_SEEN ? KM_NAMES_MEDIA : 0) |
               (watch.seen & HOUR_SEEN ? KM_NAMES_HOUR : 0);
    r->spelled = (uint32_t)(watch.seen & SPELLINGS_SEEN);
    if (sure)
        return 0;
    e = ask_parser(arena, r->body, names, n, err);
    return e == 0 ? km_json_spans(r->body, names, n, r->spans, &r->object, err) : e;
}

int km_llm_read_inside(struct km_arena *arena, struct km_str object, const struct km_str *names,
                       size_t n, struct km_json_span *spans, struct km_err *err)
{
    struct km_json_watch watch = { 0 };
    int e;

    if (km_json_judged_spans(object, names, n, spans, NULL, &watch))
        return watch.other.n ? odd_case(watch.other, err) : 0;
    e = ask_parser(arena, object, names, n, err);
    return e == 0 ? km_json_spans(object, names, n, spans, NULL, err) : e;
}

int km_llm_bad(struct km_err *err, const char *param, const char *why)
{
    return km_fail_param(err, KM_E_INVALID, param, "'%s' %s.", param, why);
}

int km_llm_read_model(struct km_llm_request *r, struct km_arena *arena, struct km_str path_model,
                      size_t m, const char *missing, struct km_err *err)
{
    r->model = path_model;
    r->model_from_path = path_model.n > 0;
    if (r->model_from_path)
        return 0;
    if (!km_llm_present(r, m))
        return km_fail_param(err, KM_E_INVALID, "model",
                             "%s: %s. GET /v1/models lists the names to choose from.",
                             missing ? "model" : r->api->path,
                             missing ? missing : "Missing required parameter: 'model'");
    if (r->spans[m].type != KM_JSON_STRING)
        return km_llm_bad(err, "model", "must be a string");
    r->model = km_json_text(arena, r->body, &r->spans[m]);
    return r->model.n ? 0 : km_llm_bad(err, "model", "must not be empty");
}

int km_llm_read_count(const struct km_llm_request *r, const struct km_json_span *span,
                      const char *name, int64_t low, int64_t high, int64_t *value,
                      struct km_err *err)
{
    int64_t v;

    if (span->type == KM_JSON_ABSENT || span->type == KM_JSON_NULL)
        return 0;
    if (span->type != KM_JSON_NUMBER || km_str_i64(km_json_value(r->body, span), &v) < 0 ||
        v < low || v > high)
        return km_fail_param(err, KM_E_INVALID, name, "'%s' must be an integer from %lld to %lld.",
                             name, (long long)low, (long long)high);
    *value = v;
    return 0;
}

/* Seconds; what is no time is passed over. */
static void read_seconds(const struct km_llm_request *r, const struct km_json_span *span,
                         int64_t *ret_ms)
{
    int64_t ms;

    if (span->type == KM_JSON_NUMBER && km_str_decimal(km_json_value(r->body, span), 3, &ms) == 0 &&
        ms > 0)
        *ret_ms = ms;
}

/* More than there may be is no error: it is lowered (call/execution.c). */
static int read_retries(struct km_llm_request *r, const struct km_json_span *span,
                        struct km_err *err)
{
    if (span->type == KM_JSON_ABSENT || span->type == KM_JSON_NULL)
        return 0;
    if (span->type == KM_JSON_NUMBER &&
        km_retries_read(km_json_value(r->body, span), &r->num_retries))
        return 0;
    return km_fail_param(err, KM_E_INVALID, "num_retries",
                         "'num_retries' must be an integer, 0 or more.");
}

static void read_list(const struct km_llm_request *r, const struct km_json_span *span,
                      struct km_str *ret)
{
    if (span->type != KM_JSON_ABSENT && span->type != KM_JSON_NULL)
        *ret = km_json_value(r->body, span);
}

int km_llm_read_own(struct km_llm_request *r, const struct km_json_span *own, struct km_err *err)
{
    const struct km_json_span *tags = &own[KM_LLM_OWN_TAGS];

    read_seconds(r, &own[KM_LLM_OWN_TIMEOUT], &r->timeout_ms);
    read_seconds(r, &own[KM_LLM_OWN_STREAM_TIMEOUT], &r->stream_timeout_ms);
    if (tags->type == KM_JSON_ARRAY)
        r->tags = km_json_value(r->body, tags);
    if (own[KM_LLM_OWN_EXECUTION].type != KM_JSON_ABSENT &&
        own[KM_LLM_OWN_EXECUTION].type != KM_JSON_NULL)
        r->execution = km_json_value(r->body, &own[KM_LLM_OWN_EXECUTION]);
    read_list(r, &own[KM_LLM_OWN_FALLBACKS], &r->fallbacks);
    read_list(r, &own[KM_LLM_OWN_CONTEXT_FALLBACKS], &r->context_fallbacks);
    read_list(r, &own[KM_LLM_OWN_POLICY_FALLBACKS], &r->policy_fallbacks);
    r->no_fallbacks = own[KM_LLM_OWN_NO_FALLBACKS].type == KM_JSON_TRUE;
    return read_retries(r, &own[KM_LLM_OWN_NUM_RETRIES], err);
}

void km_llm_cut_from(const struct km_llm_request *r, size_t first, struct km_json_edits *e)
{
    for (size_t m = first; m < r->object.past; m++)
        if (r->spans[m].type != KM_JSON_ABSENT)
            km_json_cut(e, &r->spans[m]);
}

int km_llm_add_defaults(const struct km_llm_request *r, const struct km_llm_body_args *args,
                        struct km_json_edits *e, struct km_arena *arena, struct km_err *err)
{
    const struct km_deployment *d = args->deployment;
    bool messages = r->api->wire == KM_WIRE_MESSAGES && !km_deployment_compatible(d);
    struct km_json_span spans[KM_DEFAULTS_MOST];
    struct km_str names[KM_DEFAULTS_MOST];
    int rc;

    if (d->ndefaults == 0)
        return 0;
    for (size_t i = 0; i < d->ndefaults; i++)
        names[i] = d->defaults[i].name;
    rc = km_json_spans(r->body, names, d->ndefaults, spans, NULL, err);
    for (size_t i = 0; rc == 0 && i < d->ndefaults; i++)
        if (spans[i].type == KM_JSON_ABSENT && !(messages && d->defaults[i].not_messages) &&
            !(km_spelling_bounds(names[i]) && (r->max_tokens >= 0 || args->max_tokens >= 0)))
            km_json_add(e, arena, names[i], d->defaults[i].json);
    return rc;
}

int km_llm_set_inner(struct km_json_edits *e, struct km_arena *arena,
                     const struct km_json_span *span, struct km_str in, struct km_str name,
                     struct km_str value, struct km_err *err)
{
    struct km_json_span found;
    struct km_json_object object;
    struct km_json_edits inner;
    struct km_str text = km_json_value(e->body, span), *parts;
    size_t n;
    int r;

    if (span->type != KM_JSON_OBJECT) {
        text = km_arena_printf(arena, "{\"%.*s\":%.*s}", KM_STR_ARG(name), KM_STR_ARG(value));
        if (span->type == KM_JSON_ABSENT)
            km_json_add(e, arena, in, text);
        else
            km_json_replace(e, span, text);
        return 0;
    }
    r = km_json_spans(text, &name, 1, &found, &object, err);
    if (r < 0)
        return r;
    km_json_edits_init(&inner, text, &object);
    if (found.type == KM_JSON_ABSENT)
        km_json_add(&inner, arena, name, value);
    else
        km_json_replace(&inner, &found, value);
    r = km_json_parts(&inner, arena, &parts, &n, err);
    if (r == 0)
        km_json_replace(e, span, km_arena_cat(arena, parts, n));
    return r;
}

struct km_str km_llm_upstream_model(const struct km_deployment *d, struct km_str star,
                                    struct km_arena *arena)
{
    size_t at;

    if (!km_deployment_has_star(d))
        return d->upstream_model;
    at = km_str_chr(d->upstream_model, '*');
    return km_arena_cat(arena,
                        (struct km_str[]){ km_str_sub(d->upstream_model, 0, at), star,
                                           km_str_skip(d->upstream_model, at + 1) },
                        3);
}

struct km_str km_llm_json_string(struct km_arena *arena, struct km_str s)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);

    if (km_str_plain(s) == s.n)
        return km_arena_cat(arena, (struct km_str[]){ KM_STR("\""), s, KM_STR("\"") }, 3);
    km_buf_json(&b, s);
    return km_arena_str(arena, km_buf_view(&b));
}

int64_t km_llm_prompt_estimate(const struct km_llm_request *r)
{
    struct km_text_size size = r->pace ? r->size : km_text_measure(r->prompt);

    return km_pace_input(r->pace, &size);
}

struct km_str km_llm_error_text(struct km_arena *arena, struct km_str body)
{
    const struct km_json *root, *error;
    struct km_str text = KM_STR_NONE;

    if (km_json_parse_answer(arena, body, &root, NULL) == 0) {
        error = km_json_get(root, "error");
        if (km_json_string(km_json_get(error, "message"), &text) || km_json_string(error, &text) ||
            km_json_string(km_json_get(root, "message"), &text) ||
            km_json_string(km_json_get(root, "detail"), &text))
            return km_str_sub(text, 0, 1000);
    }
    text = km_str_trim(km_str_sub(body, 0, 300));
    return text.n && km_utf8_valid(text) ? text : KM_STR("(no message)");
}

const char *km_llm_string_end(const char *p, const char *end, size_t *ret_bytes)
{
    for (*ret_bytes = 0; p < end && *p != '"'; p++, ++*ret_bytes)
        p += *p == '\\';
    return p < end ? p + 1 : end;
}

struct km_str km_llm_string_raw(const char *p, const char *end, const char **ret_after)
{
    size_t ignored, n;

    *ret_after = km_llm_string_end(p, end, &ignored);
    n = (size_t)(*ret_after - p);
    return km_str(p, n && p[n - 1] == '"' ? n - 1 : n);
}

/* An error that is more than a place for one: null, "", {} and false are none. */
static bool says_something(struct km_str json, const struct km_json_span *span)
{
    return (span->type == KM_JSON_OBJECT || span->type == KM_JSON_STRING) &&
           km_str_trim(km_str_sub(km_json_value(json, span), 1, span->value_n - 2)).n > 0;
}

int km_llm_relay_whole(const struct km_llm_whole *names, const struct km_llm_request *r,
                       struct km_arena *arena, struct km_str body, struct km_str **ret_parts,
                       size_t *ret_n, struct km_usage *ret_usage, struct km_err *err)
{
    const struct km_str members[] = { names->model, names->usage, KM_STR("error"), names->service };
    struct km_json_span spans[4];
    struct km_json_object object;
    struct km_json_edits e;
    KM_ERR_NONE(why);

    if (km_json_spans(body, members, names->service.n ? 4 : 3, spans, &object, &why) < 0)
        return km_answer_not_json(&why, err);
    if (says_something(body, &spans[2]))
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL,
                       "The upstream said that all went well, and an error: %.*s",
                       KM_STR_ARG(km_llm_error_text(arena, body)));
    if (spans[1].type == KM_JSON_OBJECT)
        names->read(arena, km_json_value(body, &spans[1]), ret_usage);
    if (names->service.n && spans[3].type == KM_JSON_STRING)
        km_usage_served(ret_usage,
                        km_str_sub(km_json_value(body, &spans[3]), 1, spans[3].value_n - 2));
    km_json_edits_init(&e, body, &object);
    if (spans[0].type == KM_JSON_STRING)
        km_json_replace(&e, &spans[0], km_llm_json_string(arena, r->model));
    return km_json_parts(&e, arena, ret_parts, ret_n, err);
}

bool km_llm_refused_stream_options(struct km_str body)
{
    return km_str_find(body, KM_STR("stream_options")) < body.n ||
           km_str_find(body, KM_STR("include_usage")) < body.n;
}

void km_llm_stream_init(struct km_llm_stream *s, const struct km_llm_request *r,
                        struct km_arena *arena, struct km_arena *scratch)
{
    *s = (struct km_llm_stream){ .request = r, .scratch = scratch, .arena = arena, .keeps = true };
    s->model_json = km_llm_json_string(arena, r->model);
}

void km_llm_stream_doubt(struct km_llm_stream *s)
{
    s->usage = (struct km_usage){ 0 };
    s->nonsense = true;
}

int km_llm_error_status(const struct km_arena *like, struct km_str data)
{
    struct km_arena scratch KM_CLEANUP(km_arena_done);
    const struct km_json *root, *error, *code;
    struct km_str text = KM_STR_NONE, type = KM_STR_NONE;
    int64_t status = 0;

    km_arena_init(&scratch, like->cap, like->pool);
    if (km_json_parse_answer(&scratch, data, &root, NULL) < 0)
        return 0;
    error = km_json_get(root, "error");
    error = km_json_kind(error) == KM_JSON_OBJECT ? error : root;
    code = km_json_get(error, "code");
    if (!km_json_i64(code, &status) && km_json_string(code, &text) && km_str_i64(text, &status) < 0)
        status = 0;
    (void)km_json_string(km_json_get(error, "type"), &type);
    if (!status)
        status = km_refusal_status(text);
    if (!status)
        status = km_refusal_status(type);
    return status >= 400 && status < 600 ? (int)status : 0;
}

struct km_usage km_llm_stream_usage(const struct km_llm_stream *s)
{
    const struct km_usage nothing = { 0 }, *said = s->nonsense ? &nothing : &s->usage;
    struct km_heard heard = { .pieces = (int64_t)s->events };

    if (s->cut || km_usage_is_final(said, s->ended))
        return s->usage;
    heard.text = km_pace_heard(s->request->pace, &s->heard);
    if (!said->prompt_tokens)
        heard.prompt = km_llm_prompt_estimate(s->request);
    return km_usage_settle(said, s->ended, &heard);
}

/* Members in which answers have what was written, as strings or, for arguments, as objects. */
static bool is_written(struct km_str name)
{
    static const struct km_str names[] = {
        { "content", 7 },   { "text", 4 },       { "reasoning_content", 17 }, { "reasoning", 9 },
        { "refusal", 7 },   { "arguments", 9 },  { "thinking", 8 },           { "input", 5 },
        { "args", 4 },      { "outputText", 10 }, { "generation", 10 },        { "completion", 10 },
    };

    return km_str_iamong(name, names, sizeof names / sizeof names[0]);
}

/* written: whatever stands here is. */
static void hear_text(const struct km_json *v, bool written, unsigned depth,
                      struct km_text_heard *h)
{
    struct km_json_iter it;
    const struct km_json *one;
    struct km_str key, text;

    if (km_json_string(v, &text) && written)
        km_text_hear(h, text);
    if (depth > KM_JSON_DEPTH)
        return;
    for (km_json_iter(v, &it); km_json_next(&it, &key, &one);) {
        bool object = km_json_kind(one) == KM_JSON_OBJECT;
        bool arguments =
            object && (km_str_eq(key, KM_STR("input")) || km_str_eq(key, KM_STR("args")));

        hear_text(one, written || arguments || (is_written(key) && km_json_string(one, &text)),
                  depth + 1, h);
    }
}

void km_llm_whole_text(const struct km_arena *like, struct km_str body, struct km_text_heard *h)
{
    struct km_arena scratch KM_CLEANUP(km_arena_done);
    const struct km_json *root;

    km_arena_init(&scratch, like->cap, like->pool);
    if (km_json_parse_answer(&scratch, body, &root, NULL) == 0)
        hear_text(root, false, 0, h);
}

struct km_usage km_llm_whole_usage(const struct km_llm_request *r, const struct km_usage *said,
                                   const struct km_arena *like, struct km_str body)
{
    bool writes = r->api->wire & KM_WIRES_WRITE;
    struct km_heard heard = { .prompt = 0 };
    struct km_text_heard text = { .bytes = 0 };
    struct km_usage u = *said;

    if (u.known && (u.completion_tokens > 0 || (!writes && u.prompt_tokens > 0)))
        return u;
    if (writes)
        km_llm_whole_text(like, body, &text);
    if (u.known && (writes ? text.bytes == 0 : r->api->wire != KM_WIRE_EMBEDDING))
        return u; /* a ranking need not be counted in tokens */
    if (writes && text.bytes == 0)
        km_text_hear(&text, body); /* no text that is known as such: an image, say */
    heard.text = km_pace_heard(r->pace, &text);
    heard.prompt = km_llm_prompt_estimate(r);
    return km_usage_settle(&u, false, &heard);
}
