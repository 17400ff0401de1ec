/* SPDX-License-Identifier: Apache-2.0 */
/* counts.c - see counts.h for the contract.
 *
 *     "server\ntool" -> the tool's series: ok, seconds, cost      looked up once a worker and tool
 *
 * A call that goes well adds to cells of its own worker and takes no lock; what goes wrong is
 * counted by name.  How many tools are told apart the rows say themselves (km_metric_row.most), so
 * that all workers together keep to it; a worker's map has the same bound, and past it a tool is
 * `other` there without being looked up again.
 */
#include "gateway/mcp/counts.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"

#define KEY_MOST 512 /* bytes: longer names share what their beginnings have */
#define OUTCOMES 4   /* a tool, beside ok, before the oldest make room */

static const struct km_metric_row calls = {
    .name = "kanmon_mcp_tool_calls_total",
    .type = KM_COUNTER,
    .help = "Calls of MCP tools, by how they ended: the outcome of the audit log.",
    .labels = { "server", "tool", "outcome" },
    .most = (size_t)KM_MCP_COUNTED_TOOLS * (1 + OUTCOMES),
};
static const struct km_metric_row seconds = {
    .name = "kanmon_mcp_tool_call_seconds",
    .type = KM_HISTOGRAM,
    .help = "Seconds from a tool call's request to its answer, with the time people took.",
    .labels = { "server", "tool" },
    .scale = 6,
    .bounds = { 1000, 5000, 10000, 50000, 100000, 500000, 1000000, 5000000, 10000000, 30000000,
                60000000, 300000000 },
    .most = KM_MCP_COUNTED_TOOLS,
};
static const struct km_metric_row cost = { .name = "kanmon_mcp_tool_cost_usd_total",
                                           .type = KM_COUNTER,
                                           .help = "What calls of MCP tools cost, in USD.",
                                           .labels = { "server", "tool" },
                                           .scale = 9,
                                           .most = KM_MCP_COUNTED_TOOLS };

static const struct km_metric_row repeats = {
    .name = "kanmon_mcp_retries_total",
    .type = KM_COUNTER,
    .help = "Tool calls that were sent to their MCP server once more, by what failed; `denied`: "
            "that were not, because the server's retry budget was spent.",
    .labels = { "server", "failure" }
};

static const struct km_metric_row opened = {
    .name = "kanmon_mcp_breaker_opened_total",
    .type = KM_COUNTER,
    .help = "Times an MCP server was left alone because its calls failed.",
    .labels = { "server" }
};
static const struct km_metric_row closed = {
    .name = "kanmon_mcp_breaker_closed_total",
    .type = KM_COUNTER,
    .help = "Times it took calls again: it is left alone while it was opened more often.",
    .labels = { "server" }
};

struct tool {
    struct km_series *ok, *seconds, *cost;
    bool named; /* it is none of the others */
};

struct km_mcp_counts {
    struct km_metrics *metrics;
    size_t worker;
    struct km_map *tools; /* struct tool */
    struct tool other;
};

static struct tool series_of(struct km_mcp_counts *c, struct km_str server, struct km_str name)
{
    const struct km_str labels[] = { server, name, KM_STR("ok") };

    struct km_series *time = km_metric_series(c->metrics, &seconds, labels);
    bool named = time && !km_metric_is_other(time);
    const struct km_str spare[] = { KM_STR("other"), KM_STR("other"), KM_STR("ok") };

    return (struct tool){ .ok = km_metric_series(c->metrics, &calls, named ? labels : spare),
                          .seconds = time,
                          .cost = km_metric_series(c->metrics, &cost, labels),
                          .named = named };
}

struct km_mcp_counts *km_mcp_counts_new(struct km_metrics *metrics, size_t worker)
{
    struct km_mcp_counts *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    c->metrics = metrics;
    c->worker = worker;
    c->tools = km_map_new(KM_MCP_COUNTED_TOOLS);
    return c->tools ? c : km_mcp_counts_free(c);
}

struct km_mcp_counts *km_mcp_counts_free(struct km_mcp_counts *c)
{
    if (!c)
        return NULL;
    km_map_free(c->tools, free); /* what was counted stays in sight: the registry's own */
    free(c);
    return NULL;
}

static const struct tool *other(struct km_mcp_counts *c)
{
    if (!c->other.seconds)
        c->other = series_of(c, KM_STR("other"), KM_STR("other"));
    return &c->other;
}

static const struct tool *tool_of(struct km_mcp_counts *c, struct km_str server, struct km_str name)
{
    char room[KEY_MOST];
    size_t n = server.n < sizeof room / 2 ? server.n : sizeof room / 2;
    struct km_str tail = km_str_sub(name, 0, sizeof room - n - 1);
    struct km_str key = { room, n + 1 + tail.n };
    struct tool *t;

    memcpy(room, server.p, n);
    room[n] = '\n';
    memcpy(room + n + 1, tail.p, tail.n);
    t = km_map_get(c->tools, key);
    if (t)
        return t;
    if (km_map_count(c->tools) >= KM_MCP_COUNTED_TOOLS)
        return other(c);
    t = calloc(1, sizeof *t);
    if (!t || km_map_set(c->tools, key, t, NULL) < 0) {
        free(t);
        return other(c);
    }
    *t = series_of(c, server, name);
    return t;
}

void km_mcp_count_repeat(struct km_mcp_counts *c, struct km_str server, const char *failure)
{
    const struct km_str labels[] = { server, km_str_c(failure) };

    km_metric_count(c->metrics, &repeats, labels, c->worker, 1);
}

void km_mcp_count_fuse(struct km_mcp_counts *c, struct km_str server, bool open)
{
    km_metric_count(c->metrics, open ? &opened : &closed, &server, c->worker, 1);
}

void km_mcp_count_call(struct km_mcp_counts *c, const struct km_mcp_count *call)
{
    const struct tool *t = tool_of(c, call->server, call->tool);

    if (strcmp(call->outcome, "ok") == 0) {
        km_metric_add(t->ok, c->worker, 1);
    } else {
        const struct km_str labels[] = { t->named ? call->server : KM_STR("other"),
                                         t->named ? call->tool : KM_STR("other"),
                                         km_str_c(call->outcome) };

        km_metric_count(c->metrics, &calls, labels, c->worker, 1);
    }
    if (call->us < 0)
        return;
    km_metric_observe(t->seconds, c->worker, call->us);
    km_metric_add(t->cost, c->worker, call->cost);
}
