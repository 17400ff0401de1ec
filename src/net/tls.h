/* SPDX-License-Identifier: Apache-2.0 */
/* tls.h - TLS as a filter over another stream; the only door to OpenSSL's TLS.
 *
 * Contexts are immutable and reference-counted: a certificate reload makes a new one and
 * streams keep the one they began with.  TLS 1.2 or newer, no renegotiation, ALPN http/1.1.
 */
#ifndef KM_NET_TLS_H
#define KM_NET_TLS_H

#include "net/stream.h"

struct km_tls_server;
struct km_tls_client;

struct km_tls_server_args {
    const char *cert_file, *key_file; /* PEM */
    const char *client_ca_file; /* NULL: client certificates are not asked for */
};

struct km_tls_client_args {
    const char *ca_file; /* NULL: the system's */
    const char *cert_file, *key_file; /* NULL: no client certificate */
    const char *alpn; /* the one protocol offered; NULL: http/1.1 */
    bool insecure; /* verification off (LiteLLM's ssl_verify: false) */
    bool any_host; /* the certificate must be good, for whatever name */
};

int km_tls_server_new(const struct km_tls_server_args *args, struct km_tls_server **ret_tls,
                      struct km_err *err) KM_MUST_USE;
struct km_tls_server *km_tls_server_ref(struct km_tls_server *tls);
struct km_tls_server *km_tls_server_unref(struct km_tls_server *tls);

int km_tls_client_new(const struct km_tls_client_args *args, struct km_tls_client **ret_tls,
                      struct km_err *err) KM_MUST_USE;
struct km_tls_client *km_tls_client_ref(struct km_tls_client *tls);
struct km_tls_client *km_tls_client_unref(struct km_tls_client *tls);

/* Handshake result; err NULL on success.  Exactly once unless the stream is freed first. */
typedef void km_tls_ready_fn(void *ctx, const struct km_err *err);

/* Wrap `under`, which is taken over also when this fails (NULL).  Server side: bytes may be
 * delivered as soon as the handshake is done; a failed handshake is on_closed. */
struct km_stream *km_tls_accept(struct km_loop *loop, struct km_stream *under,
                                struct km_tls_server *tls, struct km_err *err);
/* Client side: SNI and verification by host (name or literal address). */
struct km_stream *km_tls_connect(struct km_loop *loop, struct km_stream *under,
                                 struct km_tls_client *tls, struct km_str host,
                                 km_tls_ready_fn *on_ready, void *ctx, struct km_err *err);

#endif
