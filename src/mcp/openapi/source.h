/* SPDX-License-Identifier: Apache-2.0 */
/* source.h - where the OpenAPI document of a server comes from: a file, or an address.
 *
 *     link of each worker ── km_openapi_load ──> fresh? the document that is there
 *                                 └── read or fetch ──> the same text? the same document
 *                                                            └── a new one
 *
 * One belongs to an upstream and is shared by the links of all workers, so that what one of them
 * has read serves the others.  Thread: any; a load belongs to its loop.
 */
#ifndef KM_MCP_OPENAPI_SOURCE_H
#define KM_MCP_OPENAPI_SOURCE_H

#include "mcp/openapi/openapi.h"

struct km_openapi_source;
struct km_openapi_load;

struct km_openapi_source_args { /* all is copied */
    struct km_str spec; /* a path, or an http(s) URL */
    struct km_str folder_of; /* the configuration file: what a path is relative to */
    struct km_str url; /* the base URL that is configured; empty: the document's */
    struct km_str proof; /* header lines for the document, where it is at the base URL's host */
    bool proves; /* requests carry credentials */
    const struct km_str_map *headers; /* see km_openapi_args */
    const struct km_str_list *passed;
    km_mcp_tool_fn *run;
    struct km_tls_client *tls; /* referenced */
    const struct km_proxy_env *proxies;
    enum km_guard guard; /* of what is configured: by who configured it */
};

/* NULL with err. */
struct km_openapi_source *km_openapi_source_new(const struct km_openapi_source_args *args,
                                                struct km_err *err);
struct km_openapi_source *km_openapi_source_unref(struct km_openapi_source *s); /* any thread */

/* How many operations of its document are no tools; which and why is appended to notes, for people
 * and without anything a terminal would obey.  0: none, or there is no document.  Any thread. */
size_t km_openapi_source_left_out(struct km_openapi_source *s, struct km_buf *notes);

struct km_openapi_load_args {
    struct km_loop *loop;
    struct km_http_client *client;
    uint64_t fresh_ms; /* one that was looked at no longer ago is not looked at again */
    uint64_t timeout_ms;
};

/* Once, from the loop.  The document's reference is the receiver's.  With err it is the last good
 * one, or NULL where there never was one.  What was left
 * out of it is worth telling where `read` is set: nobody else was told. */
typedef void km_openapi_load_fn(void *ctx, struct km_openapi *doc, bool read,
                                const struct km_err *err);

/* A load keeps the source.  NULL: out of memory. */
struct km_openapi_load *km_openapi_load(struct km_openapi_source *s,
                                        const struct km_openapi_load_args *args,
                                        km_openapi_load_fn *fn, void *ctx);
/* No callback follows; NULL is fine.  What another thread is at goes on to its end there: a
 * document that comes of it serves the loads after this one. */
void km_openapi_load_cancel(struct km_openapi_load *l);

#endif
