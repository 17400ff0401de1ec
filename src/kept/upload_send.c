/* SPDX-License-Identifier: Apache-2.0 */
/* upload_send.c - a form as an upstream gets it.
 *
 *     client    model=speech  tags=x  language=fr  file=...
 *     upstream  temperature=0  model=whisper-1     file=...     temperature: 0 in litellm_params,
 *                                                               additional_drop_params: [language]
 *
 * The caller's own bytes, but for the model's name, the gateway's own fields and what the
 * deployment says of others: what it leaves out goes, what it has a value for and the form has not
 * is put in front.
 */
#include "kept/upload_inside.h"

#include "call/model.h"
#include "host/settings.h"
#include "host/settings.h"

#define SLICE ((size_t)64 * 1024) /* of the hold, given at once */

/* Everything of the hold from u->offset (a place) up to `to`, then text. */
static void put(struct km_upload *u, uint64_t to, struct km_str text)
{
    if (to > u->offset)
        u->out[u->nout++] = km_str(u->hold + u->offset, (size_t)to - u->offset);
    if (text.n)
        u->out[u->nout++] = text;
}

static struct km_str field(struct km_call *call, struct km_str name, const char *suffix,
                           struct km_str value)
{
    struct km_str parts[] = { KM_STR("--"), km_multipart_boundary(&km_upload_of(call)->form),
                              KM_STR("\r\nContent-Disposition: form-data; name=\""),
                              name, km_str_c(suffix), KM_STR("\"\r\n\r\n"),
                              value, KM_STR("\r\n") };

    return km_arena_cat(&call->arena, parts, sizeof parts / sizeof parts[0]);
}

/* --- what the deployment says of fields --- */

/* "timestamp_granularities[]" is the field "timestamp_granularities", a list. */
static bool is_field(struct km_str part, struct km_str name)
{
    if (km_str_ends(part, KM_STR("[]")))
        part.n -= 2;
    return km_str_eq(part, name);
}

static bool is_dropped(const struct km_deployment *d, struct km_str part)
{
    for (size_t i = 0; i + d->npaths < d->nalso_drop; i++)
        if (is_field(part, d->also_drop[i]))
            return true;
    return false;
}

static bool has_field(const struct km_upload *u, struct km_str name)
{
    for (size_t i = 0; i < u->nparts; i++)
        if (is_field(u->parts[i].name, name))
            return true;
    return false;
}

bool km_upload_is_judged(const struct km_call *call, struct km_str part)
{
    const struct km_deployment *d = call->at->d;

    for (size_t i = 0; i < d->ndefaults; i++)
        if (is_field(part, d->defaults[i].name))
            return true;
    return is_dropped(d, part);
}

/* Strings as they are, the rest as JSON. */
static struct km_str form_text(struct km_call *call, const struct km_json *v)
{
    struct km_buf *b = &call->w->scratch;
    struct km_str text;

    if (km_json_string(v, &text))
        return text;
    km_buf_reset(b);
    km_json_write(v, b);
    return km_arena_str(&call->arena, km_buf_view(b));
}

/* A list is a field for each item. */
static void put_default(struct km_call *call, struct km_str name, const struct km_json *v)
{
    const bool list = km_json_kind(v) == KM_JSON_ARRAY;
    const struct km_json *item = v;
    struct km_json_iter it;
    struct km_str key;

    if (!list)
        put(km_upload_of(call), 0, field(call, name, "", form_text(call, v)));
    for (km_json_iter(v, &it); list && km_json_next(&it, &key, &item);)
        put(km_upload_of(call), 0, field(call, name, "[]", form_text(call, item)));
}

/* Values of the deployment for what the caller did not say. */
static int put_defaults(struct km_call *call, struct km_err *err)
{
    const struct km_deployment *d = call->at->d;

    for (size_t i = 0; i < d->ndefaults; i++) {
        const struct km_json *v;

        if (has_field(km_upload_of(call), d->defaults[i].name) ||
            is_dropped(d, d->defaults[i].name))
            continue;
        if (km_json_parse(&call->arena, d->defaults[i].json, &v, err) < 0)
            return err->code;
        put_default(call, d->defaults[i].name, v);
    }
    return 0;
}

/* --- sending --- */

static size_t count_pieces(const struct km_call *call, bool ruled)
{
    size_t n = 2 * km_upload_of(call)->nparts + 4;

    for (size_t i = 0; ruled && i < call->at->d->ndefaults; i++)
        n += call->at->d->defaults[i].json.n; /* as many items as a list of it can have */
    return n;
}

/* The hold with the model's name changed, the gateway's own fields left out and, where it goes to
 * a deployment, that one's rules kept. */
static int edit(struct km_call *call, struct km_str model, struct km_err *err)
{
    struct km_upload *u = km_upload_of(call);
    const struct km_upload_part *named = km_upload_find(u, KM_STR("model"));
    int r = 0;

    u->ruled = model.n > 0;
    u->out = km_arena_alloc(&call->arena, count_pieces(call, u->ruled) * sizeof *u->out);
    if (!u->out)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    u->nout = u->at = u->offset = 0;
    if (!named && model.n)
        put(u, 0, field(call, KM_STR("model"), "", model));
    if (u->ruled)
        r = put_defaults(call, err);
    for (size_t i = 0; r == 0 && i < u->nparts; i++) {
        const struct km_upload_part *p = &u->parts[i];
        bool out = km_upload_is_own(p->name) || (u->ruled && is_dropped(call->at->d, p->name));

        if (p->end == 0 || !(p == named || out))
            continue;
        if (p == named && model.n) {
            put(u, p->value, model);
            u->offset = (size_t)p->end - 2;
        } else {
            put(u, p->begin, KM_STR_NONE);
            u->offset = (size_t)p->end;
        }
    }
    put(u, u->n, KM_STR_NONE);
    u->offset = 0;
    return r;
}

static int type_line(struct km_call *call, struct km_str head, struct km_str *ret,
                     struct km_err *err)
{
    struct km_buf *b = &call->w->scratch;
    struct km_str line, rest = head;
    int r;

    km_buf_reset(b);
    r = km_header_put(b, KM_STR("Content-Type"),
                      km_header_get(&call->request->headers, KM_STR("content-type")), err);
    while (km_str_split(&rest, '\n', &line))
        if (line.n && !km_str_istarts(line, KM_STR("content-type:"))) {
            km_buf_str(b, line);
            km_buf_byte(b, '\n');
        }
    *ret = km_arena_str(&call->arena, km_buf_view(b));
    return r;
}

int km_upload_send(struct km_call *call, struct km_str model, struct km_str head,
                   struct km_err *err)
{
    uint64_t length = km_call_body_length(call), sent = 0;
    struct km_upload *u = km_upload_of(call);
    struct km_str lines;
    int r = edit(call, model, err);

    if (r == 0)
        r = type_line(call, head, &lines, err);
    if (r < 0)
        return r;
    km_call_request(call, u->out, u->nout);
    call->at->out.head = lines;
    if (u->whole)
        return 0;
    for (size_t i = 0; i < u->nout; i++)
        sent += u->out[i].n;
    call->at->out.body = NULL;
    call->at->out.nbody = 0;
    call->at->out.more = true;
    call->at->out.take_ms = (uint64_t)call->visit->view->snap->http->write_ms;
    call->at->out.more_bytes = length == UINT64_MAX ? UINT64_MAX : length - u->n + sent;
    return 0;
}

void km_upload_room(struct km_call *call)
{
    struct km_upload *u = km_upload_of(call);

    while (!u->poured && u->at < u->nout) {
        struct km_str slice = km_str_sub(u->out[u->at], u->offset, SLICE);

        u->offset += slice.n;
        if (u->offset == u->out[u->at].n) {
            u->at++;
            u->offset = 0;
        }
        if (!km_http_push(call->at->up, slice, false))
            return;
    }
    if (!u->poured) {
        u->poured = true;
        km_upload_release(call);
    }
    km_call_more_pieces(call);
}
