/* SPDX-License-Identifier: Apache-2.0 */
/* crypto_verify.c - signatures of others, by public keys as they stand in a JWK; see crypto.h.
 *
 * The name of the algorithm chooses nothing but a row of the table, and the row says which kind of
 * key it takes: a public key is never read as a shared secret, and there is no row for "none".
 * Keys outside sane bounds (short, or so long that checking is an attack) are refused when they
 * are made, not when they are used.
 */
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#include "base/crypto.h"

#define RSA_BITS_LEAST 2048
#define RSA_BITS_MOST 8192
#define RSA_E_BYTES 8

struct km_pubkey {
    EVP_PKEY *pkey;
    struct km_str kind; /* "RSA", or the name of the curve; static */
};

static const struct alg {
    struct km_str name;
    struct km_str kind;
    const char *digest; /* NULL: the algorithm has its own */
    bool pss;
    size_t half; /* ECDSA: bytes of r and of s */
} algs[] = {
    { { "RS256", 5 }, { "RSA", 3 }, "SHA256", false, 0 },
    { { "RS384", 5 }, { "RSA", 3 }, "SHA384", false, 0 },
    { { "RS512", 5 }, { "RSA", 3 }, "SHA512", false, 0 },
    { { "PS256", 5 }, { "RSA", 3 }, "SHA256", true, 0 },
    { { "PS384", 5 }, { "RSA", 3 }, "SHA384", true, 0 },
    { { "PS512", 5 }, { "RSA", 3 }, "SHA512", true, 0 },
    { { "ES256", 5 }, { "P-256", 5 }, "SHA256", false, 32 },
    { { "ES384", 5 }, { "P-384", 5 }, "SHA384", false, 48 },
    { { "ES512", 5 }, { "P-521", 5 }, "SHA512", false, 66 },
    { { "EdDSA", 5 }, { "Ed25519", 7 }, NULL, false, 0 },
    { { "Ed25519", 7 }, { "Ed25519", 7 }, NULL, false, 0 },
};

static const struct alg *alg_find(struct km_str name)
{
    for (size_t i = 0; i < sizeof algs / sizeof algs[0]; i++)
        if (km_str_eq(algs[i].name, name))
            return &algs[i];
    return NULL;
}

bool km_signature_known(struct km_str alg)
{
    return alg_find(alg) != NULL;
}

static int wrap(EVP_PKEY *pkey, struct km_str kind, struct km_pubkey **ret, struct km_err *err)
{
    struct km_pubkey *k = pkey ? calloc(1, sizeof *k) : NULL;

    ERR_clear_error();
    if (!k) {
        EVP_PKEY_free(pkey);
        return km_fail(err, KM_E_INVALID, "no usable %.*s key", KM_STR_ARG(kind));
    }
    *k = (struct km_pubkey){ pkey, kind };
    *ret = k;
    return 0;
}

static EVP_PKEY *from_params(const char *type, OSSL_PARAM_BLD *bld)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *pkey = NULL;

    if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        pkey = NULL;
    OSSL_PARAM_free(params);
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

int km_pubkey_rsa(struct km_str n, struct km_str e, struct km_pubkey **ret, struct km_err *err)
{
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    BIGNUM *bn = NULL, *be = NULL;
    EVP_PKEY *pkey = NULL;

    if (n.n <= RSA_BITS_MOST / 8 && e.n && e.n <= RSA_E_BYTES) {
        bn = BN_bin2bn((const unsigned char *)n.p, (int)n.n, NULL);
        be = BN_bin2bn((const unsigned char *)e.p, (int)e.n, NULL);
    }
    if (bld && bn && be && BN_num_bits(bn) >= RSA_BITS_LEAST && BN_is_odd(bn) && BN_is_odd(be) &&
        !BN_is_one(be) && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn) == 1 &&
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, be) == 1)
        pkey = from_params("RSA", bld);
    OSSL_PARAM_BLD_free(bld);
    BN_free(bn);
    BN_free(be);
    return wrap(pkey, KM_STR("RSA"), ret, err);
}

int km_pubkey_ec(struct km_str curve, struct km_str x, struct km_str y, struct km_pubkey **ret,
                 struct km_err *err)
{
    unsigned char point[1 + 2 * 66] = { 4 }; /* not compressed */
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    const struct alg *alg = NULL;
    EVP_PKEY *pkey = NULL;

    for (size_t i = 0; i < sizeof algs / sizeof algs[0]; i++)
        if (algs[i].half && km_str_eq(algs[i].kind, curve))
            alg = &algs[i];
    if (alg && bld && x.n == alg->half && y.n == alg->half) {
        memcpy(point + 1, x.p, x.n);
        memcpy(point + 1 + x.n, y.p, y.n);
        if (OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, alg->kind.p, 0) == 1 &&
            OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point,
                                             1 + 2 * alg->half) == 1)
            pkey = from_params("EC", bld);
    }
    OSSL_PARAM_BLD_free(bld);
    return wrap(pkey, alg ? alg->kind : KM_STR("EC"), ret, err);
}

int km_pubkey_ed25519(struct km_str x, struct km_pubkey **ret, struct km_err *err)
{
    EVP_PKEY *pkey = x.n == 32 ? EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL,
                                                             (const unsigned char *)x.p, x.n)
                               : NULL;

    return wrap(pkey, KM_STR("Ed25519"), ret, err);
}

struct km_pubkey *km_pubkey_free(struct km_pubkey *k)
{
    if (k)
        EVP_PKEY_free(k->pkey);
    free(k);
    return NULL;
}

/* r || s as DER; the caller frees with OPENSSL_free. */
static int ecdsa_der(const struct alg *alg, struct km_str sig, unsigned char **ret)
{
    const unsigned char *p = (const unsigned char *)sig.p;
    ECDSA_SIG *s = ECDSA_SIG_new();
    BIGNUM *a = BN_bin2bn(p, (int)alg->half, NULL);
    BIGNUM *b = BN_bin2bn(p + alg->half, (int)alg->half, NULL);
    int n = -1;

    *ret = NULL;
    if (s && a && b && ECDSA_SIG_set0(s, a, b) == 1) {
        n = i2d_ECDSA_SIG(s, ret);
    } else {
        BN_free(a);
        BN_free(b);
    }
    ECDSA_SIG_free(s);
    return n;
}

static bool verify(EVP_MD_CTX *c, const struct alg *alg, const struct km_pubkey *k,
                   struct km_str text, struct km_str sig)
{
    EVP_PKEY_CTX *pctx = NULL;

    if (!c || EVP_DigestVerifyInit_ex(c, &pctx, alg->digest, NULL, NULL, k->pkey, NULL) != 1)
        return false;
    if (alg->pss && (EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) != 1 ||
                     EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) != 1))
        return false;
    return EVP_DigestVerify(c, (const unsigned char *)sig.p, sig.n, (const unsigned char *)text.p,
                            text.n) == 1;
}

bool km_pubkey_verify(const struct km_pubkey *k, struct km_str name, struct km_str text,
                      struct km_str sig)
{
    const struct alg *alg = alg_find(name);
    unsigned char *der = NULL;
    EVP_MD_CTX *c;
    bool ok;

    if (!alg || !km_str_eq(alg->kind, k->kind) || !sig.n)
        return false;
    if (alg->half) {
        int n = sig.n == 2 * alg->half ? ecdsa_der(alg, sig, &der) : -1;

        if (n < 0)
            return false;
        sig = km_str((const char *)der, (size_t)n);
    }
    c = EVP_MD_CTX_new();
    ok = verify(c, alg, k, text, sig);
    EVP_MD_CTX_free(c);
    OPENSSL_free(der);
    ERR_clear_error();
    return ok;
}
