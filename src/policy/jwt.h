/* SPDX-License-Identifier: Apache-2.0 */
/* jwt.h - tokens that another issuer signed: read, verified, judged.  No I/O: keys are given.
 *
 * The order is that of RFC 8725: what the token says of itself chooses nothing but which key is
 * tried; signature first, claims after.  A text here never holds a piece of the token but names of
 * claims, its issuer and its audience.
 */
#ifndef KM_POLICY_JWT_H
#define KM_POLICY_JWT_H

#include "base/arena.h"
#include "base/setting.h"
#include "http/json.h"

#define KM_JWT_BYTES ((size_t)16 * 1024) /* a longer token is none */
#define KM_JWT_ARENA (16 * KM_JWT_BYTES) /* what reading one may take */
#define KM_JWKS_KEYS 64 /* of one issuer; more are passed over */
#define KM_JWKS_BYTES ((size_t)256 * 1024)

/* --- keys of an issuer --- */

struct km_jwks;

/* Keys that cannot sign (use: enc, symmetric, unknown) are passed over; an object without `keys`
 * is KM_E_INVALID. */
int km_jwks_new(struct km_str json, struct km_jwks **ret, struct km_err *err) KM_MUST_USE;
struct km_jwks *km_jwks_free(struct km_jwks *set); /* NULL */
size_t km_jwks_count(const struct km_jwks *set);
/* Is there a key that a token with this kid (may be empty) and alg could be signed by? */
bool km_jwks_has(const struct km_jwks *set, struct km_str kid, struct km_str alg);
/* Tries the keys of that kid, or all that fit where the token names none (at most 8). */
bool km_jwks_verify(const struct km_jwks *set, struct km_str kid, struct km_str alg,
                    struct km_str text, struct km_str sig);

/* --- a token --- */

struct km_jwt {
    struct km_str alg, kid;
    struct km_str text, sig; /* what is signed; the signature's bytes */
    const struct km_json *claims; /* an object */
    struct km_str issuer; /* "" where there is none */
};

/* Three parts, two dots, beginning as JSON does: worth reading. */
bool km_jwt_looks_like(struct km_str text);
/* Reads without believing.  KM_E_UNAUTHENTICATED: not a JWS in compact form, `crit`, an algorithm
 * that is not one of a public key, a type that is no access or identity token's. */
int km_jwt_parse(struct km_arena *arena, struct km_str text, struct km_jwt *ret,
                 struct km_err *err) KM_MUST_USE;

struct km_jwt_rules {
    struct km_str issuer; /* exactly */
    const struct km_str_list *audiences; /* one of them; empty: not asked */
    const struct km_str_list *algorithms; /* empty: all */
    int64_t now_us, skew_us;
};

/* Signature, then iss, aud, exp (needed), nbf, iat.  KM_E_UNAUTHENTICATED says which. */
int km_jwt_verify(const struct km_jwt *t, const struct km_jwks *keys,
                  const struct km_jwt_rules *rules, struct km_err *err) KM_MUST_USE;

/* When a token that was verified ends. */
int64_t km_jwt_end_us(const struct km_jwt *t);

/* A claim by its name, or by a path ("realm_access.roles") where no claim has that name. */
const struct km_json *km_jwt_claim(const struct km_jwt *t, struct km_str path);
/* The n-th text of a claim that is a string or a list of strings; false past the last. */
bool km_jwt_claim_text(const struct km_json *claim, size_t n, struct km_str *ret);
/* Does `scope` (words between spaces) or `scp` (the same, or a list) hold it? */
bool km_jwt_has_scope(const struct km_jwt *t, struct km_str scope);

#endif
