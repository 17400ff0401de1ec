/* SPDX-License-Identifier: Apache-2.0 */
/* address.c - how a server is reached, made once when the configuration is read (config_part.h).
 *
 *     url, command, builtin, spec_path ──> transport
 *     url ──> origin, target          auth_value, static_headers ──> header lines of every request
 *     aws settings ──> signer         oauth settings ──> log-ins       spec_path ──> a document
 *
 * What depends on who asks is left to asker.c.
 */
#include "llm/aws/auth.h"
#include "mcp/asker.h"
#include "mcp/builtin.h"
#include "mcp/link/link.h"
#include "mcp/oauth/oauth.h"
#include "mcp/oauth/settings.h"
#include "mcp/openapi/source.h"
#include "mcp/upstream/config_part.h"

#define HEAD_BYTES ((size_t)32 * 1024)

static const char *pick_builtin(const struct km_mcp_set_args *args, struct km_mcp_upstream *u)
{
    const struct km_mcp_entry *e = u->entry;
    const struct km_mcp_builtin *const *kind = args->builtins;
    struct km_str names = KM_STR("there is no server of this name in kanmon; there are:");

    u->transport = KM_MCP_BUILTIN;
    for (; !u->builtin && kind && *kind; kind++)
        names =
            km_arena_printf(&u->arena, "%.*s %.*s", KM_STR_ARG(names), KM_STR_ARG((*kind)->name));
    if (!u->builtin)
        return names.p;
    return e->url.n || e->spec_path.n || e->command.n || e->transport
               ? "it is part of kanmon and has no url, command or transport"
               : "";
}

const char *km_mcp_pick_transport(const struct km_mcp_set_args *args, struct km_mcp_upstream *u)
{
    const struct km_mcp_entry *e = u->entry;
    bool stdio = e->transport ? e->transport == 1 + KM_MCP_STDIO : e->command.n > 0;

    if (e->builtin.n)
        return pick_builtin(args, u);
    if (e->spec_path.n) {
        u->transport = KM_MCP_HTTP;
        return stdio ? "its tools are made of spec_path: it has no command" : "";
    }
    u->transport = stdio ? KM_MCP_STDIO : KM_MCP_HTTP;
    if (!stdio && e->transport)
        u->transport = (enum km_mcp_transport)(e->transport - 1);
    if (stdio && !e->command.n)
        return "transport is stdio, but there is no command";
    if (!stdio && !e->url.n)
        return e->command.n ? "transport is not stdio, but there is a command and no url"
                            : "it has neither url nor command";
    return "";
}

static int make_head(struct km_mcp_upstream *u, struct km_err *err)
{
    const struct km_str_map *fixed = &u->entry->static_headers;
    struct km_buf credential KM_CLEANUP(km_buf_done) = KM_BUF(HEAD_BYTES);
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(HEAD_BYTES);
    int r = km_asker_credential(u->entry, u->entry->auth_value, &credential, err);

    for (size_t i = 0; r == 0 && i < fixed->n; i++)
        if (!km_asker_wanted(fixed->v[i].value))
            r = km_header_put(&head, fixed->v[i].name, fixed->v[i].value, err);
    u->head = km_arena_str(&u->arena, km_buf_view(&head));
    u->credential = km_arena_str(&u->arena, km_buf_view(&credential));
    km_wipe(head.p, head.n);
    km_wipe(credential.p, credential.n);
    return r;
}

/* What was added at run time may have been added over the network. */
static enum km_guard guard_of(const struct km_mcp_upstream *u)
{
    return u->added ? KM_GUARD_METADATA : KM_GUARD_NONE;
}

/* After the header lines. */
static int make_source(const struct km_mcp_set_args *args, struct km_mcp_upstream *u,
                       struct km_err *err)
{
    const struct km_mcp_entry *e = u->entry;
    struct km_openapi_source_args source = {
        .spec = e->spec_path,
        .folder_of = km_config_file(args->config),
        .url = e->url,
        .proof = km_arena_cat(&u->arena, (struct km_str[]){ u->head, u->credential }, 2),
        .proves = e->auth != KM_MCP_AUTH_NONE || e->static_headers.n || e->extra_headers.n,
        .headers = &e->static_headers,
        .passed = &e->extra_headers,
        .run = km_link_openapi_run,
        .tls = args->tls,
        .proxies = args->proxies,
        .guard = guard_of(u),
    };

    if ((e->auth == KM_MCP_AUTH_OAUTH2 || e->auth == KM_MCP_AUTH_EXCHANGE) && !e->url.n)
        return km_fail(err, KM_E_CONFIG,
                       "auth_type oauth2 and oauth2_token_exchange need the interface's `url`");
    u->openapi = km_openapi_source_new(&source, err);
    return u->openapi ? 0 : KM_E_CONFIG;
}

int km_mcp_make_address(const struct km_mcp_set_args *args, struct km_mcp_upstream *u,
                        struct km_err *err)
{
    struct km_url url;
    int r;

    if (u->builtin)
        return u->builtin->check(u, err);
    if (u->transport == KM_MCP_STDIO)
        return 0;
    if (u->entry->spec_path.n && !u->entry->url.n) {
        r = make_head(u, err);
        return r == 0 ? make_source(args, u, err) : r;
    }
    r = km_url_parse(u->entry->url, &url, err);
    if (r == 0 && url.userinfo.n)
        r = km_fail(err, KM_E_CONFIG, "the url holds a user and password; use auth_type: basic");
    if (r < 0)
        return r;
    u->target = url.path.n && url.path.p[0] == '/'
                    ? url.path
                    : km_arena_cat(&u->arena, (struct km_str[]){ KM_STR("/"), url.path }, 2);
    r = km_origin_new(url.https, url.host, url.port, args->tls, args->proxies, guard_of(u),
                      &u->origin, err);
    if (r == 0)
        r = make_head(u, err);
    return r == 0 && u->entry->spec_path.n ? make_source(args, u, err) : r;
}

int km_mcp_make_signer(const struct km_mcp_set_args *args, struct km_mcp_upstream *u,
                       struct km_err *err)
{
    const struct km_mcp_aws_settings *aws = &u->entry->aws;
    struct km_aws_auth_args auth = {
        .credentials = { .settings = { .akid = aws->akid,
                                       .secret = aws->secret,
                                       .token = aws->token,
                                       .profile = aws->profile,
                                       .role = aws->role,
                                       .session_name = aws->session_name,
                                       .region = aws->region },
                         .config = args->config,
                         .tls = args->tls,
                         .proxies = args->proxies },
        .region = aws->region,
        .service = aws->service,
    };

    if (u->entry->auth != KM_MCP_AUTH_SIGV4)
        return 0;
    if (!aws->region.n)
        return km_fail(err, KM_E_CONFIG, "auth_type aws_sigv4 needs aws_region_name");
    u->signer = km_aws_auth_new(&auth, err);
    return u->signer ? 0 : KM_E_NOMEM;
}

/* The endpoint is never found out: whoever could name it would be given callers' tokens. */
static int check_exchange(const struct km_mcp_upstream *u, struct km_err *err)
{
    const struct km_mcp_oauth_settings *s = &u->entry->oauth;
    struct km_url url;

    if (!u->origin)
        return km_fail(err, KM_E_CONFIG,
                       "auth_type oauth2_token_exchange is for servers over HTTP");
    if (!km_mcp_exchange_url(s).n)
        return km_fail(err, KM_E_CONFIG,
                       "auth_type oauth2_token_exchange needs token_exchange_endpoint");
    if (km_url_parse(km_mcp_exchange_url(s), &url, err) < 0)
        return err->code;
    if (!s->client_id.n || (!s->client_secret.n && !s->private_key.n))
        return km_fail(err, KM_E_CONFIG,
                       "auth_type oauth2_token_exchange needs client_id and client_secret");
    return s->profile == KM_MCP_EXCHANGE_ENTRA && !s->scopes.n
               ? km_fail(err, KM_E_CONFIG, "token_exchange_profile entra_obo needs scopes")
               : 0;
}

static int check_byok(const struct km_mcp_upstream *u, struct km_err *err)
{
    if (!u->origin)
        return km_fail(err, KM_E_CONFIG, "is_byok is for servers that have a url");
    if (u->entry->auth == KM_MCP_AUTH_NONE || u->entry->auth >= KM_MCP_AUTH_OAUTH2)
        return km_fail(err, KM_E_CONFIG,
                       "is_byok needs an auth_type that says where the credential stands: api_key, "
                       "bearer_token, basic, authorization or token");
    return u->entry->auth_value.n
               ? km_fail(err, KM_E_CONFIG, "is_byok and auth_value do not go together")
               : 0;
}

int km_mcp_make_oauth(const struct km_mcp_set_args *args, struct km_mcp_upstream *u,
                      struct km_err *err)
{
    struct km_mcp_oauth_args oauth = {
        .name = u->name,
        .server_url = u->entry->url,
        .settings = &u->entry->oauth,
        .tls = args->tls,
        .proxies = args->proxies,
        .exchange = u->entry->auth == KM_MCP_AUTH_EXCHANGE,
        .scheme = u->entry->byok ? u->entry->auth : KM_MCP_AUTH_NONE,
        .help = u->entry->byok_help_url,
        .guard = guard_of(u),
    };
    const struct km_oauth_settings *shared;

    if ((oauth.exchange && check_exchange(u, err) < 0) ||
        (u->entry->byok && check_byok(u, err) < 0))
        return KM_E_CONFIG;
    if ((u->entry->auth != KM_MCP_AUTH_OAUTH2 && !oauth.exchange && !u->entry->byok) ||
        u->transport == KM_MCP_STDIO)
        return 0;
    shared = km_config_get(args->config, &km_oauth_settings_table);
    oauth.trusted_hosts = &shared->oauth.trusted_hosts;
    oauth.document = shared->oauth.client_document;
    u->oauth = km_mcp_oauth_new(&oauth, err);
    return u->oauth ? 0 : KM_E_NOMEM;
}
