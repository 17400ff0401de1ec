/* SPDX-License-Identifier: Apache-2.0 */
/* shared.c - a profile of the shared files, followed to where its credentials are.
 *
 *     [profile work]                 role_arn = R1, source_profile = base   -> assume R1 with
 *     [base]                         aws_access_key_id = ...                   base's keys
 *
 * Within a profile, in this order: a role by source_profile or credential_source, static keys, a
 * web identity, a process.  A profile reached through source_profile gives its static keys first,
 * so that one profile may name itself.  The files are read again at each search: that is how a
 * rotated key is found.
 */
#include "llm/aws/source.h"

struct place { /* a profile on the way */
    struct km_str name;
    bool as_source; /* reached by source_profile */
};

static struct km_str get(const struct km_aws_search *s, struct km_str profile, const char *key)
{
    struct km_str value = KM_STR_NONE;

    (void)km_aws_profile_get(&s->files, profile, key, &value);
    return value;
}

static struct km_str file_path(struct km_aws_search *s, enum km_aws_variable v, const char *name)
{
    struct km_str set = km_aws_env(s, v), home = km_aws_env(s, KM_V_HOME);

    if (set.n && set.p[0] != '~')
        return set;
    if (set.n)
        return km_arena_cat(&s->arena, (struct km_str[]){ home, km_str_skip(set, 1) }, 2);
    return km_arena_cat(&s->arena, (struct km_str[]){ home, KM_STR("/.aws/"), km_str_c(name) }, 3);
}

static int read_files(struct km_aws_search *s, struct km_err *err)
{
    int r =
        km_aws_read_file(&s->arena, file_path(s, KM_V_AWS_SHARED_CREDENTIALS_FILE, "credentials"),
                         &s->files.credentials, err);

    return r < 0 ? r
                 : km_aws_read_file(&s->arena, file_path(s, KM_V_AWS_CONFIG_FILE, "config"),
                                    &s->files.config, err);
}

static bool static_keys(struct km_aws_search *s, struct km_str profile)
{
    struct km_aws_found f = { get(s, profile, "aws_access_key_id"),
                              get(s, profile, "aws_secret_access_key"),
                              get(s, profile, "aws_session_token"), INT64_MAX };

    if (!f.akid.n || !f.secret.n)
        return false;
    s->found = f;
    return true;
}

static struct km_aws_role role_of(const struct km_aws_search *s, struct km_str profile)
{
    return (struct km_aws_role){ .arn = get(s, profile, "role_arn"),
                                 .session_name = get(s, profile, "role_session_name"),
                                 .external_id = get(s, profile, "external_id"),
                                 .duration_s = get(s, profile, "duration_seconds") };
}

/* credential_source: where the role's own credentials are. */
static int by_source(struct km_aws_search *s, struct km_str source, struct km_err *err)
{
    if (km_str_eq(source, KM_STR("EcsContainer")))
        return km_aws_from_container(s, err);
    if (km_str_eq(source, KM_STR("Ec2InstanceMetadata")))
        return km_aws_from_instance(s, err);
    if (!km_str_eq(source, KM_STR("Environment")))
        return km_fail(err, KM_E_CONFIG, "credential_source '%.*s' is unknown",
                       KM_STR_ARG(km_str_sub(source, 0, 40)));
    s->found = (struct km_aws_found){ km_aws_env(s, KM_V_AWS_ACCESS_KEY_ID),
                                      km_aws_env(s, KM_V_AWS_SECRET_ACCESS_KEY),
                                      km_aws_env(s, KM_V_AWS_SESSION_TOKEN), INT64_MAX };
    if (s->found.akid.n && s->found.secret.n)
        return 0;
    return km_fail(err, KM_E_CONFIG,
                   "credential_source is Environment, but AWS_ACCESS_KEY_ID or "
                   "AWS_SECRET_ACCESS_KEY is not set");
}

/* What is left once a profile assumes no role through another. */
static int last_of(struct km_aws_search *s, struct km_str profile, struct km_err *err)
{
    struct km_str token = get(s, profile, "web_identity_token_file");
    struct km_str process = get(s, profile, "credential_process");
    struct km_aws_role role = role_of(s, profile);

    if (static_keys(s, profile))
        return 0;
    if (token.n && role.arn.n)
        return km_aws_web_identity(s, &role, token, err);
    if (process.n)
        return km_aws_from_process(s, process, err);
    if (get(s, profile, "sso_session").n || get(s, profile, "sso_start_url").n)
        return km_fail(err, KM_E_CONFIG,
                       "profile '%.*s' signs in by SSO, which needs a person; give it a "
                       "credential_process (aws configure export-credentials)",
                       KM_STR_ARG(km_str_sub(profile, 0, 60)));
    return km_fail(err, KM_E_NOT_FOUND, "profile '%.*s' has no credentials",
                   KM_STR_ARG(km_str_sub(profile, 0, 60)));
}

static int follow(struct km_aws_search *s, struct place at, struct km_err *err)
{
    struct km_str source, by;
    struct km_aws_role role;

    while (true) {
        if (!km_aws_profile_exists(&s->files, at.name))
            return km_fail(err, at.as_source ? KM_E_CONFIG : KM_E_NOT_FOUND,
                           "there is no profile '%.*s'", KM_STR_ARG(km_str_sub(at.name, 0, 60)));
        if (at.as_source && static_keys(s, at.name))
            return 0;
        role = role_of(s, at.name);
        source = get(s, at.name, "source_profile");
        by = get(s, at.name, "credential_source");
        if (!role.arn.n || (!source.n && !by.n))
            return last_of(s, at.name, err);
        if (s->nroles == KM_AWS_ROLES_MOST)
            return km_fail(err, KM_E_CONFIG,
                           "over %d roles one behind the other, or a circle of "
                           "source_profile",
                           KM_AWS_ROLES_MOST);
        s->roles[s->nroles++] = role;
        if (!source.n)
            return by_source(s, by, err);
        at = (struct place){ source, true };
    }
}

int km_aws_from_profile(struct km_aws_search *s, struct km_err *err)
{
    struct km_str wanted = s->owner->settings.profile, profile = wanted;
    size_t roles = s->nroles;
    int r = read_files(s, err);

    if (!profile.n)
        profile = km_aws_env(s, KM_V_AWS_PROFILE);
    if (r == 0)
        r = follow(s, (struct place){ profile.n ? profile : KM_STR("default"), false }, err);
    if (r == KM_E_NOT_FOUND)
        s->nroles = roles;
    return r;
}

struct km_str km_aws_profile_region(struct km_arena *arena, const struct km_config *config,
                                    struct km_str profile)
{
    struct km_aws_files files = { 0 };
    struct km_str home = KM_STR_NONE, path, region = KM_STR_NONE;
    struct km_err ignored;

    if (!profile.n)
        (void)km_config_getenv(config, "AWS_PROFILE", &profile);
    (void)km_config_getenv(config, "HOME", &home);
    if (!km_config_getenv(config, "AWS_CONFIG_FILE", &path))
        path = km_arena_cat(arena, (struct km_str[]){ home, KM_STR("/.aws/config") }, 2);
    if (km_aws_read_file(arena, path, &files.config, &ignored) < 0)
        return KM_STR_NONE;
    (void)km_aws_profile_get(&files, profile.n ? profile : KM_STR("default"), "region", &region);
    return region;
}
