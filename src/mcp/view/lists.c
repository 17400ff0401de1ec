/* SPDX-License-Identifier: Apache-2.0 */
/* lists.c - the lists of a view as bytes; contract in view.h.
 *
 * An entry is what its server sent, byte for byte, with another name where it has one.  What a
 * client's revision forbids is cut: a handshake-era client takes no outputSchema that is not of
 * an object, a stateless one no `execution`.  Pages are made once for each era and kept; a cursor
 * is a page's number and a piece of the list's hash, so that one of an older list is refused
 * instead of skipping something.
 */
#include <stdio.h>

#include "base/encode.h"
#include "mcp/view/view_part.h"

#define TTL_MS 300000
#define CURSOR_LEN 24

struct km_str km_mcp_identity(void)
{
    return KM_STR("{\"name\":\"kanmon\",\"title\":\"kanmon\",\"version\":\"" KM_VERSION "\"}");
}

static struct km_str json_string(struct km_arena *arena, struct km_str s)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);

    km_buf_json(&b, s);
    return km_buf_failed(&b) ? KM_STR("\"\"") : km_arena_str(arena, km_buf_view(&b));
}

struct km_str km_mcp_view_dressed(struct km_mcp_view *v, const struct km_mcp_entry_of *e,
                                  const struct km_mcp_dress *dress)
{
    static const struct km_str names[] = { { "name", 4 }, { "title", 5 }, { "description", 11 } };
    const struct km_str words[] = { dress->name, dress->title, dress->description };
    struct km_json_span spans[3];
    struct km_json_object object;
    struct km_json_edits edits;
    struct km_str *parts;
    size_t n;

    if (km_json_spans(e->item->json, names, 3, spans, &object, NULL) < 0)
        return e->item->json;
    km_json_edits_init(&edits, e->item->json, &object);
    for (size_t i = 0; i < 3; i++) {
        if (words[i].n && spans[i].type != KM_JSON_ABSENT)
            km_json_replace(&edits, &spans[i], json_string(&v->arena, words[i]));
        else if (words[i].n)
            km_json_add(&edits, &v->arena, names[i], json_string(&v->arena, words[i]));
    }
    if (km_json_parts(&edits, &v->arena, &parts, &n, NULL) < 0)
        return e->item->json;
    return km_arena_cat(&v->arena, parts, n);
}

/* An outputSchema whose type is not "object", or none at all. */
static bool odd_schema(struct km_str json, const struct km_json_span *span)
{
    static const struct km_str names[] = { { "type", 4 } };
    struct km_str schema = km_json_value(json, span);
    struct km_json_span type;

    if (span->type == KM_JSON_ABSENT)
        return false;
    return span->type != KM_JSON_OBJECT || km_json_spans(schema, names, 1, &type, NULL, NULL) < 0 ||
           !km_str_eq(km_json_value(schema, &type), KM_STR("\"object\""));
}

/* A tool without what this era forbids. */
static void put_tool(struct km_str json, enum km_mcp_era era, struct km_buf *out)
{
    static const struct km_str names[] = { { "outputSchema", 12 }, { "execution", 9 } };
    struct km_json_span spans[2];
    struct km_json_object object;
    struct km_json_edits edits;
    struct km_arena arena;
    struct km_str *parts;
    size_t n;
    bool cut;

    if (km_json_spans(json, names, 2, spans, &object, NULL) < 0) {
        km_buf_str(out, json);
        return;
    }
    cut = era == KM_MCP_STATELESS ? spans[1].type != KM_JSON_ABSENT : odd_schema(json, &spans[0]);
    if (!cut) {
        km_buf_str(out, json);
        return;
    }
    km_arena_init(&arena, 64 * 1024, NULL);
    km_json_edits_init(&edits, json, &object);
    km_json_cut(&edits, &spans[era == KM_MCP_STATELESS ? 1 : 0]);
    if (km_json_parts(&edits, &arena, &parts, &n, NULL) == 0)
        for (size_t i = 0; i < n; i++)
            km_buf_str(out, parts[i]);
    km_arena_done(&arena);
}

/* What is listed in the place of the tools; how many there are and whose tells the model when it
 * is worth to search. */
static void put_search_tools(const struct km_mcp_view *v, struct km_buf *out)
{
    struct km_buf words KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_VIEW_MEMBERS * 64);

    km_buf_printf(&words,
                  "Finds tools by words of what they do. There are %zu tools here that are not "
                  "listed, of:",
                  v->lists[KM_MCP_TOOLS].n);
    for (size_t i = 0; i < v->nmembers; i++)
        km_buf_printf(&words, "%s %.*s", i ? "," : "", KM_STR_ARG(v->members[i].alias));
    km_buf_str(&words, KM_STR(". Call what it finds with call_tool."));
    km_buf_str(out, KM_STR("{\"name\":\"search_tools\",\"title\":\"Search tools\","
                           "\"description\":"));
    km_buf_json(out, km_buf_view(&words));
    km_buf_str(
        out,
        KM_STR(",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"query\":{\"type\":"
               "\"string\",\"description\":\"A few words.\"},\"limit\":{\"type\":\"integer\","
               "\"minimum\":1,\"maximum\":50}},\"required\":[\"query\"]},\"annotations\":{"
               "\"readOnlyHint\":true,\"openWorldHint\":false}},"
               "{\"name\":\"describe_tool\",\"title\":\"Describe a tool\",\"description\":"
               "\"A tool's full definition, with the schema of its arguments.\",\"inputSchema\":{"
               "\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"}},"
               "\"required\":[\"name\"]},\"annotations\":{\"readOnlyHint\":true,"
               "\"openWorldHint\":false}},"
               "{\"name\":\"call_tool\",\"title\":\"Call a tool\",\"description\":\"Calls a tool "
               "that search_tools found, with arguments as describe_tool says.\",\"inputSchema\":"
               "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},"
               "\"arguments\":{\"type\":\"object\"}},\"required\":[\"name\"]}}"));
}

static void cursor_of(const struct km_mcp_view *v, enum km_mcp_list list, size_t page,
                      char out[CURSOR_LEN + 1])
{
    char hex[17];

    km_hex(hex, v->hash[list], 8);
    snprintf(out, CURSOR_LEN + 1, "%s-%zx", hex, page);
}

void km_mcp_view_tool(const struct km_mcp_entry_of *e, enum km_mcp_era era, struct km_buf *out)
{
    put_tool(e->json.n ? e->json : e->item->json, era, out);
}

static void put_entries(const struct km_mcp_view *v, enum km_mcp_list list, enum km_mcp_era era,
                        size_t *at, struct km_buf *out)
{
    const struct km_mcp_entry_of *e = v->lists[list].v;
    size_t n = v->lists[list].n, put = 0;

    if (v->searched && list == KM_MCP_TOOLS && *at == 0) {
        put_search_tools(v, out);
        put++;
    }
    for (; *at < n && put < KM_MCP_PAGE_ENTRIES && out->n < KM_MCP_PAGE_BYTES; ++*at) {
        if (e[*at].hidden)
            continue;
        if (put++)
            km_buf_byte(out, ',');
        if (list == KM_MCP_TOOLS)
            km_mcp_view_tool(&e[*at], era, out);
        else
            km_buf_str(out, e[*at].json.n ? e[*at].json : e[*at].item->json);
    }
    while (*at < n && e[*at].hidden)
        ++*at;
}

static void put_page(const struct km_mcp_view *v, enum km_mcp_list list, enum km_mcp_era era,
                     size_t *at, size_t page, struct km_buf *out)
{
    char cursor[CURSOR_LEN + 1];

    km_buf_byte(out, '{');
    if (era == KM_MCP_STATELESS)
        km_buf_printf(out, "\"resultType\":\"complete\",\"ttlMs\":%d,\"cacheScope\":\"private\",",
                      TTL_MS);
    km_buf_printf(out, "\"%s\":[", km_mcp_list_member(list));
    put_entries(v, list, era, at, out);
    km_buf_byte(out, ']');
    if (*at < v->lists[list].n) {
        cursor_of(v, list, page + 1, cursor);
        km_buf_printf(out, ",\"nextCursor\":\"%s\"", cursor);
    }
    if (era == KM_MCP_STATELESS) {
        km_buf_str(out, KM_STR(",\"_meta\":{\"" KM_MCP_META_SERVER "\":"));
        km_buf_str(out, km_mcp_identity());
        km_buf_byte(out, '}');
    }
    km_buf_byte(out, '}');
}

static int make_pages(struct km_mcp_view *v, enum km_mcp_list list, enum km_mcp_era era,
                      struct km_err *err)
{
    struct km_buf *pages = km_arena_zalloc(&v->arena, KM_MCP_PAGES_MOST * sizeof *pages);
    size_t at = 0, n = 0;

    if (!pages)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    v->pages[list][era] = pages;
    do {
        km_buf_init(&pages[n], 2 * KM_RPC_BYTES + KM_MCP_PAGE_BYTES);
        put_page(v, list, era, &at, n, &pages[n]);
        v->npages[list][era] = n + 1;
        if (km_buf_failed(&pages[n++]))
            return km_fail(err, KM_E_LIMIT, "the list is too large");
    } while (at < v->lists[list].n && n < KM_MCP_PAGES_MOST);
    return 0;
}

int km_mcp_view_page(struct km_mcp_view *v, enum km_mcp_list list, enum km_mcp_era era,
                     struct km_str cursor, struct km_str *ret, struct km_err *err)
{
    char text[CURSOR_LEN + 1];
    size_t page = 0;
    int r = v->npages[list][era] ? 0 : make_pages(v, list, era, err);

    if (r < 0)
        return r;
    for (page = 0; cursor.n && page < v->npages[list][era]; page++) {
        cursor_of(v, list, page, text);
        if (km_str_eq(cursor, km_str_c(text)))
            break;
    }
    if (page == v->npages[list][era])
        return km_fail(
            err, KM_E_INVALID,
            "Unknown cursor: the list has changed, or another list gave it. Begin again.");
    *ret = km_buf_view(&v->pages[list][era][page]);
    return 0;
}

/* --- who all of them are together --- */

static const struct km_json *capability(struct km_arena *arena, const struct km_mcp_member *m,
                                        const char *name)
{
    const struct km_json *root = NULL;

    if (km_json_parse_answer(arena, m->catalogue->capabilities, &root, NULL) < 0)
        return NULL;
    return km_json_get(root, name);
}

bool km_mcp_member_can(const struct km_mcp_member *m, const char *name)
{
    struct km_arena arena;
    bool found;

    km_arena_init(&arena, 1 << 20, NULL);
    found = km_json_kind(capability(&arena, m, name)) == KM_JSON_OBJECT;
    km_arena_done(&arena);
    return found;
}

/* A virtual server that takes no resources of a server has none of it. */
static bool left_out(const struct km_mcp_member *m, const char *name)
{
    if (!m->part)
        return false;
    return (strcmp(name, "resources") == 0 && !m->part->lists[KM_MCP_RESOURCES].n) ||
           (strcmp(name, "prompts") == 0 && !m->part->lists[KM_MCP_PROMPTS].n);
}

static bool any_has(const struct km_mcp_view *v, const char *name, const char *part)
{
    struct km_arena arena;
    bool found = false;

    km_arena_init(&arena, 1 << 20, NULL);
    for (size_t i = 0; !found && i < v->nmembers; i++) {
        const struct km_json *c = capability(&arena, &v->members[i], name);
        bool yes = false;

        if (left_out(&v->members[i], name))
            continue;

        found = part ? (km_json_bool(km_json_get(c, part), &yes) && yes) ||
                           km_json_kind(km_json_get(c, part)) == KM_JSON_OBJECT
                     : km_json_kind(c) == KM_JSON_OBJECT;
    }
    km_arena_done(&arena);
    return found;
}

static bool any_upstream(const struct km_mcp_view *v)
{
    for (size_t i = 0; i < v->nmembers; i++)
        if (v->members[i].upstream)
            return true;
    return false;
}

/* A server that has not been heard yet may have anything. */
static bool any_cold(const struct km_mcp_view *v)
{
    for (size_t i = 0; i < v->nmembers; i++)
        if (!v->members[i].catalogue->known)
            return true;
    return false;
}

static void put_capability(struct km_buf *out, const char *name, const char *inside)
{
    km_buf_printf(out, "%s\"%s\":%s", out->p[out->n - 1] == '{' ? "" : ",", name, inside);
}

/* Those that need nothing of a gateway but what it does: an extension with methods of its own would
 * be announced and not work. */
static void put_extensions(const struct km_mcp_view *v, enum km_mcp_era era, struct km_buf *out)
{
    static const struct {
        const char *name;
        bool handshake; /* there too */
    } rows[] = {
        { "io.modelcontextprotocol/tasks", false }, /* a capability of its own there */
        { "io.modelcontextprotocol/ui", true },
    };
    bool first = true;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if ((era == KM_MCP_HANDSHAKE && !rows[i].handshake) ||
            !any_has(v, "extensions", rows[i].name))
            continue;
        km_buf_printf(out, "%s\"%s\":{}", first ? ",\"extensions\":{" : ",", rows[i].name);
        first = false;
    }
    if (!first)
        km_buf_byte(out, '}');
}

void km_mcp_view_capabilities(const struct km_mcp_view *v, enum km_mcp_era era, struct km_buf *out)
{
    bool changes = any_upstream(v), cold = any_cold(v);
    bool subscribe = cold || any_has(v, "resources", "subscribe") ||
                     (changes && any_has(v, "resources", NULL) && era == KM_MCP_STATELESS);

    km_buf_byte(out, '{');
    put_capability(out, "tools", changes ? "{\"listChanged\":true}" : "{}");
    if (cold || v->lists[KM_MCP_RESOURCES].n || v->lists[KM_MCP_TEMPLATES].n ||
        any_has(v, "resources", NULL))
        put_capability(out, "resources",
                       subscribe ? "{\"subscribe\":true,\"listChanged\":true}"
                                 : "{\"listChanged\":true}");
    if (cold || v->lists[KM_MCP_PROMPTS].n || any_has(v, "prompts", NULL))
        put_capability(out, "prompts", "{\"listChanged\":true}");
    if (cold || any_has(v, "completions", NULL))
        put_capability(out, "completions", "{}");
    if (cold || any_has(v, "logging", NULL))
        put_capability(out, "logging", "{}");
    if (any_has(v, "tasks", NULL) && era == KM_MCP_HANDSHAKE)
        put_capability(out, "tasks",
                       "{\"list\":{},\"cancel\":{},\"requests\":{\"tools\":{\"call\":{}}}}");
    put_extensions(v, era, out);
    km_buf_byte(out, '}');
}

const struct km_mcp_virtual *km_mcp_view_virtual(const struct km_mcp_view *v)
{
    const struct km_mcp_virtual *one = v->nmembers ? v->members[0].virtual : NULL;

    for (size_t i = 1; i < v->nmembers; i++)
        if (v->members[i].virtual != one)
            return NULL;
    return one;
}

void km_mcp_view_instructions(const struct km_mcp_view *v, struct km_buf *out)
{
    struct km_buf b KM_CLEANUP(km_buf_done) =
        KM_BUF(KM_MCP_VIEW_MEMBERS * (KM_MCP_INSTRUCTION_BYTES + 128));
    const struct km_mcp_virtual *one = km_mcp_view_virtual(v);

    if (one && one->entry.instructions.n) {
        km_buf_json(out, one->entry.instructions);
        return;
    }

    for (size_t i = 0; i < v->nmembers; i++) {
        const struct km_mcp_member *m = &v->members[i];
        struct km_str own = m->upstream && m->upstream->entry->instructions.n
                                ? m->upstream->entry->instructions
                                : m->catalogue->instructions;

        if (!own.n)
            continue;
        if (b.n)
            km_buf_str(&b, KM_STR("\n\n"));
        if (v->nmembers > 1) {
            struct km_str front = km_utf8_cut(own, KM_MCP_INSTRUCTION_BYTES);

            km_buf_str(&b, m->alias);
            km_buf_str(&b, KM_STR(": "));
            km_buf_str(&b, front);
            if (front.n < own.n)
                km_buf_str(&b, KM_STR(" ..."));
        } else {
            km_buf_str(&b, own);
        }
    }
    if (b.n)
        km_buf_json(out, km_buf_view(&b));
}
