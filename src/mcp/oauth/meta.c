/* SPDX-License-Identifier: Apache-2.0 */
/* meta.c - see meta.h.
 *
 * What is checked here is what keeps a token from going to the wrong place: the document of a
 * resource must be about the server that is to be reached, the metadata of an issuer must name
 * exactly that issuer, and every endpoint is an https address (or http, where the issuer itself is
 * on plain http: a test, or a machine of one's own).
 */
#include "mcp/oauth/meta.h"

#include "http/json.h"
#include "http/message.h"

#define LIFETIME_S 300 /* where the answer does not say */
#define LIFETIME_MOST_S (INT64_C(30) * 86400)

struct km_str km_oauth_origin(struct km_str url)
{
    struct km_url u;

    if (km_url_parse(url, &u, NULL) < 0)
        return KM_STR_NONE;
    return km_str_sub(url, 0, url.n - u.path.n);
}

static struct km_str path_of(struct km_str url)
{
    struct km_str path = km_str_skip(url, km_oauth_origin(url).n);

    path = km_str_sub(path, 0, km_str_chr(path, '?'));
    while (path.n && path.p[path.n - 1] == '/')
        path.n--;
    return path;
}

/* --- the challenge --- */

static bool is_token(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

static void skip_space(struct km_str *s)
{
    while (s->n && (*s->p == ' ' || *s->p == '\t' || *s->p == ','))
        *s = km_str_skip(*s, 1);
}

static struct km_str take_token(struct km_str *s)
{
    size_t n = 0;
    struct km_str t;

    while (n < s->n && is_token(s->p[n]))
        n++;
    t = km_str_sub(*s, 0, n);
    *s = km_str_skip(*s, n);
    return t;
}

/* A token or a quoted string; false: it is broken. */
static bool take_value(struct km_arena *arena, struct km_str *s, struct km_str *ret)
{
    char *out;
    size_t n = 0, i = 1;

    if (!s->n || *s->p != '"') {
        *ret = take_token(s);
        return ret->n > 0;
    }
    out = km_arena_alloc(arena, s->n);
    for (; out && i < s->n && s->p[i] != '"'; i++) {
        if (s->p[i] == '\\' && i + 1 < s->n)
            i++;
        out[n++] = s->p[i];
    }
    if (!out || i >= s->n)
        return false;
    *ret = km_str(out, n);
    *s = km_str_skip(*s, i + 1);
    return true;
}

bool km_oauth_challenge_read(struct km_arena *arena, struct km_str field,
                             struct km_oauth_challenge_parts *ret)
{
    struct km_oauth_challenge_parts parts = { 0 };
    bool bearer = false;

    for (skip_space(&field); field.n; skip_space(&field)) {
        struct km_str name = take_token(&field), value;

        if (!name.n)
            break;
        if (!field.n || *field.p != '=') { /* a scheme */
            if (bearer)
                break;
            bearer = km_str_ieq(name, KM_STR("bearer"));
            continue;
        }
        field = km_str_skip(field, 1);
        if (!take_value(arena, &field, &value))
            break;
        if (bearer && km_str_ieq(name, KM_STR("resource_metadata")))
            parts.resource_metadata = value;
        else if (bearer && km_str_ieq(name, KM_STR("scope")))
            parts.scope = value;
        else if (bearer && km_str_ieq(name, KM_STR("error")))
            parts.error = value;
    }
    *ret = parts;
    return bearer;
}

/* --- documents --- */

static int parse(struct km_arena *arena, struct km_str json, const struct km_json **ret,
                 struct km_err *err)
{
    if (json.n > KM_OAUTH_DOCUMENT_BYTES || km_json_parse(arena, json, ret, NULL) < 0 ||
        km_json_kind(*ret) != KM_JSON_OBJECT)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "the document is not a JSON object");
    return 0;
}

static bool has(const struct km_json *list, const char *word)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key, text;

    for (km_json_iter(list, &it); km_json_next(&it, &key, &item);)
        if (km_json_string(item, &text) && km_str_eq(text, km_str_c(word)))
            return true;
    return false;
}

bool km_oauth_resource_covers(struct km_str resource, struct km_str server_url)
{
    struct km_str base = path_of(resource), path = path_of(server_url);

    return km_oauth_origin(resource).n &&
           km_str_ieq(km_oauth_origin(resource), km_oauth_origin(server_url)) &&
           km_str_starts(path, base) && (path.n == base.n || path.p[base.n] == '/');
}

int km_oauth_resource_read(struct km_arena *arena, struct km_str json, struct km_str server_url,
                           struct km_oauth_resource *ret, struct km_err *err)
{
    struct km_oauth_resource r = { 0 };
    const struct km_json *root, *item;
    struct km_json_iter it;
    struct km_str key, text;
    int rc = parse(arena, json, &root, err);

    if (rc < 0)
        return rc;
    (void)km_json_string(km_json_get(root, "resource"), &r.resource);
    if (!km_oauth_resource_covers(r.resource, server_url))
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "it describes another resource, '%.*s'",
                       KM_STR_ARG(km_str_sub(r.resource, 0, 150)));
    km_json_iter(km_json_get(root, "authorization_servers"), &it);
    if (km_json_next(&it, &key, &item))
        (void)km_json_string(item, &r.issuer);
    if (!km_oauth_origin(r.issuer).n)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "it names no authorization server");
    for (km_json_iter(km_json_get(root, "scopes_supported"), &it); km_json_next(&it, &key, &item);)
        if (km_json_string(item, &text))
            r.scopes =
                r.scopes.n
                    ? km_arena_cat(arena, (struct km_str[]){ r.scopes, KM_STR(" "), text }, 3)
                    : text;
    *ret = r;
    return 0;
}

/* An address that may be posted a secret to. */
static bool endpoint(const struct km_json *root, const char *name, bool plain, struct km_str *ret)
{
    struct km_url url;

    if (!km_json_string(km_json_get(root, name), ret))
        return true;
    return km_url_parse(*ret, &url, NULL) == 0 && (url.https || plain) && !url.userinfo.n;
}

int km_oauth_server_read(struct km_arena *arena, struct km_str json, struct km_str issuer,
                         struct km_oauth_server *ret, struct km_err *err)
{
    struct km_oauth_server s = { .issuer = issuer };
    const struct km_json *root, *methods;
    struct km_str said = KM_STR_NONE;
    bool plain = km_str_istarts(issuer, KM_STR("http://"));
    int r = parse(arena, json, &root, err);

    if (r < 0)
        return r;
    (void)km_json_string(km_json_get(root, "issuer"), &said);
    if (!km_str_eq(said, issuer))
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "its metadata name another issuer, '%.*s'",
                       KM_STR_ARG(km_str_sub(said, 0, 150)));
    if (!endpoint(root, "authorization_endpoint", plain, &s.authorization) ||
        !endpoint(root, "token_endpoint", plain, &s.token) ||
        !endpoint(root, "registration_endpoint", plain, &s.registration))
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "an endpoint in its metadata is not https");
    s.s256 = has(km_json_get(root, "code_challenge_methods_supported"), "S256");
    (void)km_json_bool(km_json_get(root, "client_id_metadata_document_supported"), &s.documents);
    (void)km_json_bool(km_json_get(root, "authorization_response_iss_parameter_supported"),
                       &s.says_iss);
    methods = km_json_get(root, "token_endpoint_auth_methods_supported");
    s.secret_post = has(methods, "client_secret_post") && !has(methods, "client_secret_basic");
    *ret = s;
    return 0;
}

/* --- where they lie --- */

size_t km_oauth_resource_urls(struct km_arena *arena, struct km_str server_url,
                              struct km_str ret[KM_OAUTH_URLS])
{
    static const struct km_str well_known = { "/.well-known/oauth-protected-resource", 37 };
    struct km_str origin = km_oauth_origin(server_url), path = path_of(server_url);
    size_t n = 0;

    if (path.n)
        ret[n++] = km_arena_cat(arena, (struct km_str[]){ origin, well_known, path }, 3);
    ret[n++] = km_arena_cat(arena, (struct km_str[]){ origin, well_known }, 2);
    return n;
}

size_t km_oauth_server_urls(struct km_arena *arena, struct km_str issuer,
                            struct km_str ret[KM_OAUTH_URLS])
{
    static const struct km_str oauth = { "/.well-known/oauth-authorization-server", 39 };
    static const struct km_str openid = { "/.well-known/openid-configuration", 33 };
    struct km_str origin = km_oauth_origin(issuer), path = path_of(issuer);
    size_t n = 0;

    ret[n++] = km_arena_cat(arena, (struct km_str[]){ origin, oauth, path }, 3);
    ret[n++] = km_arena_cat(arena, (struct km_str[]){ origin, openid, path }, 3);
    if (path.n)
        ret[n++] = km_arena_cat(arena, (struct km_str[]){ origin, path, openid }, 3);
    return n;
}

/* --- tokens --- */

int km_oauth_tokens_read(struct km_arena *arena, int status, struct km_str json,
                         struct km_oauth_tokens *ret, struct km_err *err)
{
    struct km_oauth_tokens t = { .lifetime_s = LIFETIME_S };
    const struct km_json *root = NULL;
    struct km_str type = KM_STR_NONE, text = KM_STR_NONE;

    if (parse(arena, json, &root, NULL) < 0)
        root = NULL;
    (void)km_json_string(km_json_get(root, "access_token"), &t.access);
    (void)km_json_string(km_json_get(root, "refresh_token"), &t.refresh);
    (void)km_json_string(km_json_get(root, "scope"), &t.scope);
    (void)km_json_string(km_json_get(root, "token_type"), &type);
    (void)km_json_string(km_json_get(root, "error"), &t.error);
    (void)km_json_string(km_json_get(root, "issued_token_type"), &t.issued);
    (void)km_json_string(km_json_get(root, "error_description"), &text);
    (void)km_json_i64(km_json_get(root, "expires_in"), &t.lifetime_s);
    if (t.lifetime_s <= 0 || t.lifetime_s > LIFETIME_MOST_S)
        t.lifetime_s = LIFETIME_S;
    *ret = t;
    if (status == 200 && t.access.n && km_str_ieq(type, KM_STR("bearer")))
        return 0;
    return km_fail(err, KM_E_UNAUTHENTICATED, "no token, status %d%s%.*s%s%.*s", status,
                   t.error.n ? ", " : "", KM_STR_ARG(km_str_sub(t.error, 0, 60)),
                   text.n ? ": " : "", KM_STR_ARG(km_str_sub(text, 0, 200)));
}
