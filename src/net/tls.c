/* SPDX-License-Identifier: Apache-2.0 */
/* tls.c - TLS as a filter; tls_ctx.c has the configured part.
 *
 * OpenSSL reads and writes through a BIO of ours that copies nothing:
 *
 *     under's on_read --view--> BIO --> SSL_read --> on_read (plain, on the stack)
 *     write --> SSL_write --> BIO --> km_stream_write(under)
 *
 * The BIO reads straight from the bytes that `under` has just delivered and says "retry" at
 * their end; what is left when the owner pauses is kept in `held` and `under` is paused.  It
 * writes straight to `under`, which takes everything.  So an idle stream holds the SSL object,
 * whose own buffers OpenSSL releases, and nothing else.
 *
 * The end: close_notify is on_eof.  A FIN without it is on_closed, because anyone on the way
 * could have cut the answer there.  km_stream_free() sends no close_notify: a stream that is
 * broken off must not look finished to the other end; shutting down or lingering does.
 */
#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "base/buf.h"
#include "net/filter.h"
#include "net/tls_ctx.h"

#define RECORD_BYTES 16384
#define EARLY_MAX ((size_t)16 << 20)

struct held {
    char *p;
    size_t at, n; /* p[at .. n) is left */
};

struct tls {
    struct km_stream s;
    struct km_tls_ctx *ctx;
    SSL *ssl;
    const char *in; /* what the BIO reads from, during feed() only */
    size_t in_n;
    struct held held;
    struct km_buf early; /* written by the owner before the handshake was done */
    char *host; /* client: for messages */
    km_tls_ready_fn *on_ready;
    void *ready_ctx;
    bool client, insecure;
    bool ready; /* the handshake is done */
    bool ended; /* close_notify received, or broken: nothing more is read */
    bool broken;
    bool shut_wanted;
    int code; /* of `why` */
    char why[160]; /* what broke it, when that must be told later */
};

static struct tls *tls_of(struct km_stream *s)
{
    return (struct tls *)s;
}

/* --- the BIO --- */

static int bio_read(BIO *bio, char *out, int size)
{
    struct tls *t = BIO_get_data(bio);
    size_t n = t->in_n < (size_t)size ? t->in_n : (size_t)size;

    BIO_clear_retry_flags(bio);
    if (n == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(out, t->in, n);
    t->in += n;
    t->in_n -= n;
    return (int)n;
}

static int bio_write(BIO *bio, const char *bytes, int n)
{
    struct tls *t = BIO_get_data(bio);
    struct km_str part = { bytes, (size_t)n };

    BIO_clear_retry_flags(bio);
    km_stream_write(t->s.under, &part, 1, NULL);
    return n;
}

static long bio_ctrl(BIO *bio, int cmd, long arg, void *ptr)
{
    (void)bio;
    (void)arg;
    (void)ptr;
    return cmd == BIO_CTRL_FLUSH;
}

BIO_METHOD *km_tls_bio_new(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK | 127, "kanmon stream");

    if (m && (!BIO_meth_set_read(m, bio_read) || !BIO_meth_set_write(m, bio_write) ||
              !BIO_meth_set_ctrl(m, bio_ctrl))) {
        BIO_meth_free(m);
        return NULL;
    }
    return m;
}

/* --- failure --- */

/* Why the last SSL call failed; the certificate's fault first, it is what people can mend. */
static void note_why(struct tls *t, const char *doing)
{
    long verify = SSL_get_verify_result(t->ssl);
    const char *reason = km_tls_reason();

    t->broken = t->ended = true;
    t->code = t->client && !t->ready ? KM_E_UPSTREAM_CONNECT : KM_E_CLOSED;
    if (verify != X509_V_OK && !t->insecure)
        reason = X509_verify_cert_error_string(verify);
    snprintf(t->why, sizeof t->why, "TLS %s failed%s%.60s: %.80s", doing, t->host ? " with " : "",
             t->host ? t->host : "", reason);
}

/* From the loop only. */
static void tell_broken(struct tls *t, const struct km_err *err)
{
    t->broken = t->ended = true;
    if (!t->ready && t->on_ready) {
        km_tls_ready_fn *fn = t->on_ready;

        t->on_ready = NULL;
        t->s.closed = true;
        fn(t->ready_ctx, err);
        return;
    }
    km_stream_emit_closed(&t->s, err);
}

static void tell_why(struct tls *t)
{
    struct km_err err;

    km_fail(&err, t->code, "%s", t->why);
    tell_broken(t, &err);
}

/* --- reading --- */

static void send_early(struct tls *t);

/* false: stop, the stream is gone or broken or waits for more bytes. */
static bool handshake(struct tls *t)
{
    int r;

    ERR_clear_error();
    r = SSL_do_handshake(t->ssl);
    if (r != 1) {
        if (SSL_get_error(t->ssl, r) == SSL_ERROR_WANT_READ)
            return false;
        note_why(t, "handshake");
        tell_why(t);
        return false;
    }
    t->ready = true;
    send_early(t);
    if (t->on_ready) {
        km_tls_ready_fn *fn = t->on_ready;

        t->on_ready = NULL;
        fn(t->ready_ctx, NULL);
    }
    return !t->s.freed && !t->broken;
}

/* One record.  false: as above. */
static bool read_record(struct tls *t)
{
    char plain[RECORD_BYTES];
    int n;

    ERR_clear_error();
    n = SSL_read(t->ssl, plain, sizeof plain);
    if (n > 0)
        return km_stream_emit_read(&t->s, plain, (size_t)n);
    switch (SSL_get_error(t->ssl, n)) {
    case SSL_ERROR_WANT_READ:
        return false;
    case SSL_ERROR_ZERO_RETURN:
        t->ended = true;
        (void)!km_stream_emit_eof(&t->s);
        return false;
    default:
        note_why(t, "connection");
        tell_why(t);
        return false;
    }
}

static bool may_read(const struct tls *t)
{
    return t->s.started && !t->s.paused && !t->ended;
}

/* Puts the view through OpenSSL as far as the owner takes it.  false: the stream is gone. */
static bool feed(struct tls *t, const char *bytes, size_t n)
{
    bool more = true;

    t->in = bytes;
    t->in_n = n;
    if (!t->ready)
        more = handshake(t);
    while (more && may_read(t))
        more = read_record(t);
    return !t->s.freed;
}

static void hold(struct tls *t, const char *bytes, size_t n)
{
    struct held *h = &t->held;
    char *grown = realloc(h->p, h->n + n);

    if (!grown) {
        t->broken = t->ended = true;
        t->code = KM_E_NOMEM;
        snprintf(t->why, sizeof t->why, "no memory for a TLS record");
        km_deferred_queue(&t->s.later);
        return;
    }
    memcpy(grown + h->n, bytes, n);
    h->p = grown;
    h->n += n;
    km_stream_pause(t->s.under);
}

static void on_under_read(void *ctx, const char *bytes, size_t n)
{
    struct tls *t = ctx;

    if (t->held.p) {
        hold(t, bytes, n);
        return;
    }
    if (t->ended || !feed(t, bytes, n))
        return;
    if (t->in_n > 0 && !t->ended)
        hold(t, t->in, t->in_n);
    t->in_n = 0;
}

static void held_done(struct tls *t)
{
    free(t->held.p);
    t->held = (struct held){ 0 };
}

/* What was held when the owner paused, or what broke inside an operation. */
static void on_later(void *ctx)
{
    struct tls *t = ctx;

    if (t->broken) {
        tell_why(t);
        return;
    }
    if (t->held.p) {
        if (!feed(t, t->held.p + t->held.at, t->held.n - t->held.at))
            return;
        t->held.at = t->held.n - t->in_n;
        t->in_n = 0;
        if (t->held.at < t->held.n && !t->ended)
            return;
        held_done(t);
    }
    if (!t->s.paused || t->ended)
        km_stream_resume(t->s.under);
}

/* --- the other events of `under` --- */

static void on_under_eof(void *ctx)
{
    struct tls *t = ctx;
    struct km_err err;

    if (t->ended)
        return;
    if (t->ready)
        km_fail(&err, KM_E_CLOSED,
                "the other end closed without TLS close_notify: what it sent may be cut short");
    else
        km_fail(&err, t->client ? KM_E_UPSTREAM_CONNECT : KM_E_CLOSED,
                "the other end closed during the TLS handshake");
    tell_broken(t, &err);
}

static void on_under_closed(void *ctx, const struct km_err *under_err)
{
    struct tls *t = ctx;
    struct km_err err = *under_err;

    if (t->broken)
        return;
    if (t->client && !t->ready)
        err.code = KM_E_UPSTREAM_CONNECT;
    tell_broken(t, &err);
}

static void on_under_drain(void *ctx)
{
    struct tls *t = ctx;

    if (t->ready && !t->broken)
        (void)!km_stream_emit_drain(&t->s);
}

static const struct km_stream_events under_events = {
    .on_read = on_under_read,
    .on_eof = on_under_eof,
    .on_closed = on_under_closed,
    .on_drain = on_under_drain,
};

/* --- writing --- */

static bool write_record(struct tls *t, const char *p, size_t n)
{
    ERR_clear_error();
    if (SSL_write(t->ssl, p, (int)n) > 0)
        return true;
    note_why(t, "write");
    km_deferred_queue(&t->s.later);
    return false;
}

/* Small parts share a record; whole records of a large part are not copied. */
static void write_parts(struct tls *t, const struct km_str *parts, size_t n)
{
    char record[RECORD_BYTES];
    size_t used = 0;

    for (size_t i = 0; i < n; i++) {
        struct km_str left = parts[i];

        while (left.n > 0) {
            size_t take = RECORD_BYTES - used < left.n ? RECORD_BYTES - used : left.n;
            const char *from = left.p;

            if (used > 0 || take < RECORD_BYTES) {
                memcpy(record + used, left.p, take);
                from = record;
            }
            used += take;
            left = km_str_skip(left, take);
            if (used == RECORD_BYTES) {
                if (!write_record(t, from, used))
                    return;
                used = 0;
            }
        }
    }
    if (used > 0)
        write_record(t, record, used);
}

static void tls_write(struct km_stream *s, const struct km_str *parts, size_t n)
{
    struct tls *t = tls_of(s);

    if (t->broken || t->shut_wanted)
        return;
    if (t->ready)
        write_parts(t, parts, n);
    else
        for (size_t i = 0; i < n; i++)
            km_buf_str(&t->early, parts[i]);
}

static void shut_down(struct tls *t)
{
    ERR_clear_error();
    SSL_shutdown(t->ssl);
    km_stream_shutdown(t->s.under);
}

static void send_early(struct tls *t)
{
    struct km_str part = km_buf_view(&t->early);

    if (km_buf_failed(&t->early)) {
        t->broken = t->ended = true;
        t->code = KM_E_LIMIT;
        snprintf(t->why, sizeof t->why, "too much written before the TLS handshake");
        km_deferred_queue(&t->s.later);
    } else if (part.n > 0) {
        write_parts(t, &part, 1);
    }
    km_buf_done(&t->early);
    if (t->shut_wanted && !t->broken)
        shut_down(t);
}

/* --- the other operations --- */

static void tls_start(struct km_stream *s)
{
    if (tls_of(s)->held.p)
        km_deferred_queue(&s->later);
}

static size_t tls_queued(const struct km_stream *s)
{
    return km_stream_queued(s->under) + ((const struct tls *)s)->early.n;
}

static void tls_pause(struct km_stream *s)
{
    if (tls_of(s)->ready)
        km_stream_pause(s->under);
}

/* Never feeds from here: the owner would be called back from inside its own call. */
static void tls_resume(struct km_stream *s)
{
    if (tls_of(s)->held.p)
        km_deferred_queue(&s->later);
    else
        km_stream_resume(s->under);
}

static void tls_shutdown(struct km_stream *s)
{
    struct tls *t = tls_of(s);

    if (t->shut_wanted || t->broken)
        return;
    t->shut_wanted = true;
    if (t->ready)
        shut_down(t);
}

static void tls_release(void *ctx)
{
    free(ctx);
}

static void tls_close(struct km_stream *s)
{
    struct tls *t = tls_of(s);

    SSL_free(t->ssl);
    held_done(t);
    km_buf_done(&t->early);
    free(t->host);
    s->under = km_stream_free(s->under);
    if (t->ctx)
        km_tls_ctx_unref(t->ctx);
    km_stream_release(s, tls_release);
}

static bool tls_healthy(const struct km_stream *s)
{
    const struct tls *t = (const struct tls *)s;

    return t->ready && !t->ended && !t->shut_wanted && !t->held.p && SSL_pending(t->ssl) == 0 &&
           km_stream_healthy(s->under);
}

static int tls_detach(struct km_stream *s)
{
    (void)s;
    return -1;
}

static const struct km_stream_ops tls_ops = {
    .start = tls_start,
    .write = tls_write,
    .queued = tls_queued,
    .pause = tls_pause,
    .resume = tls_resume,
    .shutdown = tls_shutdown,
    .close = tls_close,
    .healthy = tls_healthy,
    .detach = tls_detach,
    .tls = true,
};

/* --- life --- */

/* Takes `under` over, also when it fails. */
static struct tls *tls_new(struct km_loop *loop, struct km_stream *under, struct km_tls_ctx *ctx,
                           struct km_err *err)
{
    struct tls *t = calloc(1, sizeof *t);
    BIO *bio = BIO_new(ctx->bio);
    SSL *ssl = SSL_new(ctx->ssl);

    if (!t || !bio || !ssl) {
        free(t);
        BIO_free(bio);
        SSL_free(ssl);
        km_stream_free(under);
        km_fail(err, KM_E_NOMEM, "no memory for a TLS stream");
        return NULL;
    }
    km_stream_init(&t->s, &tls_ops, loop, under, on_later);
    km_buf_init(&t->early, EARLY_MAX);
    km_tls_ctx_ref(ctx);
    t->ctx = ctx;
    t->ssl = ssl;
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    return t;
}

struct km_stream *km_tls_accept(struct km_loop *loop, struct km_stream *under,
                                struct km_tls_server *tls, struct km_err *err)
{
    struct tls *t = tls_new(loop, under, &tls->ctx, err);

    if (!t)
        return NULL;
    SSL_set_accept_state(t->ssl);
    km_stream_own(under, &under_events, t);
    return &t->s;
}

/* What the certificate must be for, unless any will do: a name, also sent as SNI, or an address,
 * which is not. */
static bool expect_host(struct tls *t, bool any)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(t->ssl);
    union km_addr a;

    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (km_addr_parse(km_str_c(t->host), 0, &a) == 0) {
        char text[KM_ADDR_TEXT];

        km_addr_host_text(&a, text);
        return any || X509_VERIFY_PARAM_set1_ip_asc(param, text) == 1;
    }
    return (any || SSL_set1_host(t->ssl, t->host) == 1) &&
           SSL_set_tlsext_host_name(t->ssl, t->host) == 1;
}

struct km_stream *km_tls_connect(struct km_loop *loop, struct km_stream *under,
                                 struct km_tls_client *tls, struct km_str host,
                                 km_tls_ready_fn *on_ready, void *ctx, struct km_err *err)
{
    struct tls *t;

    if (km_tls_client_trust(tls, err) < 0) {
        km_stream_free(under);
        return NULL;
    }
    t = tls_new(loop, under, &tls->ctx, err);
    if (!t)
        return NULL;
    t->client = true;
    t->insecure = tls->insecure;
    t->on_ready = on_ready;
    t->ready_ctx = ctx;
    if (host.n > 0 && host.p[host.n - 1] == '.') /* a rooted name; certificates have none */
        host.n--;
    t->host = strndup(host.n ? host.p : "", host.n);
    if (!t->host || !expect_host(t, tls->any_host)) {
        km_fail(err, KM_E_INVALID, "'%.*s' is not a host that TLS can verify", KM_STR_ARG(host));
        km_stream_free(&t->s);
        return NULL;
    }
    SSL_set_connect_state(t->ssl);
    km_stream_own(under, &under_events, t);
    ERR_clear_error();
    if (SSL_get_error(t->ssl, SSL_do_handshake(t->ssl)) != SSL_ERROR_WANT_READ) {
        note_why(t, "handshake");
        km_deferred_queue(&t->s.later);
    }
    return &t->s;
}
