/* SPDX-License-Identifier: Apache-2.0 */
/* jwks.c - the public keys of an issuer, from its JWK set (RFC 7517); see jwt.h.
 *
 * A set is read once, whole, and never changed.  A key we have no use for is passed over, for sets
 * hold keys for encryption and of algorithms to come; a symmetric one is passed over too, which is
 * half of what keeps a public key from being taken for a shared secret (the other half is the
 * table in base/crypto_verify.c).
 */
#include <stdlib.h>

#include "base/crypto.h"
#include "base/encode.h"
#include "policy/jwt.h"

#define TRIES 8 /* keys tried for a token without kid */
#define NUMBER_BYTES 1100 /* of n: 8192 bits, and a little */

struct key {
    struct km_str kid, alg; /* in the arena; "": not said */
    struct km_pubkey *pub;
};

struct km_jwks {
    struct km_arena arena;
    struct key v[KM_JWKS_KEYS];
    size_t n;
};

static bool number(const struct km_json *jwk, const char *name, struct km_buf *out)
{
    struct km_str text;

    return km_json_string(km_json_get(jwk, name), &text) && text.n &&
           km_buf_unbase64(out, text) == 0;
}

static bool read_rsa(const struct km_json *jwk, struct km_pubkey **ret)
{
    struct km_buf n KM_CLEANUP(km_buf_done) = KM_BUF(NUMBER_BYTES);
    struct km_buf e KM_CLEANUP(km_buf_done) = KM_BUF(NUMBER_BYTES);
    struct km_str modulus;

    if (!number(jwk, "n", &n) || !number(jwk, "e", &e))
        return false;
    modulus = km_buf_view(&n);
    while (modulus.n && !modulus.p[0])
        modulus = km_str_skip(modulus, 1);
    return km_pubkey_rsa(modulus, km_buf_view(&e), ret, NULL) == 0;
}

static bool read_curve(const struct km_json *jwk, struct km_str curve, bool ec,
                       struct km_pubkey **ret)
{
    struct km_buf x KM_CLEANUP(km_buf_done) = KM_BUF(NUMBER_BYTES);
    struct km_buf y KM_CLEANUP(km_buf_done) = KM_BUF(NUMBER_BYTES);

    if (!number(jwk, "x", &x) || (ec && !number(jwk, "y", &y)))
        return false;
    if (ec)
        return km_pubkey_ec(curve, km_buf_view(&x), km_buf_view(&y), ret, NULL) == 0;
    return km_str_eq(curve, KM_STR("Ed25519")) &&
           km_pubkey_ed25519(km_buf_view(&x), ret, NULL) == 0;
}

/* false: of no use to us. */
static bool read_key(struct km_jwks *set, const struct km_json *jwk, struct key *k)
{
    struct km_str kty = KM_STR_NONE, use = KM_STR_NONE, curve = KM_STR_NONE;
    struct km_str kid = KM_STR_NONE, alg = KM_STR_NONE;

    (void)km_json_string(km_json_get(jwk, "kty"), &kty);
    (void)km_json_string(km_json_get(jwk, "use"), &use);
    (void)km_json_string(km_json_get(jwk, "crv"), &curve);
    (void)km_json_string(km_json_get(jwk, "kid"), &kid);
    (void)km_json_string(km_json_get(jwk, "alg"), &alg);
    if ((use.n && !km_str_eq(use, KM_STR("sig"))) || (alg.n && !km_signature_known(alg)))
        return false;
    k->kid = km_arena_str(&set->arena, kid);
    k->alg = km_arena_str(&set->arena, alg);
    if (km_str_eq(kty, KM_STR("RSA")))
        return read_rsa(jwk, &k->pub);
    if (km_str_eq(kty, KM_STR("EC")))
        return read_curve(jwk, curve, true, &k->pub);
    return km_str_eq(kty, KM_STR("OKP")) && read_curve(jwk, curve, false, &k->pub);
}

int km_jwks_new(struct km_str json, struct km_jwks **ret, struct km_err *err)
{
    struct km_jwks *set = calloc(1, sizeof *set);
    const struct km_json *root, *list, *item;
    struct km_json_iter it;
    struct km_arena tree;
    struct km_str key;
    int r;

    if (!set)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    km_arena_init(&set->arena, 2 * KM_JWKS_BYTES, NULL);
    km_arena_init(&tree, 16 * KM_JWKS_BYTES, NULL);
    r = json.n > KM_JWKS_BYTES ? KM_E_INVALID : km_json_parse(&tree, json, &root, NULL);
    list = r == 0 ? km_json_get(root, "keys") : NULL;
    if (km_json_kind(list) != KM_JSON_ARRAY)
        r = km_fail(err, KM_E_INVALID, "no set of keys: an object with `keys` is expected");
    for (km_json_iter(list, &it);
         r == 0 && set->n < KM_JWKS_KEYS && km_json_next(&it, &key, &item);)
        set->n += read_key(set, item, &set->v[set->n]);
    km_arena_done(&tree);
    if (r == 0 && km_arena_overflowed(&set->arena))
        r = km_fail(err, KM_E_NOMEM, "the set of keys is too long");
    if (r < 0) {
        km_jwks_free(set);
        return r;
    }
    *ret = set;
    return 0;
}

struct km_jwks *km_jwks_free(struct km_jwks *set)
{
    if (!set)
        return NULL;
    for (size_t i = 0; i < set->n; i++)
        km_pubkey_free(set->v[i].pub);
    km_arena_done(&set->arena);
    free(set);
    return NULL;
}

size_t km_jwks_count(const struct km_jwks *set)
{
    return set->n;
}

static bool may_be(const struct key *k, struct km_str kid, struct km_str alg)
{
    return (!kid.n || km_str_eq(k->kid, kid)) && (!k->alg.n || km_str_eq(k->alg, alg));
}

bool km_jwks_has(const struct km_jwks *set, struct km_str kid, struct km_str alg)
{
    for (size_t i = 0; i < set->n; i++)
        if (may_be(&set->v[i], kid, alg))
            return true;
    return false;
}

bool km_jwks_verify(const struct km_jwks *set, struct km_str kid, struct km_str alg,
                    struct km_str text, struct km_str sig)
{
    size_t tried = 0;

    for (size_t i = 0; i < set->n && tried < TRIES; i++) {
        if (!may_be(&set->v[i], kid, alg))
            continue;
        tried++;
        if (km_pubkey_verify(set->v[i].pub, alg, text, sig))
            return true;
    }
    return false;
}
