/* SPDX-License-Identifier: Apache-2.0 */
/* catalogue.c - see catalogue.h.
 *
 * Items are kept as the bytes the server sent, for a schema that is written anew may mean
 * something else to whoever hashes or validates it; but what no client would take is mended, or
 * left out and told (shape.h): one such item would cost them the list.  A hash is taken of the
 * JSON, not of the bytes, so that a server that writes its members in another order each time has
 * not changed.
 *
 * In the store it is one JSON object:
 *
 *     {"revision":"2025-11-25","hello":{...},"tools":[...],"prompts":null,...}
 */
#include "mcp/catalogue/catalogue.h"

#include "mcp/header_check.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/encode.h"
#include "mcp/catalogue/shape.h"
#include "mcp/schema.h"

#define PARSE_BYTES (4 * KM_CATALOGUE_BYTES)
#define NAME_BYTES 128 /* of a name that is only told */

static const struct {
    const char *method, *member, *capability, *name;
} lists[KM_MCP_LISTS] = {
    [KM_MCP_TOOLS] = { "tools/list", "tools", "tools", "name" },
    [KM_MCP_RESOURCES] = { "resources/list", "resources", "resources", "uri" },
    [KM_MCP_TEMPLATES] = { "resources/templates/list", "resourceTemplates", "resources",
                           "uriTemplate" },
    [KM_MCP_PROMPTS] = { "prompts/list", "prompts", "prompts", "name" },
};

const char *km_mcp_list_method(enum km_mcp_list list)
{
    return lists[list].method;
}

const char *km_mcp_list_member(enum km_mcp_list list)
{
    return lists[list].member;
}

struct km_mcp_catalogue *km_catalogue_new(void)
{
    struct km_mcp_catalogue *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    c->refs = 1;
    c->capabilities = c->server_info = KM_STR("{}");
    km_arena_init(&c->arena, KM_CATALOGUE_BYTES, NULL);
    return c;
}

struct km_mcp_catalogue *km_mcp_catalogue_ref(struct km_mcp_catalogue *c)
{
    c->refs++;
    return c;
}

struct km_mcp_catalogue *km_mcp_catalogue_unref(struct km_mcp_catalogue *c)
{
    if (!c || --c->refs > 0)
        return NULL;
    km_arena_done(&c->arena);
    free(c);
    return NULL;
}

static int full(struct km_err *err)
{
    return km_fail(err, KM_E_LIMIT, "its lists are over %zu bytes", KM_CATALOGUE_BYTES);
}

int km_catalogue_hello(struct km_mcp_catalogue *c, const struct km_mcp_revision *revision,
                       struct km_str json, struct km_err *err)
{
    struct km_arena arena;
    const struct km_json *root = NULL, *v;
    struct km_str text;
    int r;

    km_arena_init(&arena, PARSE_BYTES, NULL);
    r = km_json_parse_answer(&arena, json, &root, err);
    c->revision = revision;
    v = km_json_get(root, "capabilities");
    if (km_json_kind(v) == KM_JSON_OBJECT)
        c->capabilities = km_json_compact(v, &c->arena);
    v = km_json_get(root, "serverInfo");
    if (!v)
        v = km_json_get(km_json_get(root, "_meta"), KM_MCP_META_SERVER);
    if (km_json_kind(v) == KM_JSON_OBJECT)
        c->server_info = km_json_compact(v, &c->arena);
    if (km_json_string(km_json_get(root, "instructions"), &text)) {
        c->instructions = km_arena_str(&c->arena, text);
        c->instructions_flags = km_scan_text(c->instructions);
    }
    km_arena_done(&arena);
    return r == 0 && km_arena_overflowed(&c->arena) ? full(err) : r;
}

bool km_catalogue_has(const struct km_mcp_catalogue *c, enum km_mcp_list list)
{
    struct km_str name = km_str_c(lists[list].capability);
    struct km_json_span span = { 0 };

    return km_json_spans(c->capabilities, &name, 1, &span, NULL, NULL) == 0 &&
           span.type == KM_JSON_OBJECT;
}

/* Takes the first item off what is left of a valid array: `item, item]`. */
static bool next_item(struct km_str *rest, struct km_str *ret_item)
{
    size_t i = 0, start;
    int depth = 0;
    bool string = false;

    while (i < rest->n && (rest->p[i] == ' ' || rest->p[i] == ',' || rest->p[i] == '\n' ||
                           rest->p[i] == '\r' || rest->p[i] == '\t'))
        i++;
    if (i == rest->n || rest->p[i] == ']')
        return false;
    for (start = i; i < rest->n; i++) {
        char ch = rest->p[i];

        if (string) {
            i += ch == '\\';
            string = ch != '"';
        } else if (ch == '"') {
            string = true;
        } else if (ch == '{' || ch == '[') {
            depth++;
        } else if (depth == 0 && (ch == ',' || ch == ']')) {
            break;
        } else if (ch == '}' || ch == ']') {
            depth--;
        }
    }
    *ret_item = km_str_trim(km_str_sub(*rest, start, i - start));
    *rest = km_str_skip(*rest, i);
    return true;
}

static void refuse(struct km_mcp_catalogue *c, enum km_mcp_list list, const struct km_json *root,
                   size_t number, const char *why)
{
    struct km_mcp_refusal *r = &c->refused[c->nrefused];
    struct km_str name = KM_STR_NONE;

    if (c->nrefused++ >= KM_MCP_REFUSALS)
        return;
    (void)km_json_string(km_json_get(root, lists[list].name), &name);
    r->list = list;
    r->name = name.n ? km_arena_str(&c->arena, km_utf8_cut(name, NAME_BYTES))
                     : km_arena_printf(&c->arena, "number %zu", number);
    r->why = km_arena_str(&c->arena, km_str_c(why));
}

/* What is known of an item that may be shown; false: it may not. */
static bool keep(struct km_mcp_catalogue *c, enum km_mcp_list list, const struct km_json *root,
                 struct km_str json, struct km_mcp_item *item)
{
    struct km_str name;

    if (!km_json_string(km_json_get(root, lists[list].name), &name) || !name.n ||
        km_json_digest(root, item->hash, NULL) < 0 ||
        (list == KM_MCP_TOOLS && km_pin_digest(root, item->pin, NULL) < 0))
        return false;
    item->flags = km_scan_item(root);
    item->json = km_arena_str(&c->arena, json);
    item->name = km_arena_str(&c->arena, name);
    item->hints = km_mcp_tool_hints(root);
    item->marked = km_str_find(json, KM_STR("\"x-mcp-header\"")) < json.n;
    return true;
}

/* As it came, or mended: *json and *root are what is shown; false: why it is no item that clients
 * take.  One that has a member twice is none: clients could read another one than is pinned and
 * looked at here. */
static bool shape(const struct km_mcp_catalogue *c, enum km_mcp_list list, struct km_arena *arena,
                  struct km_buf *mended, struct km_str *json, const struct km_json **root,
                  char *why)
{
    if (km_json_parse(arena, *json, root, NULL) < 0) {
        snprintf(why, KM_SHAPE_WHY, "it has a member twice, or is nested too deep");
        *root = NULL;
        return false;
    }
    switch (km_shape_look(list, *root, mended, why)) {
    case KM_SHAPE_BAD:
        return false;
    case KM_SHAPE_MENDED:
        *json = km_buf_view(mended);
        snprintf(why, KM_SHAPE_WHY, "it is too large");
        if (km_buf_failed(mended) || km_json_parse(arena, *json, root, NULL) < 0)
            return false;
        break;
    case KM_SHAPE_GOOD:
        break;
    }
    snprintf(why, KM_SHAPE_WHY, "its x-mcp-header cannot be sent");
    return list != KM_MCP_TOOLS || !c->headers ||
           km_mcp_param_marks_valid(km_json_get(*root, "inputSchema"));
}

/* false: it is left out, which is remembered. */
static bool take_item(struct km_mcp_catalogue *c, enum km_mcp_list list, struct km_str json,
                      size_t number, struct km_mcp_item *item)
{
    struct km_buf mended KM_CLEANUP(km_buf_done) = KM_BUF(PARSE_BYTES);
    const struct km_json *root = NULL;
    char why[KM_SHAPE_WHY];
    struct km_arena arena;
    bool ok;

    km_arena_init(&arena, PARSE_BYTES, NULL);
    ok = shape(c, list, &arena, &mended, &json, &root, why);
    if (ok && !keep(c, list, root, json, item)) {
        snprintf(why, sizeof why, "it has no %s", lists[list].name);
        ok = false;
    }
    if (!ok)
        refuse(c, list, root, number, why);
    c->nmended += ok && json.p == mended.p;
    km_arena_done(&arena);
    return ok;
}

static int append(struct km_mcp_catalogue *c, enum km_mcp_list list, struct km_str array,
                  struct km_err *err)
{
    struct km_str rest = km_str_skip(array, 1), item;
    struct km_mcp_listing *have = &c->lists[list];
    size_t n = 0;
    struct km_mcp_item *v;

    while (next_item(&rest, &item))
        n++;
    if (have->n + n > KM_CATALOGUE_ITEMS)
        return km_fail(err, KM_E_LIMIT, "%s has over %d items", lists[list].method,
                       KM_CATALOGUE_ITEMS);
    v = km_arena_zalloc(&c->arena, (have->n + n + 1) * sizeof *v);
    if (!v)
        return full(err);
    if (have->n)
        memcpy(v, have->v, have->n * sizeof *v);
    n = have->n;
    rest = km_str_skip(array, 1);
    for (size_t number = have->n + 1; next_item(&rest, &item); number++)
        n += take_item(c, list, item, number, &v[n]);
    have->v = v;
    have->n = n;
    return km_arena_overflowed(&c->arena) ? full(err) : 0;
}

int km_catalogue_page(struct km_mcp_catalogue *c, enum km_mcp_list list, struct km_str result,
                      struct km_str *ret_cursor, struct km_err *err)
{
    const struct km_str names[2] = { km_str_c(lists[list].member), KM_STR("nextCursor") };
    struct km_json_span spans[2] = { { 0 } };
    int r = km_json_spans(result, names, 2, spans, NULL, err);

    if (r < 0)
        return r;
    *ret_cursor = KM_STR_NONE;
    if (spans[1].type == KM_JSON_STRING)
        *ret_cursor = km_json_text(&c->arena, result, &spans[1]);
    if (spans[0].type != KM_JSON_ARRAY)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "the answer to %s has no list '%s'",
                       lists[list].method, lists[list].member);
    return append(c, list, km_json_value(result, &spans[0]), err);
}

/* Refusals are of the items that are shown: of a list that stays, those of before. */
static void keep_refusals(struct km_mcp_catalogue *c, enum km_mcp_list list,
                          const struct km_mcp_catalogue *before)
{
    size_t n = 0;

    for (size_t i = 0; i < c->nrefused && i < KM_MCP_REFUSALS; i++)
        if (c->refused[i].list != list)
            c->refused[n++] = c->refused[i];
    for (size_t i = 0; before && i < before->nrefused && i < KM_MCP_REFUSALS; i++) {
        const struct km_mcp_refusal *r = &before->refused[i];

        if (r->list == list && n < KM_MCP_REFUSALS)
            c->refused[n++] = (struct km_mcp_refusal){ r->list, km_arena_str(&c->arena, r->name),
                                                       km_arena_str(&c->arena, r->why) };
    }
    c->nrefused = n;
}

void km_catalogue_settle(struct km_mcp_catalogue *c, enum km_mcp_list list,
                         const struct km_mcp_catalogue *before, enum km_listing_word word,
                         struct km_str why)
{
    /* Templates have no capability of their own: a server of resources may do without. */
    const bool declared = list != KM_MCP_TEMPLATES && km_catalogue_has(c, list);

    km_listing_settle(&c->lists[list], before ? &before->lists[list] : NULL, word, declared, why,
                      &c->arena);
    if (word != KM_LISTING_RESULT)
        keep_refusals(c, list, c->lists[list].n ? before : NULL);
}

int km_catalogue_finish(struct km_mcp_catalogue *c, struct km_err *err)
{
    c->known = true;
    for (int i = 0; i < KM_MCP_LISTS; i++)
        c->known = c->known && c->lists[i].known != KM_MCP_LIST_UNKNOWN;
    return km_arena_overflowed(&c->arena) ? full(err) : 0;
}

enum km_mcp_list km_mcp_catalogue_failing(const struct km_mcp_catalogue *c)
{
    int i = 0;

    while (i < KM_MCP_LISTS && !c->lists[i].why.n)
        i++;
    return (enum km_mcp_list)i;
}

/* --- for the store --- */

/* One that is unknown is left out, one the server has not is null. */
static void put_list(const struct km_mcp_catalogue *c, enum km_mcp_list list, struct km_buf *out)
{
    const struct km_mcp_listing *l = &c->lists[list];

    if (l->known == KM_MCP_LIST_UNKNOWN)
        return;
    km_buf_printf(out, ",\"%s\":", lists[list].member);
    if (l->known == KM_MCP_LIST_UNDECLARED) {
        km_buf_str(out, KM_STR("null"));
        return;
    }
    km_buf_byte(out, '[');
    for (size_t k = 0; k < l->n; k++) {
        if (k)
            km_buf_byte(out, ',');
        km_buf_str(out, l->v[k].json);
    }
    km_buf_byte(out, ']');
}

void km_catalogue_json(const struct km_mcp_catalogue *c, struct km_buf *out)
{
    km_buf_str(out, KM_STR("{\"revision\":"));
    km_buf_json(out, c->revision ? c->revision->name : KM_STR_NONE);
    km_buf_str(out, KM_STR(",\"hello\":{\"capabilities\":"));
    km_buf_str(out, c->capabilities);
    km_buf_str(out, KM_STR(",\"serverInfo\":"));
    km_buf_str(out, c->server_info);
    km_buf_str(out, KM_STR(",\"instructions\":"));
    km_buf_json(out, c->instructions);
    km_buf_byte(out, '}');
    for (int i = 0; i < KM_MCP_LISTS; i++)
        put_list(c, (enum km_mcp_list)i, out);
    km_buf_byte(out, '}');
}

/* As put_list() wrote it. */
static int read_list(struct km_mcp_catalogue *c, enum km_mcp_list list, struct km_str json,
                     struct km_err *err)
{
    const struct km_str name = km_str_c(lists[list].member);
    enum km_listing_word word = KM_LISTING_NOT_ASKED;
    struct km_json_span span = { 0 };
    struct km_str cursor;
    int r = km_json_spans(json, &name, 1, &span, NULL, err);

    if (r == 0 && span.type == KM_JSON_NULL)
        word = KM_LISTING_NOT_DECLARED;
    if (r == 0 && span.type == KM_JSON_ARRAY) {
        word = KM_LISTING_RESULT;
        r = km_catalogue_page(c, list, json, &cursor, err);
    }
    if (r == 0)
        km_catalogue_settle(c, list, NULL, word, KM_STR_NONE);
    return r;
}

static int read_all(struct km_mcp_catalogue *c, struct km_str json, struct km_err *err)
{
    static const struct km_str names[2] = { { "revision", 8 }, { "hello", 5 } };
    struct km_json_span spans[2] = { { 0 } };
    struct km_str revision;
    int r = km_json_spans(json, names, 2, spans, NULL, err);

    if (r < 0)
        return r;
    if (spans[1].type != KM_JSON_OBJECT)
        return km_fail(err, KM_E_INVALID, "not a catalogue");
    revision = km_json_text(&c->arena, json, &spans[0]);
    r = km_catalogue_hello(c, km_mcp_revision_find(revision), km_json_value(json, &spans[1]), err);
    for (int i = 0; r == 0 && i < KM_MCP_LISTS; i++)
        r = read_list(c, (enum km_mcp_list)i, json, err);
    c->from_store = true;
    return r == 0 ? km_catalogue_finish(c, err) : r;
}

int km_catalogue_read(struct km_str json, struct km_mcp_catalogue **ret, struct km_err *err)
{
    struct km_mcp_catalogue *c = km_catalogue_new();
    const struct km_json *root;
    struct km_arena arena;
    int r;

    if (!c)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    km_arena_init(&arena, PARSE_BYTES, NULL);
    r = km_json_parse_answer(&arena, json, &root, err);
    if (r == 0 && km_json_kind(root) != KM_JSON_OBJECT)
        r = km_fail(err, KM_E_INVALID, "not a catalogue");
    km_arena_done(&arena);
    if (r == 0)
        r = read_all(c, json, err);
    if (r < 0) {
        km_mcp_catalogue_unref(c);
        return r;
    }
    *ret = c;
    return 0;
}
