/* SPDX-License-Identifier: Apache-2.0 */
/* crypto_sign.c - signatures by private keys; contract in crypto.h.
 *
 * A key is read anew for each signature: tokens signed so are asked for once an hour, and a
 * parsed key that is kept would be one more secret in memory to look after.  The passphrase
 * callback says that there is none: OpenSSL's own would ask on the terminal.
 */
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/crypto.h"

static int no_passphrase(char *buf, int size, int writing, void *ctx)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)ctx;
    return -1;
}

static EVP_PKEY *read_key(struct km_str pem)
{
    BIO *bio = pem.n && pem.n <= INT_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;

    BIO_free(bio);
    ERR_clear_error();
    return key;
}

static int sign(EVP_MD_CTX *c, EVP_PKEY *key, struct km_str text, struct km_buf *out,
                struct km_err *err)
{
    size_t n = (size_t)EVP_PKEY_get_size(key);
    unsigned char *at = (unsigned char *)km_buf_reserve(out, n);

    if (!at)
        return km_fail(err, KM_E_LIMIT, "no room for a signature of %zu bytes", n);
    if (!c || EVP_DigestSignInit_ex(c, NULL, "SHA256", NULL, NULL, key, NULL) != 1 ||
        EVP_DigestSign(c, at, &n, (const unsigned char *)text.p, text.n) != 1) {
        ERR_clear_error();
        return km_fail(err, KM_E_INTERNAL, "the RSA key does not sign");
    }
    out->n += n;
    return 0;
}

int km_rs256_sign(struct km_str pem, struct km_str text, struct km_buf *out, struct km_err *err)
{
    EVP_PKEY *key = read_key(pem);
    EVP_MD_CTX *c;
    int r;

    if (!key || !EVP_PKEY_is_a(key, "RSA")) {
        EVP_PKEY_free(key);
        return km_fail(err, KM_E_INVALID, "the private key is no RSA key in PEM");
    }
    c = EVP_MD_CTX_new();
    r = sign(c, key, text, out, err);
    EVP_MD_CTX_free(c);
    EVP_PKEY_free(key);
    return r;
}

/* The DER that OpenSSL makes as the two numbers of 32 bytes that JWS wants. */
static int put_raw(struct km_str der, struct km_buf *out, struct km_err *err)
{
    const unsigned char *p = (const unsigned char *)der.p;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)der.n);
    unsigned char *at = sig ? (unsigned char *)km_buf_reserve(out, 64) : NULL;
    bool ok = at && BN_bn2binpad(ECDSA_SIG_get0_r(sig), at, 32) == 32 &&
              BN_bn2binpad(ECDSA_SIG_get0_s(sig), at + 32, 32) == 32;

    ECDSA_SIG_free(sig);
    ERR_clear_error();
    if (!ok)
        return km_fail(err, KM_E_INTERNAL, "the EC key does not sign");
    out->n += 64;
    return 0;
}

int km_jws_sign(struct km_str pem, struct km_str text, struct km_buf *out, const char **ret_alg,
                struct km_err *err)
{
    struct km_buf der KM_CLEANUP(km_buf_done) = KM_BUF(1024);
    char group[64] = "";
    EVP_PKEY *key = read_key(pem);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool ec = key && EVP_PKEY_is_a(key, "EC") &&
              EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1 &&
              strcmp(group, "prime256v1") == 0;
    int r;

    if (ec) {
        r = sign(c, key, text, &der, err);
        if (r == 0)
            r = put_raw(km_buf_view(&der), out, err);
    } else if (key && EVP_PKEY_is_a(key, "RSA")) {
        r = sign(c, key, text, out, err);
    } else {
        r = km_fail(err, KM_E_INVALID, "the private key is no RSA or P-256 key in PEM");
    }
    if (r == 0)
        *ret_alg = ec ? "ES256" : "RS256";
    EVP_MD_CTX_free(c);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return r;
}
