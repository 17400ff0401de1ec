/* SPDX-License-Identifier: Apache-2.0 */
/* questions.c - what a server asks its client, and whose call asks it (remote.h).
 *
 *     on the stream of a request   of that request
 *     on stdio, on a standing      of the newest job; of nobody's when jobs of different clients
 *     stream                       run, for a question may show what the other one does
 *     while nothing runs           kept a while for the first job that comes
 *
 * What nobody offered is refused.  For the client's roots the first job is asked before it is sent,
 * for a server works with others until it has them; and that question outlives the call it was
 * asked with: the next is asked it.
 *
 * Whose roots a server has, works for that client alone: what it reads and writes is theirs.  So a
 * session in which it asked for them serves no other client from then on.
 *
 * A call that was given up (its time was over, its client cancelled it) may go on in the server for
 * as long as that likes: there is no word by which it says that it stopped, and many do not look.
 * So it counts as one that runs, until it is answered after all or the session with the server
 * ends.  No time is long enough to forget it: what it asks then would reach somebody else.  In
 * place of that clients who may be asked are given another session (desk.c).
 */
#include <stdlib.h>

#include "base/hash.h"
#include "mcp/desk.h"

#define HOLD_MS 60000
/* A server looks at the roots it was told before it works with them, and does not say when it has:
 * it is given the time of some answers, which is longer on a busy machine, and this. */
#define SETTLE_PINGS 8
#define SETTLE_MS 100
#define SETTLE_MOST_MS 5000 /* where it does not even answer a ping */

/* The newest job, one that can be asked if any can, where all that run are of one client. */
static struct km_job *newest_of_one(struct km_remote *p)
{
    struct km_job *newest = NULL;

    for (struct km_list *it = p->order.prev; it != &p->order; it = it->prev) {
        struct km_job *j = KM_CONTAINER(it, struct km_job, order);

        if (j->own)
            continue;
        if (newest && !km_job_same(newest, j->principal, j->session))
            return NULL;
        if (!newest || !newest->events->on_question)
            newest = j;
    }
    return newest;
}

size_t km_remote_callers(const struct km_remote *p)
{
    size_t n = 0;

    for (struct km_list *it = p->order.next; it != &p->order; it = it->next)
        n += !KM_CONTAINER(it, struct km_job, order)->own;
    return n;
}

void km_remote_gave_up(struct km_remote *p, const struct km_job *j)
{
    if (j->own || p->revision->era != KM_MCP_HANDSHAKE ||
        km_str_eq(p->asker.capabilities, KM_STR("{}")))
        return; /* it may ask nothing */
    if (p->nstrays < KM_REMOTE_STRAYS)
        p->strays[p->nstrays] = (struct km_stray){ j->id, km_job_whose(j->principal, j->session) };
    if (p->nstrays <= KM_REMOTE_STRAYS)
        p->nstrays++;
}

void km_remote_late(struct km_remote *p, uint64_t id)
{
    for (unsigned i = 0; i < p->nstrays && p->nstrays <= KM_REMOTE_STRAYS; i++)
        if (p->strays[i].id == id)
            p->strays[i--] = p->strays[--p->nstrays];
}

bool km_remote_haunted(const struct km_remote *p, struct km_str principal, struct km_str session)
{
    const uint64_t whose = km_job_whose(principal, session);

    for (unsigned i = 0; i < p->nstrays && i < KM_REMOTE_STRAYS; i++)
        if (!whose || p->strays[i].whose != whose)
            return true;
    return p->nstrays > KM_REMOTE_STRAYS;
}

static bool is_roots(struct km_str method)
{
    return km_str_eq(method, KM_STR("roots/list"));
}

static struct km_remote_question *question_new(struct km_str id, struct km_str method,
                                               struct km_str params)
{
    struct km_remote_question *q = calloc(1, sizeof *q);

    if (!q)
        return NULL;
    km_buf_init(&q->id, 4096);
    km_buf_init(&q->method, 256);
    km_buf_init(&q->params, KM_MCP_MESSAGE_BYTES);
    km_buf_str(&q->id, id);
    km_buf_str(&q->method, method);
    km_buf_str(&q->params, params);
    if (!km_buf_failed(&q->id) && !km_buf_failed(&q->method))
        return q;
    km_remote_question_free(q);
    return NULL;
}

/* "sampling/createMessage" needs the capability "sampling". */
static bool offered(const struct km_remote *p, struct km_str method)
{
    struct km_buf name KM_CLEANUP(km_buf_done) = KM_BUF(256);
    struct km_str all = p->asker.capabilities;

    km_buf_byte(&name, '"');
    km_buf_str(&name, km_str_sub(method, 0, km_str_chr(method, '/')));
    km_buf_byte(&name, '"');
    return !km_buf_failed(&name) && km_str_find(all, km_buf_view(&name)) < all.n;
}

static void refuse(struct km_remote *p, struct km_str id, int code, const char *why)
{
    struct km_buf error KM_CLEANUP(km_buf_done) = KM_BUF(1024);

    km_buf_printf(&error, "{\"code\":%d,\"message\":\"%s\"}", code, why);
    km_remote_reply(p, id, true, km_buf_view(&error));
}

void km_remote_hold(struct km_remote *p, struct km_remote_question *q)
{
    if (p->nheld == KM_REMOTE_HELD) {
        refuse(p, km_buf_view(&q->id), -32603, "Too many questions are open");
        km_remote_question_free(q);
        return;
    }
    q->until_ms = km_loop_now_ms(p->desk->loop) + HOLD_MS;
    km_list_push(&p->held, &q->link);
    p->nheld++;
}

/* The first that waits and can be asked, where all that wait are of one client. */
static struct km_job *next_of_one(struct km_remote *p)
{
    struct km_job *next = NULL;

    KM_LIST_EACH(it, &p->waiting)
    {
        struct km_job *j = KM_CONTAINER(it, struct km_job, link);

        if (j->own || !j->events->on_question)
            continue;
        if (next && !km_job_same(next, j->principal, j->session))
            return NULL;
        if (!next)
            next = j;
    }
    return next;
}

/* The client's roots are asked with a job that can be, and wait for one: told that there is no such
 * method a server would never ask again. */
static bool takes(const struct km_job *j, const struct km_remote_question *q)
{
    return j && (j->events->on_question || !q->roams);
}

static void ask_held(struct km_remote *p, struct km_job *j, bool all)
{
    KM_LIST_EACH(it, &p->held)
    {
        struct km_remote_question *q = KM_CONTAINER(it, struct km_remote_question, link);

        if (!takes(j, q) || (!all && !q->roams))
            continue;
        km_list_remove(&q->link);
        p->nheld--;
        km_job_ask(j, q);
    }
}

void km_remote_ask_next(struct km_remote *p)
{
    if (!km_list_empty(&p->held) && km_remote_callers(p) == 0)
        ask_held(p, next_of_one(p), false);
}

void km_remote_ask_held(struct km_remote *p)
{
    if (!km_list_empty(&p->held))
        ask_held(p, newest_of_one(p), true);
}

void km_remote_ask_others(struct km_remote *p, struct km_job *j)
{
    KM_LIST_EACH(it, &j->questions)
    {
        struct km_remote_question *q = KM_CONTAINER(it, struct km_remote_question, link);

        if (!q->roams)
            continue;
        km_list_remove(&q->link);
        km_remote_hold(p, q);
    }
}

/* A number for a client; not 0. */
static uint64_t client_of(struct km_str principal, struct km_str session)
{
    const struct km_hash_seed seed = { 5, 6 };
    const uint64_t whose = km_job_whose(principal, session);

    return whose ? whose : km_hash(&seed, principal) | 1;
}

void km_remote_bind(struct km_remote *p, const struct km_job *j)
{
    p->bound = client_of(j->principal, j->session);
}

bool km_remote_others(const struct km_remote *p, struct km_str principal, struct km_str session)
{
    return p->bound && p->bound != client_of(principal, session);
}

static void settle_ping(struct km_remote *p)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(4096);

    p->settle_id = ++p->next_id;
    km_remote_message(p, p->settle_id, KM_STR("ping"), KM_STR_NONE, KM_STR_NONE, &text, NULL);
    km_remote_transmit(p, p->settle_id, KM_STR("ping"), &text, KM_STR_NONE, NULL);
}

void km_remote_settle(struct km_remote *p, struct km_job *j)
{
    j->settles = true;
    km_timer_start(&j->timer, SETTLE_MOST_MS);
    p->settle_pings = SETTLE_PINGS;
    settle_ping(p);
}

void km_remote_settled(struct km_remote *p)
{
    p->settle_id = 0;
    if (p->settle_pings > 0) {
        p->settle_pings--;
        settle_ping(p);
        return;
    }
    KM_LIST_EACH(it, &p->waiting)
    if (KM_CONTAINER(it, struct km_job, link)->settles)
        km_timer_start(&KM_CONTAINER(it, struct km_job, link)->timer, SETTLE_MS);
}

void km_remote_question(struct km_remote *p, uint64_t about, struct km_str id, struct km_str method,
                        struct km_str params)
{
    struct km_job *j = about ? km_remote_job(p, about) : newest_of_one(p);
    struct km_remote_question *q;

    if (km_str_eq(method, KM_STR("ping"))) {
        km_remote_reply(p, id, false, KM_STR("{}"));
        return;
    }
    if (!offered(p, method)) {
        refuse(p, id, -32601, "Method not found");
        return;
    }
    if (km_remote_declares(p))
        p->upstream->live->declared_questions++;
    if (!about && j && km_remote_haunted(p, j->principal, j->session))
        j = NULL;
    if (!j && (p->nstrays > 0 || km_remote_callers(p) > 0)) {
        refuse(p, id, -32603, "It cannot be told whose call asks this");
        return;
    }
    q = question_new(id, method, params);
    if (!q) {
        refuse(p, id, -32603, "Too many questions are open");
        return;
    }
    q->roams = !about && is_roots(method);
    if (takes(j, q)) {
        km_job_ask(j, q);
        return;
    }
    km_remote_hold(p, q);
    km_remote_ask_next(p);
}
