/* SPDX-License-Identifier: Apache-2.0 */
/* read.c - what a call below a prefix asks for, whether its key may, and who carries it.
 *
 * The body goes on as it is, so nothing is checked here for its own sake: only what decides.
 * That is the model, where the body or the path names it; what the answer may cost at most; and
 * whatever names things of the vendor's account that another key may have put there.
 *
 *     path has a row?   no: the administrator's, or everybody's where the file says so
 *     model             allowed to the key by its own name, by "<provider>/<name>", or as a
 *                       deployment of a group that is
 *     price             METERED: reserved like any call's; UNPRICED: not for a key with a budget
 */
#include "call/execution.h"
#include "call/hooks.h"
#include "gateway/prefix/prefix.h"
#include "gateway/prefix/settings.h"

#include "base/right.h"
#include "kept/things.h"
#include "llm/api/gemini.h"
#include "llm/api/priced.h"
#include "llm/api/responses.h"
#include "llm/bounds.h"

static struct km_key *key_of(const struct km_call *call)
{
    return call->visit->who.key;
}

/* --- rights --- */

static const struct km_prefix_settings *settings_of(const struct km_call *call)
{
    return km_config_get(call->visit->view->snap->config, &km_prefix_settings_table);
}

KM_MUST_USE static enum km_right grants_path(const struct km_call *call, struct km_err *err)
{
    const struct km_request *req = call->request;
    const struct km_key *key = key_of(call);

    if (!key || km_prefix_of(call)->rule)
        return KM_GRANTED;
    if (!settings_of(call)->unlisted_paths)
        km_fail(err, KM_E_FORBIDDEN,
                "%.*s %.*s is not for virtual keys: it may cost what nobody counts and touch "
                "what other keys own. Use the master key, or set "
                "kanmon_settings.prefix_unlisted_paths.",
                KM_STR_ARG(req->method), KM_STR_ARG(km_str_sub(req->path, 0, 200)));
    else if (key->row.models.n > 0)
        km_fail(err, KM_E_FORBIDDEN,
                "%.*s names no model that could be compared with this key's list of models.",
                KM_STR_ARG(km_str_sub(req->path, 0, 200)));
    else
        return KM_GRANTED;
    return KM_DENIED;
}

KM_MUST_USE static enum km_right grants_unpriced(const struct km_call *call, struct km_err *err)
{
    const struct km_key *key = key_of(call);

    if (!key || key->row.max_budget < 0 || call->visit->view->snap->keys->allow_unpriced)
        return KM_GRANTED;
    km_fail(err, KM_E_UNPRICED,
            "What %.*s costs is not known here, and this key has a budget. Set "
            "kanmon_settings.allow_unpriced to let it pass uncounted.",
            KM_STR_ARG(km_str_sub(call->request->path, 0, 200)));
    return KM_DENIED;
}

/* --- things of the vendor's account --- */

/* What is being looked through. */
struct look {
    const struct km_vendor *vendor;
    bool buckets; /* what the operator's credentials may read is open to the key */
    struct km_str place; /* what was found is one of those */
};

static bool one_of(const char *const *names, struct km_str key)
{
    for (; names && *names; names++)
        if (km_str_eq(key, km_str_c(*names)))
            return true;
    return false;
}

/* Of an object it is what it has inside, but for Vertex AI's stores and Azure's agents: they are
 * named in many ways, and there is no new one to ask for. */
static bool names_something(struct look *look, const char *name, const struct km_json *v)
{
    struct km_str text;

    if (km_json_kind(v) == KM_JSON_OBJECT && (km_str_starts(km_str_c(name), KM_STR("vertex")) ||
                                              km_str_starts(km_str_c(name), KM_STR("agent"))))
        return true;
    if (km_json_kind(v) == KM_JSON_OBJECT)
        v = km_json_get(v, "uri") ? km_json_get(v, "uri") : km_json_get(v, "id");
    else if (km_json_kind(v) == KM_JSON_ARRAY)
        return km_json_count(v) > 0;
    if (km_json_string(v, &text) && km_media_in_bucket(text)) {
        look->place = look->buckets ? KM_STR_NONE : text;
        return !look->buckets;
    }
    if (km_json_string(v, &text))
        return !km_media_is_place(text);
    return v && km_json_kind(v) != KM_JSON_NULL;
}

/* The first member of those names, anywhere; NULL: none.  As deep as the tree, which is bounded. */
static const char *foreign_in(struct look *look, const struct km_json *value)
{
    const struct km_vendor *v = look->vendor;
    const char *found = NULL;
    struct km_json_iter it;
    const struct km_json *one;
    struct km_str key;

    for (km_json_iter(value, &it); !found && km_json_next(&it, &key, &one);) {
        for (size_t i = 0; !found && key.n && v->foreign[i]; i++)
            if (km_str_eq(key, km_str_c(v->foreign[i])) &&
                names_something(look, v->foreign[i], one))
                found = v->foreign[i];
        if (!found && !one_of(v->opaque, key))
            found = foreign_in(look, one);
    }
    return found;
}

/* An item of the Responses API that stands for one the account has; NULL: none. */
static const char *item_in(const struct km_vendor *v, const struct km_json *root)
{
    const struct km_json *item, *input = km_json_get(root, "input");
    struct km_json_iter it;
    struct km_str key, id;

    if (v->dialect == KM_DIALECT_OPENAI && km_json_kind(input) == KM_JSON_ARRAY)
        for (km_json_iter(input, &it); km_json_next(&it, &key, &item);)
            if (km_responses_refers(item, &id))
                return "input";
    return NULL;
}

/* Does the text have one of those names in it, or may it have such an item? */
static bool mentions(const struct km_vendor *v, struct km_str body)
{
    if (v->dialect == KM_DIALECT_OPENAI && km_str_find(body, KM_STR("\"input\"")) < body.n &&
        km_str_find(body, KM_STR("\"id\"")) < body.n)
        return true;
    for (size_t i = 0; v->foreign[i]; i++)
        if (km_str_find(body, km_str_c(v->foreign[i])) < body.n)
            return true;
    return false;
}

/* A form or another body that is no JSON, nor looks so to a server that does not ask for its type:
 * not even its bytes may name such a thing. */
static bool is_other_type(const struct km_call *call)
{
    struct km_str type = km_header_get(&call->request->headers, KM_STR("content-type"));
    struct km_str body = km_str_trim(call->body);

    return type.n && km_str_find(type, KM_STR("json")) == type.n &&
           !km_str_istarts(type, KM_STR("text/")) && !km_str_starts(body, KM_STR("{")) &&
           !km_str_starts(body, KM_STR("["));
}

/* Reads the body where it could hold one of those members.  *ret_found: one that it has. */
static int find_foreign(const struct km_call *call, const char **ret_found, struct km_err *err)
{
    const struct km_headers *h = &call->request->headers;
    const struct km_vendor *v = km_prefix_of(call)->vendor;
    struct km_arena scratch KM_CLEANUP(km_arena_done);
    struct km_str coding = km_str_trim(km_header_get(h, KM_STR("content-encoding")));
    struct look look = { v, km_things_opened(call, KM_OPENED_BUCKETS), KM_STR_NONE };
    bool mentioned = mentions(v, call->body);
    const struct km_json *root;
    int r;

    *ret_found = NULL;
    km_arena_init(&scratch, call->arena.cap, call->arena.pool);
    if (coding.n && !km_str_ieq(coding, KM_STR("identity")) && call->body.n)
        return km_fail(err, KM_E_MEDIA_TYPE,
                       "The body is compressed (Content-Encoding: %.*s), and what it names must be "
                       "read here. Send it as it is.",
                       KM_STR_ARG(km_str_sub(coding, 0, 40)));
    /* A name may be written with escapes. */
    if (!mentioned &&
        (is_other_type(call) || km_str_find(call->body, KM_STR("\\u")) == call->body.n))
        return 0;
    r = km_llm_parse_body(&scratch, call->body, &root, err);
    if (r == 0 && !km_json_within(root, KM_JSON_DEPTH))
        r = km_fail(err, KM_E_LIMIT, "JSON is nested deeper than %d levels", KM_JSON_DEPTH);
    if (r == 0)
        *ret_found = foreign_in(&look, root);
    if (r == 0 && look.place.n)
        return km_media_refuse_bucket(look.place, err);
    if (r == 0 && !*ret_found)
        *ret_found = item_in(v, root);
    return r;
}

KM_MUST_USE static enum km_right grants_things(const struct km_call *call, struct km_err *err)
{
    const char *found = NULL;

    if (!key_of(call) || !km_prefix_of(call)->vendor->foreign)
        return KM_GRANTED;
    if (find_foreign(call, &found, err) < 0)
        return KM_DENIED;
    if (!found)
        return KM_GRANTED;
    km_fail_param(err, KM_E_FORBIDDEN, found,
                  "'%s' names something that belongs to the provider's account, and nobody "
                  "here knows to which key. Ask with the master key, or use the gateway's "
                  "own routes.",
                  found);
    return KM_DENIED;
}

/* --- the model --- */

static bool allows(const struct km_call *call, struct km_str name)
{
    return name.n && km_key_grants_model(key_of(call), name, KM_STR_NONE, NULL) == KM_GRANTED;
}

/* Its own name may be on the key's list, or the group's that a deployment is of: others of them
 * are left out. */
KM_MUST_USE static enum km_right grants_model(struct km_call *call, struct km_err *err)
{
    struct km_prefix_call *p = km_prefix_of(call);
    const struct km_vendor *v = p->vendor;
    struct km_candidate *room = (struct km_candidate *)p->to.match.v;
    struct km_str name = call->req.model, full;
    size_t n = 0;

    if (!key_of(call) || !name.n)
        return KM_GRANTED;
    full = km_arena_printf(&call->arena, "%s/%.*s", v->provider, KM_STR_ARG(name));
    if (allows(call, name) || allows(call, full) || (p->to.known && allows(call, p->to.group)))
        return KM_GRANTED;
    for (size_t i = 0; !p->to.lent && !p->to.known && i < p->to.match.n; i++) {
        const struct km_deployment *d = room[i].deployment;

        if (allows(call, d->group))
            room[n++] = room[i];
    }
    p->to.match.n = n;
    return n ? KM_GRANTED : km_key_grants_model(key_of(call), name, KM_STR_NONE, err);
}

KM_MUST_USE static enum km_right grants_lent(const struct km_call *call, struct km_err *err)
{
    if (!km_prefix_of(call)->to.lent || !call->req.model.n || !key_of(call) ||
        settings_of(call)->models == KM_PREFIX_ANY)
        return KM_GRANTED;
    km_fail_param(err, KM_E_FORBIDDEN, "model",
                  "Model '%.*s' is not in model_list, and kanmon_settings.prefix_models "
                  "allows no other below %.*s.",
                  KM_STR_ARG(km_str_sub(call->req.model, 0, 100)),
                  KM_STR_ARG(km_prefix_of(call)->vendor->prefix));
    return KM_DENIED;
}

/* --- what the vendor runs itself --- */

KM_MUST_USE static enum km_right grants_tools(struct km_call *call, struct km_err *err)
{
    km_llm_priced_head(&call->req.priced, &call->request->headers, &call->arena);
    return key_of(call) ? km_hosted_tools_grant(key_of(call)->row.extra, &call->req.priced, err)
                        : KM_GRANTED;
}

/* --- reading --- */

static int read_body_model(struct km_call *call, struct km_err *err)
{
    static const struct km_str name = { "model", 5 };
    struct km_llm_request *r = &call->req;
    int e = km_llm_read_members(r, &call->arena, &name, 1, err);

    if (e < 0)
        return e;
    if (r->spans[0].type != KM_JSON_STRING)
        return km_fail_param(err, KM_E_INVALID, "model", "'model' must be a string.");
    r->model = km_json_text(&call->arena, r->body, &r->spans[0]);
    return r->model.n ? 0 : km_fail_param(err, KM_E_INVALID, "model", "'model' must not be empty.");
}

static int read_request(struct km_call *call, struct km_err *err)
{
    const struct km_prefix_call *p = km_prefix_of(call);
    const struct km_meter_kind *kind = p->rule ? p->rule->meter : NULL;
    struct km_llm_request *r = &call->req;
    struct km_str from_path = KM_STR_NONE;
    int e = 0;

    *r = (struct km_llm_request){
        .body = call->body, .max_tokens = -1, .choices = 1, .num_retries = -1
    };
    if (p->segment.n)
        e = km_url_decode(&call->arena, p->segment, false, &from_path, err);
    if (e == 0 && kind && kind->api)
        return km_llm_request_parse(r, kind->api, &call->arena, call->body, from_path, err);
    if (e == 0 && kind)
        e = km_meter_request(kind, r, &call->arena, err);
    if (e == 0 && kind && kind->framing == KM_FRAMING_AWS) /* the path says it, not the body */
        r->stream = km_str_ends(km_str_c(p->rule->path), KM_STR("-stream"));
    r->model = from_path;
    if (e == 0 && p->rule && !from_path.n && km_str_eq(km_str_c(p->rule->method), KM_STR("POST")))
        e = read_body_model(call, err);
    return e;
}

/* The name is one of model_list's that this vendor has no part in: as if it had been asked for at
 * the gateway's own route. */
static int become_llm(struct km_call *call, const struct km_llm_api *api, struct km_str body,
                      struct km_err *err)
{
    struct km_str alt = KM_STR_NONE;

    if (api == &km_api_gemini_stream &&
        !(km_query_get(&call->arena, call->request->query, KM_STR("alt"), &alt) &&
          km_str_eq(alt, KM_STR("sse"))))
        api = &km_api_gemini_array;
    call->api = api;
    call->body = body;
    call->visit->dialect = api->dialect;
    call->visit->path_model = km_prefix_of(call)->segment;
    call->visit->match.nparams = 0;
    km_call_set_work(call, NULL);
    call->kind = km_call_kind_of_models(call);
    return call->kind->prepare(call, err);
}

static const struct km_llm_api *own_api(const struct km_vendor_rule *rule)
{
    return !rule ? NULL : rule->meter ? rule->meter->api : rule->api;
}

static void drop_meter(void *meter)
{
    km_meter_done(meter);
}

/* Of a body that is no API of ours: whoever serves it, can its answer be bounded there? */
static bool can_lower(const struct km_call *call)
{
    const struct km_prefix_call *p = km_prefix_of(call);
    const struct km_bounds *bounds = p->rule->meter->bounds;
    bool can = bounds && p->to.match.n > 0;

    for (size_t i = 0; can && i < p->to.match.n; i++) {
        const struct km_deployment *d = p->to.match.v[i].deployment;
        struct km_str model = d->upstream_model;

        if (!p->to.known || km_str_chr(model, '*') < model.n)
            model = call->req.model;
        can = km_bounds_can_lower(bounds, &call->req, model);
    }
    return can;
}

static int prepare_cost(struct km_call *call, struct km_err *err)
{
    struct km_prefix_call *p = km_prefix_of(call);

    if (!p->rule || p->rule->cost == KM_VENDOR_UNPRICED)
        return km_right_code(grants_unpriced(call, err), err);
    if (p->rule->cost != KM_VENDOR_METERED)
        return 0;
    call->priced = true;
    if (can_lower(call))
        call->req.api = &km_api_bounded_body;
    call->bounded = !p->rule->meter->bound && !call->req.api;
    km_meter_init(&p->meter, p->rule->meter, &call->req, &call->arena);
    return km_arena_defer(&call->arena, drop_meter, &p->meter);
}

int km_prefix_read(struct km_call *call, struct km_err *err)
{
    const struct km_request *req = call->request;
    struct km_prefix_call *p = km_arena_zalloc(&call->arena, sizeof *p);
    const struct km_llm_api *api;
    struct km_str body = call->body, execution;
    int r;

    if (!p)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    km_call_set_work(call, p);
    p->vendor = call->visit->match.route->data;
    p->path.rest = call->visit->match.params[0];
    p->vendor->split(&p->path);
    p->rule = km_vendor_match(p->vendor, req->method, &p->path, &p->segment);
    api = own_api(p->rule);
    r = km_right_code(grants_path(call, err), err);
    if (r == 0)
        r = km_call_cut_execution(call, err);
    execution = call->req.execution;
    if (r == 0)
        r = read_request(call, err);
    call->req.execution = execution;
    if (r == 0)
        r = km_models_vendor(call->visit->view->snap->models, p->vendor, call->req.model,
                             &call->arena, &p->to, err);
    if (api && p->to.known && (p->rule->ours || p->to.lent))
        return become_llm(call, api, body, err);
    if (r == 0)
        r = km_right_code(grants_model(call, err), err);
    if (r == 0)
        r = km_right_code(grants_lent(call, err), err);
    if (r == 0)
        r = km_right_code(grants_tools(call, err), err);
    if (r == 0)
        r = km_right_code(grants_things(call, err), err);
    if (r == 0)
        r = km_call_read_execution(call, err);
    if (r == 0)
        r = prepare_cost(call, err);
    call->match = p->to.match;
    return r;
}
