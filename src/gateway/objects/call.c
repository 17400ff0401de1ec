/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - files and batches: the kind of call for what a caller keeps at an upstream.
 *
 *     made      upstream -> id -> store: owner, deployment -> answer
 *     asked by  id -> store: is it this key's, and where? -> upstream -> answer
 *     listed    by the store alone: a list of the upstream's would be everybody's
 *
 * An id is the upstream's own, so that it can stand in other requests too (a file in a chat); for
 * any other key it does not exist.  The files a batch writes belong to whoever made it.
 *
 * The lines of a batch are requests of their own, and name models and files.  They are read first,
 * from the upstream: files must be the key's own, and where the key may not use all models, or
 * has a budget, each must name one that it may use, and all together must fit what is left.
 * They are read here and not while the file is uploaded, for here is where they count: a file
 * that was uploaded before the gateway looked, or in a way it does not see, is read as well.
 *
 * A batch costs nothing when it is made and is charged when somebody sees that it has ended, its
 * owner or the gateway (poll.c): by its `usage`, else by what each line of its output file says.
 * Exactly one call charges it (store/objects.h), whatever dies in between.
 */
#include "gateway/objects/objects.h"
#include "base/money.h"

#include "call/execution.h"
#include "call/gateway_budget.h"
#include "call/model.h"
#include "door/http_port.h"

#include "kept/file_refs.h"
#include "gateway/objects/inside.h"
#include "kept/upload.h"
#include "call/veil.h"
#include "policy/execution.h"

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
    struct km_object_work *o = km_object_of(call);
    struct km_err why = { 0 };
    int r = 0;

    call->held = false;
    if (err && err->code == KM_E_NOT_FOUND)
        r = not_found(
            &why, km_object_is_batch(call) && km_object_api(call)->action != KM_OBJECT_MAKE, o->id);
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
    call->held = true; /* the store answers in any case: nothing may move before */
    km_store_object_get(call->w->gw->store, call->w->mailbox, km_str_c(kind),
                        km_object_of(call)->id, km_object_of(call)->owner, on_row, call);
    return KM_E_AGAIN;
}

/* Members of a request for a batch: what names its file, and what is the gateway's own. */
enum {
    KM_B_FILE,
    KM_B_ENDPOINT,
    KM_B_MODEL,
    KM_B_PROVIDER,
    KM_B_TARGETS,
    KM_B_LITELLM,
    KM_B_EXECUTION,
    KM_B_COUNT
};
static const struct km_str batch_names[KM_B_COUNT] = {
    { "input_file_id", 13 },       { "endpoint", 8 },
    { "model", 5 },                { "custom_llm_provider", 19 },
    { "target_model_names", 18 },  { "litellm_metadata", 16 },
    { KM_EXECUTION_BODY, sizeof KM_EXECUTION_BODY - 1 },
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
        km_object_of(call)->id = km_json_text(&call->arena, call->body, &req->spans[KM_B_FILE]);
    if (r == 0 && km_llm_present(req, KM_B_EXECUTION))
        req->execution = km_llm_value(req, KM_B_EXECUTION);
    if (r == 0 && req->spans[KM_B_ENDPOINT].type == KM_JSON_STRING)
        km_object_of(call)->endpoint =
            km_json_text(&call->arena, call->body, &req->spans[KM_B_ENDPOINT]);
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
    km_call_set_work(call, o);
    km_visit_hash(call->visit, o->owner);
    o->line.max = KM_OBJECT_LINE;
    if (km_arena_defer(&call->arena, work_done, o) < 0)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    if (km_object_api(call)->action == KM_OBJECT_MAKE)
        return 0;
    return km_url_decode(&call->arena, call->visit->match.params[0], false, &o->id, err);
}

static int take(struct km_call *call, struct km_err *err)
{
    const struct km_object_api *row = km_object_api(call);
    int r = km_object_of(call) ? 0 : begin(call, err);

    if (r == 0 && row->action == KM_OBJECT_MAKE && !km_object_is_batch(call))
        return km_upload_take(call, false, err);
    if (r == 0 && row->action == KM_OBJECT_MAKE && !km_object_of(call)->id.n) {
        r = km_call_take_body(call);
        if (r == 0)
            r = read_batch(call, err);
    }
    if (r == 0 && !km_object_of(call)->known)
        return look_up(call, row->action == KM_OBJECT_MAKE ? "file" : row->kind);
    return r;
}

/* --- which upstream a new file goes to --- */

static struct km_str said(struct km_call *call, const char *name)
{
    struct km_str v = KM_STR_NONE;

    if (km_upload_field(km_upload_of(call), km_str_c(name), &v))
        v = km_arena_str(&call->arena, v);
    else
        (void)km_query_get(&call->arena, call->request->query, km_str_c(name), &v);
    return v;
}

static bool may_serve(const struct km_call *call, const struct km_deployment *d,
                      struct km_str provider)
{
    const struct km_key *key = call->visit->who.key;

    return d->codec && (d->codec->native & KM_WIRE_FILES) && !d->mock_response.n &&
           !d->unavailable.n && km_str_eq(d->provider_name, provider) &&
           (!key || km_key_grants_model(key, d->group, KM_STR_NONE, NULL) == KM_GRANTED);
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

/* It is there still, and asking again at once brings nothing: only the configuration can. */
static int is_away(const struct km_call *call, struct km_err *err)
{
    bool batch = km_object_is_batch(call) && km_object_api(call)->action != KM_OBJECT_MAKE;
    int r =
        km_fail(err, KM_E_OVERLOADED,
                "%s '%.*s' is at the upstream of model '%.*s', which is no longer in the "
                "gateway's configuration. It can be reached again once that entry is back.",
                batch ? "Batch" : "File", KM_STR_ARG(km_str_sub(km_object_of(call)->id, 0, 100)),
                KM_STR_ARG(km_str_sub(km_object_of(call)->row.model, 0, 100)));

    if (err)
        err->final = true;
    return r;
}

static int find_deployment(struct km_call *call, struct km_str id, struct km_str model,
                           struct km_err *err)
{
    int r = km_models_find(call->visit->view->snap->models, id, &call->match, err);

    if (r < 0) /* the entry was changed: another of its group has the same upstream, perhaps */
        r = km_models_find(call->visit->view->snap->models, model, &call->match, err);
    call->req.model = model;
    return r < 0 && km_object_of(call)->known ? is_away(call, err) : r;
}

static int choose(struct km_call *call, struct km_err *err)
{
    const struct km_deployment *d;
    struct km_str targets = said(call, "target_model_names");

    call->req = (struct km_llm_request){
        .api = call->api, .max_tokens = -1, .choices = 1, .num_retries = -1
    };
    call->req.execution = said(call, KM_EXECUTION_BODY);
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
    const struct km_object *row = &km_object_of(call)->row;
    int r;

    if (!km_object_of(call)->known)
        r = choose(call, err);
    else
        r = find_deployment(call, row->deployment, row->model, err);
    if (call->request)
        km_call_read_head(call);
    return r == 0 ? km_call_read_execution(call, err) : r;
}

/* Nothing beforehand: what the lines of a batch may cost is known when they were read. */
static int reserve(struct km_call *call, struct km_err *err)
{
    (void)err;
    call->reserve = 0;
    return 0;
}

/* --- the request --- */

static struct km_str target(struct km_call *call, struct km_str path)
{
    struct km_target_args args = { .d = call->at->d, .wire = KM_WIRE_FILES, .path = path };
    const struct km_codec *codec = call->at->d->codec;
    struct km_str parts[] = { call->at->d->base_path,
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
    call->at->out.has_body = km_object_api(call)->action == KM_OBJECT_CANCEL;
    call->at->out.method = km_object_api(call)->action == KM_OBJECT_REMOVE   ? KM_STR("DELETE")
                           : km_object_api(call)->action == KM_OBJECT_CANCEL ? KM_STR("POST")
                                                                             : KM_STR("GET");
}

void km_object_ask_content(struct km_call *call, struct km_str file)
{
    km_call_request(call, NULL, 0);
    call->at->out.method = KM_STR("GET");
    call->at->out.has_body = false;
    call->at->out.target = target(call, path_of(call, "files", file, "/content"));
}

static int make_batch_now(struct km_call *call, struct km_err *err)
{
    int r = batch_body(call, err);

    call->at->out.target = target(call, KM_STR("/batches"));
    return r;
}

static int attempt(struct km_call *call, struct km_err *err)
{
    const struct km_object_api *row = km_object_api(call);
    struct km_str id = row->action == KM_OBJECT_MAKE ? KM_STR_NONE : km_object_of(call)->id;
    int r = 0;

    if (!call->at->d->codec || !(call->at->d->codec->native & KM_WIRE_FILES) ||
        call->at->d->mock_response.n)
        return km_fail_param(err, KM_E_UNSUPPORTED, "model", "Model '%.*s' has no files here.",
                             KM_STR_ARG(km_str_sub(call->req.model, 0, 100)));
    if (row->action == KM_OBJECT_MAKE && km_object_is_batch(call) && !km_object_of(call)->checked) {
        km_object_of(call)->checking = true;
        km_object_ask_content(call, km_object_of(call)->id);
        return km_arena_overflowed(&call->arena) ? km_fail(err, KM_E_NOMEM, "out of memory") : 0;
    }
    if (row->action != KM_OBJECT_MAKE)
        plain_request(call);
    else if (km_object_is_batch(call))
        r = batch_body(call, err);
    else
        r = km_upload_send(call, KM_STR_NONE, call->at->d->head, err);
    call->at->out.target =
        target(call, path_of(call, km_object_is_batch(call) ? "batches" : "files", id,
                             row->action == KM_OBJECT_CONTENT  ? "/content"
                             : row->action == KM_OBJECT_CANCEL ? "/cancel"
                                                               : ""));
    return r == 0 && km_arena_overflowed(&call->arena) ? km_fail(err, KM_E_NOMEM, "out of memory")
                                                       : r;
}

/* --- the answer --- */

static void on_head(struct km_call *call, const struct km_response *response)
{
    struct km_buf *head = &call->w->scratch;

    if (km_object_of(call)->counting ||
        km_object_of(call)->checking) { /* a batch's lines: for us alone */
        call->at->relaying = true;
        return;
    }
    km_call_answer_head(call, response);
    if (km_object_api(call)->action != KM_OBJECT_CONTENT || call->at->coding.n)
        return;
    call->at->type =
        km_arena_str(&call->arena, km_header_get(&response->headers, KM_STR("content-type")));
    call->opaque = call->at->relaying = call->streaming = true;
    km_buf_reset(head);
    km_call_head(call, head);
    km_call_start_answer(call, response->status, km_buf_view(head), response->content_length);
}

static int too_dear(const struct km_object_work *o, int64_t left, struct km_err *err)
{
    char most[KM_MONEY_LEN], rest[KM_MONEY_LEN];

    km_money_text(o->most, most);
    km_money_text(left > 0 ? left : 0, rest);
    if (o->unbounded)
        return km_fail_param(err, KM_E_BUDGET, "input_file_id",
                             "The batch may cost %s USD, and %s USD is left of your key's budget. "
                             "%lld of its lines bound their output nowhere: set max_tokens there, "
                             "or make it shorter.",
                             most, rest, (long long)o->unbounded);
    return km_fail_param(
        err, KM_E_BUDGET, "input_file_id",
        "The batch may cost %s USD, and %s USD is left of your key's budget. Lower "
        "its lines' max_tokens, or make it shorter.",
        most, rest);
}

/* All lines were read: the batch is made, or not. */
static int lines_checked(struct km_call *call, struct km_err *err)
{
    struct km_object_work *o = km_object_of(call);
    int r;

    if (!o->checked) /* or the store has said something of the files they name */
        km_object_last_line(call);
    o->checked = true;
    if (o->denied.code < 0) {
        *err = o->denied;
        return err->code;
    }
    r = km_file_refs_owned(call, err);
    if (r < 0)
        return r;
    o->checking = call->at->relaying = false;
    if (km_call_is_budgeted(call) && o->most > km_call_left(call))
        return too_dear(o, km_call_left(call), err);
    return make_batch_now(call, err) < 0 ? err->code : KM_E_AGAIN;
}

static int on_body(struct km_call *call, const char *bytes, size_t n, struct km_err *err)
{
    struct km_str part = km_str(bytes, n);

    (void)err;
    if (!km_object_of(call)->counting && !km_object_of(call)->checking) {
        km_call_write_one(call, part);
        return 0;
    }
    km_object_lines(call, part);
    return 0;
}

static int complete(struct km_call *call, struct km_err *err)
{
    struct km_object_work *o = km_object_of(call);
    int r;

    if (call->streaming)
        return 0;
    if (o->checking)
        return lines_checked(call, err);
    if (!o->body.p && call->at->coding.n)
        return km_call_compressed(call, err);
    km_veil_whole(call, KM_STR("application/json"));
    r = km_object_end(call, err);
    if (r == 0)
        km_call_one_part(call, o->body);
    return r;
}

const char km_object_work_name[] = "object";

const struct km_call_kind km_kind_object = {
    .name = "object",
    .work_name = km_object_work_name,
    .lines = true,
    .raw = true,
    .needs_body = true,
    .take = take,
    .prepare = prepare,
    .reserve = reserve,
    .attempt = attempt,
    .on_head = on_head,
    .on_body = on_body,
    .complete = complete,
    .usage = km_object_usage,
    .on_piece = km_upload_piece,
    .on_room = km_upload_room,
    .is_spent = km_upload_poured,
};

/* GET of a batch for nobody: by the gateway itself (poll.c). */
const struct km_call_kind km_kind_batch_look = {
    .name = "batch_look",
    .work_name = km_object_work_name,
    .own = true,
    .prepare = prepare,
    .reserve = reserve,
    .attempt = attempt,
    .on_head = on_head,
    .on_body = on_body,
    .complete = complete,
    .usage = km_object_usage,
    .books = km_batch_look_books,
    .reply = km_batch_look_ended,
};

/* --- routes --- */

#define API(path_, type)                                                                           \
    {                                                                                              \
        .path = path_, .call_type = type, .wire = KM_WIRE_FILES, .dialect = KM_DIALECT_OPENAI      \
    }

static const struct km_object_api make_file = { API("/files", "acreate_file"), "file",
                                                KM_OBJECT_MAKE };
static const struct km_object_api get_file = { API("/files", "afile_retrieve"), "file",
                                               KM_OBJECT_GET };
static const struct km_object_api content = { API("/files", "afile_content"), "file",
                                              KM_OBJECT_CONTENT };
static const struct km_object_api remove_file = { API("/files", "afile_delete"), "file",
                                                  KM_OBJECT_REMOVE };
static const struct km_object_api make_batch = { API("/batches", "acreate_batch"), "batch",
                                                 KM_OBJECT_MAKE };
const struct km_object_api km_object_get_batch = { API("/batches", "aretrieve_batch"), "batch",
                                                   KM_OBJECT_GET };
static const struct km_object_api cancel = { API("/batches", "acancel_batch"), "batch",
                                             KM_OBJECT_CANCEL };

static void call(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    (void)x;
    km_call_begin(visit, km_http_port(visit), &km_kind_object, match->route->data);
}

#define ROWS(base)                                                                                 \
    { "POST", base "/files", call, KM_AUTH_CALL, &make_file.api },                                 \
        { "GET", base "/files", km_object_list, KM_AUTH_KEY, "file" },                             \
        { "GET", base "/files/{id}", call, KM_AUTH_CALL, &get_file.api },                          \
        { "DELETE", base "/files/{id}", call, KM_AUTH_CALL, &remove_file.api },                    \
        { "GET", base "/files/{id}/content", call, KM_AUTH_CALL, &content.api },                   \
        { "POST", base "/batches", call, KM_AUTH_CALL, &make_batch.api },                          \
        { "GET", base "/batches", km_object_list, KM_AUTH_KEY, "batch" },                          \
        { "GET", base "/batches/{id}", call, KM_AUTH_CALL, &km_object_get_batch.api },             \
    {                                                                                              \
        "POST", base "/batches/{id}/cancel", call, KM_AUTH_CALL, &cancel.api                       \
    }

static const struct km_route rows[] = {
    ROWS("/v1"), ROWS(""),
    ROWS("/openai"), /* Azure's clients; /openai/v1 is the account's (prefix/prefix.h) */
};

const struct km_route_rows km_object_routes = { rows, sizeof rows / sizeof rows[0] };
