/* SPDX-License-Identifier: Apache-2.0 */
/* issuer.c - see issuer.h.
 *
 * Issuers come from kanmon_settings.jwt and, as one more of the same shape, from LiteLLM's keys.
 * All that is kept of them (keys, verdicts) belongs to one snapshot: a reload forgets it with the
 * settings it was made under, and the next token fetches the keys again.
 */
#include "door/jwt/issuer.h"

#include <stdlib.h>

#include "base/crypto.h"
#include "door/oauth/oauth.h"

#define NAME_MOST 100 /* bytes of a foreign text in an error */

static int issuer_init(struct km_jwt_issuer *i, const struct km_snapshot *snap, struct km_err *err)
{
    const struct km_jwt_entry *e = i->entry;

    pthread_mutex_init(&i->lock, NULL);
    if (!e->issuer.n && !e->jwks_url.n)
        return km_fail(err, KM_E_CONFIG,
                       "enable_jwt_auth needs the address of the keys: set JWT_PUBLIC_KEY_URL");
    for (size_t k = 0; k < e->algorithms.n; k++)
        if (!km_signature_known(e->algorithms.v[k]))
            return km_fail(err, KM_E_CONFIG,
                           "kanmon_settings.jwt: '%.*s' is not a signature by public keys",
                           KM_STR_ARG(km_str_sub(e->algorithms.v[k], 0, NAME_MOST)));
    i->refresh = km_jwt_keys_new(
        &(struct km_jwt_keys_args){ .issuer = e->issuer,
                                    .jwks_url = e->jwks_url,
                                    .trusted_hosts = &snap->oauth->oauth.trusted_hosts,
                                    .tls = snap->tls,
                                    .proxies = &snap->proxies });
    return i->refresh ? 0 : km_fail(err, KM_E_NOMEM, "out of memory");
}

static void from_litellm(struct km_jwt_auth *a, struct km_jwt_issuer *i,
                         const struct km_snapshot *snap, const struct km_jwt_litellm *litellm)
{
    struct km_jwt_entry *e = &i->own;

    *e = (struct km_jwt_entry){ .admin_scope = litellm->fields.admin_scope,
                                .key_claim = litellm->fields.key_claim,
                                .team_claim = litellm->fields.team_claim,
                                .subject_claim = litellm->fields.subject_claim };
    (void)km_config_getenv(snap->config, "JWT_PUBLIC_KEY_URL", &e->jwks_url);
    (void)km_config_getenv(snap->config, "JWT_ISSUER", &e->issuer);
    if (km_config_getenv(snap->config, "JWT_AUDIENCE", &a->audience[0]) && a->audience[0].n)
        e->audience = (struct km_str_list){ a->audience, 1 };
    i->any_issuer = e->issuer.n == 0;
    i->entry = e;
}

static void issuers_free(void *state)
{
    struct km_jwt_auth *a = state;

    if (!a)
        return;
    for (size_t i = 0; i < a->n; i++) {
        km_refresh_unref(a->v[i].refresh);
        if (a->v[i].last)
            km_refreshed_unref(&a->v[i].last->base);
        pthread_mutex_destroy(&a->v[i].lock);
    }
    km_jwt_verdicts_free(a->verdicts);
    free(a);
}

static int issuers_init(struct km_snapshot *snap, const struct km_snapshot_args *args,
                        struct km_diags *diags, void **ret_state, struct km_err *err)
{
    const struct km_jwt_settings *own = km_config_get(snap->config, &km_jwt_settings_table);
    const struct km_jwt_litellm *litellm = km_config_get(snap->config, &km_jwt_litellm_table);
    const struct km_jwt_entry *entries = own->jwt.v;
    size_t n = own->jwt.n + litellm->enabled;
    struct km_jwt_auth *a;
    int r = 0;

    (void)args;
    (void)diags;
    if (!n)
        return 0;
    a = calloc(1, sizeof *a + n * sizeof *a->v);
    if (a)
        a->verdicts = km_jwt_verdicts_new();
    if (!a || !a->verdicts) {
        free(a);
        return km_fail(err, KM_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; r == 0 && i < n; i++) {
        if (i < own->jwt.n)
            a->v[i].entry = &entries[i];
        else
            from_litellm(a, &a->v[i], snap, litellm);
        a->n++;
        r = issuer_init(&a->v[i], snap, err);
    }
    if (r < 0)
        issuers_free(a);
    else
        *ret_state = a;
    return r;
}

static const char place KM_MODULE_PLACE;

const struct km_module km_jwt_module = {
    .name = "issuers of tokens",
    .place = &place,
    .snapshot_init = issuers_init,
    .snapshot_free = issuers_free,
};

bool km_jwt_issuers(const struct km_snapshot *snap)
{
    return km_jwt_auth_of(snap) != NULL;
}

void km_jwt_each_issuer(const struct km_snapshot *snap, struct km_json_out *o)
{
    const struct km_jwt_auth *a = km_jwt_auth_of(snap);

    for (size_t i = 0; a && i < a->n; i++)
        if (a->v[i].entry->issuer.n)
            km_out_str(o, a->v[i].entry->issuer);
}

struct km_jwt_issuer *km_jwt_issuer_of(struct km_jwt_auth *a, struct km_str iss)
{
    for (size_t i = 0; i < a->n; i++)
        if (!a->v[i].any_issuer && km_str_eq(a->v[i].entry->issuer, iss))
            return &a->v[i];
    for (size_t i = 0; i < a->n; i++)
        if (a->v[i].any_issuer)
            return &a->v[i];
    return NULL;
}
