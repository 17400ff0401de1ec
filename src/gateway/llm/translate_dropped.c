/* SPDX-License-Identifier: Apache-2.0 */
/* translate_dropped.c - a translation says what it left out.
 *
 *     the request     -> x-kanmon-dropped of its answer
 *     a whole answer  -> the same line
 *     a stream        -> its head is gone before its events come: a line of the log
 *
 * and each is counted.  A stream's events are many and of few shapes: one is looked through when no
 * event of its shape was before it.
 */
#include "gateway/llm/translate.h"

#include "http/json_take.h"

#define LINE_BYTES ((size_t)8 * 1024)

static const struct km_metric_row dropped = {
    .name = "kanmon_translation_dropped_total",
    .type = KM_COUNTER,
    .help = "Translated calls of which some member went no further: of the request, or seen in "
            "its answer.",
    .labels = { "model", "side" }
};

void km_translate_look(struct km_translation *tr)
{
    const unsigned room = sizeof tr->shapes / sizeof tr->shapes[0];
    uint64_t shape = km_json_shape(tr->decode.read);

    if (shape == tr->shape) /* as most events */
        return;
    tr->shape = shape;
    for (unsigned i = 0; i < room; i++)
        if (tr->shapes[i] == shape)
            return;
    tr->shapes[tr->nshapes++ % room] = shape;
    km_dropped_left(&tr->dropped, tr->decode.read, tr->codec->idle);
}

static void tell(struct km_call *call, const struct km_dropped *what)
{
    struct km_buf names KM_CLEANUP(km_buf_done) = KM_BUF(LINE_BYTES);

    km_dropped_write(what, &names);
    call->at->head = km_arena_cat(&call->arena,
                                  (struct km_str[]){ call->at->head, KM_STR("x-kanmon-dropped: "),
                                                     km_buf_view(&names), KM_STR("\r\n") },
                                  4);
}

void km_translate_tell_dropped(struct km_call *call)
{
    struct km_translation *tr = call->at->convert;

    if (!tr->dropped.n)
        return;
    tr->told = tr->dropped.n;
    tell(call, &tr->dropped);
}

static void count(struct km_call *call, const char *side)
{
    const struct km_str labels[2] = { call->at->d->group, km_str_c(side) };

    km_metric_count(call->w->gw->metrics, &dropped, labels, call->w->index, 1);
}

/* What one deployment has no words for the next may have. */
void km_translate_tell_left(struct km_call *call)
{
    struct km_dropped all = { .arena = &call->arena };

    for (size_t i = 0; i < call->req.left->n; i++)
        km_dropped_note(&all, call->req.left->v[i]);
    if (!call->at->convert && call->api->left_out)
        call->api->left_out(&call->req, &all);
    if (!all.n)
        return;
    tell(call, &all);
    count(call, "request");
}

static void log_dropped(struct km_call *call)
{
    struct km_buf names KM_CLEANUP(km_buf_done) = KM_BUF(LINE_BYTES);
    struct km_line l;

    if (!km_log_begin(call->w->gw->log, &l, KM_LOG_INFO, "dropped"))
        return;
    km_dropped_write(&call->at->convert->dropped, &names);
    km_line_cstr(&l, "id", call->visit->id_text);
    km_line_str(&l, "model", call->req.model);
    km_line_str(&l, "deployment", call->at->d->id);
    km_line_str(&l, "members", km_buf_view(&names));
    km_log_end(&l);
}

void km_translate_count_dropped(struct km_call *call)
{
    const struct km_translation *tr = call->at->convert;

    if (!tr->dropped.n)
        return;
    count(call, tr->asked ? "request" : "answer");
    if (tr->dropped.n > tr->asked && tr->asked)
        count(call, "answer");
    if (tr->dropped.n > tr->told)
        log_dropped(call);
}
