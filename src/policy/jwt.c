/* SPDX-License-Identifier: Apache-2.0 */
/* jwt.c - a token in compact form (RFC 7515, 7519, 8725, 9068); see jwt.h.
 *
 *     header.claims.signature      each base64url; text = "header.claims"
 *
 * Times are compared with an allowance for clocks that differ.  A token without an end is refused:
 * it would be a key that nobody can take back.  Numbers are read with a fraction cut off, as
 * NumericDate allows one.
 */
#include "policy/jwt.h"

#include "base/crypto.h"
#include "base/encode.h"

#define YEAR_9999_S INT64_C(253402300800)

static int no_token(struct km_err *err, const char *why)
{
    return km_fail(err, KM_E_UNAUTHENTICATED, "%s", why);
}

/* "eyJ" is how '{"' begins in base64. */
bool km_jwt_looks_like(struct km_str text)
{
    size_t first = km_str_chr(text, '.'), second;

    if (!km_str_starts(text, KM_STR("ey")) || first >= text.n)
        return false;
    second = first + 1 + km_str_chr(km_str_skip(text, first + 1), '.');
    return second < text.n &&
           km_str_chr(km_str_skip(text, second + 1), '.') == km_str_skip(text, second + 1).n;
}

static int read_part(struct km_arena *arena, struct km_str part, const struct km_json **ret)
{
    struct km_buf bytes KM_CLEANUP(km_buf_done) = KM_BUF(KM_JWT_BYTES);

    /* The standard alphabet and padding are not of this form. */
    if (km_str_chr(part, '+') < part.n || km_str_chr(part, '/') < part.n ||
        km_str_chr(part, '=') < part.n || km_buf_unbase64(&bytes, part) < 0 ||
        km_json_parse(arena, km_buf_view(&bytes), ret, NULL) < 0 ||
        km_json_kind(*ret) != KM_JSON_OBJECT)
        return KM_E_INVALID;
    return 0;
}

static bool typ_fits(struct km_str typ)
{
    static const char *const known[] = { "JWT", "at+jwt", "application/at+jwt", "application/jwt" };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (km_str_ieq(typ, km_str_c(known[i])))
            return true;
    return typ.n == 0;
}

int km_jwt_parse(struct km_arena *arena, struct km_str text, struct km_jwt *ret, struct km_err *err)
{
    struct km_buf sig KM_CLEANUP(km_buf_done) = KM_BUF(2048);
    const struct km_json *header;
    struct km_str rest = text, head, claims, typ = KM_STR_NONE;
    struct km_jwt t = { 0 };

    if (text.n > KM_JWT_BYTES || !km_jwt_looks_like(text))
        return no_token(err, "the token is not a signed JWT");
    (void)km_str_split(&rest, '.', &head);
    (void)km_str_split(&rest, '.', &claims);
    if (read_part(arena, head, &header) < 0 || read_part(arena, claims, &t.claims) < 0 ||
        km_buf_unbase64(&sig, rest) < 0)
        return no_token(err, "the token is not a signed JWT");
    (void)km_json_string(km_json_get(header, "alg"), &t.alg);
    (void)km_json_string(km_json_get(header, "kid"), &t.kid);
    (void)km_json_string(km_json_get(header, "typ"), &typ);
    (void)km_json_string(km_json_get(t.claims, "iss"), &t.issuer);
    if (km_json_get(header, "crit"))
        return no_token(err, "the token has critical extensions that are not known here");
    if (!km_signature_known(t.alg))
        return no_token(err, "the token's algorithm is not one of RS, PS, ES and EdDSA");
    if (!typ_fits(typ))
        return no_token(err, "the token's type is not that of an access token");
    t.text = km_str_sub(text, 0, head.n + 1 + claims.n);
    t.sig = km_arena_str(arena, km_buf_view(&sig));
    if (km_arena_overflowed(arena))
        return km_fail(err, KM_E_NOMEM, "out of memory");
    *ret = t;
    return 0;
}

/* A NumericDate in microseconds; false: absent or none. */
static bool date_of(const struct km_jwt *t, const char *name, int64_t *ret_us)
{
    struct km_str text;
    int64_t s;

    if (!km_json_number(km_json_get(t->claims, name), &text))
        return false;
    if (!km_json_i64(km_json_get(t->claims, name), &s) &&
        km_str_i64(km_str_sub(text, 0, km_str_chr(text, '.')), &s) < 0)
        return false;
    if (s < 0 || s > YEAR_9999_S)
        return false;
    *ret_us = s * 1000000;
    return true;
}

int64_t km_jwt_end_us(const struct km_jwt *t)
{
    int64_t at = 0;

    return date_of(t, "exp", &at) ? at : 0;
}

static bool listed(const struct km_str_list *list, struct km_str s)
{
    for (size_t i = 0; i < list->n; i++)
        if (km_str_eq(list->v[i], s))
            return true;
    return false;
}

static bool audience_fits(const struct km_jwt *t, const struct km_str_list *wanted)
{
    const struct km_json *aud = km_json_get(t->claims, "aud");
    struct km_str one;

    if (!wanted || !wanted->n)
        return true;
    for (size_t i = 0; km_jwt_claim_text(aud, i, &one); i++)
        if (listed(wanted, one))
            return true;
    return false;
}

static int check_times(const struct km_jwt *t, const struct km_jwt_rules *rules, struct km_err *err)
{
    int64_t at = 0;

    if (!date_of(t, "exp", &at))
        return no_token(err, "the token has no end (exp)");
    if (at + rules->skew_us <= rules->now_us)
        return no_token(err, "the token has expired");
    if (km_json_get(t->claims, "nbf") &&
        (!date_of(t, "nbf", &at) || at - rules->skew_us > rules->now_us))
        return no_token(err, "the token is not valid yet (nbf)");
    if (km_json_get(t->claims, "iat") &&
        (!date_of(t, "iat", &at) || at - rules->skew_us > rules->now_us))
        return no_token(err, "the token was issued in the future (iat)");
    return 0;
}

int km_jwt_verify(const struct km_jwt *t, const struct km_jwks *keys,
                  const struct km_jwt_rules *rules, struct km_err *err)
{
    if (rules->algorithms && rules->algorithms->n && !listed(rules->algorithms, t->alg))
        return no_token(err, "the token's algorithm is not accepted here");
    if (!km_jwks_has(keys, t->kid, t->alg))
        return no_token(err, "the token was signed by a key that its issuer does not publish");
    if (!km_jwks_verify(keys, t->kid, t->alg, t->text, t->sig))
        return no_token(err, "the token's signature does not hold");
    if (!t->issuer.n || !km_str_eq(t->issuer, rules->issuer))
        return no_token(err, "the token's issuer is not one that is trusted here");
    if (!audience_fits(t, rules->audiences))
        return no_token(err, "the token is for another audience");
    return check_times(t, rules, err);
}

const struct km_json *km_jwt_claim(const struct km_jwt *t, struct km_str path)
{
    const struct km_json *v = t->claims, *item;
    struct km_json_iter it;
    struct km_str name;

    for (km_json_iter(v, &it); km_json_next(&it, &name, &item);)
        if (km_str_eq(name, path))
            return item;
    while (v && km_str_split(&path, '.', &name)) {
        const struct km_json *found = NULL;
        struct km_str key;

        for (km_json_iter(v, &it); !found && km_json_next(&it, &key, &item);)
            if (km_str_eq(key, name))
                found = item;
        v = found;
    }
    return v;
}

bool km_jwt_claim_text(const struct km_json *claim, size_t n, struct km_str *ret)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key;

    if (km_json_kind(claim) == KM_JSON_STRING)
        return n == 0 && km_json_string(claim, ret);
    if (km_json_kind(claim) != KM_JSON_ARRAY)
        return false;
    for (km_json_iter(claim, &it); km_json_next(&it, &key, &item);)
        if (km_json_kind(item) == KM_JSON_STRING && n-- == 0)
            return km_json_string(item, ret);
    return false;
}

bool km_jwt_has_scope(const struct km_jwt *t, struct km_str scope)
{
    static const char *const names[] = { "scope", "scp" };
    struct km_str text, word;

    for (size_t i = 0; i < 2; i++)
        for (size_t n = 0; km_jwt_claim_text(km_json_get(t->claims, names[i]), n, &text); n++)
            while (km_str_split(&text, ' ', &word))
                if (scope.n && km_str_eq(word, scope))
                    return true;
    return false;
}
