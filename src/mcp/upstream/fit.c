/* SPDX-License-Identifier: Apache-2.0 */
/* fit.c - keys of an entry of mcp_servers that are of another kind of server (config_part.h).
 *
 *     args, env, cwd, warm ...         of a process: `command`
 *     limits, sandbox                  the same; they limit, so elsewhere nothing would, and that
 *                                      does not load
 *     static_headers, auth_type ...    of what is asked over HTTP: `url`, `spec_path`
 *     client_id, aws_region_name ...   of one auth_type
 *     sandbox_read, sandbox_write      of a sandbox that is on
 *
 * All others would be passed over without a word where they are used; that is told, each with its
 * place.  An entry with a url and a command (`transport` says which of them counts) may have the
 * keys of both.  Empty values are passed over: LiteLLM's own forms write every key they know.
 */
#include "mcp/upstream/config_part.h"
#include "sys/sandbox.h"

static bool is_process(const struct km_mcp_entry *e)
{
    return e->command.n > 0;
}

static bool is_web(const struct km_mcp_entry *e)
{
    return e->url.n || e->spec_path.n;
}

static bool proves(const struct km_mcp_entry *e)
{
    return e->auth != KM_MCP_AUTH_NONE;
}

static bool by_exchange(const struct km_mcp_entry *e)
{
    return e->auth == KM_MCP_AUTH_EXCHANGE;
}

static bool by_oauth(const struct km_mcp_entry *e)
{
    return e->auth == KM_MCP_AUTH_OAUTH2 || by_exchange(e);
}

static bool by_sigv4(const struct km_mcp_entry *e)
{
    return e->auth == KM_MCP_AUTH_SIGV4;
}

static bool is_byok(const struct km_mcp_entry *e)
{
    return e->byok;
}

static bool in_sandbox(const struct km_mcp_entry *e)
{
    return e->sandbox != KM_SANDBOX_OFF;
}

struct need {
    bool (*met)(const struct km_mcp_entry *e);
    const char *said; /* behind the key */
};

static const struct need process = { is_process, "is of a server that is a process (`command`)" };
static const struct need web = { is_web, "is of a server with a `url` or `spec_path`" };
static const struct need typed = { proves, "is not sent anywhere: there is no auth_type" };
static const struct need oauth = { by_oauth,
                                   "is of auth_type oauth2 and oauth2_token_exchange" };
static const struct need exchange = { by_exchange, "is of auth_type oauth2_token_exchange" };
static const struct need sigv4 = { by_sigv4, "is of auth_type aws_sigv4" };
static const struct need byok = { is_byok, "is of servers with is_byok" };
static const struct need boxed = { in_sandbox, "is of a sandbox, and `sandbox` is off" };

/* Of one key the first need that is not met is told. */
static const struct {
    const char *key;
    const struct need *need;
    bool limits; /* what it was to keep the server from, nothing would */
} rows[] = {
    { "args", &process, false },
    { "env", &process, false },
    { "cwd", &process, false },
    { "install_timeout", &process, false },
    { "warm", &process, false },
    { "max_processes", &process, false },
    { "log_size", &process, false },
    { "limits", &process, true },
    { "sandbox", &process, true },
    { "sandbox_read", &process, false },
    { "sandbox_read", &boxed, false },
    { "sandbox_write", &process, false },
    { "sandbox_write", &boxed, false },
    { "static_headers", &web, false },
    { "extra_headers", &web, false },
    { "auth_type", &web, false },
    { "auth_value", &web, false },
    { "auth_value", &typed, false },
    { "authentication_token", &web, false },
    { "authentication_token", &typed, false },
    { "client_id", &oauth, false },
    { "client_secret", &oauth, false },
    { "client_private_key", &oauth, false },
    { "scopes", &oauth, false },
    { "authorization_url", &oauth, false },
    { "token_url", &oauth, false },
    { "registration_url", &oauth, false },
    { "oauth2_flow", &oauth, false },
    { "oauth_shared", &oauth, false },
    { "token_endpoint_auth_method", &oauth, false },
    { "token_exchange_endpoint", &exchange, false },
    { "token_exchange_profile", &exchange, false },
    { "audience", &exchange, false },
    { "subject_token_type", &exchange, false },
    { "byok_description", &byok, false },
    { "byok_api_key_help_url", &byok, false },
    { "aws_role_name", &sigv4, false },
    { "aws_access_key_id", &sigv4, false },
    { "aws_secret_access_key", &sigv4, false },
    { "aws_session_token", &sigv4, false },
    { "aws_region_name", &sigv4, false },
    { "aws_service_name", &sigv4, false },
    { "aws_session_name", &sigv4, false },
    { "aws_profile_name", &sigv4, false },
};

static bool says_nothing(const struct km_node *v)
{
    switch (v->type) {
    case KM_NODE_NULL:
        return true;
    case KM_NODE_BOOL:
        return !v->b;
    case KM_NODE_SEQ:
    case KM_NODE_MAP:
        return v->n == 0;
    default:
        return v->text.n == 0 || km_str_eq(v->text, KM_STR("none")) ||
               km_str_eq(v->text, KM_STR("off"));
    }
}

/* Where the key stands with a value that says something; NULL: nowhere. */
static const struct km_node *find(const struct km_node *low, const struct km_node *high,
                                  const char *key)
{
    const struct km_node *v = km_node_get(high, km_str_c(key));

    if (!v || v->type == KM_NODE_NULL)
        v = km_node_get(low, km_str_c(key));
    return v && !says_nothing(v) ? v : NULL;
}

static bool version_fits(const struct km_mcp_entry *e, struct km_str name, const struct km_node *at,
                         struct km_diags *diags)
{
    if (!e->spec_version.n || km_mcp_revision_find(e->spec_version))
        return true;
    km_diag_add(diags, KM_DIAG_ERROR, "E0401", at,
                "name a revision as the specification does, or leave it out: all are tried then",
                "mcp_servers.%.*s: spec_version: kanmon speaks no revision '%.*s' (the newest is "
                "%.*s)",
                KM_STR_ARG(name), KM_STR_ARG(km_str_sub(e->spec_version, 0, 32)),
                KM_STR_ARG(km_mcp_revision_latest(KM_MCP_STATELESS)->name));
    return false;
}

bool km_mcp_entry_fits(const struct km_mcp_entry *e, struct km_str name, const struct km_node *low,
                       const struct km_node *high, struct km_diags *diags)
{
    bool fits = version_fits(e, name, find(low, high, "spec_version"), diags);
    const char *told = "";

    if (!is_process(e) && !is_web(e) && !e->builtin.n)
        return fits; /* it is no server at all, and that is told */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct km_node *at = find(low, high, rows[i].key);

        if (!at || rows[i].need->met(e) || strcmp(told, rows[i].key) == 0)
            continue;
        told = rows[i].key;
        fits = fits && !rows[i].limits;
        km_diag_add(diags, rows[i].limits ? KM_DIAG_ERROR : KM_DIAG_WARNING,
                    rows[i].limits ? "E0401" : "W0401", at,
                    rows[i].limits ? "nothing would be limited as it stands" : NULL,
                    "mcp_servers.%.*s: %s %s", KM_STR_ARG(name), told, rows[i].need->said);
    }
    return fits;
}
