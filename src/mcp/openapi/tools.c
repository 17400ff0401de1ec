/* SPDX-License-Identifier: Apache-2.0 */
/* tools.c - each operation of an OpenAPI document as a tool (openapi.h).
 *
 *     paths ── each path, in its order ── get, post, put, delete, patch, head
 *                 └── params.c: what is asked ── input.c: its schema ── a name ── a tool
 *
 * Names are LiteLLM's: the operationId, or method and path, in lower case, with `_` for what is no
 * letter, digit, `_` or `-`; the second of a name is name_2.
 */
#include <stdio.h>

#include "base/encode.h"
#include "base/map.h"
#include "mcp/openapi/build.h"
#include "mcp/openapi/schema.h"

#define NAME_MOST 128
#define TITLE_MOST 256
#define DESCRIPTION_MOST 4096

struct list {
    struct km_openapi_build *b;
    struct km_mcp_tool *tools;
    struct km_openapi_op *ops;
    struct km_map *names;
    size_t n, bytes;
};

/* LiteLLM's five in its order, for the sake of names; and one more. */
static const struct {
    const char *name, *wire;
    struct km_mcp_hints hints; /* read_only, destructive, idempotent, open_world */
} methods[] = {
    { "get", "GET", { 1, -1, 1, 1 } },       { "post", "POST", { -1, -1, -1, 1 } },
    { "put", "PUT", { -1, -1, 1, 1 } },      { "delete", "DELETE", { -1, 1, 1, 1 } },
    { "patch", "PATCH", { -1, -1, -1, 1 } }, { "head", "HEAD", { 1, -1, 1, 1 } },
};

static char plain(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c - 'A' + 'a');
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ? c : '_';
}

/* Empty: no memory. */
static struct km_str make_name(struct list *l, const struct km_openapi_draft *d)
{
    struct km_str raw = km_openapi_text(d->operation, "operationId"), name;
    char text[NAME_MOST + 16];
    size_t n = 0;

    if (!raw.n)
        raw =
            km_arena_printf(l->b->scratch, "%.*s_%.*s", KM_STR_ARG(d->method), KM_STR_ARG(d->path));
    while (n < NAME_MOST && n < raw.n) {
        text[n] = plain(raw.p[n]);
        n++;
    }
    name = km_str(text, n);
    for (int i = 2; km_map_get(l->names, name); i++) {
        char suffix[16];
        size_t more = (size_t)snprintf(suffix, sizeof suffix, "_%d", i);
        size_t keep = n + more > NAME_MOST ? NAME_MOST - more : n;

        memcpy(text + keep, suffix, more);
        name = km_str(text, keep + more);
    }
    return km_arena_str(&l->b->doc->arena, name);
}

static void describe(struct list *l, const struct km_openapi_draft *d, struct km_mcp_tool *t)
{
    struct km_arena *a = &l->b->doc->arena;
    struct km_str summary = km_openapi_text(d->operation, "summary");
    struct km_str text = km_openapi_text(d->operation, "description");

    if (!summary.n)
        summary = km_openapi_text(d->item, "summary");
    if (!text.n)
        text = summary.n ? summary : km_openapi_text(d->item, "description");
    t->title = km_arena_str(a, km_utf8_cut(summary, TITLE_MOST));
    t->description =
        text.n ? km_arena_str(a, km_utf8_cut(text, DESCRIPTION_MOST))
               : km_arena_printf(a, "%.*s %.*s", KM_STR_ARG(d->op.method), KM_STR_ARG(d->path));
}

/* The draft's own arrays are on the stack. */
static void keep_plan(struct list *l, const struct km_openapi_draft *d)
{
    struct km_arena *a = &l->b->doc->arena;
    struct km_openapi_param *params = km_arena_alloc(a, d->nparams * sizeof *params);

    l->ops[l->n] = d->op;
    for (size_t i = 0; params && i < d->nparams; i++) {
        params[i] = d->params[i];
        params[i].name = km_arena_str(a, d->params[i].name);
        params[i].arg = km_arena_str(a, d->params[i].arg);
    }
    l->ops[l->n].params = params;
    l->ops[l->n].nparams = params ? d->nparams : 0;
}

static const char *add(struct list *l, struct km_openapi_draft *d, struct km_mcp_hints hints)
{
    struct km_mcp_tool *t = &l->tools[l->n];
    const char *why = km_openapi_params(d);
    struct km_str input;

    if (why)
        return why;
    input = km_openapi_input(d);
    if (!input.n)
        return "its parameters are too many to describe";
    *t = (struct km_mcp_tool){ .input = input, .hints = hints, .run = l->b->args->run };
    describe(l, d, t);
    t->name = make_name(l, d);
    l->bytes += t->input.n + t->description.n + t->title.n + t->name.n + 200;
    if (l->bytes > KM_OPENAPI_LIST_BYTES)
        return "the tools before it fill the list";
    if (!t->name.n || km_map_set(l->names, t->name, t, NULL) < 0)
        return "there is no memory for it";
    keep_plan(l, d);
    l->n++;
    return NULL;
}

/* A server of its own is another interface: it would be asked at the wrong place. */
static bool elsewhere(const struct km_openapi_draft *d)
{
    return !d->b->args->placed && (km_json_count(km_json_get(d->operation, "servers")) > 0 ||
                                   km_json_count(km_json_get(d->item, "servers")) > 0);
}

static void add_path(struct list *l, struct km_str path, const struct km_json *item)
{
    struct km_openapi_draft *d = km_arena_alloc(l->b->scratch, sizeof *d);

    for (size_t i = 0; d && i < sizeof methods / sizeof methods[0]; i++) {
        const char *why;

        *d = (struct km_openapi_draft){ .b = l->b,
                                        .path = path,
                                        .method = km_str_c(methods[i].name),
                                        .item = item,
                                        .operation = km_json_get(item, methods[i].name),
                                        .op.method = km_str_c(methods[i].wire) };
        if (!d->operation)
            continue;
        if (km_json_kind(d->operation) != KM_JSON_OBJECT)
            why = "it is no operation";
        else if (l->n == KM_OPENAPI_TOOLS)
            why = "there are too many before it";
        else if (elsewhere(d))
            why = "it has a server of its own";
        else
            why = add(l, d, methods[i].hints);
        if (why)
            km_openapi_note(l->b, d->op.method, path, why);
    }
}

static int fill(struct list *l, struct km_err *err)
{
    const struct km_json *paths = km_json_get(l->b->refs.root, "paths"), *item;
    struct km_json_iter it;
    struct km_str path;

    for (km_json_iter(paths, &it); km_json_next(&it, &path, &item);)
        if (km_str_starts(path, KM_STR("/")))
            add_path(l, path, km_openapi_follow(&l->b->refs, item));
    if (!l->n && l->b->doc->left_out)
        return km_fail(err, KM_E_INVALID, "none of its %zu operations can be a tool: %.*s",
                       l->b->doc->left_out,
                       KM_STR_ARG(km_str_sub(km_buf_view(&l->b->notes), 0, 200)));
    return l->n ? 0 : km_fail(err, KM_E_INVALID, "it describes no operation");
}

int km_openapi_tools(struct km_openapi_build *b, struct km_err *err)
{
    struct km_arena *a = &b->doc->arena;
    size_t most =
        km_json_count(km_json_get(b->refs.root, "paths")) * sizeof methods / sizeof methods[0];
    size_t room = most < KM_OPENAPI_TOOLS ? most : KM_OPENAPI_TOOLS;
    struct list l = { .b = b,
                      .tools =
                          km_arena_zalloc(a, (room + 1) * sizeof *l.tools), /* one in the making */
                      .ops = km_arena_zalloc(a, (room + 1) * sizeof *l.ops),
                      .names = km_map_new_borrowed((size_t)2 * KM_OPENAPI_TOOLS) };
    int r = l.tools && l.ops && l.names ? fill(&l, err) : km_fail(err, KM_E_NOMEM, "out of memory");

    km_map_free(l.names, NULL);
    b->doc->tools = l.tools;
    b->doc->ops = l.ops;
    b->doc->n = l.n;
    return r;
}
