/* SPDX-License-Identifier: Apache-2.0 */
/* source.c - the source and what makes a document of its text: see source.h for the contract.
 *
 * Where requests go is decided once, with the document:
 *
 *     `url` is configured            there; the document has no say
 *     the document is a file         where it says: it is the operator's
 *     it was fetched, and names      there
 *       the host it came from
 *     it names another host          there through the guard, and only if nothing is sent along
 *                                    that proves anybody: else `url` has to be said
 *
 * Work that runs keeps the source (load.c), not the upstream: what making needs is copied.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "base/time.h"
#include "mcp/openapi/source_part.h"

#define ARENA_BYTES ((size_t)1024 * 1024)

/* --- the source --- */

/* Beside the configuration file, wherever the gateway was started. */
static struct km_str absolute(struct km_arena *arena, struct km_str spec, struct km_str file)
{
    char folder[PATH_MAX];
    char *slash;

    if (spec.n && spec.p[0] == '/')
        return km_arena_str(arena, spec);
    if (!realpath(km_arena_cstr(arena, file), folder))
        return km_arena_str(arena, spec);
    slash = strrchr(folder, '/');
    if (slash)
        *slash = 0;
    return km_arena_printf(arena, "%s/%.*s", folder, KM_STR_ARG(spec));
}

static bool same_origin(struct km_str a, struct km_str b)
{
    struct km_url x, y;

    return km_url_parse(a, &x, NULL) == 0 && km_url_parse(b, &y, NULL) == 0 && x.https == y.https &&
           x.port == y.port && km_str_ieq(x.host, y.host);
}

/* Names only: what is configured is no argument. */
static struct km_str_map copy_map(struct km_arena *arena, const struct km_str_map *map)
{
    size_t n = map ? map->n : 0;
    struct km_str_pair *v = km_arena_zalloc(arena, (n + 1) * sizeof *v);

    for (size_t i = 0; v && i < n; i++)
        v[i].name = km_arena_str(arena, map->v[i].name);
    return (struct km_str_map){ v, v ? n : 0 };
}

static struct km_str_list copy_list(struct km_arena *arena, const struct km_str_list *list)
{
    size_t n = list ? list->n : 0;
    struct km_str *v = km_arena_zalloc(arena, (n + 1) * sizeof *v);

    for (size_t i = 0; v && i < n; i++)
        v[i] = km_arena_str(arena, list->v[i]);
    return (struct km_str_list){ v, v ? n : 0 };
}

static void fill(struct km_openapi_source *s, const struct km_openapi_source_args *args)
{
    struct km_arena *a = &s->arena;

    s->remote = km_url_is_http(args->spec);
    s->place = s->remote ? km_arena_str(a, args->spec) : absolute(a, args->spec, args->folder_of);
    s->placed = args->url.n > 0;
    s->proves = args->proves;
    if (!s->remote || !s->placed || same_origin(args->spec, args->url))
        s->proof = km_arena_str(a, args->proof);
    s->headers = copy_map(a, args->headers);
    s->passed = copy_list(a, args->passed);
    s->run = args->run;
    s->guard = args->guard;
    s->tls = args->tls ? km_tls_client_ref(args->tls) : NULL;
    if (args->proxies)
        s->proxies = (struct km_proxy_env){ km_arena_str(a, args->proxies->http),
                                            km_arena_str(a, args->proxies->https),
                                            km_arena_str(a, args->proxies->none) };
}

struct km_openapi_source *km_openapi_source_new(const struct km_openapi_source_args *args,
                                                struct km_err *err)
{
    struct km_openapi_source *s;
    struct km_url url;

    if (km_url_is_http(args->spec) && km_url_parse(args->spec, &url, err) < 0)
        return NULL;
    s = calloc(1, sizeof *s);
    if (!s) {
        km_fail(err, KM_E_NOMEM, "out of memory");
        return NULL;
    }
    s->refs = 1;
    km_arena_init(&s->arena, ARENA_BYTES, NULL);
    pthread_mutex_init(&s->making, NULL);
    pthread_mutex_init(&s->lock, NULL);
    fill(s, args);
    if (km_arena_overflowed(&s->arena)) {
        km_fail(err, KM_E_LIMIT, "its settings take over %zu bytes", ARENA_BYTES);
        return km_openapi_source_unref(s);
    }
    return s;
}

struct km_openapi_source *km_openapi_source_ref(struct km_openapi_source *s)
{
    s->refs++;
    return s;
}

struct km_openapi_source *km_openapi_source_unref(struct km_openapi_source *s)
{
    if (!s || --s->refs > 0)
        return NULL;
    km_openapi_unref(s->doc);
    km_tls_client_unref(s->tls);
    pthread_mutex_destroy(&s->making);
    pthread_mutex_destroy(&s->lock);
    km_arena_done(&s->arena);
    free(s);
    return NULL;
}

/* --- a document --- */

/* Where its requests go. */
static int settle(const struct km_openapi_source *s, struct km_openapi *doc, struct km_err *err)
{
    bool strange = s->remote && !same_origin(doc->base, s->place);
    struct km_url url;
    int r;

    if (s->placed)
        return 0; /* the upstream's own */
    if (!doc->base.n)
        return km_fail(err, KM_E_INVALID,
                       "it does not say where its interface is: configure `url`");
    r = km_url_parse(doc->base, &url, err);
    if (r < 0)
        return r;
    if (url.userinfo.n || (strange && s->proves))
        return km_fail(err, KM_E_INVALID,
                       "it names another host, %.*s, that credentials would be sent to: configure "
                       "`url`",
                       KM_STR_ARG(km_str_sub(url.host, 0, 100)));
    doc->target = km_arena_str(&doc->arena, url.path);
    return km_origin_new(url.https, url.host, url.port, s->tls, &s->proxies,
                         strange ? KM_GUARD_PUBLIC : s->guard, &doc->origin, err);
}

static int make(struct km_openapi_source *s, struct km_str text, struct km_str from,
                struct km_openapi **ret_doc, struct km_err *err)
{
    const struct km_openapi_args args = { .text = text,
                                          .name = s->place,
                                          .url = from,
                                          .placed = s->placed,
                                          .headers = &s->headers,
                                          .passed = &s->passed,
                                          .run = s->run };
    int r = km_openapi_new(&args, ret_doc, err);

    if (r == 0) {
        r = settle(s, *ret_doc, err);
        if (r < 0)
            *ret_doc = km_openapi_unref(*ret_doc);
    }
    return r;
}

/* The one that is there, referenced, and looked at just now; NULL: there is none. */
struct km_openapi *km_openapi_source_current(struct km_openapi_source *s, uint64_t fresh_ms,
                                             bool touch)
{
    struct km_openapi *doc = NULL;
    uint64_t now = km_mono_ms();

    pthread_mutex_lock(&s->lock);
    if (s->doc && (touch || now - s->looked_ms < fresh_ms))
        doc = km_openapi_ref(s->doc);
    if (touch)
        s->looked_ms = now;
    pthread_mutex_unlock(&s->lock);
    return doc;
}

size_t km_openapi_source_left_out(struct km_openapi_source *s, struct km_buf *notes)
{
    struct km_openapi *doc;
    size_t n;

    pthread_mutex_lock(&s->lock);
    doc = s->doc ? km_openapi_ref(s->doc) : NULL;
    pthread_mutex_unlock(&s->lock);
    n = doc ? doc->left_out : 0;
    if (n)
        km_buf_str(notes, doc->notes);
    km_openapi_unref(doc);
    return n;
}

/* Is the text the one that is known? */
static struct km_openapi *same(struct km_openapi_source *s, struct km_str text)
{
    struct km_openapi *doc = km_openapi_source_current(s, 0, true);
    uint8_t digest[32];

    km_sha256(text, digest);
    if (doc && memcmp(doc->digest, digest, sizeof digest) != 0)
        doc = km_openapi_unref(doc);
    return doc;
}

static void keep(struct km_openapi_source *s, struct km_openapi *doc, struct km_str etag)
{
    struct km_openapi *old;

    pthread_mutex_lock(&s->lock);
    old = s->doc;
    s->doc = km_openapi_ref(doc);
    snprintf(s->etag, sizeof s->etag, "%.*s",
             KM_STR_ARG(etag.n < sizeof s->etag ? etag : KM_STR_NONE));
    pthread_mutex_unlock(&s->lock);
    km_openapi_unref(old);
}

struct km_openapi *km_openapi_source_take(struct km_openapi_source *s, struct km_str text,
                                          struct km_str from, struct km_str etag, bool *ret_read,
                                          struct km_err *err)
{
    struct km_openapi *doc;

    /* Who comes second waits, and finds what the first has made. */
    pthread_mutex_lock(&s->making);
    doc = same(s, text);
    if (!doc && make(s, text, from, &doc, err) == 0) {
        keep(s, doc, etag);
        *ret_read = true;
    }
    pthread_mutex_unlock(&s->making);
    return doc;
}
