/* SPDX-License-Identifier: Apache-2.0 */
/* reply.c - the end of a call for its client: an answer, an error, or a stream's last bytes.
 *
 * A stream that broke never ends as if it were complete: the client gets an error event in its
 * protocol, at which its SDKs raise; where they would not, or there are no events, it gets a broken
 * end too (no last chunk).
 */
#include "call/call.h"

#include "call/which.h"

#define HEAD_MOST ((size_t)128 * 1024)

#define VERSION_LINE "x-litellm-version: kanmon/" KM_VERSION "\r\n"

/* Formatting by printf was a fifth of a call's instructions: these lines are put together. */
static void number_line(struct km_buf *b, struct km_str name, int64_t value)
{
    km_buf_str(b, name);
    km_buf_i64(b, value);
    km_buf_str(b, KM_STR("\r\n"));
}

static void decimal_line(struct km_buf *b, struct km_str name, int64_t value, int scale)
{
    km_buf_str(b, name);
    km_buf_decimal(b, value, scale);
    km_buf_str(b, KM_STR("\r\n"));
}

static void room_lines(const struct km_headroom *room, struct km_buf *b)
{
    if (room->limit_requests >= 0) {
        number_line(b, KM_STR("x-ratelimit-limit-requests: "), room->limit_requests);
        number_line(b, KM_STR("x-ratelimit-remaining-requests: "),
                    room->remaining_requests < 0 ? 0 : room->remaining_requests);
    }
    if (room->limit_tokens >= 0) {
        number_line(b, KM_STR("x-ratelimit-limit-tokens: "), room->limit_tokens);
        number_line(b, KM_STR("x-ratelimit-remaining-tokens: "),
                    room->remaining_tokens < 0 ? 0 : room->remaining_tokens);
    }
    if (room->limit_requests < 0 && room->limit_tokens < 0)
        return;
    km_buf_str(b, KM_STR("x-ratelimit-reset-requests: "));
    km_buf_u64(b, (room->reset_ms + 999) / 1000);
    km_buf_str(b, KM_STR("s\r\n"));
}

static void key_lines(const struct km_call *call, struct km_buf *b)
{
    struct km_key *key = call->visit->who.key;

    if (!key)
        return;
    if (key->row.rpm >= 0)
        number_line(b, KM_STR("x-litellm-key-rpm-limit: "), key->row.rpm);
    if (key->row.tpm >= 0)
        number_line(b, KM_STR("x-litellm-key-tpm-limit: "), key->row.tpm);
    if (key->row.max_budget >= 0)
        decimal_line(b, KM_STR("x-litellm-key-max-budget: "), key->row.max_budget, 9);
    decimal_line(b, KM_STR("x-litellm-key-spend: "), km_key_spend(key), 9);
    room_lines(&call->hold.room, b);
}

static void id_lines(const struct km_call *call, struct km_buf *b)
{
    km_id_lines(call->visit, b);
    km_buf_str(b, KM_STR(VERSION_LINE));
}

static void attempt_lines(const struct km_call *call, struct km_buf *b)
{
    struct km_err ignored;

    if (!call->at->d)
        return;
    km_buf_str(b, call->at->d->reply_head);
    /* A name that cannot stand in a header is left out; it was the caller's own. */
    if (km_header_put(b, KM_STR("x-litellm-model-group"), call->req.model, &ignored) < 0)
        b->failed = false;
    if (call->rule && km_header_put(b, KM_STR("x-kanmon-route"), call->rule->name, &ignored) < 0)
        b->failed = false;
    if (call->route.left_out)
        km_call_which_lines(call, b);
    km_buf_str(b, KM_STR("x-litellm-attempted-fallbacks: "));
    km_buf_u64(b, call->fallbacks);
    km_buf_str(b, KM_STR("\r\nx-litellm-attempted-retries: "));
    km_buf_u64(b, call->route.attempts ? call->route.attempts - 1 : 0);
    km_buf_str(b, KM_STR("\r\n"));
    if (call->bound_tokens >= 0)
        number_line(b, KM_STR("x-kanmon-max-tokens: "), call->bound_tokens);
    if (call->queued_ms)
        number_line(b, KM_STR("x-kanmon-queue-wait-ms: "), (int64_t)call->queued_ms);
}

static void time_lines(const struct km_call *call, struct km_buf *b)
{
    uint64_t total = call->total_ns / 1000, up = call->upstream_ns / 1000;

    decimal_line(b, KM_STR("x-litellm-response-duration-ms: "), (int64_t)total, 3);
    decimal_line(b, KM_STR("x-litellm-overhead-duration-ms: "),
                 (int64_t)(total > up ? total - up : 0), 3);
}

void km_call_head(struct km_call *call, struct km_buf *head)
{
    /* An upstream may answer a request for a stream with a whole body. */
    const char *own = call->api ? call->api->stream_type : NULL;

    if (call->at->type.n) /* a header's value already: it came as one */
        km_buf_printf(head, "Content-Type: %.*s\r\n", KM_STR_ARG(call->at->type));
    else if (!call->streaming && !(call->answered && call->req.stream))
        km_buf_str(head, KM_STR("Content-Type: application/json\r\n"));
    else if (own)
        km_buf_printf(head, "Content-Type: %s\r\nCache-Control: no-cache\r\n", own);
    else
        km_buf_str(head, KM_STR("Content-Type: text/event-stream; charset=utf-8\r\n"
                                "Cache-Control: no-cache\r\n"));
    id_lines(call, head);
    attempt_lines(call, head);
    if (!call->streaming && !call->failed) {
        if (call->cost || !(call->flags & KM_CALL_UNPRICED)) /* unknown is not 0 */
            decimal_line(head, KM_STR("x-litellm-response-cost: "), call->cost, 9);
        time_lines(call, head);
    }
    key_lines(call, head);
    km_buf_str(head, call->at->head);
}

void km_call_stream_start(struct km_call *call)
{
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(HEAD_MOST);

    call->streaming = true;
    km_call_head(call, &head);
    km_call_start_answer(call, call->at->status, km_buf_view(&head), UINT64_MAX);
}

static void reply_failure(struct km_call *call)
{
    struct km_buf *head = &call->w->scratch;
    struct km_buf body KM_CLEANUP(km_buf_done) = KM_BUF(16 * 1024);

    km_error_json(call->visit->dialect, &call->err, km_str(call->visit->id_text, KM_UUID_LEN),
                  &body);
    km_buf_reset(head);
    km_error_head(&call->err, head);
    if (call->port->ops->challenge)
        call->port->ops->challenge(call->port, &call->err, head);
    id_lines(call, head);
    attempt_lines(call, head);
    key_lines(call, head);
    km_call_respond(call, km_err_http(&call->err), km_buf_view(head), km_buf_view(&body));
}

bool km_call_last(struct km_call *call, struct km_buf *out)
{
    if (!call->cut && call->api && call->api->last)
        km_buf_str(out, km_str_c(call->api->last));
    else if (call->cut && call->api && !call->at->stream.error && !call->opaque)
        km_error_event(call->api->dialect, &call->err, km_str(call->visit->id_text, KM_UUID_LEN),
                       out);
    return call->cut && call->api && !call->opaque && km_error_event_is_heard(call->api->dialect);
}

void km_call_reply_refused(struct km_call *call)
{
    call->err = *call->unsaid;
    call->failed = true;
    call->streaming = false;
    if (call->client_gone)
        km_call_break_answer(call);
    else if (call->started && !km_call_take_back(call))
        km_call_end_refused(call);
    else if (!call->kind->reply || !call->kind->reply(call))
        reply_failure(call);
}

static void reply_whole(struct km_call *call)
{
    struct km_buf *head = &call->w->scratch;
    bool events = call->answered && call->req.stream; /* a mock's stream lies ready */
    uint64_t length = 0;

    for (size_t i = 0; i < call->nparts; i++)
        length += call->parts[i].n;
    km_buf_reset(head);
    km_call_head(call, head);
    km_call_start_answer(call, call->at->status, km_buf_view(head), events ? UINT64_MAX : length);
    if (call->unsaid) {
        km_call_reply_refused(call);
        return;
    }
    km_call_write_whole(call);
    km_call_end_answer(call);
}

void km_call_reply(struct km_call *call)
{
    if (call->client_gone && call->port)
        km_call_break_answer(call);
    else if ((call->kind->reply && call->kind->reply(call)) || !call->port)
        return;
    else if (call->streaming && !((call->cut || call->unsaid) && km_call_take_back(call)))
        km_call_end_stream(call);
    else if (call->failed)
        reply_failure(call);
    else
        reply_whole(call);
}
