/* SPDX-License-Identifier: Apache-2.0 */
/* object_call.c - files and batches: the kind of call for what a caller keeps at an upstream.
 *
 *     made      upstream -> id -> store: owner, deployment -> answer
 *     asked by  id -> store: is it this key's, and where? -> upstream -> answer
 *     listed    by the store alone: a list of the upstream's would be everybody's
 *
 * An id is the upstream's own, so that it can stand in other requests too (a file in a chat); for
 * any other key it does not exist.  The files a batch writes belong to whoever made it.
 *
 * The lines of a batch name models of their own. Where a key may not use all models, or has a
 * budget, they are read first, from the upstream: each must name one that the key may use, and
 * all of them together must fit what is left.
 *
 * A batch costs nothing when it is made and is charged when its owner first sees that it has
 * ended: by its `usage`, else by what each line of its output file says.  Exactly one call
 * charges it (store/objects.h), whatever dies in between.
 */
#include "gateway/objects.h"

#include <stdlib.h>

#include "gateway/object_inside.h"
#include "gateway/reply.h"
#include "gateway/upload.h"

enum action { MAKE, GET, CONTENT, REMOVE, CANCEL };

struct object_api {
    struct km_llm_api api; /* first */
    const char *kind;
    enum action action;
};

static const struct object_api *row_of(const struct km_call *call)
{
    return (const struct object_api *)(const void *)call->api;
}

static bool is_batch(const struct km_call *call)
{
    return row_of(call)->kind[0] == 'b';
}

static int not_found(struct km_err *err, bool batch, struct km_str id)
{
    int r = km_fail_param(err, KM_E_NOT_FOUND, "id",
                          batch ? "No batch found with id '%.*s'." : "No such File object: %.*s",
                          KM_STR_ARG(km_str_sub(id, 0, 100)));

    if (err)
        err->type = "invalid_request_error";
    return r;
}

/* --- whose it is, and where --- */

static void on_row(void *ctx, struct km_str record, const struct km_err *err)
{
    struct km_call *call = ctx;
    struct km_object_work *o = call->object;
    struct km_err why = { 0 };
    int r = 0;

    call->ledger_waits = false;
    if (err && err->code == KM_E_NOT_FOUND)
        r = not_found(&why, is_batch(call) && row_of(call)->action != MAKE, o->id);
    else if (err)
        r = (why = *err).code;
    else
        r = km_object_read(km_arena_str(&call->arena, record), &o->row, &why);
    o->known = r == 0;
    if (r < 0)
        km_call_fail(call, &why);
    else
        km_call_resume(call, 0);
}

static int look_up(struct km_call *call, const char *kind)
{
    uint8_t owner[32];

    km_visit_hash(call->visit, owner);
    call->ledger_waits = true; /* the store answers in any case: nothing may move before */
    km_store_object_get(call->w->gw->store, call->w->mailbox, km_str_c(kind), call->object->id,
                        owner, on_row, call);
    return KM_E_AGAIN;
}

/* Members of a request for a batch: what names its file, and what is the gateway's own. */
enum { KM_B_FILE, KM_B_MODEL, KM_B_PROVIDER, KM_B_TARGETS, KM_B_LITELLM, KM_B_COUNT };
static const struct km_str batch_names[KM_B_COUNT] = {
    { "input_file_id", 13 },     { "model", 5 },
    { "custom_llm_provider", 19 }, { "target_model_names", 18 },
    { "litellm_metadata", 16 },
};

static int read_batch(struct km_call *call, struct km_err *err)
{
    struct km_llm_request *req = &call->req;
    int r = km_call_check_type(call, err);

    *req = (struct km_llm_request){
        .api = call->api, .body = call->body, .max_tokens = -1, .choices = 1, .num_retries = -1
    };
    if (r == 0)
        r = km_llm_read_members(req, &call->arena, batch_names, KM_B_COUNT, err);
    if (r == 0 && req->spans[KM_B_FILE].type != KM_JSON_STRING)
        r = km_fail_param(err, KM_E_INVALID, "input_file_id",
                          "/batches: Missing required parameter: 'input_file_id'.");
    if (r == 0)
        call->object->id = km_json_text(&call->arena, call->body, &req->spans[KM_B_FILE]);
    return r;
}

static void work_done(void *data)
{
    struct km_object_work *o = data;

    km_buf_done(&o->line);
}

static int begin(struct km_call *call, struct km_err *err)
{
    struct km_object_work *o = km_arena_zalloc(&call->arena, sizeof *o);

    if (!o)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    call->object = o;
    o->line.max = KM_OBJECT_LINE;
    if (km_arena_defer(&call->arena, work_done, o) < 0)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    if (row_of(call)->action == MAKE)
        return 0;
    return km_url_decode(&call->arena, call->visit->match.params[0], false, &o->id, err);
}

static int take(struct km_call *call, struct km_err *err)
{
    const struct object_api *row = row_of(call);
    int r = call->object ? 0 : begin(call, err);

    if (r == 0 && row->action == MAKE && !is_batch(call))
        return km_upload_take(call, false, err);
    if (r == 0 && row->action == MAKE && !call->object->id.n) {
        r = km_call_take_body(call);
        if (r == 0)
            r = read_batch(call, err);
    }
    if (r == 0 && !call->object->known)
        return look_up(call, row->action == MAKE ? "file" : row->kind);
    return r;
}

/* --- which upstream a new file goes to --- */

static struct km_str said(struct km_call *call, const char *name)
{
    struct km_str v = KM_STR_NONE;

    if (km_upload_field(call->upload, km_str_c(name), &v))
        v = km_arena_str(&call->arena, v);
    else
        (void)km_query_get(&call->arena, km_exchange_request(call->x)->query, km_str_c(name), &v);
    return v;
}

static bool may_serve(const struct km_call *call, const struct km_deployment *d,
                      struct km_str provider)
{
    const struct km_key *key = call->visit->who.key;

    return d->codec && (d->codec->native & KM_WIRE_FILES) && !d->mock_response.n &&
           !d->unavailable.n && km_str_eq(d->provider_name, provider) &&
           (!key || km_key_model(key, d->group, KM_STR_NONE, NULL) == 0);
}

/* The first of the file's that this key may use: of the provider named, or of any that has files,
 * OpenAI first. */
static const struct km_deployment *first_of(const struct km_call *call, struct km_str provider)
{
    static const struct km_str usual[] = { { "openai", 6 }, { "azure", 5 } };
    const struct km_models *models = call->visit->view->snap->models;

    for (size_t u = 0; u < sizeof usual / sizeof usual[0]; u++)
        for (size_t i = 0; i < km_models_count(models); i++)
            if (may_serve(call, km_models_at(models, i), provider.n ? provider : usual[u]))
                return km_models_at(models, i);
    return NULL;
}

static int find_deployment(struct km_call *call, struct km_str id, struct km_str model,
                           struct km_err *err)
{
    int r = km_models_find(call->visit->view->snap->models, id, &call->match, err);

    if (r < 0) /* the entry was changed: another of its group has the same upstream, perhaps */
        r = km_models_find(call->visit->view->snap->models, model, &call->match, err);
    call->req.model = model;
    return r;
}

static int choose(struct km_call *call, struct km_err *err)
{
    const struct km_deployment *d;
    struct km_str targets = said(call, "target_model_names");

    call->req = (struct km_llm_request){
        .api = call->api, .max_tokens = -1, .choices = 1, .num_retries = -1
    };
    call->req.model = said(call, "model");
    if (!call->req.model.n)
        call->req.model = km_str_trim(km_str_sub(targets, 0, km_str_chr(targets, ',')));
    if (call->req.model.n)
        return km_call_find_model(call, err);
    d = first_of(call, said(call, "custom_llm_provider"));
    if (!d)
        return km_fail_param(err, KM_E_INVALID, "model",
                             "No model that your key may use has an upstream with files. Name one "
                             "as `model` or `target_model_names` (form or URL), or its provider as "
                             "`custom_llm_provider`.");
    return find_deployment(call, d->id, d->group, err);
}

static int prepare(struct km_call *call, struct km_err *err)
{
    const struct km_object *row = &call->object->row;
    int r;

    if (!call->object->known)
        r = choose(call, err);
    else
        r = find_deployment(call, row->deployment, row->model, err);
    km_call_read_head(call);
    return r;
}

/* The input of a batch is its file; what comes out, nobody can say. */
static int reserve(struct km_call *call, struct km_err *err)
{
    struct km_price price;
    struct km_usage u = { 0 };
    struct km_json_span at;
    struct km_str name = KM_STR("bytes");

    call->reserve = 0;
    if (row_of(call)->action != MAKE || !is_batch(call))
        return 0;
    price = km_call_price(call, call->match.v[0].deployment);
    price = km_price_batch(&price);
    if (!km_json_sure_spans(call->object->row.json, &name, 1, &at, NULL) ||
        km_str_i64(km_json_value(call->object->row.json, &at), &u.prompt_tokens) < 0)
        u.prompt_tokens = 0; /* the upstream did not say how long the file is */
    return km_price_cost(&price, &u, &call->reserve) ? 0 : km_call_unpriced(call, err);
}

/* --- the request --- */

static struct km_str target(struct km_call *call, struct km_str path)
{
    struct km_target_args args = { .d = call->d, .wire = KM_WIRE_FILES, .path = path };
    const struct km_codec *codec = call->d->codec;
    struct km_str parts[] = { call->d->base_path,
                              codec->target ? codec->target(&args, &call->arena) : path };

    return km_arena_cat(&call->arena, parts, 2);
}

static struct km_str path_of(struct km_call *call, const char *kind, struct km_str id,
                             const char *behind)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(4096);

    km_buf_printf(&b, "/%s", kind);
    if (id.n)
        km_buf_byte(&b, '/');
    km_url_encode(&b, id);
    km_buf_str(&b, km_str_c(behind));
    return km_arena_str(&call->arena, km_buf_view(&b));
}

/* The caller's own bytes without the gateway's members. */
static int batch_body(struct km_call *call, struct km_err *err)
{
    struct km_json_edits e;
    struct km_str *parts;
    size_t n;
    int r;

    km_json_edits_init(&e, call->body, &call->req.object);
    for (size_t i = KM_B_MODEL; i < KM_B_COUNT; i++)
        if (call->req.spans[i].type != KM_JSON_ABSENT)
            km_json_cut(&e, &call->req.spans[i]);
    r = km_json_parts(&e, &call->arena, &parts, &n, err);
    if (r == 0)
        km_call_request(call, parts, n);
    return r;
}

static void plain_request(struct km_call *call)
{
    km_call_request(call, NULL, 0);
    call->out.has_body = row_of(call)->action == CANCEL;
    call->out.method = km_exchange_request(call->x)->method;
}

/* Is the key held to models or a budget? */
static bool held(const struct km_call *call)
{
    const struct km_key *key = call->visit->who.key;

    return key && (key->row.max_budget >= 0 || key->row.models.n > 0);
}

/* The file that the batch is to be made of. */
static void ask_for_lines(struct km_call *call)
{
    call->object->checking = true;
    km_call_request(call, NULL, 0);
    call->out.method = KM_STR("GET");
    call->out.has_body = false;
    call->out.target = target(call, path_of(call, "files", call->object->id, "/content"));
}

static int make_batch_now(struct km_call *call, struct km_err *err)
{
    int r = batch_body(call, err);

    call->out.target = target(call, KM_STR("/batches"));
    return r;
}

static int attempt(struct km_call *call, struct km_err *err)
{
    const struct object_api *row = row_of(call);
    struct km_str id = row->action == MAKE ? KM_STR_NONE : call->object->id;
    int r = 0;

    if (!call->d->codec || !(call->d->codec->native & KM_WIRE_FILES) || call->d->mock_response.n)
        return km_fail_param(err, KM_E_UNSUPPORTED, "model", "Model '%.*s' has no files here.",
                             KM_STR_ARG(km_str_sub(call->req.model, 0, 100)));
    if (row->action == MAKE && is_batch(call) && held(call) && !call->object->checked) {
        ask_for_lines(call);
        return km_arena_overflowed(&call->arena) ? km_fail(err, KM_E_NOMEM, "out of memory") : 0;
    }
    if (row->action != MAKE)
        plain_request(call);
    else if (is_batch(call))
        r = batch_body(call, err);
    else
        r = km_upload_send(call, KM_STR_NONE, call->d->head, err);
    call->out.target = target(call, path_of(call, is_batch(call) ? "batches" : "files", id,
                                            row->action == CONTENT  ? "/content"
                                            : row->action == CANCEL ? "/cancel"
                                                                    : ""));
    return r == 0 && km_arena_overflowed(&call->arena) ? km_fail(err, KM_E_NOMEM, "out of memory")
                                                       : r;
}

/* --- the answer --- */

static void on_head(struct km_call *call, const struct km_response *response)
{
    struct km_buf *head = &call->w->scratch;

    if (call->object->counting || call->object->checking) { /* a batch's lines: for us alone */
        call->relaying = true;
        return;
    }
    km_call_answer_head(call, response);
    if (row_of(call)->action != CONTENT || call->up_coding.n)
        return;
    call->up_type =
        km_arena_str(&call->arena, km_header_get(&response->headers, KM_STR("content-type")));
    call->opaque = call->relaying = call->streaming = true;
    km_buf_reset(head);
    km_call_head(call, head);
    km_exchange_start(call->x, response->status, km_buf_view(head), response->content_length);
}

/* All lines were read: the batch is made, or not. */
static int lines_checked(struct km_call *call, struct km_err *err)
{
    struct km_object_work *o = call->object;
    struct km_key *key = call->visit->who.key;

    km_object_last_line(call);
    o->checking = call->relaying = false;
    o->checked = true;
    if (o->denied.code < 0) {
        *err = o->denied;
        return err->code;
    }
    if (key->row.max_budget >= 0 && o->most - call->reserve > km_key_left(key))
        return km_fail_param(err, KM_E_BUDGET, "input_file_id",
                             "The batch may cost more than is left of your key's budget. Bound its "
                             "lines' output (max_tokens), or make it shorter.");
    return make_batch_now(call, err) < 0 ? err->code : KM_E_AGAIN;
}

static int on_body(struct km_call *call, const char *bytes, size_t n, struct km_err *err)
{
    struct km_str part = km_str(bytes, n);

    (void)err;
    if (!call->object->counting && !call->object->checking) {
        if (!km_exchange_write(call->x, &part, 1) && call->up)
            km_http_pause(call->up);
        return 0;
    }
    km_object_lines(call, part);
    return 0;
}

/* --- after the answer: what is kept, what is charged --- */

enum { KM_O_ID, KM_O_STATUS, KM_O_OUTPUT, KM_O_ERRORS, KM_O_USAGE, KM_O_MODEL, KM_O_COUNT };
static const struct km_str object_names[KM_O_COUNT] = {
    { "id", 2 },    { "status", 6 }, { "output_file_id", 14 }, { "error_file_id", 13 },
    { "usage", 5 }, { "model", 5 },
};

static void on_stored(void *ctx, const struct km_err *err)
{
    struct km_call *call = ctx;
    struct km_err why;

    call->ledger_waits = false;
    if (err && err->code != KM_E_EXISTS) {
        why = *err;
        km_call_fail(call, &why);
        return;
    }
    call->object->claimed = call->object->asked && !err;
    km_call_resume(call, 0);
}

static struct km_object object_of(struct km_call *call, struct km_str id, const char *kind,
                                  struct km_str json)
{
    struct km_object o = { .id = id,
                           .kind = km_str_c(kind),
                           .deployment = call->d->id,
                           .model = call->req.model,
                           .json = json };

    km_visit_hash(call->visit, o.owner);
    return o;
}

/* A file that the upstream wrote for a batch: its owner may fetch it. */
static void keep_written(struct km_call *call, const struct km_json_span *span)
{
    struct km_buf json KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct km_object o;
    struct km_str id;

    if (span->type != KM_JSON_STRING)
        return;
    id = km_json_text(&call->arena, call->object->body, span);
    km_buf_str(&json, KM_STR("{\"id\":"));
    km_buf_json(&json, id);
    km_buf_printf(&json,
                  ",\"object\":\"file\",\"bytes\":0,\"created_at\":%lld,\"filename\":"
                  "\"batch_output.jsonl\",\"purpose\":\"batch_output\",\"status\":\"processed\"}",
                  (long long)(call->start_us / 1000000));
    o = object_of(call, id, "file", km_buf_view(&json));
    km_store_object_put(call->w->gw->store, NULL, &o, NULL, NULL);
}

static int keep(struct km_call *call, const struct km_json_span *at, struct km_err *err)
{
    struct km_store *store = call->w->gw->store;
    struct km_object_work *w = call->object;
    struct km_object o;

    w->kept = true;
    if (at[KM_O_ID].type != KM_JSON_STRING)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "The upstream's answer has no id.");
    o = object_of(call, km_json_text(&call->arena, w->body, &at[KM_O_ID]), row_of(call)->kind,
                  w->body);
    if (is_batch(call)) {
        keep_written(call, &at[KM_O_OUTPUT]);
        keep_written(call, &at[KM_O_ERRORS]);
    }
    call->ledger_waits = true;
    if (row_of(call)->action == REMOVE)
        km_store_object_delete(store, call->w->mailbox, w->id, o.owner, on_stored, call);
    else
        km_store_object_put(store, call->w->mailbox, &o, on_stored, call);
    return KM_E_AGAIN;
}

/* By the answer's own usage; else by the output file, which is the next request. */
static int count_batch(struct km_call *call, const struct km_json_span *at, struct km_err *err)
{
    struct km_object_work *o = call->object;
    struct km_arena scratch KM_CLEANUP(km_arena_done);
    const struct km_json *usage;

    km_arena_init(&scratch, 1 << 20, km_loop_arenas(call->w->loop));
    if (at[KM_O_MODEL].type == KM_JSON_STRING)
        o->model = km_json_text(&call->arena, o->body, &at[KM_O_MODEL]);
    if (at[KM_O_USAGE].type == KM_JSON_OBJECT &&
        km_json_parse(&scratch, km_json_value(o->body, &at[KM_O_USAGE]), &usage, NULL) == 0)
        km_object_add_usage(o, usage);
    o->counted = o->used.prompt_tokens + o->used.completion_tokens > 0 ||
                 at[KM_O_OUTPUT].type != KM_JSON_STRING;
    if (o->counted)
        return 0;
    o->output = km_json_text(&call->arena, o->body, &at[KM_O_OUTPUT]);
    o->counting = true;
    km_call_request(call, NULL, 0);
    call->out.method = KM_STR("GET");
    call->out.has_body = false;
    call->out.target = target(call, path_of(call, "files", o->output, "/content"));
    return km_arena_overflowed(&call->arena) ? km_fail(err, KM_E_NOMEM, "out of memory")
                                             : KM_E_AGAIN;
}

static int claim(struct km_call *call)
{
    uint8_t owner[32];

    km_visit_hash(call->visit, owner);
    call->object->asked = true;
    call->ledger_waits = true;
    km_store_object_claim(call->w->gw->store, call->w->mailbox, call->object->id, owner,
                          &call->visit->id, on_stored, call);
    return KM_E_AGAIN;
}

static int charge_batch(struct km_call *call, const struct km_json_span *at, struct km_err *err)
{
    static const struct km_str open[] = { { "\"validating\"", 12 },
                                          { "\"in_progress\"", 13 },
                                          { "\"finalizing\"", 12 },
                                          { "\"cancelling\"", 12 } };
    struct km_object_work *o = call->object;
    struct km_str status = km_json_value(o->body, &at[KM_O_STATUS]);
    int r = 0;

    if (o->counting) { /* its output was read to the end */
        km_object_last_line(call);
        o->counting = call->relaying = false;
        o->counted = true;
    }
    if (!is_batch(call) || row_of(call)->action == MAKE || o->row.charged || o->asked)
        return 0;
    for (size_t i = 0; i < sizeof open / sizeof open[0]; i++)
        if (km_str_eq(status, open[i]))
            return 0;
    if (!o->counted)
        r = count_batch(call, at, err);
    if (r == 0 && o->used.prompt_tokens + o->used.completion_tokens > 0)
        r = claim(call);
    return r;
}

static int complete(struct km_call *call, struct km_err *err)
{
    struct km_object_work *o = call->object;
    struct km_json_span at[KM_O_COUNT];
    int r = 0;

    if (call->streaming)
        return 0;
    if (o->checking)
        return lines_checked(call, err);
    if (!o->body.p && call->up_coding.n)
        return km_call_compressed(call, err);
    if (!o->body.p)
        o->body = km_arena_str(&call->arena, km_buf_view(&call->answer));
    if (!km_json_sure_spans(o->body, object_names, KM_O_COUNT, at, NULL))
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "The upstream's answer is no JSON object.");
    if (!o->kept)
        r = keep(call, at, err);
    if (r == 0)
        r = charge_batch(call, at, err);
    if (r == 0)
        km_call_one_part(call, o->body);
    return r;
}

/* Nothing, but for the call that claimed a batch. */
static void usage(struct km_call *call, struct km_usage *ret)
{
    struct km_object_work *o = call->object;

    *ret = (struct km_usage){ .known = true };
    o->price = (struct km_price)KM_PRICE_NONE;
    o->price.request = 0;
    call->price = &o->price;
    if (!o->claimed)
        return;
    *ret = o->used;
    ret->known = !o->long_line;
    o->price = km_object_batch_price(call);
}

const struct km_call_kind km_kind_object = {
    .name = "object",
    .needs_body = true,
    .take = take,
    .prepare = prepare,
    .reserve = reserve,
    .attempt = attempt,
    .on_head = on_head,
    .on_body = on_body,
    .complete = complete,
    .usage = usage,
};

/* --- lists --- */

struct listing {
    struct km_visit *v; /* NULL: the client went away */
};

static void on_gone(void *ctx)
{
    struct listing *l = ctx;
    struct km_exchange *x = l->v->x;

    l->v = NULL;
    km_exchange_abort(x);
}

static const struct km_exchange_events list_events = { .on_gone = on_gone };

static void on_list(void *ctx, struct km_str json, const struct km_err *err)
{
    struct listing *l = ctx;

    if (l->v && err)
        km_reply_error(l->v, err);
    else if (l->v)
        km_reply_json(l->v, 200, json);
    free(l);
}

static void list(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    struct km_visit *v = visit;
    const char *kind = match->route->data;
    struct km_str query = km_exchange_request(x)->query, after = KM_STR_NONE, limit = KM_STR_NONE;
    struct km_str purpose = KM_STR_NONE;
    struct km_arena *arena = km_exchange_arena(x);
    struct listing *l = calloc(1, sizeof *l);
    struct km_err err = { 0 };
    uint8_t owner[32];
    int64_t n = kind[0] == 'b' ? 20 : KM_OBJECTS_LIST_MOST;
    int r = l ? 0 : km_fail(&err, KM_E_NOMEM, "out of memory");

    (void)km_query_get(arena, query, KM_STR("after"), &after);
    (void)km_query_get(arena, query, KM_STR("purpose"), &purpose);
    if (r == 0 && km_query_get(arena, query, KM_STR("limit"), &limit) &&
        (km_str_i64(limit, &n) < 0 || n < 1 || n > KM_OBJECTS_LIST_MOST))
        r = km_fail_param(&err, KM_E_INVALID, "limit", "'limit' must be an integer from 1 to %d.",
                          KM_OBJECTS_LIST_MOST);
    if (r < 0) {
        km_reply_error(v, &err);
        free(l);
        return;
    }
    l->v = v;
    km_exchange_listen(x, &list_events, l);
    km_visit_hash(v, owner);
    km_store_object_list(v->w->gw->store, v->w->mailbox, km_str_c(kind), after, purpose, n, owner,
                         on_list, l);
}

/* --- routes --- */

#define API(path_, type) { .path = path_, .call_type = type, .wire = KM_WIRE_FILES, \
    .dialect = KM_DIALECT_OPENAI }

static const struct object_api make_file = { API("/files", "acreate_file"), "file", MAKE };
static const struct object_api get_file = { API("/files", "afile_retrieve"), "file", GET };
static const struct object_api content = { API("/files", "afile_content"), "file", CONTENT };
static const struct object_api remove_file = { API("/files", "afile_delete"), "file", REMOVE };
static const struct object_api make_batch = { API("/batches", "acreate_batch"), "batch", MAKE };
static const struct object_api get_batch = { API("/batches", "aretrieve_batch"), "batch", GET };
static const struct object_api cancel = { API("/batches", "acancel_batch"), "batch", CANCEL };

static void call(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    (void)x;
    km_call_begin(visit, &km_kind_object, match->route->data, NULL);
}

#define ROWS(base)                                                                                 \
    { "POST", base "/files", call, KM_AUTH_CALL, &make_file.api },                                 \
        { "GET", base "/files", list, KM_AUTH_KEY, "file" },                                       \
        { "GET", base "/files/{id}", call, KM_AUTH_CALL, &get_file.api },                          \
        { "DELETE", base "/files/{id}", call, KM_AUTH_CALL, &remove_file.api },                    \
        { "GET", base "/files/{id}/content", call, KM_AUTH_CALL, &content.api },                   \
        { "POST", base "/batches", call, KM_AUTH_CALL, &make_batch.api },                          \
        { "GET", base "/batches", list, KM_AUTH_KEY, "batch" },                                    \
        { "GET", base "/batches/{id}", call, KM_AUTH_CALL, &get_batch.api },                       \
        { "POST", base "/batches/{id}/cancel", call, KM_AUTH_CALL, &cancel.api }

static const struct km_route rows[] = {
    ROWS("/v1"),
    ROWS(""),
    ROWS("/openai"), /* Azure's clients; /openai/v1 is the account's (prefix.h) */
};

const struct km_route_rows km_object_routes = { rows, sizeof rows / sizeof rows[0] };
