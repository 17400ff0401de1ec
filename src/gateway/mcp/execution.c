/* SPDX-License-Identifier: Apache-2.0 */
/* execution.c - how a client of MCP wants its request carried out: policy/execution.h, in `_meta`.
 *
 *     x-kanmon-...  <  _meta["kanmon/requestedBy"]  <  _meta["io.kanmon/execution"]
 *
 * It is for the gateway alone: both members are cut out before anything goes on to a server.  What
 * was not done as it was asked for stands in the result's _meta, under the same name.
 */
#include "call/execution.h"

#include "gateway/mcp/call.h"
#include "policy/execution.h"

static const struct km_str meta_name = { "_meta", 5 };
static const struct km_str own_names[] = {
    { KM_EXECUTION_META, sizeof KM_EXECUTION_META - 1 },
    { KM_EXECUTION_META_BY, sizeof KM_EXECUTION_META_BY - 1 },
};

/* *text without the members that are there; *ret_left: how many are left. */
static int cut_members(struct km_arena *arena, struct km_str *text, const struct km_str *names,
                       size_t n, size_t *ret_left, struct km_err *err)
{
    struct km_json_object object;
    struct km_json_edits edits;
    struct km_json_span spans[2];
    struct km_str *parts;
    size_t nparts, cut = 0;
    int r = km_json_spans(*text, names, n, spans, &object, err);

    if (r < 0)
        return r;
    km_json_edits_init(&edits, *text, &object);
    for (size_t i = 0; i < n; i++)
        if (spans[i].type != KM_JSON_ABSENT) {
            km_json_cut(&edits, &spans[i]);
            cut++;
        }
    *ret_left = object.members - cut;
    r = km_json_parts(&edits, arena, &parts, &nparts, err);
    if (r < 0)
        return r;
    *text = km_arena_cat(arena, parts, nparts);
    return text->n ? 0 : km_fail(err, KM_E_NOMEM, "out of memory");
}

/* *text with the value in the place of the member's own; of an object that has it or not. */
static int set_member(struct km_arena *arena, struct km_str *text, struct km_str name,
                      struct km_str value, struct km_err *err)
{
    struct km_json_object object;
    struct km_json_edits edits;
    struct km_json_span span;
    struct km_str *parts;
    size_t n;
    int r = km_json_spans(*text, &name, 1, &span, &object, err);

    if (r < 0)
        return r;
    km_json_edits_init(&edits, *text, &object);
    if (span.type == KM_JSON_ABSENT)
        km_json_add(&edits, arena, name, value);
    else
        km_json_replace(&edits, &span, value);
    r = km_json_parts(&edits, arena, &parts, &n, err);
    if (r < 0)
        return r;
    *text = km_arena_cat(arena, parts, n);
    return text->n ? 0 : km_fail(err, KM_E_NOMEM, "out of memory");
}

static int cut(struct km_mcp_work *w, struct km_err *err)
{
    struct km_arena *arena = &w->call->arena;
    struct km_json_span span;
    struct km_str meta;
    size_t left;
    int r = km_json_spans(w->params, &meta_name, 1, &span, NULL, err);

    if (r < 0)
        return r;
    meta = km_json_value(w->params, &span);
    r = cut_members(arena, &meta, own_names, 2, &left, err);
    if (r < 0)
        return r;
    return left ? set_member(arena, &w->params, meta_name, meta, err)
                : cut_members(arena, &w->params, &meta_name, 1, &left, err);
}

static int read_all(struct km_mcp_work *w, const struct km_headers *h, const struct km_json *said,
                    struct km_str by, struct km_err *err)
{
    struct km_arena *arena = &w->call->arena;
    struct km_execution *x = km_arena_alloc(arena, sizeof *x);
    int r;

    if (!x)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    *x = (struct km_execution){ 0 };
    r = km_execution_read_head(x, h, arena, err);
    if (r == 0)
        r = km_execution_read_by(x, by, arena, err);
    if (r == 0)
        r = km_execution_read(x, said, KM_EXECUTION_META, arena, err);
    if (r == 0 && (said || by.n))
        r = cut(w, err);
    if (r < 0 || !x->said)
        return r;
    if (x->dry_run && (!w->item || !km_str_eq(w->method, KM_STR("tools/call"))))
        return km_fail_param(err, KM_E_UNSUPPORTED, "dryRun",
                             "What would happen can be told of tools/call alone.");
    if (km_execution_says(x, KM_EXECUTION_BY))
        w->requested_by = x->requested_by;
    return km_call_set_execution(w->call, x, err);
}

int km_mcp_read_execution(struct km_mcp_work *w, const struct km_mcp_turn *t, struct km_err *err)
{
    const struct km_json *meta = km_json_get(t->msg.params, "_meta");
    const struct km_json *said = km_json_get(meta, KM_EXECUTION_META);
    struct km_str by = KM_STR_NONE;

    (void)km_json_string(km_json_get(meta, KM_EXECUTION_META_BY), &by);
    w->requested_by = km_arena_str(&w->call->arena,
                                   km_str_sub(t->in->visit->who.subject, 0, KM_REQUESTED_BY_BYTES));
    if (!said && !by.n && !km_execution_in_head(&t->in->headers))
        return 0;
    return read_all(w, &t->in->headers, said, by, err);
}

struct km_str km_mcp_execution_within(const struct km_call *outer, struct km_arena *arena)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(4096);

    if (!km_execution_says(outer->execution, KM_EXECUTION_BY))
        return KM_STR_NONE;
    km_buf_str(&b, KM_STR("{\"requestedBy\":"));
    km_buf_json(&b, outer->execution->requested_by);
    km_buf_byte(&b, '}');
    return km_arena_str(arena, km_buf_view(&b));
}

struct km_str km_mcp_tell_execution(struct km_mcp_work *w, struct km_str json)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct km_arena *arena = &w->call->arena;
    struct km_json_span span;
    struct km_str meta = KM_STR("{}"), told = json;
    struct km_err ignored;

    if (km_json_spans(json, &meta_name, 1, &span, NULL, NULL) < 0)
        return json;
    if (span.type == KM_JSON_OBJECT)
        meta = km_json_value(json, &span);
    km_buf_str(&b, KM_STR("{\"adjusted\":{"));
    km_execution_put(w->call->execution, true, &b);
    km_buf_str(&b, KM_STR("}}"));
    if (set_member(arena, &meta, own_names[0], km_arena_str(arena, km_buf_view(&b)), &ignored) <
            0 ||
        set_member(arena, &told, meta_name, meta, &ignored) < 0)
        return json;
    return told;
}
