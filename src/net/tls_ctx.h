/* SPDX-License-Identifier: Apache-2.0 */
/* tls_ctx.h - what tls.c needs of the contexts of tls_ctx.c. */
#ifndef KM_NET_TLS_CTX_H
#define KM_NET_TLS_CTX_H

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "net/tls.h"

struct km_tls_ctx {
    atomic_int refs;
    SSL_CTX *ssl;
    BIO_METHOD *bio; /* how a stream's SSL reads and writes; one a context, for want of globals */
};

struct km_tls_server {
    struct km_tls_ctx ctx;
};

struct km_tls_client {
    struct km_tls_ctx ctx;
    bool insecure, any_host;
    atomic_bool trusting; /* whom to trust is known: nothing is changed any more */
    pthread_mutex_t lock; /* for who makes it so; never destroyed: it owns nothing */
};

/* Before each connection: the first one, of whichever thread, looks up whom to trust. */
int km_tls_client_trust(struct km_tls_client *tls, struct km_err *err) KM_MUST_USE;

void km_tls_ctx_ref(struct km_tls_ctx *ctx);
void km_tls_ctx_unref(struct km_tls_ctx *ctx); /* frees the server or client around it */

/* tls.c's */
BIO_METHOD *km_tls_bio_new(void);

/* The oldest error of OpenSSL's queue as text, and empties the queue.  Static storage. */
const char *km_tls_reason(void);

#endif
