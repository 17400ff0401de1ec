/* SPDX-License-Identifier: Apache-2.0 */
/* source_part.h - private to openapi/source.c and load.c: the source, and what loads do with it. */
#ifndef KM_MCP_OPENAPI_SOURCE_PART_H
#define KM_MCP_OPENAPI_SOURCE_PART_H

#include <pthread.h>

#include "base/setting.h"
#include "mcp/openapi/source.h"

#define KM_OPENAPI_ETAG_BYTES 256
#define KM_OPENAPI_URL_BYTES 4096
#define KM_OPENAPI_REDIRECTS 3

struct km_openapi_source {
    _Atomic unsigned refs; /* the upstream's, and one of each load */
    struct km_arena arena; /* of what does not change: */
    struct km_str place; /* an absolute path, or the URL */
    struct km_str proof;
    bool remote, placed, proves;
    struct km_str_map headers; /* names alone */
    struct km_str_list passed;
    km_mcp_tool_fn *run;
    struct km_tls_client *tls;
    struct km_proxy_env proxies;
    enum km_guard guard;
    pthread_mutex_t making; /* one text at a time; taken before lock, never on a loop */
    pthread_mutex_t lock; /* of all below */
    struct km_openapi *doc; /* NULL: none was read yet */
    uint64_t looked_ms;
    char etag[KM_OPENAPI_ETAG_BYTES]; /* of the document, or empty */
};

struct km_openapi_source *km_openapi_source_ref(struct km_openapi_source *s);

/* The document that is there, referenced, if it was looked at no longer than fresh_ms ago; touch:
 * whenever that was, and it counts as looked at now.  NULL: there is none. */
struct km_openapi *km_openapi_source_current(struct km_openapi_source *s, uint64_t fresh_ms,
                                             bool touch);

/* Its text is there: the document of it, referenced, the one that is known if that is of the same
 * text.  from: the URL it came from; empty: it is a file.  Takes up to a second, so never on a
 * loop.  NULL with err. */
struct km_openapi *km_openapi_source_take(struct km_openapi_source *s, struct km_str text,
                                          struct km_str from, struct km_str etag, bool *ret_read,
                                          struct km_err *err);

/* Where it is instead, by an answer of `from`; strange: credentials do not go there.  KM_E_* with
 * err: nowhere that may be asked. */
int km_openapi_redirect(struct km_str from, struct km_str location, struct km_buf *ret,
                        bool *ret_strange, struct km_err *err);

#endif
