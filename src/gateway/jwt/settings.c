/* SPDX-License-Identifier: Apache-2.0 */
/* settings.c - which issuers' tokens are accepted, in our words and in LiteLLM's.
 *
 * Ours ask for an issuer and an audience, since a token that was made for somebody else opens
 * doors otherwise.  LiteLLM's take the address of the keys from JWT_PUBLIC_KEY_URL, and issuer and
 * audience from JWT_ISSUER and JWT_AUDIENCE where they are set.
 */
#include "gateway/jwt/auth.h"

#define AT(member) offsetof(struct km_jwt_entry, member)

static const struct km_setting entry_rows[] = {
    { .name = "issuer",
      .type = KM_SET_STR,
      .offset = AT(issuer),
      .flags = KM_SET_REQUIRED,
      .help = "`iss` of its tokens, exactly; its metadata are looked for there." },
    { .name = "audience",
      .type = KM_SET_STR_LIST,
      .offset = AT(audience),
      .flags = KM_SET_REQUIRED,
      .help = "`aud` must hold one of these." },
    { .name = "jwks_url",
      .type = KM_SET_STR,
      .offset = AT(jwks_url),
      .help = "Where its keys are; default: as its metadata say." },
    { .name = "algorithms",
      .type = KM_SET_STR_LIST,
      .offset = AT(algorithms),
      .help = "Signatures accepted, like `[RS256, ES256]`; default: every RS, PS, ES and EdDSA." },
    { .name = "key_claim",
      .type = KM_SET_STR,
      .offset = AT(key_claim),
      .def = "sub",
      .help = "Claim that says which virtual key a token has the rights of: its alias, or a name "
              "listed in `keys`. A path like `realm_access.roles` reaches into objects; of a list "
              "the first that leads to a key counts." },
    { .name = "team_claim",
      .type = KM_SET_STR,
      .offset = AT(team_claim),
      .help = "Claim with a team_id; a virtual key of that team is used where key_claim leads to "
              "none." },
    { .name = "keys",
      .type = KM_SET_STR_MAP,
      .offset = AT(keys),
      .help = "From values of key_claim to aliases of virtual keys." },
    { .name = "default_key",
      .type = KM_SET_STR,
      .offset = AT(default_key),
      .help = "Alias of the virtual key of tokens that lead to no other; without it they are "
              "refused." },
    { .name = "admin_scope",
      .type = KM_SET_STR,
      .offset = AT(admin_scope),
      .help = "Tokens with this scope are the administrator's." },
    { .name = "subject_claim",
      .type = KM_SET_STR,
      .offset = AT(subject_claim),
      .def = "sub",
      .help = "Claim that says who it is: log-ins at servers, sessions and approvals are this "
              "person's, whatever key the token leads to. Tokens without it share those of their "
              "key." },
    { .name = "skew",
      .type = KM_SET_MS,
      .offset = AT(skew_ms),
      .def = "60s",
      .min = 0,
      .max = 600000,
      .help = "By how much its clock may differ." },
    { 0 },
};

static const struct km_settings_table entry_table = {
    .rows = entry_rows,
    .size = sizeof(struct km_jwt_entry),
    .extra = SIZE_MAX,
};

static const struct km_setting rows[] = {
    { .name = "jwt",
      .type = KM_SET_TABLE_LIST,
      .offset = offsetof(struct km_jwt_settings, jwt),
      .table = &entry_table,
      .flags = KM_SET_SAFETY,
      .help = "Issuers whose tokens are accepted as keys, on every route." },
    { 0 },
};

const struct km_settings_table km_jwt_settings_table = {
    .section = "kanmon_settings",
    .rows = rows,
    .size = sizeof(struct km_jwt_settings),
    .extra = SIZE_MAX,
};

#undef AT
#define AT(member) offsetof(struct km_jwt_litellm_table, member)

static const struct km_setting litellm_fields[] = {
    { .name = "admin_jwt_scope",
      .type = KM_SET_STR,
      .offset = AT(admin_scope),
      .def = "litellm_proxy_admin",
      .help = "As kanmon_settings.jwt.admin_scope." },
    { .name = "virtual_key_claim_field",
      .type = KM_SET_STR,
      .offset = AT(key_claim),
      .help = "As kanmon_settings.jwt.key_claim." },
    { .name = "team_id_jwt_field",
      .type = KM_SET_STR,
      .offset = AT(team_claim),
      .help = "As kanmon_settings.jwt.team_claim." },
    { .name = "user_id_jwt_field",
      .type = KM_SET_STR,
      .offset = AT(subject_claim),
      .def = "sub",
      .help = "As kanmon_settings.jwt.subject_claim." },
    { .name = "public_key_ttl",
      .type = KM_SET_INT,
      .offset = AT(ignored_int),
      .class = KM_HARMLESS,
      .help = "Keys are kept for an hour and looked at again after half of it." },
    { .name = "user_id_upsert",
      .type = KM_SET_BOOL,
      .offset = AT(ignored_bool),
      .class = KM_HARMLESS,
      .help = "kanmon has no table of users." },
    { 0 },
};

static const struct km_settings_table litellm_table = {
    .rows = litellm_fields,
    .size = sizeof(struct km_jwt_litellm_table),
    .extra = SIZE_MAX,
};

static const struct km_setting litellm_rows[] = {
    { .name = "enable_jwt_auth",
      .type = KM_SET_BOOL,
      .offset = offsetof(struct km_jwt_litellm, enabled),
      .flags = KM_SET_SAFETY,
      .help = "Accept tokens signed by the keys at JWT_PUBLIC_KEY_URL, of JWT_ISSUER and for "
              "JWT_AUDIENCE where these are set; kanmon_settings.jwt says more." },
    { .name = "litellm_jwtauth",
      .type = KM_SET_TABLE,
      .offset = offsetof(struct km_jwt_litellm, fields),
      .table = &litellm_table,
      .flags = KM_SET_SAFETY,
      .help = "What the claims of such tokens mean." },
    { 0 },
};

const struct km_settings_table km_jwt_litellm_table = {
    .section = "general_settings",
    .rows = litellm_rows,
    .size = sizeof(struct km_jwt_litellm),
    .extra = SIZE_MAX,
};
