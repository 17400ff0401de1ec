/* SPDX-License-Identifier: Apache-2.0 */
/* responses.c - requests of the Responses API, and their pass-through.
 *
 * A request's top-level members are found by place, as in openai.c, and a body that goes to an
 * upstream of the same protocol is the caller's own bytes but for `model`, the output's bound and
 * what is the gateway's own.  Answers carry the model's name inside the response object, in a
 * stream inside the `response` of some events: it is set back there.
 */
#include "llm/api/responses.h"

#include "llm/api/openai.h"
#include "llm/api/priced.h"
#include "llm/spellings.h"

static const struct km_str members[KM_R_COUNT] = {
    [KM_R_MODEL] = { "model", 5 },
    [KM_R_STREAM] = { "stream", 6 },
    [KM_R_INPUT] = { "input", 5 },
    [KM_R_PREVIOUS] = { "previous_response_id", 20 },
    [KM_R_MAX_TOKENS] = { "max_output_tokens", 17 },
    [KM_R_STORE] = { "store", 5 },
    [KM_R_USER] = { "user", 4 },
    [KM_R_METADATA] = { "metadata", 8 },
    [KM_R_BACKGROUND] = { "background", 10 },
    [KM_R_CONVERSATION] = { "conversation", 12 },
    [KM_R_PROMPT] = { "prompt", 6 },
    [KM_R_INSTRUCTIONS] = { "instructions", 12 },
    [KM_R_PARALLEL] = { "parallel_tool_calls", 19 },
    [KM_R_REASONING] = { "reasoning", 9 },
    [KM_R_TEMPERATURE] = { "temperature", 11 },
    [KM_R_TEXT] = { "text", 4 },
    [KM_R_TOOL_CHOICE] = { "tool_choice", 11 },
    [KM_R_TOOLS] = { "tools", 5 },
    [KM_R_TOP_P] = { "top_p", 5 },
    [KM_R_TRUNCATION] = { "truncation", 10 },
    [KM_R_API_BASE] = { "api_base", 8 },
    [KM_R_BASE_URL] = { "base_url", 8 },
    [KM_R_OWN] = KM_LLM_OWN_NAMES,
};

struct km_str km_responses_value(const struct km_llm_request *r, enum km_responses_member m)
{
    return r->spans[m].type == KM_JSON_ABSENT || r->spans[m].type == KM_JSON_NULL
               ? KM_STR_NONE
               : km_json_value(r->body, &r->spans[m]);
}

struct km_str km_responses_previous(const struct km_llm_request *r, struct km_arena *arena)
{
    return r->spans[KM_R_PREVIOUS].type == KM_JSON_STRING
               ? km_json_text(arena, r->body, &r->spans[KM_R_PREVIOUS])
               : KM_STR_NONE;
}

bool km_responses_stored(const struct km_llm_request *r)
{
    return r->spans[KM_R_STORE].type != KM_JSON_FALSE;
}

/* --- parsing --- */

static int read_types(const struct km_llm_request *r, struct km_err *err)
{
    static const enum km_responses_member flags[] = { KM_R_STREAM, KM_R_STORE, KM_R_BACKGROUND };
    enum km_json_type input = r->spans[KM_R_INPUT].type;

    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (km_llm_present(r, flags[i]) && r->spans[flags[i]].type != KM_JSON_TRUE &&
            r->spans[flags[i]].type != KM_JSON_FALSE)
            return km_llm_bad(err, members[flags[i]].p, "must be true or false");
    for (enum km_responses_member m = KM_R_API_BASE; m <= KM_R_BASE_URL; m++)
        if (km_llm_present(r, m))
            return km_llm_bad(
                err, members[m].p,
                "is not allowed in a request: the configuration chooses the upstream");
    if (km_llm_present(r, KM_R_PREVIOUS) && r->spans[KM_R_PREVIOUS].type != KM_JSON_STRING)
        return km_llm_bad(err, "previous_response_id", "must be a string");
    if (!km_llm_present(r, KM_R_INPUT) && !km_llm_present(r, KM_R_PROMPT) &&
        !km_llm_present(r, KM_R_PREVIOUS))
        return km_fail_param(err, KM_E_INVALID, "input",
                             "/responses: Missing required parameter: 'input'.");
    if (km_llm_present(r, KM_R_INPUT) && input != KM_JSON_STRING && input != KM_JSON_ARRAY)
        return km_llm_bad(err, "input", "must be a string or an array of items");
    return 0;
}

/* Its answer is `queued`, and what it comes to cost is said to whoever asks later: nobody here. */
static int refuse_background(struct km_err *err)
{
    return km_fail_param(err, KM_E_INVALID, "background",
                         "'background' is not served: an answer that is made later is not followed "
                         "to its end here, and would cost what nobody counts. Leave it out and "
                         "stream the answer, or send it as a line of a batch.");
}

static int parse(struct km_llm_request *r, struct km_arena *arena, struct km_str path_model,
                 struct km_err *err)
{
    int e = km_llm_read_members(r, arena, members, KM_R_COUNT, err);

    if (e == 0)
        e = km_llm_read_model(r, arena, path_model, KM_R_MODEL, NULL, err);
    if (e == 0)
        e = read_types(r, err);
    if (e == 0)
        e = km_llm_read_count(r, &r->spans[KM_R_MAX_TOKENS], "max_output_tokens", 0,
                              KM_LLM_TOKENS_MOST, &r->max_tokens, err);
    if (e == 0)
        e = km_spellings_read(r, arena, KM_SPELLED(MAX_OUTPUT_TOKENS), err);
    if (e == 0) { /* a prompt is one that the account keeps */
        r->priced.opens_input = km_llm_present(r, KM_R_PROMPT);
        e = km_llm_priced_read(r, KM_PRICED_RESPONSES, &r->spans[KM_R_TOOLS], arena, err);
    }
    if (e == 0 && r->spans[KM_R_BACKGROUND].type == KM_JSON_TRUE)
        e = refuse_background(err);
    if (e == 0)
        e = km_llm_read_own(r, &r->spans[KM_R_OWN], err);
    if (e < 0)
        return e;
    r->stream = r->api->streams && r->spans[KM_R_STREAM].type == KM_JSON_TRUE;
    r->prompt = km_responses_value(r, KM_R_INPUT);
    if (r->spans[KM_R_METADATA].type == KM_JSON_OBJECT)
        r->metadata = km_responses_value(r, KM_R_METADATA);
    if (r->spans[KM_R_USER].type == KM_JSON_STRING)
        r->user = km_json_text(arena, r->body, &r->spans[KM_R_USER]);
    return 0;
}

/* --- to an upstream that speaks it --- */

static int add_defaults(const struct km_llm_request *r, const struct km_llm_body_args *args,
                        struct km_json_edits *e, struct km_arena *arena, struct km_err *err)
{
    const struct km_deployment *d = args->deployment;
    struct km_str names[KM_DEFAULTS_MOST];
    struct km_json_span spans[KM_DEFAULTS_MOST];
    int rc;

    for (size_t i = 0; i < d->ndefaults; i++)
        names[i] = km_str_eq(d->defaults[i].name, KM_STR("max_tokens")) ||
                           km_str_eq(d->defaults[i].name, KM_STR("max_completion_tokens"))
                       ? members[KM_R_MAX_TOKENS]
                       : d->defaults[i].name;
    rc = km_json_spans(r->body, names, d->ndefaults, spans, NULL, err);
    for (size_t i = 0; rc == 0 && i < d->ndefaults; i++)
        if (spans[i].type == KM_JSON_ABSENT &&
            !((args->max_tokens >= 0 || r->max_tokens >= 0) && km_spelling_bounds(names[i])) &&
            !km_str_eq(names[i], members[KM_R_BACKGROUND]))
            km_json_add(e, arena, names[i], d->defaults[i].json);
    return rc;
}

static int body(const struct km_llm_request *r, const struct km_llm_body_args *args,
                struct km_arena *arena, struct km_str **ret_parts, size_t *ret_n,
                struct km_err *err)
{
    struct km_str model = km_llm_upstream_model(args->deployment, args->star, arena);
    const struct km_json_span *span = &r->spans[KM_R_MODEL];
    struct km_json_edits e;
    int rc = 0;

    km_json_edits_init(&e, r->body, &r->object);
    if (span->type == KM_JSON_ABSENT)
        km_json_add(&e, arena, members[KM_R_MODEL], km_llm_json_string(arena, model));
    else
        km_json_replace(&e, span, km_llm_json_string(arena, model));
    km_llm_cut_from(r, KM_R_OWN, &e);
    if (args->max_tokens >= 0) {
        struct km_str most = km_arena_i64(arena, args->max_tokens);

        if (r->spans[KM_R_MAX_TOKENS].type != KM_JSON_ABSENT)
            km_json_replace(&e, &r->spans[KM_R_MAX_TOKENS], most);
        else
            km_json_add(&e, arena, members[KM_R_MAX_TOKENS], most);
        rc = km_spellings_bound(r, &e, arena, args->max_tokens, err);
    }
    if (rc == 0 && args->deployment->ndefaults)
        rc = add_defaults(r, args, &e, arena, err);
    return rc == 0 ? km_json_parts(&e, arena, ret_parts, ret_n, err) : rc;
}

static const char *param_name(enum km_chat_param p)
{
    switch (p) {
    case KM_P_MAX_TOKENS:
        return "max_output_tokens";
    case KM_P_FORMAT:
        return "text.format";
    case KM_P_EFFORT:
        return "reasoning.effort";
    case KM_P_VERBOSITY:
        return "text.verbosity";
    default:
        return NULL;
    }
}

const struct km_llm_api km_api_responses = {
    .path = "/responses",
    .call_type = "aresponses",
    .required = "input",
    .streams = true,
    .wire = KM_WIRE_RESPONSES,
    .dialect = KM_DIALECT_OPENAI,
    .parse = parse,
    .body = body,
    .answer = km_responses_answer,
    .event = km_responses_event,
    .cut = km_responses_cut,
    .note_told = km_told_note_responses,
    .decode = km_responses_decode,
    .idle = km_responses_idle,
    .encoder = &km_encoder_responses,
    .param_name = param_name,
};

const struct km_llm_api km_api_compact = {
    .path = "/responses/compact",
    .call_type = "acompact_responses",
    .required = "input",
    .wire = KM_WIRE_RESPONSES,
    .dialect = KM_DIALECT_OPENAI,
    .parse = parse,
    .body = body,
    .answer = km_responses_answer,
    .param_name = param_name,
};
