/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - the kind of call that goes to a vendor's own API below its prefix.
 *
 *     /openai  /anthropic  /gemini  /bedrock  /vertex_ai  /azure
 *
 * What the vendor answers reaches the client as it is: status, header fields and body, errors
 * too.  Only where the vendor refuses the gateway itself (401, 403) the client is told so by a
 * 502 in its own dialect: its key is not what is wrong, and an SDK that is told 401 would say so.
 *
 * A whole answer is read to its end, because what it cost stands in it and goes into the head;
 * a stream is relayed as it comes, and looked at on its way (meter.h).
 */
#include "call/execution.h"
#include "call/forward.h"
#include "door/http_port.h"
#include "call/metrics.h"
#include "gateway/prefix/prefix.h"
#include "call/veil.h"

#define UP_HEAD_BYTES ((size_t)64 * 1024)

static bool metered(const struct km_call *call)
{
    return km_prefix_of(call)->rule && km_prefix_of(call)->rule->cost == KM_VENDOR_METERED;
}

/* The vendor's own fields for the client, as lines. */
static struct km_str lines_of(struct km_call *call, const struct km_headers *h)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(UP_HEAD_BYTES);
    struct km_err ignored;

    for (size_t i = 0; i < h->n; i++) {
        struct km_str name = h->v[i].name, value;

        if (!km_may_answer(h, name) ||
            !km_veil_field(call->w->gw->veil, &call->arena, &h->v[i], false, &value))
            continue;
        if (km_header_put(&b, name, value, &ignored) < 0)
            km_buf_forgive(&b); /* a field that cannot stand in a head is left out */
    }
    return km_arena_str(&call->arena, km_buf_view(&b));
}

static void put_head(struct km_call *call, struct km_buf *head, bool whole)
{
    km_buf_reset(head);
    km_buf_str(head, call->at->head);
    km_buf_str(head, KM_STR("x-litellm-call-id: "));
    km_buf_str(head, km_str(call->visit->id_text, KM_UUID_LEN));
    km_buf_str(head, KM_STR("\r\n"));
    km_buf_str(head, call->at->d->reply_head);
    km_call_execution_line(call, head);
    if (call->bound_tokens >= 0)
        km_buf_printf(head, "x-kanmon-max-tokens: %lld\r\n", (long long)call->bound_tokens);
    if (!whole || (!call->cost && (call->flags & KM_CALL_UNPRICED)))
        return;
    km_buf_str(head, KM_STR("x-litellm-response-cost: "));
    km_buf_decimal(head, call->cost, 9);
    km_buf_str(head, KM_STR("\r\n"));
}

static void relay(struct km_call *call, const struct km_response *response, uint64_t length)
{
    call->at->relaying = call->streaming = true;
    put_head(call, &call->w->scratch, false);
    km_call_start_answer(call, response->status, km_buf_view(&call->w->scratch), length);
}

/* How the vendor compressed its answer, which it was not asked to do; empty: not at all. */
static struct km_str coding_of(struct km_call *call, const struct km_headers *h)
{
    struct km_str coding = km_str_trim(km_header_get(h, KM_STR("content-encoding")));

    return km_str_ieq(coding, KM_STR("identity")) ? KM_STR_NONE
                                                  : km_arena_str(&call->arena, coding);
}

static void on_head(struct km_call *call, const struct km_response *response)
{
    struct km_prefix_call *p = km_prefix_of(call);
    struct km_str type = km_header_get(&response->headers, KM_STR("content-type"));
    const struct km_gateway_settings *s = call->visit->view->snap->gateway;
    struct km_err ignored;

    call->at->head = lines_of(call, &response->headers);
    p->coding = coding_of(call, &response->headers);
    if (!metered(call)) {
        relay(call, response, response->content_length);
        return;
    }
    km_call_keep_head(call, &response->headers);
    if (!km_framing_is(p->meter.kind->framing, type))
        return; /* gathered */
    call->req.stream = true;
    if (!p->coding.n && km_meter_stream(&p->meter, (size_t)s->sse_event_bytes, &ignored) < 0)
        p->meter.lost = true;
    if (p->meter.kind->framing == KM_FRAMING_SSE && !p->coding.n)
        km_veil_stream(call);
    relay(call, response, UINT64_MAX);
}

static int on_body(struct km_call *call, const char *bytes, size_t n, struct km_err *err)
{
    struct km_buf *out = &call->w->scratch;
    struct km_str part = km_str(bytes, n);

    if (metered(call)) {
        km_buf_reset(out);
        km_meter_feed(&km_prefix_of(call)->meter, bytes, n, out);
        part = km_buf_view(out);
        if (km_buf_failed(out))
            return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "too many events at once");
    }
    km_call_write_one(call, part);
    return 0;
}

/* As bytes, behind those that a unit may still hold. */
static int say_last(void *ctx, const struct km_sse_event *event, struct km_err *err)
{
    (void)err;
    km_call_write_one(ctx, event->raw);
    return 0;
}

/* Of a vendor's own protocols those that are a caller's API, too, have such an end. */
static int cut_short(struct km_call *call, const struct km_usage *told, struct km_err *err)
{
    const struct km_llm_cut cut = { .usage = *told,
                                    .id = km_str(call->visit->id_text, KM_UUID_LEN),
                                    .created_s = call->start_us / 1000000,
                                    .say = say_last,
                                    .ctx = call };

    if (!metered(call) || !call->at->relaying || km_prefix_of(call)->coding.n)
        return km_fail(err, KM_E_UNSUPPORTED, "This answer can only be broken off.");
    return km_meter_cut(&km_prefix_of(call)->meter, &cut, err);
}

static int complete(struct km_call *call, struct km_err *err)
{
    if (call->streaming) {
        km_meter_end(&km_prefix_of(call)->meter);
        return 0;
    }
    if (km_prefix_of(call)->coding.n) { /* nobody here can read it: it is as long as it is */
        km_meter_note(&km_prefix_of(call)->meter, km_buf_view(&call->at->answer));
    } else {
        km_meter_whole(&km_prefix_of(call)->meter, &call->at->refusal,
                       km_buf_view(&call->at->answer));
        km_veil_whole(call, km_header_get(&call->at->refusal, KM_STR("content-type")));
    }
    call->parts = km_arena_alloc(&call->arena, sizeof *call->parts);
    if (!call->parts)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    call->parts[0] = km_buf_view(&call->at->answer);
    call->nparts = 1;
    return 0;
}

static void usage(struct km_call *call, struct km_usage *ret)
{
    const struct km_vendor_rule *rule = km_prefix_of(call)->rule;

    *ret = (struct km_usage){ .known = true };
    if (metered(call))
        *ret = km_meter_usage(&km_prefix_of(call)->meter);
    else if (!rule || rule->cost == KM_VENDOR_UNPRICED)
        call->flags |= KM_CALL_UNPRICED;
}

static void doubt(struct km_call *call)
{
    if (metered(call))
        km_llm_stream_doubt(&km_prefix_of(call)->meter.stream);
}

/* The vendor's no, as it said it; unless it was said to the gateway. */
static bool vendors_own(const struct km_call *call)
{
    struct km_str coding =
        km_str_trim(km_header_get(&call->at->refusal, KM_STR("content-encoding")));

    if (coding.n && !km_str_ieq(coding, KM_STR("identity")))
        return false; /* nobody here can read it, nor see what it holds */
    return call->err.code == KM_E_UPSTREAM_STATUS && call->at->status >= 300 &&
           !(call->err.reason && strcmp(call->err.reason, "upstream_auth_error") == 0);
}

static bool reply(struct km_call *call)
{
    struct km_buf *head = &call->w->scratch;
    struct km_str body = km_buf_view(&call->at->answer);

    if (call->client_gone || call->streaming || !call->at->d ||
        (call->failed && !vendors_own(call)))
        return false;
    if (call->failed)
        call->at->head = lines_of(call, &call->at->refusal);
    put_head(call, head, !call->failed);
    km_call_respond(call, call->at->status, km_buf_view(head), body);
    return true;
}

/* Only a stream of text events takes one of ours. */
static bool last(struct km_call *call, struct km_buf *out)
{
    const struct km_meter *m = &km_prefix_of(call)->meter;

    if (metered(call) && !call->cut && m->stream.cut && m->kind->api && m->kind->api->last)
        km_buf_str(out, km_str_c(m->kind->api->last));
    if (call->cut && metered(call) && !km_prefix_of(call)->coding.n &&
        km_prefix_of(call)->meter.kind->framing == KM_FRAMING_SSE &&
        !km_prefix_of(call)->meter.stream.error)
        km_error_event(call->visit->dialect, &call->err, km_str(call->visit->id_text, KM_UUID_LEN),
                       out);
    return false;
}

/* How a call that came to nothing is called in logs and metrics: by its prefix. */
static struct km_str label(const struct km_call *call)
{
    static const struct km_str labels[KM_VENDORS] = {
        { "/openai", 7 },  { "/anthropic", 10 }, { "/gemini", 7 },
        { "/bedrock", 8 }, { "/vertex_ai", 10 }, { "/azure", 6 },
    };
    const struct km_vendor *v = call->visit->match.route->data;

    return labels[v - km_vendors];
}

static bool is_lent(const struct km_call *call)
{
    const struct km_prefix_call *p = km_prefix_of(call);

    return p && p->to.lent;
}

const char km_prefix_work[] = "prefix";

const struct km_call_kind km_kind_prefix = {
    .name = "prefix",
    .call_type = "pass_through_endpoint",
    .work_name = km_prefix_work,
    .needs_body = true,
    .verbatim = true,
    .raw = true,
    .prepare = km_prefix_read,
    .attempt = km_prefix_attempt,
    .on_head = on_head,
    .on_body = on_body,
    .complete = complete,
    .cut_short = cut_short,
    .usage = usage,
    .doubt = doubt,
    .reply = reply,
    .last = last,
    .label = label,
    .is_lent = is_lent,
};

/* --- routes --- */

static void on_route(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    (void)x;
    (void)match;
    km_call_begin(visit, km_http_port(visit), &km_kind_prefix, NULL);
}

#define PREFIX(path, vendor)                                                                       \
    {                                                                                              \
        "*", path "/{rest:path}", on_route, KM_AUTH_CALL, &km_vendors[vendor]                      \
    }

static const struct km_route rows[] = {
    PREFIX("/openai", 0),  PREFIX("/openai_passthrough", 0), PREFIX("/anthropic", 1),
    PREFIX("/gemini", 2),  PREFIX("/bedrock", 3),            PREFIX("/vertex_ai", 4),
    PREFIX("/vertex-ai", 4), PREFIX("/azure", 5),
};

const struct km_route_rows km_prefix_routes = { rows, sizeof rows / sizeof rows[0] };
