/* SPDX-License-Identifier: Apache-2.0 */
/* tls_ctx.c - certificates, trust and protocol versions: the part of TLS that is configured.
 *
 * A context is made once, is never changed, and counts its users, so that a reload makes a
 * new one and streams under way keep theirs.
 *
 * Server: no session cache (20,000 sessions are megabytes); tickets resume without one.
 * Client: the system's trust is looked up by hash in its directory when it is needed, which
 * keeps 140 certificates out of the memory and the start of the gateway.  Where it is one file
 * all the same, it is read for the first connection: many gateways never make one.
 * A private key with a pass phrase is refused: OpenSSL would ask for it on the terminal.
 */
#include "net/tls_ctx.h"

#include <dirent.h>
#include <openssl/err.h>
#include <stdlib.h>

#include "sys/read_file.h"

static const unsigned char alpn_http1[] = "\x08http/1.1";

const char *km_tls_reason(void)
{
    unsigned long e = ERR_get_error();
    const char *reason = e ? ERR_reason_error_string(e) : NULL;

    if (e && ERR_SYSTEM_ERROR(e))
        reason = strerror(ERR_GET_REASON(e));
    ERR_clear_error();
    return reason ? reason : "unknown error";
}

static int no_pass_phrase(char *buf, int size, int rwflag, void *u)
{
    (void)buf;
    (void)size;
    (void)rwflag;
    (void)u;
    return -1;
}

static int ctx_init(struct km_tls_ctx *ctx, const SSL_METHOD *method, struct km_err *err)
{
    atomic_init(&ctx->refs, 1);
    ERR_clear_error();
    ctx->ssl = SSL_CTX_new(method);
    ctx->bio = km_tls_bio_new();
    if (!ctx->ssl || !ctx->bio)
        return km_fail(err, KM_E_NOMEM, "cannot make a TLS context: %s", km_tls_reason());
    SSL_CTX_set_min_proto_version(ctx->ssl, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(ctx->ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(ctx->ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_default_passwd_cb(ctx->ssl, no_pass_phrase);
    return 0;
}

void km_tls_ctx_ref(struct km_tls_ctx *ctx)
{
    atomic_fetch_add_explicit(&ctx->refs, 1, memory_order_relaxed);
}

void km_tls_ctx_unref(struct km_tls_ctx *ctx)
{
    if (atomic_fetch_sub_explicit(&ctx->refs, 1, memory_order_acq_rel) != 1)
        return;
    SSL_CTX_free(ctx->ssl);
    BIO_meth_free(ctx->bio);
    free(ctx); /* the first member of what was allocated */
}

/* OpenSSL opens by path, and would wait for whoever writes a pipe. */
static int check_file(const char *what, const char *file, struct km_err *err)
{
    struct km_err why = { 0 };

    if (km_file_check(file, &why) < 0)
        return km_fail(err, KM_E_CONFIG, "cannot read the %s '%s': %s", what, file, why.text);
    return 0;
}

static int use_certificate(SSL_CTX *ssl, const char *cert_file, const char *key_file,
                           struct km_err *err)
{
    if (!cert_file || !key_file)
        return km_fail(err, KM_E_CONFIG, "a TLS certificate needs both 'cert' and 'key'");
    if (check_file("certificate", cert_file, err) < 0 ||
        check_file("private key", key_file, err) < 0)
        return KM_E_CONFIG;
    if (SSL_CTX_use_certificate_chain_file(ssl, cert_file) != 1)
        return km_fail(err, KM_E_CONFIG, "cannot read the certificate '%s': %s", cert_file,
                       km_tls_reason());
    if (SSL_CTX_use_PrivateKey_file(ssl, key_file, SSL_FILETYPE_PEM) != 1)
        return km_fail(err, KM_E_CONFIG,
                       "cannot use the private key '%s' with the certificate '%s': %s (it must be "
                       "PEM, without a pass phrase, and belong to the certificate)",
                       key_file, cert_file, km_tls_reason());
    return 0;
}

/* --- server --- */

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                       const unsigned char *in, unsigned in_len, void *arg)
{
    unsigned char *chosen;

    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&chosen, out_len, alpn_http1, sizeof alpn_http1 - 1, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int ask_client_certificates(SSL_CTX *ssl, const char *ca_file, struct km_err *err)
{
    STACK_OF(X509_NAME) * names;

    if (check_file("client CA", ca_file, err) < 0)
        return KM_E_CONFIG;
    names = SSL_load_client_CA_file(ca_file);
    if (!names || SSL_CTX_load_verify_file(ssl, ca_file) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return km_fail(err, KM_E_CONFIG, "cannot read the client CA '%s': %s", ca_file,
                       km_tls_reason());
    }
    SSL_CTX_set_client_CA_list(ssl, names);
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return 0;
}

static int server_init(struct km_tls_server *tls, const struct km_tls_server_args *args,
                       struct km_err *err)
{
    static const unsigned char session_context[] = "kanmon";
    int r = ctx_init(&tls->ctx, TLS_server_method(), err);

    if (r == 0)
        r = use_certificate(tls->ctx.ssl, args->cert_file, args->key_file, err);
    if (r == 0 && args->client_ca_file)
        r = ask_client_certificates(tls->ctx.ssl, args->client_ca_file, err);
    if (r < 0)
        return r;
    SSL_CTX_set_session_id_context(tls->ctx.ssl, session_context, sizeof session_context - 1);
    SSL_CTX_set_num_tickets(tls->ctx.ssl, 1);
    SSL_CTX_set_alpn_select_cb(tls->ctx.ssl, choose_alpn, NULL);
    return 0;
}

int km_tls_server_new(const struct km_tls_server_args *args, struct km_tls_server **ret_tls,
                      struct km_err *err)
{
    struct km_tls_server *tls = calloc(1, sizeof *tls);
    int r;

    if (!tls)
        return km_fail(err, KM_E_NOMEM, "no memory for a TLS context");
    r = server_init(tls, args, err);
    if (r < 0) {
        km_tls_server_unref(tls);
        return r;
    }
    *ret_tls = tls;
    return 0;
}

struct km_tls_server *km_tls_server_ref(struct km_tls_server *tls)
{
    km_tls_ctx_ref(&tls->ctx);
    return tls;
}

struct km_tls_server *km_tls_server_unref(struct km_tls_server *tls)
{
    if (tls)
        km_tls_ctx_unref(&tls->ctx);
    return NULL;
}

/* --- client --- */

/* OpenSSL's own folder of certificates is usable by hash: it has names such as 5ed36f99.0. */
static bool trust_is_hashed(void)
{
    DIR *dir = opendir(X509_get_default_cert_dir());
    const struct dirent *entry;
    bool found = false;

    if (!dir)
        return false;
    while (!found && (entry = readdir(dir)) != NULL)
        found = strlen(entry->d_name) == 10 && strcmp(entry->d_name + 8, ".0") == 0;
    closedir(dir);
    return found;
}

/* The folder where it can be used: reading the bundle beside it costs each start 20 ms and a
 * megabyte.  SSL_CERT_FILE and SSL_CERT_DIR are honoured by OpenSSL. */
static int trust_the_system(SSL_CTX *ssl)
{
    if (!getenv(X509_get_default_cert_file_env()) && trust_is_hashed())
        return SSL_CTX_set_default_verify_dir(ssl);
    return SSL_CTX_set_default_verify_paths(ssl);
}

/* One protocol, by ALPN: its length goes before it. */
static int offer(SSL_CTX *ssl, const char *protocol, struct km_err *err)
{
    unsigned char list[64];
    size_t n = strlen(protocol);

    if (n >= sizeof list)
        return km_fail(err, KM_E_INVALID, "'%s' is too long for ALPN", protocol);
    list[0] = (unsigned char)n;
    memcpy(list + 1, protocol, n);
    return SSL_CTX_set_alpn_protos(ssl, list, (unsigned)n + 1) == 0
               ? 0
               : km_fail(err, KM_E_NOMEM, "no memory for a TLS context");
}

static int client_init(struct km_tls_client *tls, const struct km_tls_client_args *args,
                       struct km_err *err)
{
    int r = ctx_init(&tls->ctx, TLS_client_method(), err);
    SSL_CTX *ssl = tls->ctx.ssl;

    if (r < 0)
        return r;
    tls->insecure = args->insecure;
    tls->any_host = args->any_host;
    SSL_CTX_set_verify(ssl, args->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    if (args->ca_file && check_file("CA certificates", args->ca_file, err) < 0)
        return KM_E_CONFIG;
    if (args->ca_file && SSL_CTX_load_verify_file(ssl, args->ca_file) != 1)
        return km_fail(err, KM_E_CONFIG, "cannot read the CA certificates '%s': %s", args->ca_file,
                       km_tls_reason());
    atomic_init(&tls->trusting, args->ca_file || args->insecure);
    tls->lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    if (args->cert_file || args->key_file)
        r = use_certificate(ssl, args->cert_file, args->key_file, err);
    if (r == 0)
        r = offer(ssl, args->alpn ? args->alpn : "http/1.1", err);
    return r;
}

int km_tls_client_trust(struct km_tls_client *tls, struct km_err *err)
{
    int r = 0;

    if (atomic_load_explicit(&tls->trusting, memory_order_acquire))
        return 0;
    pthread_mutex_lock(&tls->lock);
    if (!atomic_load_explicit(&tls->trusting, memory_order_relaxed)) {
        ERR_clear_error();
        if (trust_the_system(tls->ctx.ssl) != 1)
            r = km_fail(err, KM_E_CONFIG, "cannot use the system's CA certificates: %s",
                        km_tls_reason());
        atomic_store_explicit(&tls->trusting, r == 0, memory_order_release);
    }
    pthread_mutex_unlock(&tls->lock);
    return r;
}

int km_tls_client_new(const struct km_tls_client_args *args, struct km_tls_client **ret_tls,
                      struct km_err *err)
{
    struct km_tls_client *tls = calloc(1, sizeof *tls);
    int r;

    if (!tls)
        return km_fail(err, KM_E_NOMEM, "no memory for a TLS context");
    r = client_init(tls, args, err);
    if (r < 0) {
        km_tls_client_unref(tls);
        return r;
    }
    *ret_tls = tls;
    return 0;
}

struct km_tls_client *km_tls_client_ref(struct km_tls_client *tls)
{
    km_tls_ctx_ref(&tls->ctx);
    return tls;
}

struct km_tls_client *km_tls_client_unref(struct km_tls_client *tls)
{
    if (tls)
        km_tls_ctx_unref(&tls->ctx);
    return NULL;
}
