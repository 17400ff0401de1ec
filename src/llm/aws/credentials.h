/* SPDX-License-Identifier: Apache-2.0 */
/* credentials.h - where AWS credentials come from, and how they are kept fresh.
 *
 * What the deployment names is taken and nothing else: its own keys, its web identity token, its
 * profile.  Where it names nothing the chain of AWS's SDKs is walked: environment, shared files
 * (static keys, roles by source_profile or credential_source, web identity, credential_process),
 * web identity of the environment, container, instance metadata (version 2 only).  aws_role_name
 * is assumed with what was found.
 *
 * A source that is configured but fails ends the search: another identity than the one that was
 * meant is worse than none.  The error names every source and why it gave nothing.
 *
 * Source of the rules: AWS SDKs and Tools Reference Guide, "Standardized credential providers".
 */
#ifndef KM_LLM_AWS_CREDENTIALS_H
#define KM_LLM_AWS_CREDENTIALS_H

#include "base/crypto.h"
#include "config/config.h"
#include "llm/refresh.h"
#include "net/tls.h"

/* Of litellm_params; empty: not said. */
struct km_aws_settings {
    struct km_str akid, secret, token; /* aws_access_key_id, ... */
    struct km_str profile; /* aws_profile_name */
    struct km_str role, session_name, external_id; /* aws_role_name, ... */
    struct km_str web_identity; /* aws_web_identity_token: the token, or a path to it */
    struct km_str sts_endpoint; /* aws_sts_endpoint */
    struct km_str region; /* where STS is asked; as resolved for the deployment */
};

struct km_aws_args {
    struct km_aws_settings settings;
    const struct km_config *config; /* its environment is read now */
    struct km_tls_client *tls; /* referenced */
    const struct km_proxy_env *proxies; /* copied; not used for metadata */
};

/* A set of credentials as the refresher keeps it. */
struct km_aws_value {
    struct km_refreshed base;
    struct km_secret akid, secret, token;
};

/* NULL when out of memory. */
struct km_refresh *km_aws_credentials_new(const struct km_aws_args *args, struct km_err *err);

/* The region a profile names (AWS_PROFILE or "default" when profile is empty); empty: none. */
struct km_str km_aws_profile_region(struct km_arena *arena, const struct km_config *config,
                                    struct km_str profile);

#endif
