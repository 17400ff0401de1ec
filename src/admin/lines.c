/* SPDX-License-Identifier: Apache-2.0 */
/* lines.c - the lines in which calls wait, for /kanmon/status (policy/gate.h).
 *
 * The list is bounded: those that were configured last come first.
 */
#include "admin/lines.h"

#include "host/gateway.h"
#include "policy/gate.h"
#include "sys/loop.h"

#define LINES_MOST 100
#define NAME_MOST 300

struct listed {
    struct km_json_out *o;
    uint64_t now_ms;
    size_t n;
};

static bool is_worth_it(const struct km_gate_facts *f)
{
    uint64_t seen = 0;

    for (unsigned p = 0; p < KM_PRIORITIES; p++)
        seen += f->waiting[p] + f->served[p] + f->shed[p];
    return f->limit > 0 || f->paced || seen;
}

static void put_classes(struct km_json_out *o, const char *name, const uint64_t n[KM_PRIORITIES])
{
    km_out_key_str(o, km_str_c(name));
    km_out_open(o, '{');
    for (unsigned p = KM_PRIORITIES; p-- > KM_PRIORITY_LOW;) {
        km_out_key_str(o, km_priority_name((enum km_priority)p));
        km_out_i64(o, (int64_t)n[p]);
    }
    km_out_close(o, '}');
}

static void put_unless_unknown(struct km_json_out *o, const char *name, int64_t v, bool known)
{
    km_out_key_str(o, km_str_c(name));
    if (known)
        km_out_i64(o, v);
    else
        km_out_null(o);
}

static void put_pacing(struct km_json_out *o, const struct km_gate_facts *f)
{
    km_out_key(o, "pacing");
    km_out_open(o, '{');
    km_out_key(o, "active");
    km_out_bool(o, f->paced);
    put_unless_unknown(o, "at_once", f->window, f->window > 0);
    km_out_member_i64(o, "closed_ms", (int64_t)f->closed_ms);
    put_unless_unknown(o, "requests_left", f->left[KM_QUOTA_REQUESTS],
                       f->left[KM_QUOTA_REQUESTS] >= 0);
    put_unless_unknown(o, "tokens_left", f->left[KM_QUOTA_TOKENS], f->left[KM_QUOTA_TOKENS] >= 0);
    km_out_close(o, '}');
}

static void put_line(void *ctx, struct km_gate *gate)
{
    struct listed *l = ctx;
    struct km_gate_facts f;
    uint64_t waiting = 0, served = 0, classes[KM_PRIORITIES];

    km_gate_look(gate, l->now_ms, &f);
    if (!is_worth_it(&f) || l->n++ >= LINES_MOST)
        return;
    for (unsigned p = 0; p < KM_PRIORITIES; p++) {
        classes[p] = f.waiting[p];
        waiting += f.waiting[p];
        served += f.served[p];
    }
    km_out_open(l->o, '{');
    km_out_member(l->o, "resource", km_str_sub(f.name, 0, NAME_MOST));
    put_unless_unknown(l->o, "limit", f.limit, f.limit > 0);
    km_out_member_i64(l->o, "running", f.running);
    km_out_member_i64(l->o, "waiting", (int64_t)waiting);
    put_classes(l->o, "waiting_by_priority", classes);
    put_classes(l->o, "refused_by_priority", f.shed);
    km_out_member_i64(l->o, "longest_wait_ms", (int64_t)f.longest_ms);
    km_out_member_i64(l->o, "mean_wait_ms", served ? (int64_t)(f.waited_ms / served) : 0);
    put_pacing(l->o, &f);
    km_out_close(l->o, '}');
}

void km_admin_put_lines(struct km_json_out *o, const struct km_worker *w)
{
    struct listed l = { .o = o, .now_ms = km_loop_now_ms(w->loop) };

    km_out_key(o, "queues");
    km_out_open(o, '[');
    km_gates_each(w->gw->gates, put_line, &l);
    km_out_close(o, ']');
}
