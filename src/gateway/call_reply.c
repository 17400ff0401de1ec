/* SPDX-License-Identifier: Apache-2.0 */
/* call_reply.c - the end of a call for its client: an answer, an error, or a stream's last bytes.
 *
 * A stream that broke never ends as if it were complete: the client gets an error event in its
 * protocol and then a broken end (no last chunk), so that every SDK raises.
 */
#include "gateway/call.h"

#include "gateway/reply.h"

#define VERSION_LINE "x-litellm-version: kanmon/" KM_VERSION "\r\n"

static void limit_pair(struct km_buf *b, const char *what, int64_t limit, int64_t remaining)
{
    if (limit < 0)
        return;
    km_buf_printf(b, "x-ratelimit-limit-%s: %lld\r\nx-ratelimit-remaining-%s: %lld\r\n", what,
                  (long long)limit, what, (long long)(remaining < 0 ? 0 : remaining));
}

static void key_lines(const struct km_call *call, struct km_buf *b)
{
    struct km_key *key = call->visit->who.key;
    char money[32];

    if (!key)
        return;
    if (key->row.rpm >= 0)
        km_buf_printf(b, "x-litellm-key-rpm-limit: %lld\r\n", (long long)key->row.rpm);
    if (key->row.tpm >= 0)
        km_buf_printf(b, "x-litellm-key-tpm-limit: %lld\r\n", (long long)key->row.tpm);
    if (key->row.max_budget >= 0) {
        km_money_text(key->row.max_budget, money);
        km_buf_str(b, KM_STR("x-litellm-key-max-budget: "));
        km_buf_str(b, km_str_c(money));
        km_buf_str(b, KM_STR("\r\n"));
    }
    km_money_text(km_key_spend(key), money);
    km_buf_str(b, KM_STR("x-litellm-key-spend: "));
    km_buf_str(b, km_str_c(money));
    km_buf_str(b, KM_STR("\r\n"));
    limit_pair(b, "requests", call->room.limit_requests, call->room.remaining_requests);
    limit_pair(b, "tokens", call->room.limit_tokens, call->room.remaining_tokens);
    if (call->room.limit_requests >= 0 || call->room.limit_tokens >= 0)
        km_buf_printf(b, "x-ratelimit-reset-requests: %llus\r\n",
                      (unsigned long long)((call->room.reset_ms + 999) / 1000));
}

static void id_lines(const struct km_call *call, struct km_buf *b)
{
    struct km_str id = km_str(call->visit->id_text, KM_UUID_LEN);

    km_buf_str(b, KM_STR("x-litellm-call-id: "));
    km_buf_str(b, id);
    km_buf_str(b, KM_STR("\r\nx-request-id: "));
    km_buf_str(b, id);
    km_buf_str(b, KM_STR("\r\n" VERSION_LINE));
}

static void attempt_lines(const struct km_call *call, struct km_buf *b)
{
    struct km_err ignored;

    if (!call->d)
        return;
    km_buf_str(b, call->d->reply_head);
    /* A name that cannot stand in a header is left out; it was the caller's own. */
    if (km_header_put(b, KM_STR("x-litellm-model-group"), call->req.model, &ignored) < 0)
        b->failed = false;
    km_buf_str(b, KM_STR("x-litellm-attempted-fallbacks: 0\r\nx-litellm-attempted-retries: "));
    km_buf_u64(b, call->route.attempts ? call->route.attempts - 1 : 0);
    km_buf_str(b, KM_STR("\r\n"));
    if (call->bound_tokens >= 0)
        km_buf_printf(b, "x-kanmon-max-tokens: %lld\r\n", (long long)call->bound_tokens);
}

static void time_lines(const struct km_call *call, struct km_buf *b)
{
    uint64_t total = (km_mono_ns() - km_exchange_began_ns(call->x)) / 1000;
    uint64_t up = call->upstream_ns / 1000;
    uint64_t own = total > up ? total - up : 0;

    km_buf_printf(b,
                  "x-litellm-response-duration-ms: %llu.%03u\r\n"
                  "x-litellm-overhead-duration-ms: %llu.%03u\r\n",
                  (unsigned long long)(total / 1000), (unsigned)(total % 1000),
                  (unsigned long long)(own / 1000), (unsigned)(own % 1000));
}

void km_call_head(struct km_call *call, struct km_buf *head)
{
    char money[32];

    km_buf_str(head, call->req.stream && !call->failed
                         ? KM_STR("Content-Type: text/event-stream; charset=utf-8\r\n"
                                  "Cache-Control: no-cache\r\n")
                         : KM_STR("Content-Type: application/json\r\n"));
    id_lines(call, head);
    attempt_lines(call, head);
    if (!call->streaming && !call->failed) {
        km_money_text(call->cost, money);
        km_buf_str(head, KM_STR("x-litellm-response-cost: "));
        km_buf_str(head, km_str_c(money));
        km_buf_str(head, KM_STR("\r\n"));
        time_lines(call, head);
    }
    key_lines(call, head);
    km_buf_str(head, call->up_head);
}

static void reply_failure(struct km_call *call)
{
    struct km_buf *head = &call->w->scratch;
    struct km_buf body KM_CLEANUP(km_buf_done) = KM_BUF(16 * 1024);

    km_error_json(&call->err, &body);
    km_buf_reset(head);
    km_error_head(&call->err, head);
    id_lines(call, head);
    attempt_lines(call, head);
    key_lines(call, head);
    km_exchange_respond(call->x, km_err_http(&call->err), km_buf_view(head), km_buf_view(&body));
}

static void end_stream(struct km_call *call)
{
    struct km_buf *out = &call->w->scratch;
    struct km_str view;

    km_buf_reset(out);
    if (!call->cut) {
        if (call->api)
            km_buf_str(out, KM_STR("data: [DONE]\n\n"));
    } else if (call->api && !call->stream.error) {
        km_buf_str(out, KM_STR("data: "));
        km_error_json(&call->err, out);
        km_buf_str(out, KM_STR("\n\n"));
    }
    view = km_buf_view(out);
    if (view.n)
        (void)km_exchange_write(call->x, &view, 1);
    if (call->cut)
        km_exchange_abort(call->x);
    else
        km_exchange_end(call->x);
}

static void reply_whole(struct km_call *call)
{
    struct km_buf *head = &call->w->scratch;
    struct km_str done = KM_STR("data: [DONE]\n\n");
    bool events = call->answered && call->req.stream; /* a mock's stream lies ready */
    uint64_t length = events ? done.n : 0;

    for (size_t i = 0; i < call->nparts; i++)
        length += call->parts[i].n;
    km_buf_reset(head);
    km_call_head(call, head);
    km_exchange_start(call->x, call->up_status, km_buf_view(head), events ? UINT64_MAX : length);
    (void)km_exchange_write(call->x, call->parts, call->nparts);
    if (events)
        (void)km_exchange_write(call->x, &done, 1);
    km_exchange_end(call->x);
}

void km_call_reply(struct km_call *call)
{
    if (call->client_gone)
        km_exchange_abort(call->x);
    else if (call->streaming)
        end_stream(call);
    else if (call->failed)
        reply_failure(call);
    else
        reply_whole(call);
}
