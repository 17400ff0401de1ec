/* SPDX-License-Identifier: Apache-2.0 */
/* other_models.c - models that a body names beside the one it asks for.
 *
 *     instead   `models`, `fallbacks`, ... at the top   another may write the answer
 *     beside    `model` in a tool, a plugin, ...        another works for the one that writes it
 *
 * An upstream that reads such names would run a model that nobody judged, so each must be one the
 * key may use.  What is reserved and booked goes by the model that was asked for: of a key with a
 * budget another may write the answer if it is no dearer, and none may work beside it, for what
 * that uses no answer says in full.
 *
 * A body without such a member costs nothing: km_llm_read_members() watches for their names as it
 * walks.  They count wherever they stand, for upstreams learn new places, but not in what was said,
 * in a caller's own labels and schemas, and in tools that the caller runs.
 */
#include "kept/other_models.h"

/* What is looked at: one body. */
struct body {
    struct km_call *call;
    struct km_key *key;
    struct km_str asked; /* the model it asks for */
    bool raw; /* it goes on as it is: members that are the gateway's own are not cut */
};

static const char *const closed[] = {
    "messages",        "input",          "contents",          "system",          "instructions",
    "prompt",          "metadata",       "litellm_metadata",  "labels",          "requestMetadata",
    "response_format", "responseSchema", "response_schema",   "input_schema",    "json_schema",
    "schema",          "functions",      "functionDeclarations", "function_declarations",
    "toolSpec",        "extra_headers",  "documents",         "query",           "headers",
    "responseJsonSchema", "response_json_schema", "guided_json", "structured_outputs", "format",
    "client_metadata", "chat_template_kwargs", NULL,
};

static bool one_of(const char *const *names, struct km_str key)
{
    for (; *names; names++)
        if (km_str_eq(key, km_str_c(*names)))
            return true;
    return false;
}

/* --- one model --- */

static bool allows(const struct body *b, struct km_str name)
{
    return km_key_grants_model(b->key, name, KM_STR_NONE, NULL) == KM_GRANTED;
}

/* Who may get the body: the k-th of them, or NULL. */
static const struct km_deployment *goes_to(const struct body *b, size_t k)
{
    const struct km_call *call = b->call;

    if (call->kind->lines)
        return k == 0 ? call->at->d : NULL;
    return k < call->match.n ? call->match.v[k].deployment : NULL;
}

/* Of the provider that may get the body, and in a group the key may use. */
static const struct km_deployment *ours(const struct body *b, struct km_str name)
{
    const struct km_models *models = b->call->visit->view->snap->models;
    const struct km_deployment *to;

    for (size_t k = 0; (to = goes_to(b, k)) != NULL; k++)
        for (size_t i = 0; i < km_models_count(models); i++) {
            const struct km_deployment *d = km_models_at(models, i);

            if (km_str_eq(d->provider_name, to->provider_name) &&
                km_str_glob(d->upstream_model, name, NULL) && allows(b, d->group))
                return d;
        }
    return NULL;
}

/* Its own name may be on the key's list, its provider's before it, or the group's of a deployment
 * that has it. */
static bool granted(const struct body *b, struct km_str name)
{
    struct km_buf full KM_CLEANUP(km_buf_done) = KM_BUF(1024);
    const struct km_deployment *to;

    if (b->key->row.models.n == 0 || allows(b, name) || ours(b, name))
        return true;
    for (size_t k = 0; (to = goes_to(b, k)) != NULL; k++) {
        km_buf_reset(&full);
        km_buf_printf(&full, "%.*s/%.*s", KM_STR_ARG(to->provider_name), KM_STR_ARG(name));
        if (!km_buf_failed(&full) && allows(b, km_buf_view(&full)))
            return true;
    }
    return false;
}

/* Is its price known, and none of it above what is reserved by? */
static bool covered(const struct body *b, struct km_str name)
{
    const struct km_snapshot *snap = b->call->visit->view->snap;
    const struct km_deployment *d = ours(b, name), *to = goes_to(b, 0);
    struct km_price price = KM_PRICE_NONE;
    struct km_price_worst worst;
    bool known;

    if (d && km_str_chr(d->upstream_model, '*') == d->upstream_model.n)
        price = d->price;
    else if (!to || !km_prices_find(snap->prices, to->provider_name, name, &price))
        return false;
    worst = km_call_worst_price(b->call, &known);
    return known && (price.input >= 0 || price.output >= 0 || price.request >= 0) &&
           price.input <= worst.input && price.output <= worst.output &&
           price.request <= worst.request;
}

static int judge_right(const struct body *b, const char *member, struct km_str name,
                       struct km_err *err)
{
    return granted(b, name) ? 0
                            : km_fail_param(err, KM_E_MODEL_DENIED, member,
                                            "'%s' names model '%.*s', which your key may not use.",
                                            member, KM_STR_ARG(km_str_sub(name, 0, 100)));
}

static int judge(const struct body *b, const char *member, struct km_str name, bool beside,
                 struct km_err *err)
{
    const struct km_key_settings *keys = b->call->visit->view->snap->keys;
    int r;

    if (km_str_eq(name, b->asked) ||
        (km_str_starts(name, KM_STR("models/")) && km_str_eq(km_str_skip(name, 7), b->asked)))
        return 0;
    r = judge_right(b, member, name, err);
    if (r < 0)
        return r;
    if (b->key->row.max_budget < 0 || keys->allow_unpriced || (!beside && covered(b, name)))
        return 0;
    return km_fail_param(err, KM_E_UNPRICED, member,
                         "'%s' names model '%.*s', and this key has a budget: what another model "
                         "than '%.*s' costs is not reserved for, unless it is known to cost no "
                         "more. kanmon_settings.allow_unpriced lets it pass uncounted.",
                         member, KM_STR_ARG(km_str_sub(name, 0, 100)),
                         KM_STR_ARG(km_str_sub(b->asked, 0, 100)));
}

/* --- where they stand --- */

static int unknown(const char *member, struct km_err *err)
{
    return km_fail_param(err, KM_E_INVALID, member,
                         "'%s' names no model that could be compared with what your key may use.",
                         member);
}

/* "a", ["a", {"model":"a"}], {"one":"a","other":"b"} */
static int judge_all(const struct body *b, const char *member, const struct km_json *v, bool beside,
                     unsigned depth, struct km_err *err)
{
    struct km_json_iter it;
    const struct km_json *one;
    struct km_str key, name;
    int r = 0;

    if (km_json_string(v, &name))
        return name.n ? judge(b, member, name, beside, err) : 0;
    if (km_json_kind(v) != KM_JSON_ARRAY && km_json_kind(v) != KM_JSON_OBJECT)
        return 0; /* allow_fallbacks: true */
    if (depth > 4)
        return unknown(member, err);
    if (km_json_kind(v) == KM_JSON_OBJECT && km_json_get(v, "model"))
        return judge_all(b, member, km_json_get(v, "model"), beside, depth + 1, err);
    for (km_json_iter(v, &it); r == 0 && km_json_next(&it, &key, &one);)
        r = judge_all(b, member, one, beside, depth + 1, err);
    return r;
}

static bool through(const struct body *b, const char *provider)
{
    const struct km_deployment *to;

    for (size_t k = 0; (to = goes_to(b, k)) != NULL; k++)
        if (km_str_eq(to->provider_name, km_str_c(provider)))
            return true;
    return false;
}

/* OpenRouter chooses by itself, or by what its account has under that name. */
static int judge_choice(const struct body *b, const struct km_json *root, struct km_err *err)
{
    struct km_str route;

    if (!through(b, "openrouter"))
        return 0;
    if (km_json_string(km_json_get(root, "preset"), &route) && route.n)
        return unknown("preset", err);
    if (km_json_string(km_json_get(root, "route"), &route) &&
        km_str_eq(route, KM_STR("fallback")) && !km_json_get(root, "models"))
        return unknown("route", err);
    return 0;
}

/* A tool that the caller runs, whose inside is a schema; Messages' own have no type. */
static bool is_function(const struct km_json *tool)
{
    const struct km_json *type = km_json_get(tool, "type");
    struct km_str said = KM_STR_NONE;

    (void)km_json_string(type, &said);
    return km_str_eq(said, KM_STR("function")) || km_str_eq(said, KM_STR("custom")) ||
           (km_json_get(tool, "input_schema") && (!type || km_json_kind(type) == KM_JSON_NULL));
}

/* The lists of fallbacks that are read, and cut. */
static bool is_own_list(struct km_str key)
{
    return km_str_eq(key, KM_STR("fallbacks")) ||
           km_str_eq(key, KM_STR("context_window_fallbacks")) ||
           km_str_eq(key, KM_STR("content_policy_fallbacks"));
}

static int judge_member(const struct body *b, struct km_str key, const struct km_json *v, bool top,
                        struct km_err *err)
{
    const char *member;

    if (top && !b->raw && is_own_list(key))
        return 0; /* the gateway's own: they are cut */
    if (top && km_str_eq(key, KM_STR("extra_body")))
        return km_fail_param(err, KM_E_INVALID, "extra_body",
                             "'extra_body' is not read by a key that has a budget or a list of "
                             "models: put its members at the top of the body.");
    if (!km_llm_names_model(key, !top))
        return 0;
    member = km_arena_cstr(&b->call->arena, km_str_sub(key, 0, 100));
    return !member ? km_fail(err, KM_E_NOMEM, "out of memory")
                   : judge_all(b, member, v, !top, 0, err);
}

/* tools: v is a list of them. */
static int look(const struct body *b, const struct km_json *v, unsigned depth, bool tools,
                struct km_err *err)
{
    struct km_json_iter it;
    const struct km_json *one;
    struct km_str key;
    int r = 0;

    if (depth > KM_JSON_DEPTH)
        return km_fail(err, KM_E_LIMIT, "The request is nested too deeply.");
    for (km_json_iter(v, &it); r == 0 && km_json_next(&it, &key, &one);) {
        if ((key.n && one_of(closed, key)) || (tools && is_function(one)))
            continue;
        r = judge_member(b, key, one, depth == 0, err);
        if (r == 0)
            r = look(b, one, depth + 1, km_str_eq(key, KM_STR("tools")), err);
    }
    return r;
}

/* Is the key held to anything that another model could get around? */
static bool is_held(const struct km_key *key)
{
    return key && (key->row.models.n > 0 || key->row.max_budget >= 0);
}

int km_other_models_line(struct km_call *call, const struct km_json *root, struct km_str asked,
                         struct km_err *err)
{
    const struct body b = {
        .call = call, .key = call->visit->who.key, .asked = asked, .raw = call->kind->raw
    };
    int r;

    if (!is_held(b.key))
        return 0;
    r = judge_choice(&b, root, err);
    return r == 0 ? look(&b, root, 0, false, err) : r;
}

int km_other_models_heard(struct km_call *call, const char *member, struct km_str name,
                          struct km_err *err)
{
    const struct body b = { .call = call, .key = call->visit->who.key };

    return b.key && name.n ? judge_right(&b, member, name, err) : 0;
}

static int check_models(struct km_call *call, struct km_err *err)
{
    struct km_arena scratch KM_CLEANUP(km_arena_done);
    const struct km_json *root;
    int r;

    km_arena_init(&scratch, call->arena.cap, call->arena.pool); /* takes nothing yet */
    if (!is_held(call->visit->who.key))
        return KM_HOOK_PASS;
    r = km_llm_parse_body(&scratch, call->req.body, &root, err);
    return r == 0 ? km_other_models_line(call, root, call->req.model, err) : r;
}

const struct km_call_hook km_other_models_hook = {
    .name = "other_models", .names = KM_NAMES_MODELS, .run = check_models, .judges = true
};
