/* SPDX-License-Identifier: Apache-2.0 */
/* tasks.c - tasks/list (2025-11-25): the caller's own, of all servers.
 *
 *     tasks/list ── what results have named to this caller (mcp/memory.h), a page of it
 *         ├── tasks/get ── server a ──┐
 *         ├── tasks/get ── server a ──┼── those that answered ── the client
 *         └── tasks/get ── server b ──┘
 *
 * A server does not know kanmon's callers apart, so its own tasks/list would show each of them
 * what the others do (the specification forbids it); asking for one after the other also works
 * where a server has no list.  A task that its server has forgotten is left out.  Pages go by the
 * ids of the tasks: a cursor is the last one that was looked at.
 */
#include "gateway/mcp/access.h"
#include "gateway/mcp/job.h"
#include "gateway/mcp/turn.h"
#include "mcp/ask.h"
#include "mcp/memory.h"

#define PAGE_TASKS 50
#define TASK_BYTES ((size_t)64 * 1024) /* of one; a larger one is left out */
#define ASK_MS 5000 /* for one: a server that hangs does not hold back the others' tasks */

struct listing;

struct asked {
    struct listing *of;
    struct km_mcp_ask *ask; /* NULL: it has answered */
    struct km_str json; /* the task; empty: left out */
};

struct listing {
    struct km_mcp_job job;
    struct km_arena arena; /* holds it */
    struct km_str cursor; /* of the next page; empty: there is none */
    size_t n, open;
    struct asked asked[PAGE_TASKS];
};

static void listing_free(struct listing *l)
{
    struct km_arena arena = l->arena;

    km_arena_done(&arena);
}

static void answer(struct listing *l)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(PAGE_TASKS * (TASK_BYTES + 1) + 8192);
    struct km_buf message KM_CLEANUP(km_buf_done) = KM_BUF(PAGE_TASKS * (TASK_BYTES + 1) + 16384);
    bool first = true;

    km_buf_str(&b, KM_STR("{\"tasks\":["));
    for (size_t i = 0; i < l->n; i++) {
        if (!l->asked[i].json.n)
            continue;
        if (!first)
            km_buf_byte(&b, ',');
        first = false;
        km_buf_str(&b, l->asked[i].json);
    }
    km_buf_byte(&b, ']');
    if (l->cursor.n) {
        km_buf_str(&b, KM_STR(",\"nextCursor\":"));
        km_buf_json(&b, l->cursor);
    }
    km_buf_byte(&b, '}');
    km_rpc_result(&message, l->job.id, km_buf_view(&b));
    km_mcp_job_answer(&l->job, 200, km_buf_view(&message));
    listing_free(l);
}

static void on_done(void *ctx, const struct km_mcp_answer *word)
{
    struct asked *a = ctx;
    struct listing *l = a->of;

    a->ask = NULL;
    if (word->kind == KM_MCP_RESULT && word->json.n <= TASK_BYTES)
        a->json = km_arena_str(&l->arena, word->json);
    if (--l->open == 0)
        answer(l);
}

static void on_cancelled(struct km_mcp_job *job, struct km_str reason)
{
    struct listing *l = KM_CONTAINER(job, struct listing, job);

    for (size_t i = 0; i < l->n; i++)
        if (l->asked[i].ask)
            km_mcp_ask_cancel(l->asked[i].ask, reason);
    listing_free(l);
}

static void ask_for(struct km_mcp_turn *t, struct listing *l, struct km_mcp_upstream *u,
                    struct km_str id)
{
    static const struct km_mcp_ask_events events = { .on_done = on_done };
    struct km_mcp_asker asker = km_mcp_turn_asker(t);
    struct km_buf params KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);
    struct asked *a = &l->asked[l->n];
    struct km_mcp_ask_args args = { .upstream = u,
                                    .asker = &asker,
                                    .method = KM_STR("tasks/get"),
                                    .timeout_ms = ASK_MS,
                                    .events = &events,
                                    .ctx = a };

    km_buf_str(&params, KM_STR("{\"taskId\":"));
    km_buf_json(&params, id);
    km_buf_byte(&params, '}');
    args.params = km_buf_view(&params);
    a->of = l;
    a->ask = km_buf_failed(&params) ? NULL : km_mcp_ask(t->hub->w->desk, &args, NULL);
    if (!a->ask)
        return;
    l->n++;
    l->open++;
}

static void ask_all(struct km_mcp_turn *t, struct listing *l, const struct km_mcp_view *view,
                    struct km_str after)
{
    struct km_mcp_task tasks[PAGE_TASKS];
    size_t n = km_mcp_memory_tasks(t->hub->shared->memory, t->arena, t->in->principal, after, tasks,
                                   PAGE_TASKS);

    for (size_t i = 0; i < n; i++) {
        const struct km_mcp_member *m = km_mcp_view_member(view, tasks[i].server);

        if (m && m->upstream && km_mcp_member_can(m, "tasks"))
            ask_for(t, l, m->upstream, tasks[i].id);
    }
    if (n == PAGE_TASKS)
        l->cursor = km_arena_str(&l->arena, tasks[n - 1].id);
}

static struct listing *listing_new(struct km_mcp_turn *t)
{
    struct km_arena arena;
    struct listing *l;

    km_arena_init(&arena, PAGE_TASKS * TASK_BYTES + 64 * 1024, NULL);
    l = km_arena_zalloc(&arena, sizeof *l);
    if (!l) {
        km_arena_done(&arena);
        return NULL;
    }
    l->arena = arena;
    l->job.cancel = on_cancelled;
    l->job.id = km_arena_str(&l->arena, t->msg.id);
    return l;
}

void km_mcp_on_tasks_list(struct km_mcp_turn *t)
{
    const struct km_json *cursor = km_json_get(t->msg.params, "cursor");
    struct km_str after = KM_STR_NONE;
    struct km_mcp_view *view;
    struct listing *l;

    if (cursor && !km_json_string(cursor, &after)) {
        km_mcp_turn_fault(t, KM_RPC_INVALID_PARAMS, "params.cursor must be a string");
        return;
    }
    view = km_mcp_turn_view(t);
    if (!view)
        return;
    l = listing_new(t);
    if (l) {
        km_mcp_job_begin(&l->job, t->stream, l->job.id);
        ask_all(t, l, view, after);
        if (l->open == 0)
            answer(l);
    } else {
        km_mcp_turn_fault(t, KM_RPC_INTERNAL, "out of memory");
    }
    km_mcp_view_unref(view);
}
