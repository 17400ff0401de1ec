/* SPDX-License-Identifier: Apache-2.0 */
/* params.c - a request as the server's era wants it (remote.h).
 *
 * params go out as they came, but for `_meta`: the progress token becomes our id (unique on this
 * session, as the asker's is not), and what says who speaks which protocol is ours to say.  Other
 * members of `_meta` (traceparent, extensions) pass.
 *
 *     handshake   {"progressToken":7, ...}
 *     stateless   {"io.modelcontextprotocol/protocolVersion":"2026-07-28",
 *                  "io.modelcontextprotocol/clientCapabilities":{...}, "progressToken":7, ...}
 *
 * Over HTTP a stateless server wants to see method and name in headers too, and those arguments
 * that its inputSchema marks with x-mcp-header; it refuses what does not match the body.
 */
#include <stdio.h>

#include "base/encode.h"
#include "mcp/remote/remote.h"

#define META_LOG "io.modelcontextprotocol/logLevel"
#define META_CLIENT "io.modelcontextprotocol/clientInfo"
#define MARK "x-mcp-header"
#define NAME_BYTES 8192

enum { TOKEN, VERSION, CAPABILITIES, CLIENT, LOG, META_MEMBERS };

static const struct km_str meta_names[META_MEMBERS] = {
    [TOKEN] = { "progressToken", 13 },
    [VERSION] = { KM_MCP_META_VERSION, sizeof KM_MCP_META_VERSION - 1 },
    [CAPABILITIES] = { KM_MCP_META_CAPABILITIES, sizeof KM_MCP_META_CAPABILITIES - 1 },
    [CLIENT] = { META_CLIENT, sizeof META_CLIENT - 1 },
    [LOG] = { META_LOG, sizeof META_LOG - 1 },
};

/* What stands between the braces of an object, trimmed; empty: nothing. */
static struct km_str inside(struct km_str object)
{
    struct km_str s = km_str_sub(object, 1, object.n > 2 ? object.n - 2 : 0);

    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != ' ' && s.p[i] != '\t' && s.p[i] != '\n' && s.p[i] != '\r')
            return s;
    return KM_STR_NONE;
}

/* Our members of _meta, with a comma behind each. */
static void put_own(const struct km_remote *p, uint64_t id, bool token, struct km_str level,
                    struct km_buf *out)
{
    if (token)
        km_buf_printf(out, "\"progressToken\":%llu,", (unsigned long long)id);
    if (!p->revision || p->revision->era != KM_MCP_STATELESS)
        return;
    km_buf_str(out, KM_STR("\"" KM_MCP_META_VERSION "\":"));
    km_buf_json(out, p->revision->name);
    km_buf_str(out, KM_STR(",\"" KM_MCP_META_CAPABILITIES "\":"));
    km_buf_str(out, p->asker.capabilities);
    km_buf_str(out, KM_STR(",\"" META_CLIENT "\":" KM_MCP_CLIENT_INFO ","));
    if (level.n) {
        km_buf_str(out, KM_STR("\"" META_LOG "\":"));
        km_buf_json(out, level);
        km_buf_byte(out, ',');
    }
}

/* The asker's members of _meta that pass, with a comma in front unless they are the first. */
static void put_theirs(struct km_str meta, struct km_json_span *spans,
                       const struct km_json_object *object, struct km_buf *out)
{
    struct km_json_edits edits;
    struct km_arena arena;
    struct km_str *parts = NULL;
    size_t n = 0, ours = 0;

    for (int i = 0; i < META_MEMBERS; i++)
        ours += spans[i].type != KM_JSON_ABSENT;
    if (ours == object->members) /* all of them are ours to say, as mostly */
        return;
    km_arena_init(&arena, (size_t)64 * 1024, NULL);
    km_json_edits_init(&edits, meta, object);
    for (int i = 0; i < META_MEMBERS; i++)
        if (spans[i].type != KM_JSON_ABSENT)
            km_json_cut(&edits, &spans[i]);
    if (km_json_parts(&edits, &arena, &parts, &n, NULL) == 0) {
        struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(meta.n + 64);

        for (size_t i = 0; i < n; i++)
            km_buf_str(&text, parts[i]);
        km_buf_str(out, inside(km_buf_view(&text)));
    }
    km_arena_done(&arena);
}

static void put_meta(const struct km_remote *p, uint64_t id, struct km_str meta,
                     struct km_str level, struct km_buf *out, struct km_str *ret_token)
{
    struct km_json_span spans[META_MEMBERS] = { 0 };
    struct km_json_object object = { 0 };
    size_t start = out->n;
    bool theirs = meta.n && meta.p[0] == '{' &&
                  km_json_spans(meta, meta_names, META_MEMBERS, spans, &object, NULL) == 0;
    struct km_str token = theirs ? km_json_value(meta, &spans[TOKEN]) : KM_STR_NONE;

    if (ret_token)
        *ret_token = token;
    km_buf_str(out, KM_STR("\"_meta\":{"));
    put_own(p, id, token.n > 0, level, out);
    if (theirs)
        put_theirs(meta, spans, &object, out);
    if (!km_buf_failed(out) && out->n > start && out->p[out->n - 1] == ',')
        out->n--;
    km_buf_byte(out, '}');
}

void km_remote_message(const struct km_remote *p, uint64_t id, struct km_str method,
                       struct km_str params, struct km_str log_level, struct km_buf *out,
                       struct km_str *ret_token)
{
    static const struct km_str wanted = { "_meta", 5 };
    struct km_json_span span = { 0 };
    bool stateless = p->revision && p->revision->era == KM_MCP_STATELESS;

    (void)!km_buf_reserve(out, method.n + params.n + 128);
    km_buf_str(out, KM_STR("{\"jsonrpc\":\"2.0\",\"id\":"));
    km_buf_u64(out, id);
    km_buf_str(out, KM_STR(",\"method\":"));
    km_buf_json(out, method);
    if (params.n && km_json_spans(params, &wanted, 1, &span, NULL, NULL) < 0)
        span.type = KM_JSON_ABSENT;
    if (span.type == KM_JSON_ABSENT && !stateless) {
        if (params.n) {
            km_buf_str(out, KM_STR(",\"params\":"));
            km_buf_str(out, params);
        }
        km_buf_byte(out, '}');
        return;
    }
    km_buf_str(out, KM_STR(",\"params\":{"));
    if (span.type != KM_JSON_ABSENT) { /* what is around it stays where it is */
        struct km_str object = params;
        size_t from = km_str_chr(object, '{') + 1;

        km_buf_bytes(out, object.p + from, span.member - from);
        put_meta(p, id, km_json_value(params, &span), log_level, out, ret_token);
        km_buf_str(out, km_str_skip(object, span.member + span.member_n));
    } else {
        struct km_str rest = params.n ? inside(params) : KM_STR_NONE;

        put_meta(p, id, KM_STR_NONE, log_level, out, ret_token);
        if (rest.n)
            km_buf_byte(out, ',');
        km_buf_str(out, rest);
        km_buf_byte(out, '}');
    }
    km_buf_byte(out, '}');
}

/* --- header lines of the stateless era --- */

/* As it is where a header can hold it, else in base64 between marks. */
static void put_value(struct km_buf *head, const char *name, struct km_str value)
{
    bool plain = km_str_plain(value) == value.n || km_utf8_valid(value);

    for (size_t i = 0; i < value.n; i++)
        plain = plain && (unsigned char)value.p[i] >= 0x20 && (unsigned char)value.p[i] < 0x7f;
    if (value.n && (value.p[0] == ' ' || value.p[value.n - 1] == ' ' ||
                    km_str_istarts(value, KM_STR("=?base64?"))))
        plain = false;
    km_buf_printf(head, "%s: ", name);
    if (plain) {
        km_buf_str(head, value);
    } else {
        km_buf_str(head, KM_STR("=?base64?"));
        km_buf_base64(head, value);
        km_buf_str(head, KM_STR("?="));
    }
    km_buf_str(head, KM_STR("\r\n"));
}

static void put_argument(struct km_buf *head, struct km_str mark, const struct km_json *value)
{
    struct km_str text = KM_STR_NONE;
    char name[128];
    bool b;

    if (mark.n == 0 || mark.n > 100)
        return;
    snprintf(name, sizeof name, "Mcp-Param-%.*s", KM_STR_ARG(mark));
    if (km_json_bool(value, &b))
        text = b ? KM_STR("true") : KM_STR("false");
    else if (!km_json_string(value, &text) && !km_json_number(value, &text))
        return;
    put_value(head, name, text);
}

/* Properties marked with x-mcp-header, here and in the objects below. */
static void put_arguments(const struct km_json *schema, const struct km_json *args, int depth,
                          struct km_buf *head)
{
    struct km_json_iter it;
    const struct km_json *property;
    struct km_str key, mark;

    for (km_json_iter(km_json_get(schema, "properties"), &it);
         depth < 16 && km_json_next(&it, &key, &property);) {
        struct km_json_iter sent;
        const struct km_json *value;
        struct km_str name;

        for (km_json_iter(args, &sent); km_json_next(&sent, &name, &value);) {
            if (!km_str_eq(name, key))
                continue;
            if (km_json_string(km_json_get(property, MARK), &mark))
                put_argument(head, mark, value);
            put_arguments(property, value, depth + 1, head);
        }
    }
}

/* The tool's schema, from the catalogue this session's askers see. */
static void put_marked(const struct km_remote *p, struct km_str name, struct km_str params,
                       struct km_arena *arena, struct km_buf *head)
{
    struct km_mcp_catalogue *c = km_mcp_live_shown(p->upstream->live, p->own, p->base, NULL);
    const struct km_mcp_listing *tools = &c->lists[KM_MCP_TOOLS];
    const struct km_json *tool, *root;

    for (size_t i = 0; i < tools->n; i++)
        if (tools->v[i].marked && km_str_eq(tools->v[i].name, name) &&
            km_json_parse(arena, tools->v[i].json, &tool, NULL) == 0 &&
            km_json_parse(arena, params, &root, NULL) == 0)
            put_arguments(km_json_get(tool, "inputSchema"), km_json_get(root, "arguments"), 0,
                          head);
    km_mcp_catalogue_unref(c);
}

void km_remote_head(const struct km_remote *p, struct km_str method, struct km_str params,
                    struct km_buf *head)
{
    static const struct km_str members[] = { { "name", 4 }, { "uri", 3 }, { "taskId", 6 } };
    struct km_json_span span;
    struct km_arena arena;
    struct km_str name;
    int which = -1;

    if (!p->revision || p->revision->era != KM_MCP_STATELESS ||
        p->upstream->transport == KM_MCP_STDIO)
        return;
    put_value(head, "Mcp-Method", method);
    if (km_str_eq(method, KM_STR("tools/call")) || km_str_eq(method, KM_STR("prompts/get")))
        which = 0;
    else if (km_str_eq(method, KM_STR("resources/read")))
        which = 1;
    else if (km_str_starts(method, KM_STR("tasks/")))
        which = 2;
    if (which < 0 || !params.n)
        return;
    km_arena_init(&arena, (size_t)4 * KM_MCP_MESSAGE_BYTES, NULL);
    if (km_json_spans(params, &members[which], 1, &span, NULL, NULL) == 0 &&
        span.type == KM_JSON_STRING &&
        (name = km_json_text(&arena, params, &span)).n <= NAME_BYTES) {
        put_value(head, "Mcp-Name", name);
        if (which == 0 && km_str_eq(method, KM_STR("tools/call")))
            put_marked(p, name, params, &arena, head);
    }
    km_arena_done(&arena);
}
