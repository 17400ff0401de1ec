/* SPDX-License-Identifier: Apache-2.0 */
/* which.c - see which.h for the contract.
 *
 *     request, head, key ──> ask ──> filters (policy/filter.h) ──> route.left_out ──> router
 *                                       └── none left ──> error, or the groups that follow
 *
 * Who has no filter pays for a comparison (call/send.c).  What deployments were left out for the
 * caller is told by reason and number, and the log by deployment: ids of deployments that he did
 * not get are none of the caller's business.
 */
#include "call/which.h"

#include <stdio.h>

#include "call/economy.h"
#include "http/json.h"
#include "llm/refusal.h"

#define TAGS_MOST 64
#define SAID_MOST 400 /* bytes of the log's member */

/* --- what is asked --- */

struct tags {
    struct km_str v[TAGS_MOST];
    size_t n;
    struct km_str prefix; /* of those that are for routing; empty: none is */
    bool declared; /* one that names a deployment's began so */
};

static bool is_plain(struct km_str tag)
{
    return tag.n && tag.p[0] != '&' && tag.p[0] != '!';
}

static void add_tag(struct tags *t, struct km_str tag)
{
    if (t->prefix.n && km_str_starts(tag, t->prefix)) {
        tag = km_str_skip(tag, t->prefix.n);
        t->declared = t->declared || is_plain(tag);
    }
    for (size_t i = 0; i < t->n; i++)
        if (km_str_eq(t->v[i], tag))
            return;
    if (tag.n && t->n < TAGS_MOST)
        t->v[t->n++] = tag;
}

/* A list of anything else than strings says nothing, as in LiteLLM. */
static void add_tags(struct tags *t, const struct km_json *list)
{
    struct km_str none, tag;
    const struct km_json *item;
    struct km_json_iter it;

    if (km_json_kind(list) != KM_JSON_ARRAY)
        return;
    for (km_json_iter(list, &it); km_json_next(&it, &none, &item);)
        if (km_json_string(item, &tag))
            add_tag(t, tag);
}

static const struct km_json *parse(struct km_call *call, struct km_str json)
{
    const struct km_json *root;

    return json.n && km_json_parse(&call->arena, json, &root, NULL) == 0 ? root : NULL;
}

static void add_header_tags(struct tags *t, const struct km_call *call)
{
    struct km_str rest, part;

    if (!call->request)
        return;
    rest = km_header_get(&call->request->headers, KM_STR("x-litellm-tags"));
    while (km_str_split(&rest, ',', &part))
        add_tag(t, km_str_trim(part));
}

/* Its key's, its header's, its body's: all of them count, and a caller takes none of his key's
 * away. */
static int read_tags(struct km_call *call, const struct km_json *of_key, struct km_filter_ask *ret,
                     struct km_err *err)
{
    struct tags *t = km_arena_zalloc(&call->arena, sizeof *t);

    if (!t)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    t->prefix = call->visit->view->snap->routing->filters.tag_prefix;
    add_tags(t, km_json_get(of_key, "tags"));
    add_header_tags(t, call);
    add_tags(t, parse(call, call->req.tags));
    add_tags(t, km_json_get(parse(call, call->req.metadata), "tags"));
    ret->tags = (struct km_tags){ .v = t->v, .n = t->n };
    ret->tags_declared = t->declared;
    return 0;
}

/* The key's word holds; where it has none the caller may name one. */
static struct km_str region_of(const struct km_call *call, const struct km_json *of_key)
{
    struct km_str region;

    if (km_json_string(km_json_get(of_key, "allowed_model_region"), &region) && region.n)
        return region;
    return call->request ? km_header_get(&call->request->headers, KM_STR("x-kanmon-model-region"))
                         : KM_STR_NONE;
}

static bool is_there(struct km_str body, const struct km_json_span *s)
{
    struct km_str value = km_json_value(body, s);

    return s->type == KM_JSON_OBJECT ||
           (s->type == KM_JSON_ARRAY && !km_str_eq(value, KM_STR("[]")));
}

/* By the names that the APIs have for them; media by what has one inside (llm/api.c). */
static unsigned needs_of(const struct km_call *call)
{
    static const struct km_str names[] = { { "tools", 5 },      { "functions", 9 },
                                           { "toolConfig", 10 }, { "response_format", 15 },
                                           { "text", 4 },        { "output_format", 13 },
                                           { "output_config", 13 }, { "generationConfig", 16 } };
    enum { TOOLS = 3, ALL = sizeof names / sizeof names[0] };
    struct km_json_span spans[ALL];
    unsigned needs = call->req.names & KM_NAMES_MEDIA ? (unsigned)KM_NEED_VISION : 0;

    if (km_json_spans(call->req.body, names, ALL, spans, NULL, NULL) < 0)
        return needs;
    for (size_t i = 0; i < ALL; i++) {
        const struct km_str value = km_json_value(call->req.body, &spans[i]);

        if (!is_there(call->req.body, &spans[i]))
            continue;
        if (i < TOOLS)
            needs |= KM_NEED_TOOLS;
        else if (km_str_find(value, KM_STR("chema\"")) < value.n)
            needs |= KM_NEED_SCHEMA; /* json_schema, responseSchema, schema */
    }
    return needs;
}

int km_call_filter_ask(struct km_call *call, struct km_filter_ask *ret, struct km_err *err)
{
    const struct km_key *key = call->visit->who.key;
    const struct km_json *of_key = key ? parse(call, key->row.metadata) : NULL;
    const bool fits = call->match.filters & KM_FILTER_FITS;

    *ret = (struct km_filter_ask){
        .on = call->match.filters,
        .tokens = call->api ? call->input_tokens : 0,
        .needs = fits && call->api ? needs_of(call) : 0,
        .region = fits ? region_of(call, of_key) : KM_STR_NONE,
        .tags_match_any = call->visit->view->snap->routing->filters.tags_match_any,
    };
    return call->match.filters & KM_FILTER_TAGS ? read_tags(call, of_key, ret, err) : 0;
}

/* --- none is left --- */

/* LiteLLM's sentence, in what room an error has. */
static int too_long(const struct km_call *call, const struct km_filter_ask *ask, struct km_err *err)
{
    char each[256] = "";
    size_t n = 0;
    int64_t most = 0;

    for (size_t i = 0; i < call->match.n && n < sizeof each; i++) {
        const struct km_candidate_facts *f = call->match.v[i].about;

        if (!f || call->route.left_out[i] != KM_LEFT_CONTEXT)
            continue;
        n += (size_t)snprintf(each + n, sizeof each - n,
                              "Model=%.*s, Max Input Tokens=%lld, Got=%lld",
                              KM_STR_ARG(km_str_sub(f->model, 0, 100)), (long long)f->max_input,
                              (long long)ask->tokens);
        most = f->max_input > most ? f->max_input : most;
    }
    km_fail(err, KM_E_INVALID,
            "litellm.ContextWindowExceededError: litellm._pre_call_checks: Context Window exceeded "
            "for given call. No models have context window large enough for this call.\n%s",
            each);
    if (err) {
        err->kind = KM_REFUSED_CONTEXT;
        err->reason = "context_length_exceeded";
    }
    return KM_E_INVALID;
}

/* Its caller's or its key's words leave nothing: asking again changes nothing. */
static int none_left(const struct km_call *call, const struct km_filter_ask *ask,
                     struct km_err *err)
{
    const enum km_left_out why = km_filters_reason(call->route.left_out, call->match.n);
    const struct km_str model = km_str_sub(call->req.model, 0, 100);

    if (km_call_has_spent_target(call))
        return km_call_all_spent(call, err);
    if (why == KM_LEFT_CONTEXT)
        return too_long(call, ask, err);
    if (why == KM_LEFT_TAGS)
        km_fail(err, KM_E_NO_DEPLOYMENT,
                "Not allowed to access model due to tags configuration. No deployment of model "
                "'%.*s' serves the tags of this call.",
                KM_STR_ARG(model));
    else
        km_fail(err, KM_E_NO_DEPLOYMENT,
                "No deployments available for selected model: none of model '%.*s' fits what this "
                "call needs (%s).",
                KM_STR_ARG(model), km_left_out_word(why));
    if (err) {
        err->http = why == KM_LEFT_TAGS ? 403 : 400;
        err->type = why == KM_LEFT_TAGS ? "permission_error" : "invalid_request_error";
        err->final = true;
    }
    return KM_E_NO_DEPLOYMENT;
}

int km_call_filter(struct km_call *call, struct km_err *err)
{
    struct km_filter_ask ask;
    uint8_t *why;
    size_t left;
    int r;

    if (!call->match.filters || call->route.left_out)
        return 0;
    r = km_call_filter_ask(call, &ask, err);
    if (r < 0)
        return r;
    why = km_arena_zalloc(&call->arena, call->match.n + 1);
    if (!why)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    call->route.left_out = why;
    left = km_filters_run(&ask, call->match.v, call->match.n, why);
    if (ask.on & KM_FILTER_BUDGET)
        left = km_call_leave_out_spent(call, why);
    if (!left)
        return none_left(call, &ask, err);
    return ask.on & KM_FILTER_COSTS ? km_call_score_costs(call, err) : 0;
}

/* --- told --- */

static size_t count(const struct km_call *call, enum km_left_out why)
{
    size_t n = 0;

    for (size_t i = 0; i < call->match.n; i++)
        n += call->route.left_out[i] == (uint8_t)why;
    return n;
}

void km_call_which_lines(const struct km_call *call, struct km_buf *head)
{
    bool said = false;

    if (call->route.scores)
        km_buf_printf(head, "x-kanmon-economy: %.*s\r\n", KM_STR_ARG(km_call_economy(call)));
    for (int why = KM_LEFT_NOT + 1; why < KM_LEFT_OUT_COUNT; why++) {
        const size_t n = count(call, (enum km_left_out)why);

        if (n)
            km_buf_printf(head, "%s%s=%zu", said ? ", " : "x-kanmon-left-out: ",
                          km_left_out_word((enum km_left_out)why), n);
        said = said || n;
    }
    if (said)
        km_buf_str(head, KM_STR("\r\n"));
}

void km_call_which_log(const struct km_call *call, struct km_line *line)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(SAID_MOST);

    if (call->route.scores)
        km_line_str(line, "economy", km_call_economy(call));
    for (size_t i = 0; i < call->match.n && text.n + 64 < SAID_MOST; i++)
        if (call->route.left_out[i] && call->match.v[i].about)
            km_buf_printf(&text, "%s%.*s: %s", text.n ? ", " : "",
                          KM_STR_ARG(km_str_sub(call->match.v[i].about->id, 0, 40)),
                          km_left_out_word((enum km_left_out)call->route.left_out[i]));
    if (text.n)
        km_line_str(line, "left_out", km_buf_view(&text));
}
