/* SPDX-License-Identifier: Apache-2.0 */
/* auth.h - who the gateway is to Google Cloud: a service account, a user, or its machine.
 *
 * What the deployment names (vertex_credentials: a file, or its JSON) is taken and nothing else.
 * Where it names nothing: VERTEXAI_CREDENTIALS, GOOGLE_APPLICATION_CREDENTIALS, gcloud's own
 * file, then the metadata server of the machine.  Files are read once, when the configuration is.
 */
#ifndef KM_LLM_GOOGLE_AUTH_H
#define KM_LLM_GOOGLE_AUTH_H

#include "config/config.h"
#include "llm/auth.h"
#include "net/tls.h"

struct km_google_args {
    struct km_str credentials; /* vertex_credentials; empty: not said */
    const struct km_config *config; /* its environment is read now */
    struct km_tls_client *tls; /* referenced */
    const struct km_proxy_env *proxies; /* copied */
};

/* For d->auth; *ret_project (in the arena) is the project its file names, or empty.  KM_E_CONFIG
 * when what is named cannot be used; the text holds no secret. */
int km_google_auth_new(const struct km_google_args *args, struct km_arena *arena,
                       struct km_auth **ret_auth, struct km_str *ret_project,
                       struct km_err *err) KM_MUST_USE;

#endif
