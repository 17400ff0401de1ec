/* SPDX-License-Identifier: Apache-2.0 */
/* messages.c - requests: read a few members by place, cut the gateway's own, pass on the rest.
 *
 * As with OpenAI's endpoints (openai.c) everything outside those spans is the client's own bytes,
 * so that what Anthropic adds tomorrow needs no change here.  What differs: `metadata` is
 * Anthropic's and stays, a stream needs no asking for usage, and what LiteLLM's clients tell the
 * gateway stands in `litellm_metadata`.
 */
#include "llm/api/messages.h"

#include "llm/api/priced.h"
#include "llm/spellings.h"

enum member {
    KM_M_MODEL,
    KM_M_STREAM,
    KM_M_MAX_TOKENS,
    KM_M_MESSAGES,
    KM_M_METADATA,
    KM_M_TOOLS,
    KM_M_API_BASE,
    KM_M_BASE_URL,
    KM_M_FIRST_CUT, /* from here on: the gateway's own, never sent upstream */
    KM_M_VERSION = KM_M_FIRST_CUT,
    KM_M_OWN,
    KM_M_COUNT = KM_M_OWN + KM_LLM_OWN_COUNT,
};

static const struct km_str members[KM_M_COUNT] = {
    { "model", 5 },
    { "stream", 6 },
    { "max_tokens", 10 },
    { "messages", 8 },
    { "metadata", 8 },
    { "tools", 5 },
    { "api_base", 8 },
    { "base_url", 8 },
    { "anthropic_version", 17 }, /* a header line here; its body's is the gateway's */
    KM_LLM_OWN_NAMES,
};

bool km_messages_is_gateways(struct km_str name)
{
    for (size_t m = KM_M_FIRST_CUT; m < KM_M_COUNT; m++)
        if (km_str_eq(name, members[m]))
            return true;
    return false;
}

static int read_needed(struct km_llm_request *r, struct km_err *err)
{
    enum km_json_type stream = r->spans[KM_M_STREAM].type;

    if (!km_llm_present(r, KM_M_MESSAGES))
        return km_fail_param(err, KM_E_INVALID, "messages", "messages: Field required");
    if (r->spans[KM_M_MESSAGES].type != KM_JSON_ARRAY)
        return km_llm_bad(err, "messages", "must be an array");
    if (km_llm_present(r, KM_M_STREAM) && stream != KM_JSON_TRUE && stream != KM_JSON_FALSE)
        return km_llm_bad(err, "stream", "must be true or false");
    r->stream = r->api->streams && stream == KM_JSON_TRUE;
    r->usage_asked = true; /* Messages' streams always say it */
    r->prompt = r->body;
    return km_llm_read_count(r, &r->spans[KM_M_MAX_TOKENS], "max_tokens", 0, KM_LLM_TOKENS_MOST,
                             &r->max_tokens, err);
}

/* metadata.user_id: of Anthropic's, and who the call is for. */
static void read_user(struct km_llm_request *r, struct km_arena *arena)
{
    static const struct km_str name = { "user_id", 7 };
    struct km_json_span span;

    if (r->spans[KM_M_METADATA].type == KM_JSON_OBJECT &&
        km_json_spans(km_llm_value(r, KM_M_METADATA), &name, 1, &span, NULL, NULL) == 0 &&
        span.type == KM_JSON_STRING)
        r->user = km_json_text(arena, km_llm_value(r, KM_M_METADATA), &span);
}

static int read_own(struct km_llm_request *r, struct km_arena *arena, struct km_err *err)
{
    for (enum member m = KM_M_API_BASE; m <= KM_M_BASE_URL; m++)
        if (km_llm_present(r, m))
            return km_llm_bad(
                err, members[m].p,
                "is not allowed in a request: the configuration chooses the upstream");
    if (r->spans[KM_M_OWN + KM_LLM_OWN_METADATA].type == KM_JSON_OBJECT)
        r->metadata = km_llm_value(r, KM_M_OWN + KM_LLM_OWN_METADATA);
    read_user(r, arena);
    return km_llm_read_own(r, &r->spans[KM_M_OWN], err);
}

static int parse(struct km_llm_request *r, struct km_arena *arena, struct km_str path_model,
                 struct km_err *err)
{
    int e = km_llm_read_members(r, arena, members, KM_M_COUNT, err);

    if (e == 0)
        e = km_llm_read_model(r, arena, path_model, KM_M_MODEL, "Field required", err);
    if (e == 0)
        e = read_needed(r, err);
    if (e == 0 && r->api->streams) /* what is only counted writes nothing */
        e = km_spellings_read(r, arena, KM_SPELLED(MAX_TOKENS), err);
    if (e == 0 && r->api->streams)
        e = km_llm_priced_read(r, KM_PRICED_MESSAGES, &r->spans[KM_M_TOOLS], arena, err);
    return e == 0 ? read_own(r, arena, err) : e;
}

/* --- the body of an attempt --- */

static int bound_output(const struct km_llm_request *r, const struct km_llm_body_args *args,
                        struct km_json_edits *e, struct km_arena *arena, struct km_err *err)
{
    struct km_str value = km_arena_i64(arena, args->max_tokens);

    if (r->spans[KM_M_MAX_TOKENS].type != KM_JSON_ABSENT)
        km_json_replace(e, &r->spans[KM_M_MAX_TOKENS], value);
    else
        km_json_add(e, arena, members[KM_M_MAX_TOKENS], value);
    return km_spellings_bound(r, e, arena, args->max_tokens, err);
}

/* The header's, unless the body says which. */
static void add_betas(const struct km_llm_request *r, struct km_str betas, struct km_json_edits *e,
                      struct km_arena *arena)
{
    static const struct km_str name = { "anthropic_beta", 14 };
    struct km_json_span span;

    if (km_json_spans(r->body, &name, 1, &span, NULL, NULL) == 0 && span.type == KM_JSON_ABSENT)
        km_json_add(e, arena, name, betas);
}

static int body(const struct km_llm_request *r, const struct km_llm_body_args *args,
                struct km_arena *arena, struct km_str **ret_parts, size_t *ret_n,
                struct km_err *err)
{
    struct km_str model = km_llm_upstream_model(args->deployment, args->star, arena);
    const struct km_json_span *span = &r->spans[KM_M_MODEL];
    const struct km_codec *codec = args->deployment->codec;
    struct km_json_edits e;
    int rc = 0;

    km_json_edits_init(&e, r->body, &r->object);
    if (codec && codec->messages_version) {
        km_json_cut(&e, span);
        km_json_add(&e, arena, KM_STR("anthropic_version"),
                    km_llm_json_string(arena, km_str_c(codec->messages_version)));
        if (codec->path_streams && r->spans[KM_M_STREAM].type != KM_JSON_ABSENT)
            km_json_cut(&e, &r->spans[KM_M_STREAM]);
    } else if (!km_str_eq(model, km_json_text(arena, r->body, span)))
        km_json_replace(&e, span, km_llm_json_string(arena, model));
    if (args->betas.n)
        add_betas(r, args->betas, &e, arena);
    km_llm_cut_from(r, KM_M_FIRST_CUT, &e);
    if (args->max_tokens >= 0 && r->api->streams)
        rc = bound_output(r, args, &e, arena, err);
    if (rc == 0 && r->api->streams) /* what is only counted has no parameters */
        rc = km_llm_add_defaults(r, args, &e, arena, err);
    return rc == 0 ? km_json_parts(&e, arena, ret_parts, ret_n, err) : rc;
}

/* --- rows --- */

/* Its own words for what OpenAI calls otherwise. */
static const char *param_name(enum km_chat_param p)
{
    switch (p) {
    case KM_P_STOP:
        return "stop_sequences";
    case KM_P_FORMAT:
        return "output_config.format";
    case KM_P_EFFORT:
        return "output_config.effort";
    case KM_P_PARALLEL_TOOLS:
        return "tool_choice.disable_parallel_tool_use";
    case KM_P_USER:
        return "metadata.user_id";
    default:
        return NULL;
    }
}

const struct km_llm_api km_api_messages = {
    .path = "/messages",
    .call_type = "anthropic_messages",
    .required = "messages",
    .streams = true,
    .chat = true,
    .wire = KM_WIRE_MESSAGES,
    .dialect = KM_DIALECT_ANTHROPIC,
    .parse = parse,
    .body = body,
    .answer = km_messages_answer,
    .event = km_messages_relay,
    .cut = km_messages_cut,
    .note_told = km_told_note_messages,
    .decode = km_messages_read,
    .encoder = &km_messages_encoder,
    .param_name = param_name,
};

const struct km_llm_api km_api_count_messages = {
    .path = "/messages/count_tokens",
    .call_type = "acount_tokens",
    .required = "messages",
    .wire = KM_WIRE_COUNT_MESSAGES,
    .dialect = KM_DIALECT_ANTHROPIC,
    .parse = parse,
    .body = body,
    .answer = km_messages_count_answer,
    .count = km_messages_count,
};
