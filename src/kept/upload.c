/* SPDX-License-Identifier: Apache-2.0 */
/* upload.c - see upload.h for the contract.
 *
 *     client ──pieces──> hold (<= upload_ahead_bytes) ──edited──> upstream
 *                          │ full: stop                   ^
 *                          └── go on, piece by piece ─────┘   (poured)
 *
 * Never more than the hold and one piece of a form are in memory: the client is read only while
 * the upstream takes.  The reader (http/multipart) sees every byte also while they pour, because
 * a second `model` behind the file would be the one that some upstreams take.
 *
 * Where the model comes behind a long file the hold becomes a temporary file (sys/spool) and takes
 * the form to its end, within a bound of its own and that of all buffered bodies.
 *
 * The hold is one block that is taken once: pages of it that no byte reached cost nothing.  It
 * goes when the last of it was given to the upstream.
 */
#include "kept/upload_inside.h"

#include <stdlib.h>

#include "host/settings.h"
#include "llm/api/media.h"
#include "sys/spool.h"

#define CHARGE_STEP ((int64_t)64 * 1024)
#define SLACK ((size_t)256 * 1024) /* a piece is what one read of the connection brought */

static const char note; /* its address is the tag of the call's note */

struct km_upload *km_upload_of(const struct km_call *call)
{
    return km_call_note(call, &note);
}

bool km_upload_is_form(const struct km_call *call)
{
    return km_str_istarts(km_header_get(&call->request->headers, KM_STR("content-type")),
                          KM_STR("multipart/"));
}

void km_upload_release(void *data)
{
    struct km_call *call = data;
    struct km_upload *u = km_upload_of(call);

    if (u->released)
        return;
    u->released = true;
    if (!u->spool)
        free(u->hold);
    u->spool = km_spool_free(u->spool);
    u->hold = NULL;
    km_body_budget_give(&call->w->gw->bodies, u->charged);
}

/* --- what the reader sees --- */

bool km_upload_is_own(struct km_str name)
{
    static const struct km_str own[] = { { "metadata", 8 },
                                         { "target_model_names", 18 },
                                         KM_LLM_OWN_NAMES };

    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (km_str_eq(name, own[i]))
            return true;
    return false;
}

static const struct km_str deciding[] = {
    { "model", 5 },    { "n", 1 },      { "size", 4 },
    { "quality", 7 },  { "stream", 6 }, { "target_model_names", 18 },
    { "api_base", 8 }, { "base_url", 8 },
};
#define DECIDING (sizeof deciding / sizeof deciding[0])

static bool is_among(struct km_str name, const struct km_str *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (km_str_eq(name, v[i]))
            return true;
    return false;
}

static bool decides(struct km_str name)
{
    return is_among(name, deciding, DECIDING) || km_upload_is_own(name);
}

/* Read here as well, and of no harm where they come late. */
static bool is_read(struct km_str name)
{
    static const struct km_str names[] = { { "user", 4 },
                                           { "purpose", 7 },
                                           { "stream_format", 13 },
                                           { "response_format", 15 },
                                           { "custom_llm_provider", 19 } };

    return decides(name) || is_among(name, names, sizeof names / sizeof names[0]);
}

const struct km_upload_part *km_upload_find(const struct km_upload *u, struct km_str name)
{
    for (size_t i = 0; i < u->nparts; i++)
        if (km_str_eq(u->parts[i].name, name))
            return &u->parts[i];
    return NULL;
}

static int refuse(struct km_call *call, struct km_str name, const char *why, struct km_err *err)
{
    const char *param = km_arena_cstr(&call->arena, name);

    return km_fail_param(err, KM_E_INVALID, param, "The form's field '%s' %s.", param, why);
}

static int on_part(void *ctx, const struct km_multipart_part *part, struct km_err *err)
{
    struct km_call *call = ctx;
    struct km_upload *u = km_upload_of(call);
    bool counts = decides(part->name);

    if (counts && part->file)
        return refuse(call, part->name, "must not be a file", err);
    if (is_read(part->name) && km_upload_find(u, part->name))
        return refuse(call, part->name, "occurs more than once", err);
    if (!counts && km_str_iamong(part->name, deciding, DECIDING))
        return refuse(call, part->name, "is the name of another one in another case", err);
    if (u->poured && (counts || (u->ruled && km_upload_is_judged(call, part->name))))
        return refuse(call, part->name,
                      "comes too late: put it before the file, within "
                      "kanmon_settings.limits.upload_ahead_bytes",
                      err);
    if (u->poured)
        return 0;
    if (km_str_eq(part->name, KM_STR("api_base")) || km_str_eq(part->name, KM_STR("base_url")))
        return refuse(call, part->name,
                      "is not allowed in a request: the configuration chooses the upstream", err);
    if (u->nparts == KM_UPLOAD_PARTS)
        return km_fail(err, KM_E_LIMIT, "the multipart form has over %d parts", KM_UPLOAD_PARTS);
    u->parts[u->nparts++] = (struct km_upload_part){ .name = km_arena_str(&call->arena, part->name),
                                                     .begin = part->begin,
                                                     .value = u->form.at,
                                                     .file = part->file };
    return 0;
}

static int on_data(void *ctx, struct km_str bytes, struct km_err *err)
{
    (void)ctx;
    (void)bytes;
    (void)err;
    return 0;
}

static int on_end(void *ctx, uint64_t end, struct km_err *err)
{
    const struct km_call *call = ctx;
    struct km_upload *u = km_upload_of(call);

    (void)err;
    if (!u->poured && u->nparts)
        u->parts[u->nparts - 1].end = end;
    return 0;
}

static const struct km_multipart_events events = { on_part, on_data, on_end };

/* --- reading what is held --- */

static int begin(struct km_call *call, bool needs_model, struct km_err *err)
{
    const struct km_request *req = call->request;
    const struct km_http_settings *set = call->visit->view->snap->http;
    struct km_upload *u = km_call_make_note(call, &note, sizeof *u);
    uint64_t length;
    int r;

    if (!u)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    if (!km_str_istarts(km_header_get(&req->headers, KM_STR("content-type")),
                        KM_STR("multipart/form-data")))
        return km_fail(err, KM_E_MEDIA_TYPE, "This route takes Content-Type: multipart/form-data.");
    r = km_multipart_init(&u->form, km_header_get(&req->headers, KM_STR("content-type")), &events,
                          call, err);
    if (r < 0)
        return r;
    u->most = (size_t)set->upload_ahead_bytes;
    if (needs_model && set->upload_spool_bytes > set->upload_ahead_bytes)
        u->spool_most = (size_t)set->upload_spool_bytes;
    r = km_call_take_pieces(call, set->upload_bytes, err);
    if (r < 0)
        return r;
    length = km_call_body_length(call);
    u->cap = (length < u->most ? (size_t)length : u->most) + SLACK;
    u->hold = malloc(u->cap);
    if (!u->hold || km_arena_defer(&call->arena, km_upload_release, call) < 0)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    return KM_E_AGAIN;
}

/* What came says where the form goes, or must do. */
static bool is_enough(const struct km_upload *u)
{
    return u->n >= u->most && (!u->spool_most || km_upload_find(u, KM_STR("model")));
}

int km_upload_take(struct km_call *call, bool needs_model, struct km_err *err)
{
    const struct km_upload *u = km_upload_of(call);
    const struct km_upload_part *last;

    if (!u)
        return begin(call, needs_model, err);
    if (!u->whole && !is_enough(u))
        return KM_E_AGAIN;
    last = u->nparts ? &u->parts[u->nparts - 1] : NULL;
    if (last && !last->end && decides(last->name))
        return refuse(call, last->name, "is cut by kanmon_settings.limits.upload_ahead_bytes", err);
    return 0;
}

static int charge(struct km_call *call, struct km_upload *u, struct km_err *err)
{
    int64_t want = ((int64_t)u->n + CHARGE_STEP - 1) / CHARGE_STEP * CHARGE_STEP;

    if (want <= u->charged)
        return 0;
    if (!km_body_budget_take(&call->w->gw->bodies, want - u->charged)) {
        km_fail(err, KM_E_OVERLOADED, "Too much is being buffered right now; try again.");
        if (err)
            err->retry_after_ms = 1000;
        return KM_E_OVERLOADED;
    }
    u->charged = want;
    return 0;
}

/* The hold is full and names no model: from here on it is a file. */
static int spool(struct km_call *call, struct km_upload *u, struct km_err *err)
{
    size_t cap = u->spool_most + SLACK;
    int r = km_spool_new(call->w->gw->state_dir, cap, &u->spool, err);

    if (r == 0)
        r = km_spool_room(u->spool, u->n, err);
    if (r < 0)
        return r;
    memcpy(km_spool_bytes(u->spool), u->hold, u->n);
    free(u->hold);
    u->hold = km_spool_bytes(u->spool);
    u->most = u->spool_most;
    u->cap = cap;
    u->spool_most = 0;
    return 0;
}

static int hold(struct km_call *call, struct km_str bytes, struct km_err *err)
{
    struct km_upload *u = km_upload_of(call);
    int r = 0;

    if (u->n >= u->most && u->spool_most)
        r = spool(call, u, err);
    if (r == 0 && u->spool)
        r = km_spool_room(u->spool, u->n + bytes.n, err);
    if (r < 0)
        return r;
    if (bytes.n > u->cap - u->n)
        return km_fail(err, KM_E_INTERNAL, "a piece of a form is longer than a read");
    if (bytes.n)
        memcpy(u->hold + u->n, bytes.p, bytes.n);
    u->n += bytes.n;
    return charge(call, u, err);
}

/* The call has come to its end, or its upstream has: what still comes is nobody's. */
static bool over(const struct km_call *call)
{
    return call->settled || call->step == KM_STEP_finish ||
           (km_upload_of(call)->poured && !call->at->up);
}

static void fail(struct km_call *call, const struct km_err *err)
{
    struct km_err copy = *err;

    km_call_stop_pieces(call);
    km_call_abandon(call);
    km_call_fail(call, &copy);
}

void km_upload_piece(struct km_call *call, struct km_str bytes, bool last, const struct km_err *err)
{
    struct km_upload *u = km_upload_of(call);
    struct km_err why = { 0 };
    int r = 0;

    if (over(call)) {
        km_call_stop_pieces(call);
        return;
    }
    if (err) {
        fail(call, err);
        return;
    }
    r = km_multipart_feed(&u->form, bytes, &why);
    if (r == 0 && last)
        r = km_multipart_end(&u->form, &why);
    if (r == 0 && !u->poured)
        r = hold(call, bytes, &why);
    if (r < 0) {
        fail(call, &why);
        return;
    }
    u->whole = last;
    if (u->poured) {
        if (!km_http_push(call->at->up, bytes, last))
            km_call_stop_pieces(call);
    } else if (last || is_enough(u)) {
        km_call_stop_pieces(call);
        km_call_resume(call, 0);
    }
}

/* --- what was read --- */

bool km_upload_field(const struct km_upload *u, struct km_str name, struct km_str *ret)
{
    const struct km_upload_part *p = km_upload_find(u, name);

    if (!p || p->end == 0 || !u->hold)
        return false;
    *ret = km_str(u->hold + p->value, (size_t)(p->end - 2 - p->value));
    return true;
}

bool km_upload_whole(const struct km_upload *u)
{
    return u->whole;
}

int64_t km_upload_files(const struct km_upload *u)
{
    int64_t n = 0;

    for (size_t i = 0; i < u->nparts; i++)
        n += u->parts[i].file;
    return u->whole ? n : -1;
}

int64_t km_upload_bytes(const struct km_call *call)
{
    uint64_t length = km_call_body_length(call);
    int64_t most = call->visit->view->snap->http->upload_bytes;

    if (km_upload_of(call)->whole)
        return (int64_t)km_upload_of(call)->n;
    return length < (uint64_t)most ? (int64_t)length : most;
}

bool km_upload_poured(const struct km_call *call)
{
    return km_upload_of(call) && km_upload_of(call)->poured;
}
