/* SPDX-License-Identifier: Apache-2.0 */
/* file_refs.c - files and containers of a key, named inside the body of a call.
 *
 *     body ─> ids ─> store: is each this key's, and where? ─> who may serve the call: its holders
 *
 * Ids are the upstream's own (call.c), so the body goes on as it is; what must not happen
 * is that an upstream opens another key's file because somebody knows its id.  A body without
 * such a member costs nothing: km_llm_read_members() watches for their names as it walks.
 *
 * A name counts at any depth, for an upstream may learn to read it in new places, except inside
 * what no upstream opens files from: schemas and arguments of tools, citations, metadata.  Below
 * a stored prompt's variables the caller chooses the names, so nothing is excepted there.
 *
 * What a provider makes in passing, by an answer, is the key's that asked (made.c).  Where the
 * gateway has no route to make files (Anthropic, Google) any other file is the operator's: the
 * administrator's key may name it, and others where the setting opens `files`.
 */
#include "gateway/objects/file_refs.h"

#include "gateway/objects/things.h"
#include "llm/chat.h"
#include "store/objects.h"

struct km_file_refs {
    struct km_str *ids;
    bool *container; /* it is one, else a file */
    struct km_object *rows; /* without a kind: the operator's */
    size_t n, known, most;
    bool in_made; /* the next one is asked for among what answers made */
};

struct words {
    const char *const *names; /* of members whose text, or texts in a list, are ids */
    const char *const *closed; /* of members that are not looked into */
};

static const char *const openai_names[] = { "file_id", "file_ids", NULL };
static const char *const openai_closed[] = { "annotations",  "metadata", "parameters", "schema",
                                             "input_schema", "results",  NULL };
static const char *const anthropic_names[] = { "file_id", NULL };
static const char *const anthropic_closed[] = { "input", "input_schema", "metadata", NULL };
static const char *const google_names[] = { "fileUri", "file_uri", NULL };
static const char *const google_closed[] = { "args", "response", "parameters", NULL };

static struct words words_of(const struct km_call *call)
{
    switch (call->api->dialect) {
    case KM_DIALECT_ANTHROPIC:
        return (struct words){ anthropic_names, anthropic_closed };
    case KM_DIALECT_GOOGLE:
        return (struct words){ google_names, google_closed };
    default:
        return (struct words){ openai_names, openai_closed };
    }
}

static bool one_of(const char *const *names, struct km_str key)
{
    for (; *names; names++)
        if (km_str_eq(key, km_str_c(*names)))
            return true;
    return false;
}

/* --- which files --- */

static int begin(struct km_call *call, size_t most, struct km_err *err)
{
    struct km_file_refs *f = km_arena_zalloc(&call->arena, sizeof *f);

    if (f) {
        f->most = most;
        f->ids = km_arena_alloc(&call->arena, most * sizeof *f->ids);
        f->container = km_arena_zalloc(&call->arena, most * sizeof *f->container);
        f->rows = km_arena_alloc(&call->arena, most * sizeof *f->rows);
    }
    if (!f || !f->ids || !f->container || !f->rows)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    call->files = f;
    return 0;
}

/* A place is no id: the gateway or an upstream fetches what is there. */
static int add(struct km_call *call, struct km_str id, bool container, struct km_err *err)
{
    struct km_file_refs *f = call->files;

    if (!id.n || km_media_is_place(id))
        return 0;
    for (size_t i = 0; i < f->n; i++)
        if (f->container[i] == container && km_str_eq(f->ids[i], id))
            return 0;
    if (f->n == f->most)
        return km_fail_param(err, KM_E_INVALID, "file_id", "The request names over %zu files.",
                             f->most);
    f->container[f->n] = container;
    f->ids[f->n++] = km_arena_str(&call->arena, id);
    return 0;
}

static int add_value(struct km_call *call, const struct km_json *v, struct km_err *err)
{
    struct km_json_iter it;
    const struct km_json *one;
    struct km_str key, id;
    int r = 0;

    if (km_json_string(v, &id))
        return add(call, id, false, err);
    if (km_json_kind(v) != KM_JSON_ARRAY)
        return 0;
    for (km_json_iter(v, &it); r == 0 && km_json_next(&it, &key, &one);)
        if (km_json_string(one, &id))
            r = add(call, id, false, err);
    return r;
}

static int add_thing(struct km_call *call, struct km_str key, const struct km_json *v, bool top,
                     struct km_err *err)
{
    struct km_str container = KM_STR_NONE;
    int r = km_right_code(km_things_grants(call, key, v, top, &container, err), err);

    return r == 0 ? add(call, container, true, err) : r;
}

/* No deeper than KM_JSON_DEPTH: reading the request refused what is. */
static int gather(struct km_call *call, const struct words *w, const struct km_json *v,
                  unsigned depth, bool open, struct km_err *err)
{
    struct km_json_iter it;
    const struct km_json *one;
    struct km_str key;
    int r = 0;

    if (depth > KM_JSON_DEPTH)
        return km_fail(err, KM_E_LIMIT, "The request is nested too deeply.");
    for (km_json_iter(v, &it); r == 0 && km_json_next(&it, &key, &one);) {
        bool chosen = open || (depth == 0 && km_str_eq(key, KM_STR("prompt")));

        if (key.n && one_of(w->names, key))
            r = add_value(call, one, err);
        else if (key.n)
            r = add_thing(call, key, one, depth == 0, err);
        if (r == 0 && (chosen || !key.n || !one_of(w->closed, key)))
            r = gather(call, w, one, depth + 1, chosen, err);
    }
    return r;
}

static int read_ids(struct km_call *call, struct km_err *err)
{
    struct km_arena scratch KM_CLEANUP(km_arena_done);
    const struct words w = words_of(call);
    const struct km_json *root;
    int r = begin(call, KM_FILE_REFS_MOST, err);

    km_arena_init(&scratch, call->arena.cap, call->arena.pool); /* takes no memory yet */
    if (r == 0)
        r = km_llm_parse_body(&scratch, call->body, &root, err);
    if (r == 0)
        r = gather(call, &w, root, 0, false, err);
    return r == 0 && km_arena_overflowed(&call->arena) ? km_fail(err, KM_E_NOMEM, "out of memory")
                                                       : r;
}

/* --- whose they are --- */

static int not_found(const struct km_call *call, size_t which, struct km_err *err)
{
    bool container = call->files->container[which];
    int r = km_fail_param(err, KM_E_NOT_FOUND, container ? "container" : "file_id",
                          container ? "No such container: %.*s" : "No such File object: %.*s",
                          KM_STR_ARG(km_str_sub(call->files->ids[which], 0, 100)));

    if (err && call->api->dialect == KM_DIALECT_OPENAI)
        err->type = "invalid_request_error";
    return r;
}

static bool has_files(const struct km_deployment *d)
{
    return d->codec && (d->codec->native & KM_WIRE_FILES) && !d->mock_response.n;
}

/* Of its account things may be named by id. */
static bool has_account(const struct km_deployment *d)
{
    return has_files(d) || (d->codec && d->codec->account_files && !d->mock_response.n);
}

/* The next id is nobody's: may the call name it as a file of the operator's? */
KM_MUST_USE static enum km_right grants_operators(const struct km_call *call)
{
    const struct km_file_refs *f = call->files;

    if (f->container[f->known] || (call->visit->who.key && !km_things_opened(call, "files")))
        return KM_DENIED;
    for (size_t i = 0; i < call->match.n; i++)
        if (has_account(call->match.v[i].deployment) && !has_files(call->match.v[i].deployment))
            return KM_GRANTED;
    return KM_DENIED;
}

static void ask(struct km_call *call);

static void on_row(void *ctx, struct km_str record, const struct km_err *err)
{
    struct km_call *call = ctx;
    struct km_file_refs *f = call->files;
    struct km_err why = { 0 };
    int r;

    call->ledger_waits = false;
    if (err && err->code == KM_E_NOT_FOUND && !f->container[f->known] && !f->in_made) {
        f->in_made = true;
        ask(call);
        return;
    }
    f->rows[f->known] = (struct km_object){ 0 };
    if (err && err->code == KM_E_NOT_FOUND)
        r = grants_operators(call) == KM_GRANTED ? 0 : not_found(call, f->known, &why);
    else if (err)
        r = (why = *err).code;
    else
        r = km_object_read(km_arena_str(&call->arena, record), &f->rows[f->known], &why);
    if (r < 0) {
        km_call_fail(call, &why);
        return;
    }
    f->known++;
    f->in_made = false;
    if (f->known < f->n)
        ask(call);
    else
        km_call_resume(call, 0);
}

static void ask(struct km_call *call)
{
    const struct km_file_refs *f = call->files;
    uint8_t owner[32];

    km_visit_hash(call->visit, owner);
    call->ledger_waits = true; /* the store answers in any case: nothing may move before */
    km_store_object_get(call->w->gw->store, call->w->mailbox,
                        f->container[f->known] ? KM_STR("container")
                        : f->in_made           ? KM_STR("made")
                                               : KM_STR("file"),
                        f->ids[f->known], owner, on_row, call);
}

/* --- who holds them --- */

/* Entries for several models of one account see the same files: same place, same credentials. */
static bool same_account(const struct km_deployment *a, const struct km_deployment *b)
{
    return a == b || (km_str_eq(a->api_base, b->api_base) && km_str_eq(a->head, b->head) &&
                      a->provider == b->provider && !a->auth && !b->auth);
}

/* Where the file's own entry is gone, another of its group is the same upstream, perhaps. */
static bool holds(const struct km_call *call, const struct km_deployment *d,
                  const struct km_object *row)
{
    const struct km_models *models = call->visit->view->snap->models;

    if (!row->kind.n) /* the operator's, wherever that is */
        return has_account(d) && !has_files(d);
    if (!has_account(d))
        return false;
    for (size_t i = 0; i < km_models_count(models); i++)
        if (km_str_eq(km_models_at(models, i)->id, row->deployment))
            return same_account(d, km_models_at(models, i));
    return km_str_eq(d->group, row->model);
}

static int keep_holders(struct km_call *call, struct km_err *err)
{
    const struct km_file_refs *f = call->files;
    struct km_candidate *v = km_arena_alloc(&call->arena, call->match.n * sizeof *v);
    size_t n = call->match.n;

    if (!v)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    memcpy(v, call->match.v, n * sizeof *v);
    for (size_t i = 0; i < f->n; i++) {
        size_t left = 0;

        for (size_t k = 0; k < n; k++)
            if (holds(call, v[k].deployment, &f->rows[i]))
                v[left++] = v[k];
        if (!left && !f->rows[i].kind.n)
            return not_found(call, i, err);
        if (!left)
            return km_fail_param(err, KM_E_INVALID, "file_id",
                                 "File '%.*s' is held by the upstream of model '%.*s', which %s "
                                 "'%.*s' cannot reach. Upload it with `model` set to the model "
                                 "that is to read it.",
                                 KM_STR_ARG(km_str_sub(f->ids[i], 0, 100)),
                                 KM_STR_ARG(km_str_sub(f->rows[i].model, 0, 100)),
                                 n < call->match.n ? "what holds the other files of model"
                                                   : "model",
                                 KM_STR_ARG(km_str_sub(call->req.model, 0, 100)));
        n = left;
    }
    call->match.v = v;
    call->match.n = n;
    return 0;
}

int km_file_refs_check(struct km_call *call, struct km_err *err)
{
    bool any = false;
    int r = 0;

    if ((call->kind != &km_kind_llm && call->kind != &km_kind_media) || !call->req.names_files)
        return 0;
    for (size_t i = 0; !any && i < call->match.n; i++)
        any = has_account(call->match.v[i].deployment);
    if (!any) /* nobody's files are here: ids, if any, are of a place the gateway keeps none at */
        return 0;
    if (!call->files)
        r = read_ids(call, err);
    if (r < 0 || !call->files || !call->files->n)
        return r;
    if (call->files->known == call->files->n)
        return keep_holders(call, err);
    ask(call);
    return KM_E_AGAIN;
}

int km_file_refs_add(struct km_call *call, const struct km_json *body, struct km_err *err)
{
    const struct words w = words_of(call);
    int r = call->files ? 0 : begin(call, KM_FILE_REFS_BATCH, err);

    return r < 0 ? r : gather(call, &w, body, 0, false, err);
}

int km_file_refs_owned(struct km_call *call, struct km_err *err)
{
    const struct km_file_refs *f = call->files;

    if (!f || !f->n)
        return 0;
    if (f->known < f->n) {
        ask(call);
        return KM_E_AGAIN;
    }
    for (size_t i = 0; i < f->n; i++)
        if (!holds(call, call->d, &f->rows[i]))
            return km_fail_param(
                err, KM_E_INVALID, "input_file_id",
                "The batch's file names file '%.*s', which is held by the upstream "
                "of model '%.*s' and not where the batch would be made.",
                KM_STR_ARG(km_str_sub(f->ids[i], 0, 100)),
                KM_STR_ARG(km_str_sub(f->rows[i].model, 0, 100)));
    return 0;
}
