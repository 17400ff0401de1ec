/* SPDX-License-Identifier: Apache-2.0 */
/* poll.c - see poll.h for the contract.
 *
 *     timer ─> store: what is due? ─> due again later ─> a call: GET of the batch ─> what is due?
 *       ^                  └ nothing                        └ ended: it is charged (charge.c)
 *       └──────────────────┘
 *
 * A look is an ordinary call of the gateway's own (km_call_kind.own): no limit of the key stops
 * it, for what was used has been used, but what it costs is the key's.  One is under way at a
 * time.  A batch is looked at each kanmon_settings.batch_poll at first, and the wait doubles with
 * each look up to 32 times that.  When and how often is in the store (store/due.h), so a restart
 * changes nothing.
 *
 * Where the file that a batch wrote is gone, but the batch itself says what was used, it is charged
 * by that, which a second look does at once.
 *
 * It gives up after a month: no upstream remembers a batch for longer.
 */
#include "gateway/objects/poll.h"

#include <stdlib.h>

#include "base/backoff.h"
#include "gateway/objects/inside.h"
#include "policy/bill.h"
#include "store/due.h"

#define CALL_BYTES ((size_t)64 << 20)
#define OLDEST_US (INT64_C(30) * 86400 * 1000000)
#define DOUBLINGS 5

struct km_batch_poll {
    struct km_worker *w;
    struct km_timer timer;
    bool busy; /* a round is under way; it counts as a call of the worker's */
    bool ending;
    bool blind; /* the look under way is a second one: the batch's output is gone */
    struct km_call *call; /* the look under way */
    struct km_due due; /* views into record */
    struct km_buf record;
};

#define AT(member) offsetof(struct km_batch_poll_settings, member)

static const struct km_setting poll_rows[] = {
    { .name = "batch_poll",
      .type = KM_SET_MS,
      .offset = AT(interval_ms),
      .def = "1min",
      .min = 0,
      .max = 86400000,
      .help = "How long after it was made a batch is asked for, so that it is charged when it has "
              "ended; each time the wait doubles, to 32 times this. 0: only its owner asks." },
    { 0 },
};

const struct km_settings_table km_batch_poll_settings_table = {
    .section = "kanmon_settings",
    .rows = poll_rows,
    .size = sizeof(struct km_batch_poll_settings),
    .extra = SIZE_MAX,
};

static uint64_t interval_ms(const struct km_batch_poll *p)
{
    const struct km_batch_poll_settings *s =
        km_config_get(p->w->view->snap->config, &km_batch_poll_settings_table);

    return (uint64_t)s->interval_ms;
}

/* While another process holds the counters what this one charges would be nobody's. */
static bool may_look(const struct km_batch_poll *p)
{
    return !p->ending && !p->w->draining && !p->w->frozen && interval_ms(p) > 0;
}

static void rest(struct km_batch_poll *p)
{
    if (p->busy)
        p->w->ncalls--;
    p->busy = false;
    if (!p->ending)
        km_timer_start(&p->timer, interval_ms(p) ? interval_ms(p) : 1000);
}

/* --- a look --- */

static void drop_key(void *key)
{
    km_key_unref(key);
}

/* Nobody's visit, for whose key the call is made.  The key may be gone: its books are not. */
static struct km_visit *visit_of(struct km_batch_poll *p, struct km_call *call)
{
    struct km_visit *v = km_arena_zalloc(&call->arena, sizeof *v);

    if (!v || km_visit_seat(v, &call->arena, p->w) < 0)
        return NULL;
    v->came_us = km_wall_us();
    v->id = km_uuid7_at(km_loop_ids(p->w->loop), v->came_us);
    km_uuid_text(&v->id, v->id_text);
    v->local = true;
    v->standing = KM_STANDING_KNOWN;
    memcpy(v->who.who, "kanmon", sizeof "kanmon");
    v->who.key = km_keys_find(p->w->gw->keys, p->due.object.owner);
    if (v->who.key && km_arena_defer(&call->arena, drop_key, v->who.key) < 0)
        return NULL;
    return v;
}

static void work_done(void *work)
{
    struct km_object_work *o = work;

    km_buf_done(&o->line);
}

static struct km_object_work *work_of(struct km_batch_poll *p, struct km_call *call)
{
    struct km_object_work *o = km_arena_zalloc(&call->arena, sizeof *o);
    struct km_str record = km_arena_str(&call->arena, km_buf_view(&p->record));
    struct km_due due;

    if (!o || !record.n || km_due_read(record, &due, NULL) < 0)
        return NULL;
    o->id = due.object.id;
    o->row = due.object;
    o->known = true;
    o->blind = p->blind;
    o->poll = p;
    memcpy(o->owner, due.object.owner, sizeof o->owner);
    o->line.max = KM_OBJECT_LINE;
    return km_arena_defer(&call->arena, work_done, o) < 0 ? NULL : o;
}

static void look(struct km_batch_poll *p)
{
    struct km_call *call = km_call_new(p->w, &km_kind_batch_look, CALL_BYTES);

    if (!call) {
        rest(p);
        return;
    }
    call->api = &km_object_get_batch.api;
    call->visit = visit_of(p, call);
    km_call_set_work(call, call->visit ? work_of(p, call) : NULL);
    if (!call->work) {
        km_call_drop(call);
        rest(p);
        return;
    }
    p->call = call;
    km_call_start(call);
}

void km_batch_look_books(struct km_call *call, struct km_ledger_entry *e)
{
    e->call_type = KM_STR("abatch_look");
    e->model_group = call->req.model;
    memcpy(e->key_hash, km_object_of(call)->owner, sizeof e->key_hash);
}

/* --- a round --- */

static void next(struct km_batch_poll *p);

static void on_given_up(void *ctx, const struct km_err *err)
{
    struct km_batch_poll *p = ctx;

    if (err)
        rest(p);
    else
        next(p);
}

static void give_up(struct km_batch_poll *p)
{
    km_store_due_set(p->w->gw->store, p->w->mailbox, &p->due.object, 0, on_given_up, p);
}

/* It reports what it used, and its upstream says that the file with its lines is not there. */
static bool is_blind(const struct km_call *call)
{
    const struct km_object_work *o = km_object_of(call);
    int status = call->at->status;

    return call->failed && o->counting && !o->blind && o->report.known &&
           call->err.code == KM_E_UPSTREAM_STATUS &&
           km_bill_end_of(status, false, true) == KM_BILL_REFUSED && status < 500 && status != 429;
}

/* The exchange of nobody ends: the round goes on. */
bool km_batch_look_ended(struct km_call *call)
{
    struct km_batch_poll *p = km_object_of(call)->poll;

    p->call = NULL;
    p->blind = is_blind(call) && may_look(p);
    if (p->blind) {
        look(p);
        p->blind = false;
        return true;
    }
    if (call->failed && !p->ending)
        km_log_msg(p->w->gw->log, KM_LOG_WARN, "batch.unreachable",
                   "batch %.*s could not be looked at: %s", KM_STR_ARG(km_object_of(call)->id),
                   call->err.text);
    if (km_object_of(call)->free)
        give_up(p);
    else
        next(p);
    return true;
}

static void on_marked(void *ctx, const struct km_err *err)
{
    struct km_batch_poll *p = ctx;

    if (err || !may_look(p))
        rest(p);
    else if (p->due.object.charged) /* by a call that has not ended yet */
        next(p);
    else
        look(p);
}

static void on_due(void *ctx, struct km_str record, const struct km_err *err)
{
    struct km_batch_poll *p = ctx;
    uint64_t wait_us = (uint64_t)interval_ms(p) * 1000;
    int64_t now = km_wall_us();

    km_buf_reset(&p->record);
    if (!err)
        km_buf_str(&p->record, record);
    if (err || !may_look(p) || km_buf_failed(&p->record) ||
        km_due_read(km_buf_view(&p->record), &p->due, NULL) < 0) {
        rest(p);
        return;
    }
    if (p->due.settled || now - p->due.created_us > OLDEST_US) {
        if (!p->due.settled)
            km_log_msg(p->w->gw->log, KM_LOG_WARN, "batch.lost",
                       "batch %.*s did not end within a month: it is not charged",
                       KM_STR_ARG(p->due.object.id));
        give_up(p);
        return;
    }
    km_store_due_set(p->w->gw->store, p->w->mailbox, &p->due.object,
                     now +
                         (int64_t)km_backoff(wait_us, wait_us << DOUBLINGS, (uint64_t)p->due.looks),
                     on_marked, p);
}

static void next(struct km_batch_poll *p)
{
    if (may_look(p))
        km_store_due_next(p->w->gw->store, p->w->mailbox, km_wall_us(), on_due, p);
    else
        rest(p);
}

static void on_timer(void *ctx)
{
    struct km_batch_poll *p = ctx;

    p->busy = true;
    p->w->ncalls++;
    next(p);
}

/* --- life --- */

static int poll_init(struct km_worker *w, void **ret_state, struct km_err *err)
{
    struct km_batch_poll *p;

    if (w->index > 0)
        return 0;
    p = calloc(1, sizeof *p);
    if (!p)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    p->w = w;
    km_buf_init(&p->record, 2 * KM_OBJECT_JSON_BYTES);
    km_timer_init(&p->timer, w->loop, on_timer, p);
    rest(p);
    *ret_state = p;
    return 0;
}

/* The last of what runs has ended when the worker has no calls. */
static void poll_end(struct km_worker *w, void *state)
{
    struct km_batch_poll *p = state;

    (void)w;
    if (!p)
        return;
    p->ending = true;
    km_timer_stop(&p->timer);
    if (p->call)
        km_call_cancel(p->call, "The gateway ends.");
}

static void poll_free(void *state)
{
    struct km_batch_poll *p = state;

    if (!p)
        return;
    km_timer_stop(&p->timer);
    km_buf_done(&p->record);
    free(p);
}

static const char place KM_MODULE_PLACE;

const struct km_module km_batch_poll_module = {
    .name = "batches",
    .place = &place,
    .worker_init = poll_init,
    .worker_end = poll_end,
    .worker_free = poll_free,
};
