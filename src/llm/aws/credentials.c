/* SPDX-License-Identifier: Apache-2.0 */
/* credentials.c - see credentials.h: the chain, and one search through it.
 *
 *     source ─ not configured ─> next source ... ─ none left ─> error that names them all
 *       └─ found ─> assume the roles that stand in the way, innermost first ─> done
 *
 * A search lives in its own arena on the loop that asked first (llm/refresh.h).
 */
#include <stdlib.h>

#include "base/time.h"
#include "base/veil.h"
#include "llm/aws/source.h"

#define EARLY_MS (5 * 60 * 1000) /* refreshed so long before they expire, as the SDKs do */
#define SEARCH_BYTES ((size_t)8 * 1024 * 1024)
#define TRIED_BYTES 400

static int from_settings(struct km_aws_search *s, struct km_err *err);
static int from_environment(struct km_aws_search *s, struct km_err *err);
static int from_environment_identity(struct km_aws_search *s, struct km_err *err);
static int from_web_identity(struct km_aws_search *s, struct km_err *err);

struct source {
    const char *name;
    km_aws_source_fn *ask;
};

static const struct source by_keys[] = { { "aws_access_key_id", from_settings }, { 0 } };
static const struct source by_identity[] = { { "aws_web_identity_token", from_web_identity },
                                             { 0 } };
static const struct source by_profile[] = { { "aws_profile_name", km_aws_from_profile }, { 0 } };
static const struct source by_default[] = {
    { "environment", from_environment },
    { "shared files", km_aws_from_profile },
    { "web identity", from_environment_identity },
    { "container", km_aws_from_container },
    { "instance metadata", km_aws_from_instance },
    { 0 },
};

static const struct source *chain_of(const struct km_aws_settings *c)
{
    if (c->akid.n || c->secret.n)
        return by_keys;
    if (c->web_identity.n)
        return by_identity;
    return c->profile.n ? by_profile : by_default;
}

/* --- the sources that wait for nothing --- */

static int from_settings(struct km_aws_search *s, struct km_err *err)
{
    const struct km_aws_settings *c = &s->owner->settings;

    if (!c->akid.n || !c->secret.n)
        return km_fail(err, KM_E_CONFIG,
                       "both aws_access_key_id and aws_secret_access_key are "
                       "needed");
    s->found = (struct km_aws_found){ c->akid, c->secret, c->token, INT64_MAX };
    return 0;
}

static int from_environment(struct km_aws_search *s, struct km_err *err)
{
    struct km_aws_found f = { km_aws_env(s, KM_V_AWS_ACCESS_KEY_ID),
                              km_aws_env(s, KM_V_AWS_SECRET_ACCESS_KEY),
                              km_aws_env(s, KM_V_AWS_SESSION_TOKEN), INT64_MAX };
    struct km_str expires = km_aws_env(s, KM_V_AWS_CREDENTIAL_EXPIRATION);

    if (!f.akid.n)
        return km_fail(err, KM_E_NOT_FOUND, "AWS_ACCESS_KEY_ID is not set");
    if (!f.secret.n)
        return km_fail(err, KM_E_CONFIG, "AWS_SECRET_ACCESS_KEY is not set");
    if (expires.n && km_time_parse_iso(expires, &f.expires_us) < 0)
        return km_fail(err, KM_E_CONFIG, "AWS_CREDENTIAL_EXPIRATION is no time");
    s->found = f;
    return 0;
}

static int from_environment_identity(struct km_aws_search *s, struct km_err *err)
{
    struct km_aws_role role = { .arn = km_aws_env(s, KM_V_AWS_ROLE_ARN),
                                .session_name = km_aws_env(s, KM_V_AWS_ROLE_SESSION_NAME) };
    struct km_str file = km_aws_env(s, KM_V_AWS_WEB_IDENTITY_TOKEN_FILE);

    if (!file.n || !role.arn.n)
        return km_fail(err, KM_E_NOT_FOUND, "%s is not set",
                       file.n ? "AWS_ROLE_ARN" : "AWS_WEB_IDENTITY_TOKEN_FILE");
    return km_aws_web_identity(s, &role, file, err);
}

static int from_web_identity(struct km_aws_search *s, struct km_err *err)
{
    const struct km_aws_settings *c = &s->owner->settings;
    struct km_aws_role role = { .arn = c->role, .session_name = c->session_name };

    if (!role.arn.n)
        return km_fail(err, KM_E_CONFIG, "aws_role_name is needed with aws_web_identity_token");
    return km_aws_web_identity(s, &role, c->web_identity, err);
}

/* --- the search --- */

static void search_done(struct km_aws_search *s)
{
    struct km_arena arena;

    km_fetch_cancel(s->fetch);
    km_aws_process_done(s);
    km_buf_done(&s->tried);
    arena = s->arena;
    km_arena_done(&arena); /* the search is in it */
}

static void value_free(struct km_refreshed *base)
{
    struct km_aws_value *v = (struct km_aws_value *)(void *)base;

    km_secret_done(&v->akid);
    km_secret_done(&v->secret);
    km_secret_done(&v->token);
    free(v);
}

static void value_tell(const struct km_refreshed *base, struct km_veil *veil)
{
    const struct km_aws_value *v = (const struct km_aws_value *)(const void *)base;

    km_veil_add_passing(veil, km_secret_view(&v->akid));
    km_veil_add_passing(veil, km_secret_view(&v->secret));
    km_veil_add_passing(veil, km_secret_view(&v->token));
}

static struct km_aws_value *value_new(const struct km_aws_found *f)
{
    struct km_aws_value *v = calloc(1, sizeof *v);

    if (!v)
        return NULL;
    atomic_init(&v->base.refs, 1);
    v->base.expires_us = f->expires_us;
    v->base.free = value_free;
    v->base.tell = value_tell;
    if (km_secret_init(&v->akid, f->akid) == 0 && km_secret_init(&v->secret, f->secret) == 0 &&
        km_secret_init(&v->token, f->token) == 0)
        return v;
    value_free(&v->base);
    return NULL;
}

static void end(struct km_aws_search *s, const struct km_err *err)
{
    struct km_refresh_run *run = s->run;
    struct km_aws_value *value = err ? NULL : value_new(&s->found);
    struct km_err why = { 0 };

    if (err)
        why = *err;
    else if (!value)
        km_fail(&why, KM_E_NOMEM, "out of memory");
    search_done(s);
    run->state = NULL;
    km_refresh_done(run, value ? &value->base : NULL, value ? NULL : &why);
}

static void note(struct km_aws_search *s, const struct km_err *why)
{
    const struct source *chain = chain_of(&s->owner->settings);

    km_buf_printf(&s->tried, "%s%s: %s", s->tried.n ? "; " : "", chain[s->source].name, why->text);
}

static void give_up(struct km_aws_search *s)
{
    struct km_err err = { 0 };

    km_fail(&err, KM_E_UPSTREAM_CONNECT, "No AWS credentials: %s.", km_buf_cstr(&s->tried));
    end(s, &err);
}

/* Credentials are there: the roles, innermost first, then the end. */
static void assume(struct km_aws_search *s)
{
    struct km_err err = { 0 };
    int r;

    if (s->nroles == 0) {
        end(s, NULL);
        return;
    }
    s->nroles--;
    r = km_aws_assume_role(s, &s->roles[s->nroles], &err);
    if (r < 0 && r != KM_E_AGAIN)
        km_aws_failed(s, &err);
}

static void ask(struct km_aws_search *s)
{
    const struct source *chain = chain_of(&s->owner->settings);
    int r = KM_E_NOT_FOUND;

    while (r == KM_E_NOT_FOUND && chain[s->source].name) {
        struct km_err err = { 0 };

        r = chain[s->source].ask(s, &err);
        if (r == 0 || r == KM_E_AGAIN)
            break;
        note(s, &err);
        s->source++;
    }
    if (r == 0)
        assume(s);
    else if (r != KM_E_AGAIN)
        give_up(s);
}

void km_aws_found(struct km_aws_search *s, const struct km_aws_found *found)
{
    s->found = *found;
    assume(s);
}

void km_aws_failed(struct km_aws_search *s, const struct km_err *err)
{
    note(s, err);
    give_up(s);
}

static void start(struct km_refresh_run *run)
{
    struct km_aws_owner *owner = run->owner;
    const struct km_aws_settings *c = &owner->settings;
    struct km_aws_search *s;
    struct km_arena arena;
    struct km_err err = { 0 };

    km_arena_init(&arena, SEARCH_BYTES, km_loop_arenas(run->loop));
    s = km_arena_zalloc(&arena, sizeof *s);
    if (!s) {
        km_arena_done(&arena);
        km_fail(&err, KM_E_NOMEM, "out of memory");
        km_refresh_done(run, NULL, &err);
        return;
    }
    s->arena = arena;
    s->run = run;
    s->owner = owner;
    s->child_out = -1;
    km_buf_init(&s->tried, TRIED_BYTES);
    run->state = s;
    if (c->role.n && !c->web_identity.n)
        s->roles[s->nroles++] = (struct km_aws_role){ .arn = c->role,
                                                      .session_name = c->session_name,
                                                      .external_id = c->external_id };
    ask(s);
}

static void abandon(struct km_refresh_run *run)
{
    struct km_aws_search *s = run->state;

    if (!s)
        return;
    km_fetch_abandon(s->fetch);
    s->fetch = NULL;
    search_done(s);
    run->state = NULL;
}

static void owner_free(void *owner)
{
    struct km_aws_owner *o = owner;
    struct km_arena arena;

    if (!o)
        return;
    km_tls_client_unref(o->tls);
    arena = o->arena;
    km_arena_done(&arena);
}

static const struct km_refresh_ops ops = { start, abandon, owner_free };

/* --- making --- */

static const char *const variables[KM_V_COUNT] = {
#define XX(name) [KM_V_##name] = #name,
    KM_AWS_VARIABLES(XX)
#undef XX
};

static void keep_settings(struct km_aws_owner *o, const struct km_aws_settings *c)
{
    struct km_arena *a = &o->arena;

    o->settings = (struct km_aws_settings){
        .akid = km_arena_str(a, c->akid),
        .secret = km_arena_str(a, c->secret),
        .token = km_arena_str(a, c->token),
        .profile = km_arena_str(a, c->profile),
        .role = km_arena_str(a, c->role),
        .session_name = km_arena_str(a, c->session_name),
        .external_id = km_arena_str(a, c->external_id),
        .web_identity = km_arena_str(a, c->web_identity),
        .sts_endpoint = km_arena_str(a, c->sts_endpoint),
        .region = km_arena_str(a, c->region),
    };
}

struct km_refresh *km_aws_credentials_new(const struct km_aws_args *args, struct km_err *err)
{
    struct km_arena arena;
    struct km_aws_owner *o;
    struct km_refresh *refresh = NULL;

    km_arena_init(&arena, 1024 * 1024, NULL);
    o = km_arena_zalloc(&arena, sizeof *o);
    if (!o) {
        km_arena_done(&arena);
        km_fail(err, KM_E_NOMEM, "out of memory");
        return NULL;
    }
    o->arena = arena;
    keep_settings(o, &args->settings);
    for (size_t i = 0; i < KM_V_COUNT; i++) {
        struct km_str value;

        if (km_config_getenv(args->config, variables[i], &value))
            o->env[i] = km_arena_str(&o->arena, value);
    }
    if (args->proxies)
        o->proxies = (struct km_proxy_env){ km_arena_str(&o->arena, args->proxies->http),
                                            km_arena_str(&o->arena, args->proxies->https),
                                            km_arena_str(&o->arena, args->proxies->none) };
    o->tls = km_tls_client_ref(args->tls);
    if (km_arena_overflowed(&o->arena))
        owner_free(o);
    else
        refresh = km_refresh_new(&ops, o, EARLY_MS);
    if (!refresh)
        km_fail(err, KM_E_NOMEM, "out of memory");
    return refresh;
}
