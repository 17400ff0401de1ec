/* SPDX-License-Identifier: Apache-2.0 */
/* load.c - a document is had: see source.h for the contract.
 *
 *     km_openapi_load ── fresh: the one that is there ───────────────────────────> on_later ── fn
 *           ├── a file ──────────────────┐                                            ^
 *           └── an address: fetched ── 200 ── work: read, parse, build ── on_worked ──┤
 *                    ^              └── 304, an error ────────────────────────────────┘
 *                    └── 30x, at most three times: redirect.c
 *
 * A document of the largest size takes a second to parse, so that is done on another thread, and a
 * file is read there as well.  While work is under way the load belongs to it: a load that is
 * cancelled then lets go of its receiver and is freed when the work is over.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "llm/fetch.h"
#include "mcp/openapi/source_part.h"
#include "sys/read_file.h"
#include "sys/work.h"

#define HEAD "Accept: application/json, application/yaml, text/yaml, */*;q=0.5\r\n"

struct km_openapi_load {
    struct km_openapi_source *source; /* referenced */
    struct km_loop *loop;
    struct km_http_client *client;
    uint64_t timeout_ms;
    struct km_buf from; /* the URL that is asked; empty: a file is read */
    unsigned redirects;
    bool strange; /* it was redirected to another host, which is sent no credentials */
    km_openapi_load_fn *fn; /* NULL: nobody waits any more */
    void *ctx;
    struct km_fetch *fetch;
    struct km_work *work;
    struct km_deferred later;
    /* Of the work while there is any, then of the loop: */
    struct km_buf text; /* that was fetched */
    char etag[KM_OPENAPI_ETAG_BYTES];
    struct km_openapi *doc;
    bool read;
    struct km_err err; /* it could not be had */
};

static void load_free(struct km_openapi_load *l)
{
    km_deferred_cancel(&l->later);
    km_fetch_cancel(l->fetch);
    km_buf_done(&l->text);
    km_buf_done(&l->from);
    km_openapi_unref(l->doc);
    km_openapi_source_unref(l->source);
    free(l);
}

static void on_later(void *ctx)
{
    struct km_openapi_load *l = ctx;
    struct km_openapi *doc =
        l->doc ? km_openapi_ref(l->doc) : km_openapi_source_current(l->source, UINT64_MAX, false);
    struct km_err err = l->err, named = { 0 };
    km_openapi_load_fn *fn = l->fn;
    void *to = l->ctx;
    bool read = l->read;

    if (!doc && !err.code)
        km_fail(&err, KM_E_UPSTREAM_PROTOCOL, "it did not come");
    if (err.code)
        km_fail(&named, err.code, "the OpenAPI document %.*s: %s",
                KM_STR_ARG(km_str_sub(l->source->place, 0, km_str_chr(l->source->place, '?'))),
                err.text);
    load_free(l);
    fn(to, doc, read, err.code ? &named : NULL);
}

/* --- on another thread --- */

static void take(struct km_openapi_load *l)
{
    l->doc = km_openapi_source_take(l->source, km_buf_view(&l->text), km_buf_view(&l->from),
                                    km_str_c(l->etag), &l->read, &l->err);
}

static void work_on_file(void *ctx)
{
    struct km_openapi_load *l = ctx;
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%.*s", KM_STR_ARG(l->source->place));
    if (km_file_read(path, KM_FILE_REGULAR, &l->text, &l->err) == 0)
        take(l);
    else if (l->err.code != KM_E_LIMIT)
        km_fail(&l->err, l->err.code, "it cannot be read: %s", l->err.text);
}

static void work_on_text(void *ctx)
{
    take(ctx);
}

/* --- on the loop --- */

static void on_worked(void *ctx, bool ran)
{
    struct km_openapi_load *l = ctx;

    (void)ran; /* else it was cancelled, and nobody waits */
    l->work = NULL;
    if (l->fn)
        on_later(l);
    else
        load_free(l);
}

static void start_work(struct km_openapi_load *l, km_work_fn *run)
{
    l->work = km_work_start(l->loop, run, on_worked, l);
    if (l->work)
        return;
    km_fail(&l->err, KM_E_NOMEM, "out of memory");
    km_deferred_queue(&l->later);
}

static void keep_answer(struct km_openapi_load *l, const struct km_response *response)
{
    struct km_str etag = km_header_get(&response->headers, KM_STR("ETag"));

    snprintf(l->etag, sizeof l->etag, "%.*s",
             KM_STR_ARG(etag.n < sizeof l->etag ? etag : KM_STR_NONE));
    km_fetch_take(l->fetch, &l->text);
}

static void on_fetched(void *ctx, const struct km_response *response, struct km_str body,
                       const struct km_err *err);

static int fetch(struct km_openapi_load *l, struct km_err *err)
{
    struct km_openapi_source *s = l->source;
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(KM_OPENAPI_HEAD_BYTES);

    km_buf_str(&head, KM_STR(HEAD));
    if (!l->strange)
        km_buf_str(&head, s->proof);
    pthread_mutex_lock(&s->lock);
    if (s->etag[0])
        (void)!km_header_put(&head, KM_STR("If-None-Match"), km_str_c(s->etag), NULL);
    pthread_mutex_unlock(&s->lock);
    l->fetch =
        km_fetch_start(&(struct km_fetch_args){ .loop = l->loop,
                                                .client = l->client,
                                                .tls = s->tls,
                                                .proxies = &s->proxies,
                                                .guard = l->strange ? KM_GUARD_PUBLIC : s->guard,
                                                .method = KM_STR("GET"),
                                                .url = km_buf_view(&l->from),
                                                .head = km_buf_view(&head),
                                                .timeout_ms = l->timeout_ms,
                                                .tries = 2,
                                                .max_bytes = KM_OPENAPI_BYTES },
                       on_fetched, l, err);
    return l->fetch ? 0 : err->code;
}

static int follow(struct km_openapi_load *l, struct km_str location, struct km_err *err)
{
    struct km_buf to = KM_BUF(KM_OPENAPI_URL_BYTES);
    bool strange;
    int r;

    if (l->redirects++ == KM_OPENAPI_REDIRECTS)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "it is redirected more than %d times",
                       KM_OPENAPI_REDIRECTS);
    r = km_openapi_redirect(km_buf_view(&l->from), location, &to, &strange, err);
    if (r < 0) {
        km_buf_done(&to);
        return r;
    }
    km_buf_done(&l->from);
    km_buf_move(&l->from, &to);
    l->strange = l->strange || strange; /* who was sent away does not come back as a friend */
    return fetch(l, err);
}

static bool redirects(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static void on_fetched(void *ctx, const struct km_response *response, struct km_str body,
                       const struct km_err *err)
{
    struct km_openapi_load *l = ctx;
    bool had = !err && response->status == 200;

    (void)body;
    if (had)
        keep_answer(l, response);
    l->fetch = NULL;
    if (err)
        l->err = *err;
    else if (response->status == 304)
        l->doc = km_openapi_source_current(l->source, 0, true);
    else if (!had && !redirects(response->status))
        km_fail(&l->err, KM_E_UPSTREAM_STATUS, "HTTP %d %s", response->status,
                km_http_reason(response->status));
    else if (!had && follow(l, km_header_get(&response->headers, KM_STR("Location")), &l->err) == 0)
        return;
    if (had)
        start_work(l, work_on_text);
    else
        km_deferred_queue(&l->later);
}

struct km_openapi_load *km_openapi_load(struct km_openapi_source *s,
                                        const struct km_openapi_load_args *args,
                                        km_openapi_load_fn *fn, void *ctx)
{
    struct km_openapi_load *l = calloc(1, sizeof *l);

    if (!l)
        return NULL;
    l->source = km_openapi_source_ref(s);
    l->loop = args->loop;
    l->client = args->client;
    l->timeout_ms = args->timeout_ms;
    l->fn = fn;
    l->ctx = ctx;
    km_buf_init(&l->text, KM_OPENAPI_BYTES);
    km_buf_init(&l->from, KM_OPENAPI_URL_BYTES);
    if (s->remote)
        km_buf_str(&l->from, s->place);
    km_deferred_init(&l->later, args->loop, on_later, l);
    l->doc = km_openapi_source_current(s, args->fresh_ms, false);
    if (l->doc)
        km_deferred_queue(&l->later);
    else if (!s->remote)
        start_work(l, work_on_file);
    else if (fetch(l, &l->err) < 0)
        km_deferred_queue(&l->later);
    return l;
}

void km_openapi_load_cancel(struct km_openapi_load *l)
{
    if (!l)
        return;
    l->fn = NULL;
    if (l->work)
        km_work_cancel(l->work); /* on_worked frees it */
    else
        load_free(l);
}
