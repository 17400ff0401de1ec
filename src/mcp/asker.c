/* SPDX-License-Identifier: Apache-2.0 */
/* asker.c - see asker.h.
 *
 * The key is a digest of everything about an asker that reaches the server: declared capabilities
 * (their order does not matter), header lines, environment, and who it is where the server knows
 * its principals apart, with the credential it has left for that server.  What is in no digest is
 * shared.
 *
 * Header lines are in asker_head.c.
 */
#include "mcp/asker.h"

#include "base/crypto.h"
#include "mcp/builtin.h"
#include "mcp/oauth/oauth.h"
#include "mcp/schema.h"

#define HEAD_BYTES ((size_t)32 * 1024)
#define PARSE_BYTES ((size_t)1024 * 1024)
#define VALUE_BYTES ((size_t)64 * 1024)

bool km_asker_next_wanted(struct km_str *rest, struct km_str *ret_name)
{
    while (rest->n) {
        struct km_str at = km_str_skip(*rest, km_str_find(*rest, KM_STR("${")) + 2);
        size_t end = km_str_chr(at, '}');

        *rest = at;
        if (end == at.n || !km_str_istarts(at, KM_STR("x-")))
            continue;
        *ret_name = km_str_sub(at, 0, end);
        *rest = km_str_skip(at, end + 1);
        return true;
    }
    return false;
}

bool km_asker_wanted(struct km_str text)
{
    struct km_str name;

    return km_asker_next_wanted(&text, &name);
}

static bool any_wanted(const struct km_str_map *map)
{
    for (size_t i = 0; i < map->n; i++)
        if (km_asker_wanted(map->v[i].value))
            return true;
    return false;
}

bool km_asker_by_login(const struct km_mcp_entry *e)
{
    if (e->auth == KM_MCP_AUTH_EXCHANGE || e->byok)
        return true;
    return e->auth == KM_MCP_AUTH_OAUTH2 && !e->oauth.shared &&
           !km_str_eq(e->oauth.flow, KM_STR("client_credentials"));
}

bool km_asker_personal(const struct km_mcp_entry *e)
{
    return any_wanted(&e->env) || any_wanted(&e->static_headers) || km_asker_by_login(e);
}

void km_asker_expand(const struct km_mcp_upstream *u, const struct km_mcp_asker *asker,
                     struct km_str text, struct km_buf *out)
{
    struct km_str rest = text, name;

    while (km_asker_next_wanted(&rest, &name)) {
        km_buf_bytes(out, text.p, (size_t)(name.p - text.p) - 2);
        if (asker->headers && !km_asker_kept_back(name, u->key_header))
            km_buf_str(out, km_header_get(asker->headers, name));
        text = rest;
    }
    km_buf_str(out, text);
}

int km_asker_env(const struct km_mcp_upstream *u, const struct km_mcp_asker *asker,
                 struct km_arena *arena, const char ***ret_env, size_t *ret_n, struct km_err *err)
{
    const struct km_str_map *env = &u->entry->env;
    const char **v = km_arena_zalloc(arena, (env->n + 1) * sizeof *v);

    for (size_t i = 0; v && i < env->n; i++) {
        struct km_buf value KM_CLEANUP(km_buf_done) = KM_BUF(VALUE_BYTES);

        km_buf_str(&value, env->v[i].name);
        km_buf_byte(&value, '=');
        km_asker_expand(u, asker, env->v[i].value, &value);
        if (value.n && memchr(value.p, '\0', value.n))
            return km_fail(err, KM_E_INVALID, "a NUL byte in the environment of '%.*s'",
                           KM_STR_ARG(u->name));
        v[i] = km_arena_cstr(arena, km_buf_view(&value));
    }
    if (km_arena_overflowed(arena))
        return km_fail(err, KM_E_LIMIT, "the environment of '%.*s' is too large",
                       KM_STR_ARG(u->name));
    *ret_env = v;
    *ret_n = env->n;
    return 0;
}

/* Two spellings of the same capabilities are one. */
static int put_capabilities(struct km_str json, struct km_buf *out, struct km_err *err)
{
    struct km_arena arena;
    const struct km_json *root = NULL;
    uint8_t hash[KM_SHA256_LEN];
    int r;

    km_arena_init(&arena, PARSE_BYTES, NULL);
    r = km_json_parse(&arena, json, &root, err);
    if (r == 0 && km_json_kind(root) != KM_JSON_OBJECT)
        r = km_fail(err, KM_E_INVALID, "a client's capabilities are an object");
    if (r == 0 && km_json_count(root) > 0) {
        r = km_json_digest(root, hash, err);
        km_buf_bytes(out, hash, sizeof hash);
    }
    km_arena_done(&arena);
    return r;
}

bool km_asker_declares(const struct km_mcp_upstream *u, const struct km_mcp_asker *asker)
{
    if (!asker || !asker->capabilities.n || km_str_eq(asker->capabilities, KM_STR("{}")))
        return false;
    /* An interface without MCP asks nobody. */
    return u->builtin ? u->builtin->asks : u->entry->asks && !u->openapi;
}

bool km_asker_asked(const struct km_mcp_upstream *u, const struct km_mcp_asker *asker)
{
    static const struct km_str names[] = { { "elicitation", 11 },
                                           { "sampling", 8 },
                                           { "roots", 5 } };
    enum { NAMES = sizeof names / sizeof names[0] };
    struct km_json_span s[NAMES] = { 0 };

    if (!km_asker_declares(u, asker) || asker->era != KM_MCP_HANDSHAKE ||
        km_json_spans(asker->capabilities, names, NAMES, s, NULL, NULL) < 0)
        return false;
    for (size_t i = 0; i < NAMES; i++)
        if (s[i].type == KM_JSON_OBJECT)
            return true;
    return false;
}

struct km_str km_asker_grant(const struct km_mcp_upstream *u, const struct km_mcp_asker *asker,
                             struct km_arena *arena)
{
    static const struct km_str nothing = { "none", 4 }; /* as an unknown word: no mode at all */
    struct km_str name, said, mode = KM_STR_NONE;
    const struct km_json *rights, *modes, *v;
    struct km_json_iter it;

    if (!asker || !asker->rights.n)
        return KM_STR_NONE;
    if (km_json_parse(arena, asker->rights, &rights, NULL) < 0 ||
        km_json_kind(rights) != KM_JSON_OBJECT)
        return nothing;
    modes = km_json_get(rights, "mcp_modes");
    if (modes && km_json_kind(modes) != KM_JSON_OBJECT && km_json_kind(modes) != KM_JSON_NULL)
        return nothing;
    for (km_json_iter(modes, &it); km_json_next(&it, &name, &v);) {
        if (!km_str_eq(name, u->name) && !km_str_eq(name, u->alias) && !km_str_eq(name, u->id))
            continue;
        if (!km_json_string(v, &said) || (mode.n && !km_str_eq(mode, said)))
            return nothing; /* no word, or two different ones of one server */
        mode = said;
    }
    return mode;
}

void km_asker_values(const struct km_mcp_upstream *u, const struct km_mcp_asker *asker,
                     struct km_buf *out)
{
    const struct km_json *rights, *v;
    struct km_json_iter it;
    struct km_arena arena;
    struct km_str name;
    size_t before = out->n;

    if (!u->builtin || !asker || !asker->rights.n)
        return;
    km_arena_init(&arena, PARSE_BYTES, NULL);
    if (km_json_parse(&arena, asker->rights, &rights, NULL) == 0)
        for (km_json_iter(km_json_get(rights, "mcp_values"), &it); km_json_next(&it, &name, &v);)
            if (out->n == before && km_json_kind(v) == KM_JSON_OBJECT &&
                (km_str_eq(name, u->name) || km_str_eq(name, u->alias) || km_str_eq(name, u->id)))
                km_json_write(v, out);
    km_arena_done(&arena);
}

/* A server of kanmon's own tells apart what the askers may do there, and nothing else. */
static int grant_key(const struct km_mcp_upstream *u, const struct km_mcp_asker *asker,
                     uint8_t key[KM_MCP_KEY], struct km_err *err)
{
    struct km_arena arena;
    struct km_str grant;
    int r = 0;

    km_arena_init(&arena, PARSE_BYTES, NULL);
    grant = km_asker_grant(u, asker, &arena);
    if (km_arena_overflowed(&arena))
        r = km_fail(err, KM_E_LIMIT, "the key's permissions are too large");
    else if (grant.n)
        km_sha256(grant, key);
    km_arena_done(&arena);
    return r;
}

/* What a server of our own is to know of who asks: rights; and what it may be asked. */
static int builtin_key(const struct km_mcp_upstream *u, const struct km_mcp_asker *asker,
                       uint8_t key[KM_MCP_KEY], struct km_err *err)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(HEAD_BYTES);
    int r = grant_key(u, asker, key, err);

    if (r < 0 || !km_asker_declares(u, asker))
        return r;
    km_buf_bytes(&text, key, KM_MCP_KEY);
    r = put_capabilities(asker->capabilities, &text, err);
    if (r == 0 && km_buf_failed(&text))
        r = km_fail(err, KM_E_LIMIT, "the client's capabilities are too large");
    if (r == 0)
        km_sha256(km_buf_view(&text), key);
    return r;
}

int km_asker_key(const struct km_mcp_upstream *u, const struct km_mcp_asker *asker,
                 uint8_t key[KM_MCP_KEY], struct km_err *err)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(4 * HEAD_BYTES);
    int r = 0;

    memset(key, 0, KM_MCP_KEY);
    if (!asker)
        return 0;
    if (u->builtin)
        return builtin_key(u, asker, key, err);
    if (km_asker_declares(u, asker))
        r = put_capabilities(asker->capabilities, &text, err);
    if (r == 0 && u->transport == KM_MCP_STDIO)
        for (size_t i = 0; i < u->entry->env.n && u->personal; i++)
            km_asker_expand(u, asker, u->entry->env.v[i].value, &text);
    else if (r == 0)
        r = km_asker_head(u, asker, &text, err);
    if (km_asker_by_login(u->entry))
        km_buf_json(&text, asker->principal);
    if (u->entry->byok && u->oauth)
        km_mcp_byok_mark(u->oauth, asker->principal, &text);
    if (u->entry->stateful && asker->session.n)
        km_buf_json(&text, asker->session);
    if (r < 0 || !text.n)
        return r;
    if (km_buf_failed(&text))
        return km_fail(err, KM_E_LIMIT, "too much of the client's headers is for '%.*s'",
                       KM_STR_ARG(u->name));
    km_sha256(km_buf_view(&text), key);
    km_wipe(text.p, text.n);
    return 0;
}

struct km_mcp_asker km_asker_base(const struct km_mcp_asker *asker)
{
    struct km_mcp_asker base = asker ? *asker : (struct km_mcp_asker){ 0 };

    base.capabilities = base.session = KM_STR_NONE;
    return base;
}

int km_asker_list_keys(const struct km_mcp_upstream *u, const struct km_mcp_asker *asker,
                       uint8_t own[KM_MCP_KEY], uint8_t base[KM_MCP_KEY], struct km_err *err)
{
    struct km_mcp_asker who = km_asker_base(asker);
    int r = km_asker_key(u, asker ? &who : NULL, base, err);

    memcpy(own, base, KM_MCP_KEY);
    if (r < 0 || !km_asker_declares(u, asker))
        return r;
    who.capabilities = asker->capabilities;
    return km_asker_key(u, &who, own, err);
}

int km_asker_copy(const struct km_mcp_asker *from, struct km_arena *arena, struct km_mcp_asker *ret)
{
    static const struct km_mcp_asker nobody = { 0 };
    const struct km_mcp_asker *who = from ? from : &nobody;
    struct km_headers *headers = km_arena_zalloc(arena, sizeof *headers);

    if (headers && who->headers)
        *headers = km_headers_copy(arena, who->headers);
    *ret = (struct km_mcp_asker){ .principal = km_arena_str(arena, who->principal),
                                  .capabilities = km_arena_str(arena, who->capabilities),
                                  .session = km_arena_str(arena, who->session),
                                  .rights = km_arena_str(arena, who->rights),
                                  .era = who->era,
                                  .headers = headers };
    if (km_mcp_subject_hold(who->subject, arena) < 0)
        return KM_E_NOMEM;
    ret->subject = who->subject;
    return km_arena_overflowed(arena) ? KM_E_NOMEM : 0;
}

int km_mcp_asker_digest(const struct km_mcp_upstream *u, const struct km_mcp_asker *asker,
                        uint8_t ret[32], struct km_err *err)
{
    return km_asker_key(u, asker, ret, err);
}
