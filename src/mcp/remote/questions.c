/* SPDX-License-Identifier: Apache-2.0 */
/* questions.c - what a server asks its client, and whose call asks it (remote.h).
 *
 *     on the stream of a request   of that request
 *     on stdio, on a standing      of the newest job; of nobody's when jobs of different clients
 *     stream                       run, for a question may show what the other one does
 *     while nothing runs           kept a while for the first job that comes
 *
 * What nobody offered is refused.
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

static void hold(struct km_remote *p, struct km_remote_question *q)
{
    q->until_ms = km_loop_now_ms(p->desk->loop) + HOLD_MS;
    km_list_push(&p->held, &q->link);
    p->nheld++;
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
    if (!q || (!j && p->nheld == KM_REMOTE_HELD)) {
        refuse(p, id, -32603, "Too many questions are open");
        if (q)
            km_remote_question_free(q);
    } else if (j) {
        km_job_ask(j, q);
    } else {
        hold(p, q);
    }
}
