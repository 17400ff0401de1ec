/* SPDX-License-Identifier: Apache-2.0 */
/* charge.c - the end of a call for a file or a batch: what is kept of the upstream's answer, and
 * what a batch that has ended costs.
 *
 *     answer ─> store: as the upstream says it now, and the files it wrote
 *            ─> ended? ─> its output file's lines ─> its own usage ─> claim ─> books
 *
 * A batch that reports its usage says neither which models its lines named nor which tools were run
 * for them, so the lines are read all the same, but of one that names its model and could run none.
 *
 * It is the same whoever asks, its owner or the gateway itself (poll.c): the claim decides which
 * call charges.
 */
#include "gateway/objects/inside.h"

/* --- what is kept --- */

enum {
    KM_O_ID,
    KM_O_STATUS,
    KM_O_OUTPUT,
    KM_O_ERRORS,
    KM_O_USAGE,
    KM_O_MODEL,
    KM_O_ENDPOINT,
    KM_O_COUNT
};
static const struct km_str object_names[KM_O_COUNT] = {
    { "id", 2 },    { "status", 6 }, { "output_file_id", 14 }, { "error_file_id", 13 },
    { "usage", 5 }, { "model", 5 },  { "endpoint", 8 },
};

static void on_stored(void *ctx, const struct km_err *err)
{
    struct km_call *call = ctx;
    struct km_err why;

    call->held = false;
    if (err && err->code != KM_E_EXISTS) {
        why = *err;
        km_call_fail(call, &why);
        return;
    }
    km_object_of(call)->claimed = km_object_of(call)->asked && !err;
    km_call_resume(call, 0);
}

static struct km_object object_of(struct km_call *call, struct km_str id, const char *kind,
                                  struct km_str json)
{
    struct km_object o = { .id = id,
                           .kind = km_str_c(kind),
                           .deployment = call->at->d->id,
                           .model = call->req.model,
                           .json = json };

    memcpy(o.owner, km_object_of(call)->owner, sizeof o.owner);
    return o;
}

/* A file that the upstream wrote for a batch: its owner may fetch it. */
static void keep_written(struct km_call *call, const struct km_json_span *span)
{
    struct km_buf json KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct km_object o;
    struct km_str id;

    if (span->type != KM_JSON_STRING)
        return;
    id = km_json_text(&call->arena, km_object_of(call)->body, span);
    km_buf_str(&json, KM_STR("{\"id\":"));
    km_buf_json(&json, id);
    km_buf_printf(&json,
                  ",\"object\":\"file\",\"bytes\":0,\"created_at\":%lld,\"filename\":"
                  "\"batch_output.jsonl\",\"purpose\":\"batch_output\",\"status\":\"processed\"}",
                  (long long)(call->start_us / 1000000));
    o = object_of(call, id, "file", km_buf_view(&json));
    km_store_object_put(call->w->gw->store, NULL, &o, NULL, NULL);
}

static int keep(struct km_call *call, const struct km_json_span *at, struct km_err *err)
{
    struct km_store *store = call->w->gw->store;
    struct km_object_work *w = km_object_of(call);
    struct km_object o;

    w->kept = true;
    if (at[KM_O_ID].type != KM_JSON_STRING)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "The upstream's answer has no id.");
    o = object_of(call, km_json_text(&call->arena, w->body, &at[KM_O_ID]),
                  km_object_api(call)->kind, w->body);
    if (km_object_is_batch(call)) {
        keep_written(call, &at[KM_O_OUTPUT]);
        keep_written(call, &at[KM_O_ERRORS]);
    }
    call->held = true;
    if (km_object_api(call)->action == KM_OBJECT_REMOVE)
        km_store_object_delete(store, call->w->mailbox, w->id, o.owner, on_stored, call);
    else
        km_store_object_put(store, call->w->mailbox, &o, on_stored, call);
    return KM_E_AGAIN;
}

/* --- what is charged --- */

static struct km_str text_of(struct km_call *call, const struct km_json_span *span)
{
    return span->type == KM_JSON_STRING ? km_json_text(&call->arena, km_object_of(call)->body, span)
                                        : KM_STR_NONE;
}

static void read_report(struct km_call *call, const struct km_json_span *span)
{
    struct km_object_work *o = km_object_of(call);
    struct km_arena scratch KM_CLEANUP(km_arena_done);
    const struct km_json *usage;

    km_arena_init(&scratch, 1 << 20, km_loop_arenas(call->w->loop));
    if (span->type == KM_JSON_OBJECT &&
        km_json_parse_answer(&scratch, km_json_value(o->body, span), &usage, NULL) == 0)
        km_object_read_report(usage, &o->report);
    o->report.known = o->report.known && o->report.prompt_tokens + o->report.completion_tokens > 0;
}

/* Is there nothing to be seen in the lines that its report does not say? */
static bool says_all(const struct km_object_work *o, struct km_str model)
{
    return o->report.known && model.n &&
           (km_str_eq(o->endpoint, KM_STR("/v1/embeddings")) ||
            km_str_eq(o->endpoint, KM_STR("/v1/completions")));
}

/* By its output file, which is the next request, and the answer's own usage. */
static int count_batch(struct km_call *call, const struct km_json_span *at, struct km_err *err)
{
    struct km_object_work *o = km_object_of(call);
    struct km_str model = text_of(call, &at[KM_O_MODEL]);

    if (!o->counted) {
        read_report(call, &at[KM_O_USAGE]);
        o->endpoint = text_of(call, &at[KM_O_ENDPOINT]);
        o->output = text_of(call, &at[KM_O_OUTPUT]);
        o->counted = !o->output.n || says_all(o, model) || (o->blind && o->report.known);
    }
    if (o->counted) {
        km_object_settle_report(call, model);
        return 0;
    }
    o->counting = true;
    o->line.max = KM_OBJECT_LINE_WRITTEN;
    km_object_ask_content(call, o->output);
    return km_arena_overflowed(&call->arena) ? km_fail(err, KM_E_NOMEM, "out of memory")
                                             : KM_E_AGAIN;
}

static int claim(struct km_call *call)
{
    km_object_of(call)->asked = true;
    call->held = true;
    km_store_object_claim(call->w->gw->store, call->w->mailbox, km_object_of(call)->id,
                          km_object_of(call)->owner, &call->visit->id, on_stored, call);
    return KM_E_AGAIN;
}

static int charge_batch(struct km_call *call, const struct km_json_span *at, struct km_err *err)
{
    static const struct km_str open[] = { { "\"validating\"", 12 },
                                          { "\"in_progress\"", 13 },
                                          { "\"finalizing\"", 12 },
                                          { "\"cancelling\"", 12 } };
    struct km_object_work *o = km_object_of(call);
    struct km_str status = km_json_value(o->body, &at[KM_O_STATUS]);
    int r = 0;

    if (o->counting) { /* its output was read to the end */
        km_object_last_line(call);
        o->counting = call->at->relaying = false;
        o->counted = true;
    }
    if (!km_object_is_batch(call) || km_object_api(call)->action == KM_OBJECT_MAKE ||
        o->row.charged || o->asked)
        return 0;
    for (size_t i = 0; i < sizeof open / sizeof open[0]; i++)
        if (km_str_eq(status, open[i]))
            return 0;
    r = count_batch(call, at, err);
    if (r == 0 && o->used.prompt_tokens + o->used.completion_tokens > 0)
        r = claim(call);
    else if (r == 0)
        o->free = true;
    return r;
}

int km_object_end(struct km_call *call, struct km_err *err)
{
    struct km_object_work *o = km_object_of(call);
    struct km_json_span at[KM_O_COUNT];
    int r = 0;

    if (!o->body.p)
        o->body = km_arena_str(&call->arena, km_buf_view(&call->at->answer));
    if (!km_json_sure_spans(o->body, object_names, KM_O_COUNT, at, NULL, NULL))
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "The upstream's answer is no JSON object.");
    if (!o->kept)
        r = keep(call, at, err);
    if (r == 0)
        r = charge_batch(call, at, err);
    return r;
}

/* Nothing, but for the call that claimed a batch. */
void km_object_usage(struct km_call *call, struct km_usage *ret)
{
    struct km_object_work *o = km_object_of(call);

    *ret = (struct km_usage){ .known = true };
    o->price = (struct km_price)KM_PRICE_NONE;
    o->price.request = 0;
    call->price = &o->price;
    if (!o->claimed)
        return;
    *ret = o->used;
    ret->known = !o->uncounted;
    /* Its lines were priced one by one: here it is a price of all of it. */
    if (o->priced) {
        o->price.input = o->price.output = 0;
        o->price.request = o->cost > INT64_MAX / 1000 ? INT64_MAX : o->cost * 1000;
    } else {
        o->price.request = -1;
    }
}
