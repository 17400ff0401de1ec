/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of other issuers and their sets of keys.
 *
 * The first byte chooses.  Even: the rest is a token; what parses must be refused, for its key is
 * not among those of the other half, and asking for its claims must end.  Odd: the rest is a set
 * of keys; what reads must hold no more than its bound and verify nothing.
 */
#include "fuzz.h"

#include "policy/jwt.h"

static const char keys[] = "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
                           "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";

static void a_token(struct km_str text)
{
    struct km_jwt_rules rules = { .issuer = KM_STR("i"), .now_us = 1, .skew_us = 1 };
    struct km_jwks *set = NULL;
    struct km_arena arena;
    struct km_jwt t;
    struct km_str one;

    km_arena_init(&arena, KM_JWT_ARENA, NULL);
    if (km_jwks_new(km_str_c(keys), &set, NULL) < 0)
        abort();
    if (km_jwt_parse(&arena, text, &t, NULL) == 0) {
        if (!km_jwt_looks_like(text) || km_jwt_verify(&t, set, &rules, NULL) == 0)
            abort();
        for (size_t i = 0; km_jwt_claim_text(km_jwt_claim(&t, KM_STR("a.b.c")), i, &one); i++)
            if (one.n > text.n)
                abort();
        (void)km_jwt_has_scope(&t, KM_STR("x"));
    }
    km_jwks_free(set);
    km_arena_done(&arena);
}

static void a_set(struct km_str text)
{
    struct km_jwks *set = NULL;

    if (km_jwks_new(text, &set, NULL) < 0)
        return;
    if (km_jwks_count(set) > KM_JWKS_KEYS ||
        km_jwks_verify(set, KM_STR_NONE, KM_STR("ES256"), KM_STR("text"),
                       km_str(text.p, text.n < 64 ? text.n : 64)))
        abort();
    km_jwks_free(set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 2 * KM_JWT_BYTES)
        return 0;
    if (data[0] % 2 == 0)
        a_token(km_str((const char *)data + 1, size - 1));
    else
        a_set(km_str((const char *)data + 1, size - 1));
    return 0;
}
