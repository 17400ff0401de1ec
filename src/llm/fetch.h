/* SPDX-License-Identifier: Apache-2.0 */
/* fetch.h - one small HTTP exchange of the gateway's own: a token, credentials, an image.
 *
 * The whole answer is gathered, up to a named bound, and handed over once.  A connection that
 * cannot be had, a time-out and a 5xx are tried again as often as asked, after a short pause.
 */
#ifndef KM_LLM_FETCH_H
#define KM_LLM_FETCH_H

#include "http/client.h"

struct km_fetch;

struct km_fetch_args {
    struct km_loop *loop;
    struct km_http_client *client; /* of that loop */
    struct km_tls_client *tls; /* for https */
    const struct km_proxy_env *proxies; /* NULL: straight */
    enum km_guard guard; /* by who had a say in the URL (net/dial.h) */
    struct km_str method; /* "GET" */
    struct km_str url;
    struct km_str head; /* ready header lines */
    struct km_str body; /* sent when has_body */
    bool has_body;
    uint64_t timeout_ms; /* of one try, connecting included */
    unsigned tries; /* in all; at least 1 */
    size_t max_bytes; /* of the answer's body */
};

/* Once, on the loop, never synchronously.  err NULL: an answer came, whatever its status; its
 * views die with the callback, and so does the fetch. */
typedef void km_fetch_fn(void *ctx, const struct km_response *response, struct km_str body,
                         const struct km_err *err);

/* Everything given is copied.  NULL with err set: the URL is none, or no memory. */
struct km_fetch *km_fetch_start(const struct km_fetch_args *args, km_fetch_fn *fn, void *ctx,
                                struct km_err *err);
/* Inside the callback: the answer's body is *to's, which was empty. */
void km_fetch_take(struct km_fetch *f, struct km_buf *to);
void km_fetch_cancel(struct km_fetch *f); /* no callback follows; NULL is fine */
/* The same when its client is gone already (refresh.h's abandon). */
void km_fetch_abandon(struct km_fetch *f);

#endif
