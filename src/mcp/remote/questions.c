/* SPDX-License-Identifier: Apache-2.0 */
/* questions.c - what a server asks its client, and whose call asks it (remote.h).
 *
 *     on the stream of a request   of that request
 *     on stdio, on a standing      of the newest job; of nobody's when jobs of different clients
 *     stream                       run, for a question may show what the other one does
 *     while nothing runs           of the first job that waits, before that is sent; else kept a
 *                                  while for the first that comes
 *
 * What nobody offered is refused.  A question that no call's stream brought outlives the call it
 * was asked with: the next is asked it.
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

#include "mcp/desk.h"

#define HOLD_MS 60000
#define SETTLE_MS 100 /* a server looks at the roots it was told before it works with them */
#define SETTLE_MOST_MS 2000 /* where it does not even answer a ping */

/* The newest job, where all that run are of one client. */
static struct km_job *newest_of_one(struct km_remote *p)
{
    struct km_job *newest = NULL;

    for (struct km_list *it = p->order.prev; it != &p->order; it = it->prev) {
        struct km_job *j = KM_CONTAINER(it, struct km_job, order);

        if (j->own)
            continue;
        if (newest && !km_job_same(newest, j->principal, j->session))
            return NULL;
        if (!newest)
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

/* The first that waits, where all that do are of one client. */
static struct km_job *next_of_one(struct km_remote *p)
{
    struct km_job *next = NULL;

    KM_LIST_EACH(it, &p->waiting)
    {
        struct km_job *j = KM_CONTAINER(it, struct km_job, link);

        if (j->own)
            continue;
        if (next && !km_job_same(next, j->principal, j->session))
            return NULL;
        if (!next)
            next = j;
    }
    return next;
}

void km_remote_ask_held(struct km_remote *p)
{
    while (!km_list_empty(&p->held)) {
        struct km_job *j = km_remote_callers(p) > 0 ? newest_of_one(p) : next_of_one(p);
        struct km_list *node;

        if (!j)
            return;
        node = km_list_pop(&p->held);
        p->nheld--;
        km_job_ask(j, KM_CONTAINER(node, struct km_remote_question, link));
    }
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

void km_remote_bind(struct km_remote *p, const struct km_job *j)
{
    const uint64_t whose = km_job_whose(j->principal, j->session);

    p->bound = whose ? whose : KM_REMOTE_ONE_CALL;
}

bool km_remote_others(const struct km_remote *p, struct km_str principal, struct km_str session)
{
    return p->bound && p->bound != km_job_whose(principal, session);
}

void km_remote_settle(struct km_remote *p, struct km_job *j)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(4096);

    j->settles = true;
    km_timer_start(&j->timer, SETTLE_MOST_MS);
    p->settle_id = ++p->next_id;
    km_remote_message(p, p->settle_id, KM_STR("ping"), KM_STR_NONE, KM_STR_NONE, &text, NULL);
    km_remote_transmit(p, p->settle_id, KM_STR("ping"), &text, KM_STR_NONE, NULL);
}

void km_remote_settled(struct km_remote *p)
{
    p->settle_id = 0;
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
    q->roams = !about;
    if (j) {
        km_job_ask(j, q);
        return;
    }
    km_remote_hold(p, q);
    km_remote_ask_held(p);
}
