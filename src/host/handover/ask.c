/* SPDX-License-Identifier: Apache-2.0 */
/* ask.c - what a gateway that was replaced still admits, and asks its successor for.
 *
 * A body that was on its way, the next request on a TLS connection, which cannot be passed on:
 * the new process's counters are the ones that count, so it is asked, and the call waits.
 *
 *     asked while FROZEN   waits for GO, or for the news that nothing was handed over
 *     asked when GIVEN     goes out at once, waits for its answer
 *     LOST                 all that wait are refused
 *
 * What a call that goes on here needs on top (KM_PERMIT_MORE, KM_PERMIT_AGAIN) is asked for too, of
 * a gateway that understands it.
 *
 * Nothing is sent under the lock: the thread that reads answers needs it, and if it waited for
 * a sender while the new process waited for it to read, nobody would ever go on.
 */
#include "host/handover/inside.h"

static void on_answer(struct km_msg *msg, void *owner)
{
    struct km_ask *ask = KM_CONTAINER(msg, struct km_ask, msg);

    (void)owner;
    ask->done(ask);
}

static void answer(struct km_ask *ask)
{
    ask->msg.run = on_answer;
    km_mailbox_post(ask->reply, &ask->msg);
}

/* The question as bytes: once it is in the list of those asked, it may be gone any time. */
static struct km_handover_ask question(const struct km_ask *ask)
{
    struct km_handover_ask q;

    memset(&q, 0, sizeof q);
    q.id = ask->id;
    memcpy(q.hash, ask->hash, sizeof q.hash);
    q.admission = ask->admission;
    q.admission.payers = NULL;
    q.payers_n = ask->payers_n;
    memcpy(q.payers, ask->payers, ask->payers_n);
    return q;
}

/* Never under the lock: the reader of answers needs it.  A question that cannot be sent is
 * answered when the reader finds that the other end is gone. */
static void send_question(struct km_handover *h, enum km_handover_frame type,
                          const struct km_handover_ask *q)
{
    (void)km_handover_send(h, type, km_str((const char *)q, sizeof *q), NULL, 0, NULL);
}

/* Under the lock, while it is given. */
static bool understands(const struct km_handover *h, const struct km_ask *ask)
{
    return h->more ||
           (ask->admission.part != KM_PERMIT_MORE && ask->admission.part != KM_PERMIT_AGAIN);
}

static void answer_unsupported(struct km_ask *ask)
{
    km_fail(&ask->err, KM_E_UNSUPPORTED, "The gateway after this one is an older one.");
    answer(ask);
}

void km_handover_ask(struct km_handover *h, struct km_ask *ask)
{
    enum km_handover_state state;
    struct km_handover_ask q;
    bool understood;

    ask->here = false;
    ask->err.code = 0;
    pthread_mutex_lock(&h->lock);
    state = h->state;
    understood = understands(h, ask);
    ask->id = ++h->ids;
    q = question(ask);
    if (state == KM_HANDOVER_FROZEN)
        km_list_push(&h->waiting, &ask->link);
    if (state == KM_HANDOVER_GIVEN && understood)
        km_list_push(&h->asked, &ask->link);
    pthread_mutex_unlock(&h->lock);
    if (state == KM_HANDOVER_GIVEN && understood)
        send_question(h, KM_HF_ASK, &q);
    else if (state == KM_HANDOVER_GIVEN)
        answer_unsupported(ask);
    if (state == KM_HANDOVER_FROZEN || state == KM_HANDOVER_GIVEN)
        return;
    ask->here = state == KM_HANDOVER_NONE;
    if (!ask->here)
        km_fail(&ask->err, KM_E_OVERLOADED, "The gateway is being replaced; try again.");
    answer(ask);
}

void km_handover_ask_waiting(struct km_handover *h)
{
    struct km_list *node;
    struct km_handover_ask q;
    struct km_ask *ask;
    bool understood;

    for (;;) {
        pthread_mutex_lock(&h->lock);
        node = h->state == KM_HANDOVER_GIVEN ? km_list_pop(&h->waiting) : NULL;
        ask = node ? KM_CONTAINER(node, struct km_ask, link) : NULL;
        understood = ask && understands(h, ask);
        if (understood) {
            q = question(ask);
            km_list_push(&h->asked, node);
        }
        pthread_mutex_unlock(&h->lock);
        if (!ask)
            return;
        if (understood)
            send_question(h, KM_HF_ASK, &q);
        else
            answer_unsupported(ask);
    }
}

void km_handover_give_back(struct km_handover *h, const uint8_t hash[32], struct km_str payers,
                           const struct km_admission *granted)
{
    struct km_handover_ask q;

    memset(&q, 0, sizeof q);
    memcpy(q.hash, hash, sizeof q.hash);
    q.admission.reserve = granted->reserve;
    q.admission.part = granted->part;
    q.admission.input_tokens = granted->input_tokens < 0 ? -1 : 0;
    q.payers_n = payers.n <= sizeof q.payers ? payers.n : 0;
    if (q.payers_n)
        memcpy(q.payers, payers.p, q.payers_n);
    send_question(h, KM_HF_GIVE_BACK, &q);
}

void km_handover_answer_all(struct km_handover *h, bool here)
{
    struct km_list *node;

    pthread_mutex_lock(&h->lock);
    while ((node = km_list_pop(&h->waiting)) || (node = km_list_pop(&h->asked))) {
        struct km_ask *ask = KM_CONTAINER(node, struct km_ask, link);

        ask->here = here;
        if (!here)
            km_fail(&ask->err, KM_E_OVERLOADED, "The gateway is being replaced; try again.");
        answer(ask);
    }
    pthread_mutex_unlock(&h->lock);
}

void km_handover_answered(struct km_handover *h, struct km_str body)
{
    struct km_handover_answer a;
    struct km_ask *found = NULL;

    if (body.n != sizeof a)
        return;
    memcpy(&a, body.p, sizeof a);
    pthread_mutex_lock(&h->lock);
    KM_LIST_EACH(node, &h->asked)
    {
        struct km_ask *ask = KM_CONTAINER(node, struct km_ask, link);

        if (ask->id == a.id)
            found = ask;
    }
    if (found)
        km_list_remove(&found->link);
    pthread_mutex_unlock(&h->lock);
    if (!found)
        return;
    found->room = a.room;
    found->err = a.err;
    found->err.type = found->err.param = found->err.reason = NULL;
    answer(found);
}
