/* SPDX-License-Identifier: Apache-2.0 */
/* source.h - private to llm/aws/: one search for credentials under way, and its sources.
 *
 * A source either puts what it found into s->found and returns 0, or KM_E_AGAIN and calls
 * km_aws_found() or km_aws_failed() later, or KM_E_NOT_FOUND when it is not configured (the next
 * one is asked), or another error, which ends the search.
 */
#ifndef KM_LLM_AWS_SOURCE_H
#define KM_LLM_AWS_SOURCE_H

#include "llm/aws/credentials.h"
#include "llm/aws/parse.h"
#include "llm/aws/profile.h"
#include "llm/fetch.h"
#include "sys/supervise.h"

/* XX(NAME): variables the chain reads, kept with the deployment. */
#define KM_AWS_VARIABLES(XX)                                                                       \
    XX(AWS_ACCESS_KEY_ID)                                                                          \
    XX(AWS_SECRET_ACCESS_KEY)                                                                      \
    XX(AWS_SESSION_TOKEN)                                                                          \
    XX(AWS_CREDENTIAL_EXPIRATION)                                                                  \
    XX(AWS_PROFILE)                                                                                \
    XX(AWS_SHARED_CREDENTIALS_FILE)                                                                \
    XX(AWS_CONFIG_FILE)                                                                            \
    XX(AWS_WEB_IDENTITY_TOKEN_FILE)                                                                \
    XX(AWS_ROLE_ARN)                                                                               \
    XX(AWS_ROLE_SESSION_NAME)                                                                      \
    XX(AWS_CONTAINER_CREDENTIALS_RELATIVE_URI)                                                     \
    XX(AWS_CONTAINER_CREDENTIALS_FULL_URI)                                                         \
    XX(AWS_CONTAINER_AUTHORIZATION_TOKEN)                                                          \
    XX(AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE)                                                     \
    XX(AWS_EC2_METADATA_DISABLED)                                                                  \
    XX(AWS_EC2_METADATA_SERVICE_ENDPOINT)                                                          \
    XX(AWS_ENDPOINT_URL_STS)                                                                       \
    XX(HOME)

enum km_aws_variable {
#define XX(name) KM_V_##name,
    KM_AWS_VARIABLES(XX)
#undef XX
        KM_V_COUNT,
};

/* What a deployment's search is made of; constant, shared by the threads that search. */
struct km_aws_owner {
    struct km_arena arena;
    struct km_aws_settings settings;
    struct km_str env[KM_V_COUNT];
    struct km_tls_client *tls;
    struct km_proxy_env proxies;
};

#define KM_AWS_ROLES_MOST 5

struct km_aws_role {
    struct km_str arn, session_name, external_id, duration_s;
};

struct km_aws_search {
    struct km_arena arena; /* holds the search */
    struct km_refresh_run *run;
    const struct km_aws_owner *owner;
    struct km_aws_files files;
    size_t source; /* of the chain: the one being asked */
    struct km_buf tried; /* "environment: AWS_ACCESS_KEY_ID is not set; ..." */
    struct km_aws_found found; /* views into the arena */
    struct km_aws_role roles[KM_AWS_ROLES_MOST]; /* the last is assumed first */
    size_t nroles;
    struct km_fetch *fetch;
    struct km_child *child;
    int child_out; /* -1: none */
    struct km_timer child_time;
    struct km_str imds_token;
};

typedef int km_aws_source_fn(struct km_aws_search *s, struct km_err *err);

/* From a source that had said KM_E_AGAIN; the search may be gone when they return. */
void km_aws_found(struct km_aws_search *s, const struct km_aws_found *found);
void km_aws_failed(struct km_aws_search *s, const struct km_err *err);

static inline struct km_str km_aws_env(const struct km_aws_search *s, enum km_aws_variable v)
{
    return s->owner->env[v];
}

/* sts.c */
int km_aws_assume_role(struct km_aws_search *s, const struct km_aws_role *role,
                       struct km_err *err) KM_MUST_USE;
/* token: the token itself, or a path to it. */
int km_aws_web_identity(struct km_aws_search *s, const struct km_aws_role *role,
                        struct km_str token, struct km_err *err) KM_MUST_USE;
/* metadata.c */
km_aws_source_fn km_aws_from_container, km_aws_from_instance;
/* process.c */
int km_aws_from_process(struct km_aws_search *s, struct km_str command,
                        struct km_err *err) KM_MUST_USE;
void km_aws_process_done(struct km_aws_search *s);
/* shared.c */
km_aws_source_fn km_aws_from_profile;

#endif
