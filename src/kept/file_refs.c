/* SPDX-License-Identifier: Apache-2.0 */
/* file_refs.c - files, containers and earlier answers of a key, named inside the body of a call.
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
 * What a provider makes in passing, by an answer, is the key's that asked (made.c).  Items of the
 * Responses API and spoken answers mean something only to upstreams that look them up: where one
 * is nobody's, the call goes to the others, if there are any.  Where the
 * gateway has no route to make files (Anthropic, Google) any other file is the operator's: the
 * administrator's key may name it, and others where the setting opens `files`.
 */
#include "kept/file_refs.h"

#include "kept/answers.h"
#include "kept/things.h"
#include "llm/api/responses.h"
#include "llm/chat.h"
#include "store/objects.h"

struct ref {
    struct km_call *call;
    struct km_thing thing;
    struct km_object row; /* without a kind: the operator's, or nobody's */
    bool in_made; /* it is asked for among what answers made */
};

struct km_file_refs {
    struct ref *v;
    size_t n, cap, known, files;
    size_t most; /* files and containers of them */
    struct km_err why; /* the first that may not be named */
};

static const char note; /* its address is the tag of the call's note */

static struct km_file_refs *refs_of(const struct km_call *call)
{
    return km_call_note(call, &note);
}

static const struct {
    const char *stored, *param, *missing, *missing_end;
} kinds[] = {
    [KM_THING_FILE] = { "file", "file_id", "No such File object: ", "" },
    [KM_THING_CONTAINER] = { "container", "container", "No such container: ", "" },
    [KM_THING_ITEM] = { "item", "input", "Item with id '", "' not found." },
    [KM_THING_AUDIO] = { "audio", "messages", "Audio with id '", "' not found." },
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
    struct km_file_refs *f = km_call_make_note(call, &note, sizeof *f);

    if (!f)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    f->most = most;
    return 0;
}

static int grow(struct km_call *call, struct km_err *err)
{
    struct km_file_refs *f = refs_of(call);
    size_t cap = f->cap ? 2 * f->cap : 8;
    struct ref *v;

    if (f->n < f->cap)
        return 0;
    v = km_arena_zalloc(&call->arena, cap * sizeof *v);
    if (!v)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    if (f->n)
        memcpy(v, f->v, f->n * sizeof *v);
    f->v = v;
    f->cap = cap;
    return 0;
}

static int add(struct km_call *call, struct km_thing thing, struct km_err *err)
{
    struct km_file_refs *f = refs_of(call);
    bool file = thing.kind == KM_THING_FILE || thing.kind == KM_THING_CONTAINER;
    int r;

    for (size_t i = 0; i < f->n; i++)
        if (f->v[i].thing.kind == thing.kind && km_str_eq(f->v[i].thing.id, thing.id))
            return 0;
    if (file && f->files == f->most)
        return km_fail_param(err, KM_E_INVALID, "file_id", "The request names over %zu files.",
                             f->most);
    if (!file && f->n - f->files == KM_FILE_REFS_ITEMS)
        return km_fail_param(err, KM_E_INVALID, kinds[thing.kind].param,
                             "The request names over %d earlier items.", KM_FILE_REFS_ITEMS);
    r = grow(call, err);
    if (r < 0)
        return r;
    thing.id = km_arena_str(&call->arena, thing.id);
    f->v[f->n++] = (struct ref){ .call = call, .thing = thing };
    f->files += file;
    return 0;
}

/* A place is no id: the gateway or an upstream fetches what is there. */
static int add_file(struct km_call *call, struct km_str id, struct km_err *err)
{
    if (!id.n)
        return 0;
    if (km_media_is_place(id))
        return km_right_code(km_things_grants_place(call, id, err), err);
    return add(call, (struct km_thing){ KM_THING_FILE, id }, err);
}

static int add_value(struct km_call *call, const struct km_json *v, struct km_err *err)
{
    struct km_json_iter it;
    const struct km_json *one;
    struct km_str key, id;
    int r = 0;

    if (km_json_string(v, &id))
        return add_file(call, id, err);
    if (km_json_kind(v) != KM_JSON_ARRAY)
        return 0;
    for (km_json_iter(v, &it); r == 0 && km_json_next(&it, &key, &one);)
        if (km_json_string(one, &id))
            r = add_file(call, id, err);
    return r;
}

static int add_thing(struct km_call *call, struct km_str key, const struct km_json *v, bool top,
                     struct km_err *err)
{
    struct km_thing thing = { 0 };
    int r = km_right_code(km_things_grants(call, key, v, top, &thing, err), err);

    return r == 0 && thing.id.n ? add(call, thing, err) : r;
}

/* Items taken from what is stored; those that came with an earlier answer are its key's. */
static int add_items(struct km_call *call, const struct km_json *root, struct km_err *err)
{
    size_t before = km_answers_said_before(call);
    const struct km_json *item, *input = km_json_get(root, "input");
    struct km_json_iter it;
    struct km_str key, id;
    int r = 0;

    if ((!call->kind->lines && call->api->wire != KM_WIRE_RESPONSES) ||
        km_json_kind(input) != KM_JSON_ARRAY || km_things_opened(call, KM_OPENED_ANSWERS))
        return 0;
    for (km_json_iter(input, &it); r == 0 && km_json_next(&it, &key, &item);) {
        if (before)
            before--;
        else if (km_responses_refers(item, &id))
            r = add(call, (struct km_thing){ KM_THING_ITEM, id }, err);
    }
    return r;
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
    if (r == 0)
        r = add_items(call, root, err);
    return r == 0 && km_arena_overflowed(&call->arena) ? km_fail(err, KM_E_NOMEM, "out of memory")
                                                       : r;
}

/* --- whose they are --- */

static int not_found(const struct km_call *call, const struct ref *ref, struct km_err *err)
{
    int r =
        km_fail_param(err, KM_E_NOT_FOUND, kinds[ref->thing.kind].param, "%s%.*s%s",
                      kinds[ref->thing.kind].missing, KM_STR_ARG(km_str_sub(ref->thing.id, 0, 100)),
                      kinds[ref->thing.kind].missing_end);

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

/* Would it look for such a thing by its id? */
static bool looks_up(const struct km_deployment *d, enum km_thing_kind kind)
{
    unsigned wire = kind == KM_THING_ITEM ? KM_WIRE_RESPONSES : KM_WIRE_CHAT;

    return kind < KM_THING_ITEM || (has_files(d) && (d->codec->native & wire));
}

/* The id is nobody's: may the call name it as a file of the operator's? */
KM_MUST_USE static enum km_right grants_operators(const struct km_call *call,
                                                  const struct km_thing *thing)
{
    if (thing->kind >= KM_THING_ITEM) /* holds() judges */
        return KM_GRANTED;
    if (thing->kind != KM_THING_FILE || !km_things_opened(call, KM_OPENED_FILES))
        return KM_DENIED;
    for (size_t i = 0; i < call->match.n; i++)
        if (has_account(call->match.v[i].deployment) && !has_files(call->match.v[i].deployment))
            return KM_GRANTED;
    return KM_DENIED;
}

static void ask(struct ref *ref);

/* All are asked for at once, and the call goes on when all have answered. */
static void on_row(void *ctx, struct km_str record, const struct km_err *err)
{
    struct ref *ref = ctx;
    struct km_call *call = ref->call;
    struct km_file_refs *f = refs_of(call);
    bool missing = err && err->code == KM_E_NOT_FOUND;
    struct km_err why = { 0 };

    int r = 0;

    if (missing && ref->thing.kind == KM_THING_FILE && !ref->in_made) {
        ref->in_made = true;
        ask(ref);
        return;
    }
    if (missing && grants_operators(call, &ref->thing) != KM_GRANTED)
        r = not_found(call, ref, &why);
    else if (err && !missing)
        r = (why = *err).code;
    else if (!err)
        r = km_object_read(km_arena_str(&call->arena, record), &ref->row, &why);
    if (r < 0 && f->why.code == 0)
        f->why = why;
    if (++f->known < f->n)
        return;
    call->held = false;
    if (f->why.code < 0)
        km_call_fail(call, &f->why);
    else
        km_call_resume(call, 0);
}

static void ask(struct ref *ref)
{
    struct km_call *call = ref->call;
    uint8_t owner[32];

    km_visit_hash(call->visit, owner);
    km_store_object_get(call->w->gw->store, call->w->mailbox,
                        ref->in_made ? KM_STR("made") : km_str_c(kinds[ref->thing.kind].stored),
                        ref->thing.id, owner, on_row, ref);
}

static void ask_all(struct km_call *call)
{
    struct km_file_refs *f = refs_of(call);

    call->held = true; /* the store answers in any case: nothing may move before */
    for (size_t i = 0; i < f->n; i++)
        ask(&f->v[i]);
}

/* --- who holds them --- */

/* Entries for several models of one account see the same files: same place, same credentials. */
static bool same_account(const struct km_deployment *a, const struct km_deployment *b)
{
    return a == b || (km_str_eq(a->api_base, b->api_base) && km_str_eq(a->head, b->head) &&
                      a->provider == b->provider && !a->auth && !b->auth);
}

/* Where the file's own entry is gone, another of its group is the same upstream, perhaps. */
static bool holds(const struct km_call *call, const struct km_deployment *d, const struct ref *ref)
{
    const struct km_models *models = call->visit->view->snap->models;
    const struct km_object *row = &ref->row;

    if (!looks_up(d, ref->thing.kind))
        return true;
    if (!row->kind.n && ref->thing.kind >= KM_THING_ITEM)
        return false;
    if (!row->kind.n) /* the operator's, wherever that is */
        return has_account(d) && !has_files(d);
    if (!has_account(d))
        return false;
    for (size_t i = 0; i < km_models_count(models); i++)
        if (km_str_eq(km_models_at(models, i)->id, row->deployment))
            return same_account(d, km_models_at(models, i));
    return km_str_eq(d->group, row->model);
}

static int not_held(const struct km_call *call, const struct ref *ref, bool others,
                    struct km_err *err)
{
    if (!ref->row.kind.n)
        return not_found(call, ref, err);
    if (ref->thing.kind >= KM_THING_ITEM)
        return km_fail_param(err, KM_E_INVALID, kinds[ref->thing.kind].param,
                             "'%.*s' is held by the upstream of model '%.*s', which model '%.*s' "
                             "cannot reach. Send what it says instead of its id.",
                             KM_STR_ARG(km_str_sub(ref->thing.id, 0, 100)),
                             KM_STR_ARG(km_str_sub(ref->row.model, 0, 100)),
                             KM_STR_ARG(km_str_sub(call->req.model, 0, 100)));
    return km_fail_param(err, KM_E_INVALID, "file_id",
                         "File '%.*s' is held by the upstream of model '%.*s', which %s "
                         "'%.*s' cannot reach. Upload it with `model` set to the model "
                         "that is to read it.",
                         KM_STR_ARG(km_str_sub(ref->thing.id, 0, 100)),
                         KM_STR_ARG(km_str_sub(ref->row.model, 0, 100)),
                         others ? "what holds the other files of model" : "model",
                         KM_STR_ARG(km_str_sub(call->req.model, 0, 100)));
}

static int keep_holders(struct km_call *call, struct km_err *err)
{
    const struct km_file_refs *f = refs_of(call);
    struct km_candidate *v = km_arena_alloc(&call->arena, call->match.n * sizeof *v);
    size_t n = call->match.n;

    if (!v)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    memcpy(v, call->match.v, n * sizeof *v);
    for (size_t i = 0; i < f->n; i++) {
        size_t left = 0;

        for (size_t k = 0; k < n; k++)
            if (holds(call, v[k].deployment, &f->v[i]))
                v[left++] = v[k];
        if (!left)
            return not_held(call, &f->v[i], n < call->match.n, err);
        n = left;
    }
    call->match.v = v;
    call->match.n = n;
    return 0;
}

static int check_refs(struct km_call *call, struct km_err *err)
{
    bool any = false;
    int r = 0;

    if (!call->kind->refers)
        return 0;
    for (size_t i = 0; !any && i < call->match.n; i++)
        any = has_account(call->match.v[i].deployment);
    if (!any) /* nobody's files are here: ids, if any, are of a place the gateway keeps none at */
        return 0;
    if (!refs_of(call))
        r = read_ids(call, err);
    if (r < 0 || !refs_of(call) || !refs_of(call)->n)
        return r;
    if (refs_of(call)->known == refs_of(call)->n)
        return keep_holders(call, err);
    ask_all(call);
    return KM_E_AGAIN;
}

const struct km_call_hook km_file_refs_hook = {
    .name = "file_refs", .names = KM_NAMES_FILES, .run = check_refs
};

int km_file_refs_add(struct km_call *call, const struct km_json *body, struct km_err *err)
{
    const struct words w = words_of(call);
    int r = refs_of(call) ? 0 : begin(call, KM_FILE_REFS_BATCH, err);

    if (r == 0)
        r = gather(call, &w, body, 0, false, err);
    return r == 0 ? add_items(call, body, err) : r;
}

int km_file_refs_owned(struct km_call *call, struct km_err *err)
{
    const struct km_file_refs *f = refs_of(call);

    if (!f || !f->n)
        return 0;
    if (f->known < f->n) {
        ask_all(call);
        return KM_E_AGAIN;
    }
    for (size_t i = 0; i < f->n; i++)
        if (!holds(call, call->at->d, &f->v[i]))
            return !f->v[i].row.kind.n
                       ? not_found(call, &f->v[i], err)
                       : km_fail_param(
                             err, KM_E_INVALID, "input_file_id",
                             "The batch's file names '%.*s', which is held by the upstream "
                             "of model '%.*s' and not where the batch would be made.",
                             KM_STR_ARG(km_str_sub(f->v[i].thing.id, 0, 100)),
                             KM_STR_ARG(km_str_sub(f->v[i].row.model, 0, 100)));
    return 0;
}
