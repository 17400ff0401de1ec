/* SPDX-License-Identifier: Apache-2.0 */
/* address.c - how a server is reached, made once when the configuration is read (config_part.h).
 *
 *     url ──> origin, target          auth_value, static_headers ──> header lines of every request
 *     aws settings ──> signer         oauth settings ──> log-ins
 *
 * What depends on who asks is left to asker.c.
 */
#include "llm/aws/auth.h"
#include "mcp/asker.h"
#include "mcp/builtin.h"
#include "mcp/oauth/oauth.h"
#include "mcp/oauth/settings.h"
#include "mcp/upstream/config_part.h"

#define HEAD_BYTES ((size_t)32 * 1024)

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

int km_mcp_make_address(const struct km_mcp_set_args *args, struct km_mcp_upstream *u,
                        struct km_err *err)
{
    struct km_url url;
    int r;

    if (u->builtin)
        return u->builtin->check(u, err);
    if (u->transport == KM_MCP_STDIO)
        return 0;
    r = km_url_parse(u->entry->url, &url, err);
    if (r == 0 && url.userinfo.n)
        r = km_fail(err, KM_E_CONFIG, "the url holds a user and password; use auth_type: basic");
    if (r < 0)
        return r;
    u->target = url.path.n && url.path.p[0] == '/'
                    ? url.path
                    : km_arena_cat(&u->arena, (struct km_str[]){ KM_STR("/"), url.path }, 2);
    r = km_origin_new(url.https, url.host, url.port, args->tls, args->proxies, false, &u->origin,
                      err);
    return r == 0 ? make_head(u, err) : r;
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

int km_mcp_make_oauth(const struct km_mcp_set_args *args, struct km_mcp_upstream *u,
                      struct km_err *err)
{
    struct km_mcp_oauth_args oauth = {
        .name = u->name,
        .server_url = u->entry->url,
        .settings = &u->entry->oauth,
        .tls = args->tls,
        .proxies = args->proxies,
    };
    const struct km_oauth_settings *shared;

    if (u->entry->auth != KM_MCP_AUTH_OAUTH2 || u->transport == KM_MCP_STDIO)
        return 0;
    shared = km_config_get(args->config, &km_oauth_settings_table);
    oauth.trusted_hosts = &shared->oauth.trusted_hosts;
    oauth.document = shared->oauth.client_document;
    u->oauth = km_mcp_oauth_new(&oauth, err);
    return u->oauth ? 0 : KM_E_NOMEM;
}
