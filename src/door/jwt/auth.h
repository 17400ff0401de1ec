/* SPDX-License-Identifier: Apache-2.0 */
/* auth.h - tokens of other issuers as credentials: a row of door/auth.h.
 *
 * An issuer is an entry of kanmon_settings.jwt (or LiteLLM's enable_jwt_auth).  Its keys are
 * fetched when the first token comes, by one request at a time for all workers, and kept; a token
 * signed by a key that is not among them makes them be fetched anew: three times at once, after
 * that every ten seconds at most, whoever sends such tokens.
 * While keys are on their way the request waits at the door (km_jwt_prepare), before anything else
 * is done with it.
 *
 * A token's claims lead to a virtual key, whose rights, limits and budget are then the caller's.
 * Who the caller is says its subject: callers of one key are kept apart by it (km_mcp_principal).
 */
#ifndef KM_DOOR_JWT_AUTH_H
#define KM_DOOR_JWT_AUTH_H

#include "door/auth.h"
#include "host/module.h"
#include "http/json_out.h"

struct km_jwt_entry { /* one of kanmon_settings.jwt */
    struct km_str issuer, jwks_url, key_claim, team_claim, default_key, admin_scope, subject_claim;
    struct km_str_list audience, algorithms;
    struct km_str_map keys; /* value of the claim to alias of a virtual key */
    int64_t skew_ms;
};

struct km_jwt_settings { /* kanmon_settings */
    struct km_table_list jwt; /* of struct km_jwt_entry */
};

struct km_jwt_litellm_table { /* general_settings.litellm_jwtauth */
    struct km_str admin_scope, key_claim, team_claim, subject_claim;
    int64_t ignored_int;
    bool ignored_bool;
};

struct km_jwt_litellm { /* general_settings */
    bool enabled;
    struct km_jwt_litellm_table fields;
};
extern const struct km_settings_table km_jwt_settings_table, km_jwt_litellm_table;

struct km_jwt_auth; /* a snapshot's issuers */

extern const struct km_module km_jwt_module;

/* NULL: there are none. */
static inline struct km_jwt_auth *km_jwt_auth_of(const struct km_snapshot *snap)
{
    return km_module_state(snap->slots, &km_jwt_module);
}

bool km_jwt_issuers(const struct km_snapshot *snap); /* are there any? */
void km_jwt_each_issuer(const struct km_snapshot *snap, struct km_json_out *o); /* as strings */

extern const struct km_authenticator km_jwt_authenticator;

/* Its parts, for a token that came otherwise than in the head.  0: go on.  KM_E_AGAIN: go_on(v)
 * follows on the loop, once, or the exchange was ended. */
int km_jwt_prepare(struct km_visit *v, struct km_str token, km_visit_fn *go_on);
/* KM_E_AGAIN when the credential is no token for us; else as km_authenticate(). */
int km_jwt_authenticate(struct km_visit *v, struct km_str token, struct km_err *err) KM_MUST_USE;

#endif
