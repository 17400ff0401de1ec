/* SPDX-License-Identifier: Apache-2.0 */
/* certs.h - keys and certificates made for one run of a test, in a folder of its own. */
#ifndef KM_TESTS_NET_CERTS_H
#define KM_TESTS_NET_CERTS_H

#include "fixture.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

struct identity {
    X509 *cert;
    EVP_PKEY *key;
    char cert_file[128], key_file[128];
};

struct certs {
    char dir[64];
    struct identity ca, other_ca;
    struct identity server; /* api.test, 127.0.0.1, ::1 */
    struct identity renewed; /* the same, another key */
    struct identity expired; /* api.test, until yesterday */
    struct identity stray; /* api.test, by other_ca */
    struct identity client; /* by ca */
};

static inline void cert_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *ext;

    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(ext);
    assert_int_equal(X509_add_ext(cert, ext, -1), 1);
    X509_EXTENSION_free(ext);
}

static inline void write_pem(const char *dir, const char *name, struct identity *id)
{
    FILE *f;

    snprintf(id->cert_file, sizeof id->cert_file, "%s/%s.pem", dir, name);
    snprintf(id->key_file, sizeof id->key_file, "%s/%s.key", dir, name);
    assert_non_null(f = fopen(id->cert_file, "w"));
    assert_int_equal(PEM_write_X509(f, id->cert), 1);
    fclose(f);
    assert_non_null(f = fopen(id->key_file, "w"));
    assert_int_equal(PEM_write_PrivateKey(f, id->key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(f);
}

/* issuer NULL: signs itself and is a CA. */
static inline void make_identity(struct certs *c, struct identity *id, const char *name,
                                 const struct identity *issuer, const char *san, long until_s)
{
    static const unsigned char serial_bytes[] = "kanmon test";
    X509_NAME *subject;

    id->key = EVP_EC_gen("P-256");
    id->cert = X509_new();
    X509_set_version(id->cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(id->cert), (long)(id - &c->ca) + serial_bytes[0]);
    X509_gmtime_adj(X509_getm_notBefore(id->cert), -10L * 86400);
    X509_gmtime_adj(X509_getm_notAfter(id->cert), until_s);
    subject = X509_get_subject_name(id->cert);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(id->cert, issuer ? X509_get_subject_name(issuer->cert) : subject);
    X509_set_pubkey(id->cert, id->key);
    if (!issuer)
        cert_extension(id->cert, id->cert, NID_basic_constraints, "critical,CA:TRUE");
    if (san)
        cert_extension(id->cert, issuer ? issuer->cert : id->cert, NID_subject_alt_name, san);
    assert_true(X509_sign(id->cert, issuer ? issuer->key : id->key, EVP_sha256()) > 0);
    write_pem(c->dir, name, id);
}

static inline struct certs *certs_new(void)
{
    struct certs *c = calloc(1, sizeof *c);
    const long day = 86400;

    strcpy(c->dir, "/tmp/kanmon-certs-XXXXXX");
    assert_non_null(mkdtemp(c->dir));
    make_identity(c, &c->ca, "ca", NULL, NULL, day);
    make_identity(c, &c->other_ca, "other_ca", NULL, NULL, day);
    make_identity(c, &c->server, "server", &c->ca, "DNS:api.test,IP:127.0.0.1,IP:::1", day);
    make_identity(c, &c->renewed, "renewed", &c->ca, "DNS:api.test", day);
    make_identity(c, &c->expired, "expired", &c->ca, "DNS:api.test", -day);
    make_identity(c, &c->stray, "stray", &c->other_ca, "DNS:api.test", day);
    make_identity(c, &c->client, "client", &c->ca, NULL, day);
    return c;
}

static inline void certs_free(struct certs *c)
{
    struct identity *all[] = { &c->ca,      &c->other_ca, &c->server, &c->renewed,
                               &c->expired, &c->stray,    &c->client };

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        unlink(all[i]->cert_file);
        unlink(all[i]->key_file);
        X509_free(all[i]->cert);
        EVP_PKEY_free(all[i]->key);
    }
    rmdir(c->dir);
    free(c);
}

#endif
