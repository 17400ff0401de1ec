/* SPDX-License-Identifier: Apache-2.0 */
/* auth.h - header lines that cannot be made once at the start: signatures, and tokens that expire.
 *
 * A deployment whose key is fixed has none of these: its head is ready.  The others (SigV4, a
 * service account's token, Entra) hang one on d->auth; it lives as long as the snapshot, is shared
 * by all workers, and refreshes what it holds with one request in flight at a time.
 */
#ifndef KM_LLM_AUTH_H
#define KM_LLM_AUTH_H

#include "base/buf.h"
#include "base/list.h"
#include "http/client.h"
#include "sys/mailbox.h"

struct km_auth;

struct km_auth_args {
    struct km_loop *loop; /* the caller's */
    struct km_http_client *client; /* for requests of its own; the caller's loop's */
    struct km_mailbox *mailbox; /* the caller's: how another worker's refresh reports back */
    struct km_str method, host, target; /* as they will be sent; host with a port that is not 443 */
    const struct km_str *body;
    size_t nbody;
    int64_t now_us; /* wall */
};

/* A place to wait in; lives with its owner (the call) and is not touched after ready() or
 * cancel(). */
struct km_auth_wait {
    struct km_list link; /* the authenticator's */
    void *private_data;
    uint64_t serial; /* head() says here by which value it made the lines, for refused() */
    /* On the caller's loop, never from inside head(); err NULL: ask head() again. */
    void (*ready)(void *ctx, const struct km_err *err);
    void *ctx;
};

struct km_auth_ops {
    /* Appends the header lines to head and returns 0; or KM_E_AGAIN: ready() will be called
     * once; or an error, whose text names what was tried and never a secret. */
    int (*head)(struct km_auth *auth, const struct km_auth_args *args, struct km_auth_wait *wait,
                struct km_buf *head, struct km_err *err);
    /* No ready() follows. */
    void (*cancel)(struct km_auth *auth, struct km_auth_wait *wait);
    /* The upstream said no to the lines of this wait (clock, expired token): true when trying once
     * more now makes sense. */
    bool (*refused)(struct km_auth *auth, const struct km_auth_wait *wait, int status,
                    const struct km_headers *headers, struct km_str body);
    struct km_auth *(*free)(struct km_auth *auth); /* NULL */
};

struct km_auth { /* first member of each kind */
    const struct km_auth_ops *ops;
};

#endif
