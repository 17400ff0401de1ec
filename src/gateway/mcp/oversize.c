/* SPDX-License-Identifier: Apache-2.0 */
/* oversize.c - a tool's result that is too large for a client (call.h).
 *
 * It is kept whole, and the client is given its beginning as text with a link to the rest.  Its
 * structured form is never cut into something invalid.  Where that is small it goes as it is.
 * Where it is what is large, long strings and long arrays in it are shortened until it is not, and
 * `_meta` says so to programs; it goes if it still fits the tool's outputSchema.  Else it is left
 * out, and the result is an error, which no client holds against the schema.
 */
#include "gateway/mcp/call.h"

#include "base/encode.h"
#include "mcp/memory.h"
#include "mcp/schema.h"

#define SHOWN_BYTES ((size_t)16 * 1024) /* as text */
#define STRUCTURED_BYTES ((size_t)256 * 1024) /* where it has to be shortened */
#define PARSE_BYTES ((size_t)128 * 1024 * 1024)

enum { CONTENT, STRUCTURED, IS_ERROR, MEMBERS };

static bool split(struct km_str json, struct km_json_span s[MEMBERS])
{
    static const struct km_str names[MEMBERS] = { [CONTENT] = { "content", 7 },
                                                  [STRUCTURED] = { "structuredContent", 17 },
                                                  [IS_ERROR] = { "isError", 7 } };

    return km_json_spans(json, names, MEMBERS, s, NULL, NULL) == 0;
}

static size_t size_of(struct km_str json, const struct km_json_span *s)
{
    return s->type == KM_JSON_ABSENT ? 0 : km_json_value(json, s).n;
}

bool km_mcp_result_over(struct km_str json)
{
    struct km_json_span s[MEMBERS];
    size_t text, copy;

    if (json.n <= KM_MCP_RESULT_BYTES || !split(json, s))
        return json.n > KM_MCP_RESULT_BYTES;
    text = size_of(json, &s[CONTENT]);
    copy = size_of(json, &s[STRUCTURED]);
    return json.n - (text < copy ? text : copy) > KM_MCP_RESULT_BYTES;
}

/* --- shortened --- */

struct caps {
    size_t bytes, items; /* of a string, of an array */
};

static void put(const struct km_json *v, const struct caps *caps, struct km_buf *out)
{
    const bool object = km_json_kind(v) == KM_JSON_OBJECT;
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str text;
    size_t n = 0;

    if (!object && km_json_kind(v) != KM_JSON_ARRAY) {
        if (!km_json_string(v, &text) || text.n <= caps->bytes) {
            km_json_write(v, out);
            return;
        }
        km_buf_json(out, km_utf8_cut(text, caps->bytes - 3));
        if (!km_buf_failed(out))
            out->n--; /* the quote */
        km_buf_str(out, KM_STR("...\""));
        return;
    }
    km_buf_byte(out, object ? '{' : '[');
    for (km_json_iter(v, &it); (object || n < caps->items) && km_json_next(&it, &text, &item);
         n++) {
        if (n)
            km_buf_byte(out, ',');
        if (object) {
            km_buf_json(out, text);
            km_buf_byte(out, ':');
        }
        put(item, caps, out);
    }
    km_buf_byte(out, object ? '}' : ']');
}

static bool fits(const struct km_mcp_work *w, struct km_str json, struct km_arena *arena)
{
    static const struct km_str name = { "outputSchema", 12 };
    const struct km_json *schema, *value;
    struct km_json_span s;

    if (!w->item || km_json_spans(w->item->json, &name, 1, &s, NULL, NULL) < 0)
        return false;
    if (s.type == KM_JSON_ABSENT)
        return true;
    return km_json_parse(arena, km_json_value(w->item->json, &s), &schema, NULL) == 0 &&
           km_json_parse(arena, json, &value, NULL) == 0 &&
           km_schema_check(schema, value, NULL) == 0;
}

/* Appended; false: it cannot be shortened to what fits. */
static bool shorten(const struct km_mcp_work *w, struct km_str structured, struct km_buf *out)
{
    static const struct caps caps[] = { { 16384, 1000 }, { 4096, 200 }, { 1024, 50 }, { 256, 20 } };
    const struct km_json *root;
    struct km_arena arena;
    bool done = false;

    km_arena_init(&arena, PARSE_BYTES, NULL);
    if (km_json_parse(&arena, structured, &root, NULL) == 0)
        for (size_t i = 0; !done && i < sizeof caps / sizeof caps[0]; i++) {
            km_buf_reset(out);
            put(root, &caps[i], out);
            done = !km_buf_failed(out);
        }
    done = done && fits(w, km_buf_view(out), &arena);
    km_arena_done(&arena);
    return done;
}

/* --- the result --- */

static bool promised(const struct km_mcp_work *w)
{
    static const struct km_str name = { "outputSchema", 12 };
    struct km_json_span s;

    return !w->item || km_json_spans(w->item->json, &name, 1, &s, NULL, NULL) < 0 ||
           s.type != KM_JSON_ABSENT;
}

static void put_content(const struct km_mcp_work *w, struct km_str json, struct km_str uri,
                        struct km_buf *b)
{
    struct km_str text = km_arena_printf(
        &w->call->arena,
        "The result has %zu bytes, which is over the limit of %zu. It begins:\n%.*s", json.n,
        KM_MCP_RESULT_BYTES, KM_STR_ARG(km_utf8_cut(json, SHOWN_BYTES)));

    km_buf_str(b, KM_STR("\"content\":[{\"type\":\"text\",\"text\":"));
    km_buf_json(b, text);
    km_buf_byte(b, '}');
    if (uri.n && w->revision->structured) {
        km_buf_str(b, KM_STR(",{\"type\":\"resource_link\",\"uri\":"));
        km_buf_json(b, uri);
        km_buf_printf(b, ",\"name\":\"result\",\"mimeType\":\"application/json\",\"size\":%zu}",
                      json.n);
    }
    km_buf_byte(b, ']');
}

/* true: it is there, as it was or shortened. */
static bool put_structured(const struct km_mcp_work *w, struct km_str structured, struct km_str uri,
                           struct km_buf *b)
{
    struct km_buf less KM_CLEANUP(km_buf_done) = KM_BUF(STRUCTURED_BYTES);
    const bool object = structured.n && structured.p[0] == '{';

    if (!structured.n || !w->revision->structured ||
        (!object && w->revision->era == KM_MCP_HANDSHAKE))
        return false;
    if (structured.n > STRUCTURED_BYTES) {
        if (!shorten(w, structured, &less))
            return false;
        km_buf_printf(b, ",\"_meta\":{\"kanmon/shortened\":{\"bytes\":%zu,\"uri\":", structured.n);
        km_buf_json(b, uri);
        km_buf_str(b, KM_STR("}}"));
        structured = km_buf_view(&less);
    }
    km_buf_str(b, KM_STR(",\"structuredContent\":"));
    km_buf_str(b, structured);
    return true;
}

struct km_str km_mcp_result_cut(struct km_mcp_work *w, struct km_str json)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(3 * STRUCTURED_BYTES);
    struct km_json_span s[MEMBERS] = { { 0 } };
    struct km_arena *arena = &w->call->arena;
    struct km_str uri =
        km_mcp_memory_keep(w->hub->shared->memory, arena, w->principal, json, km_mono_ms());
    const bool is_split = split(json, s), failed = !is_split || s[IS_ERROR].type == KM_JSON_TRUE;
    struct km_str structured = is_split && s[STRUCTURED].type != KM_JSON_ABSENT
                                   ? km_json_value(json, &s[STRUCTURED])
                                   : KM_STR_NONE;
    bool kept;

    km_buf_byte(&b, '{');
    if (w->revision->era == KM_MCP_STATELESS)
        km_buf_str(&b, KM_STR("\"resultType\":\"complete\","));
    put_content(w, json, uri, &b);
    kept = put_structured(w, structured, uri, &b);
    km_buf_printf(&b, ",\"isError\":%s}", failed || (promised(w) && !kept) ? "true" : "false");
    w->word = "too_large";
    return km_arena_str(arena, km_buf_view(&b));
}
