/* SPDX-License-Identifier: Apache-2.0 */
/* settings.c - which issuers' tokens are accepted, in our words and in LiteLLM's.
 *
 * Ours ask for an issuer and an audience, since a token that was made for somebody else opens
 * doors otherwise.  LiteLLM's take the address of the keys from JWT_PUBLIC_KEY_URL, and issuer and
 * audience from JWT_ISSUER and JWT_AUDIENCE where they are set.
 */
#include "door/jwt/auth.h"

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

#define REFUSED(key, values, text)                                                                 \
    {                                                                                              \
        .name = key, .type = KM_SET_NODE, .class = KM_RESTRICTIVE, .inert = values, .help = text   \
    }
#define IGNORED(key, text)                                                                         \
    {                                                                                              \
        .name = key, .type = KM_SET_NODE, .class = KM_HARMLESS, .help = text                       \
    }

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
    REFUSED("admin_allowed_routes", NULL,
            "Routes of the administrator's tokens; here they may use all."),
    REFUSED("team_allowed_routes", NULL,
            "Routes of a team's tokens; here they have the rights of a virtual key."),
    REFUSED("public_allowed_routes", NULL,
            "Routes of tokens without a role; here such a token is refused, or has the rights of "
            "a virtual key."),
    REFUSED("user_allowed_email_domain", NULL,
            "Only tokens of this domain are let in; kanmon does not look at e-mail addresses."),
    REFUSED("user_allowed_roles", NULL,
            "Only tokens with one of these roles are let in; kanmon does not look at roles."),
    REFUSED("enforce_rbac", "false",
            "Tokens without a role are refused; kanmon does not look at roles."),
    REFUSED("enforce_scope_based_access", "false",
            "Models by scope; here a token has the rights of a virtual key."),
    REFUSED("enforce_team_based_model_access", "false",
            "Models by team; here a token has the rights of a virtual key."),
    REFUSED("scope_mappings", NULL,
            "Models by scope; here a token has the rights of a virtual key."),
    REFUSED("role_mappings", NULL, "Rights by role; here a token has the rights of a virtual key."),
    REFUSED("jwt_litellm_role_map", NULL,
            "Rights by role; here a token has the rights of a virtual key."),
    REFUSED("custom_validate", NULL, "A Python function that judges tokens; kanmon cannot run it."),
    REFUSED("issuers", NULL, "Issuers with rules of their own; write them in kanmon_settings.jwt."),
    REFUSED("routing_overrides", NULL,
            "Tokens that are judged in another way; kanmon judges all in one."),
    REFUSED("oidc_userinfo_enabled", "false",
            "Asks the issuer who it is; kanmon reads the token only."),
    REFUSED("unregistered_jwt_client_behavior", "fallback_team_mapping",
            "What happens to a token that leads to no virtual key; here it is refused, or has "
            "the key of kanmon_settings.jwt.default_key."),
    REFUSED("mcp_client_id_jwt_field", NULL,
            "Claim that names an MCP client application, for mcp_allowed_clients; kanmon does "
            "not tell them apart."),
    IGNORED("team_id_upsert", "kanmon has no table of teams."),
    IGNORED("team_ids_jwt_field", "Claim with several teams; kanmon reads team_id_jwt_field."),
    IGNORED("team_alias_jwt_field", "Claim with a team's name; kanmon reads team_id_jwt_field."),
    IGNORED("team_id_default",
            "The team of tokens without one; see kanmon_settings.jwt.default_key."),
    IGNORED("team_claim_fallback",
            "Which team counts where the claim leads to none; here the token is refused then."),
    IGNORED("fallback_to_db_teams",
            "Which team counts where there is no claim; here the token is refused then."),
    IGNORED("upsert_sso_user_to_team", "kanmon has no table of users."),
    IGNORED("sync_user_role_and_teams", "kanmon has no table of users."),
    IGNORED("org_id_jwt_field", "kanmon has no organizations yet."),
    IGNORED("org_alias_jwt_field", "kanmon has no organizations yet."),
    IGNORED("user_email_jwt_field", "kanmon has no table of users."),
    IGNORED("user_roles_jwt_field",
            "Claim with roles, for user_allowed_roles, which alone decides."),
    IGNORED("roles_jwt_field", "Claim with roles, for role_mappings, which alone decides."),
    IGNORED("object_id_jwt_field", "Claim for role_mappings, which alone decides."),
    IGNORED("end_user_id_jwt_field", "kanmon does not count by end user yet."),
    IGNORED("agent_id_jwt_field", "kanmon has no agents."),
    IGNORED("public_key_stale_ttl", "Keys that could not be looked at again are kept for an hour."),
    IGNORED("oidc_userinfo_endpoint", "For oidc_userinfo_enabled, which alone decides."),
    IGNORED("oidc_userinfo_cache_ttl", "For oidc_userinfo_enabled, which alone decides."),
    IGNORED("virtual_key_mapping_cache_ttl", "A change of a key takes effect at once here."),
    IGNORED("auto_register_map_existing_key",
            "For unregistered_jwt_client_behavior, which alone decides."),
    { 0 },
};

#undef REFUSED
#undef IGNORED

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
