/* SPDX-License-Identifier: Apache-2.0 */
/* client.c - whoever waits for an MCP call, as its port.
 *
 *     call ── result or error object ──> units ──> port ── message with the request's id ──> job
 *          ── notices, questions ────────────────────────────────────────────────────────> stream
 *
 * What a call says is the object alone: the same for every request, so that a unit may keep it and
 * a hook may answer with it.  It leaves as one message when it is complete; so whatever broke
 * before is an error, as if nothing had been said.
 *
 * A client that went away is told of by its stream, which knows whose calls run on (stream.c): a
 * job that was taken off says nothing any more.
 */
#include "gateway/mcp/call.h"

#define MESSAGE_BYTES (3 * KM_RPC_BYTES)

static int http_of(const struct km_mcp_work *w)
{
    return w->http ? w->http : 200;
}

static struct km_mcp_work *work_of(struct km_port *port)
{
    return KM_CONTAINER(port, struct km_mcp_work, port);
}

static int give_body(struct km_port *port, int64_t most, struct km_str *ret, struct km_err *err)
{
    struct km_str params = work_of(port)->params;

    if (params.n > (uint64_t)most)
        return km_fail(err, KM_E_BODY_TOO_LARGE, "The parameters are over %lld bytes.",
                       (long long)most);
    *ret = params;
    return 0;
}

/* --- the answer --- */

static void fail(struct km_port *port)
{
    struct km_buf message KM_CLEANUP(km_buf_done) = KM_BUF(16 * 1024);
    struct km_mcp_work *w = work_of(port);
    const struct km_err *err = &w->call->err;

    km_buf_done(&w->said);
    if (!w->job.stream)
        return;
    km_rpc_failure(&message, w->revision->era, w->job.id, err);
    km_mcp_job_answer(&w->job, km_mcp_stream_status(w->job.stream, err, w->http ? w->http : 200),
                      km_buf_view(&message));
}

static void respond(struct km_port *port, int status, struct km_str head, struct km_str body)
{
    struct km_mcp_work *w = work_of(port);
    struct km_str message;

    (void)status;
    (void)head; /* the stream's own says enough */
    if (!w->job.stream)
        return;
    message =
        km_arena_cat(&w->call->arena,
                     (struct km_str[]){ KM_STR("{\"jsonrpc\":\"2.0\",\"id\":"), w->job.id,
                                        w->outcome == KM_MCP_OUT_ERROR ? KM_STR(",\"error\":")
                                                                       : KM_STR(",\"result\":"),
                                        body, KM_STR("}") },
                     5);
    if (message.n && body.n) {
        km_mcp_job_answer(&w->job, http_of(w), message);
        return;
    }
    km_fail(&w->call->err, KM_E_INTERNAL,
            body.n ? "out of memory" : "Nothing of the answer was let through.");
    fail(port);
}

static void start(struct km_port *port, int status, struct km_str head, uint64_t length)
{
    (void)status;
    (void)head;
    (void)length;
    work_of(port)->said = (struct km_buf)KM_BUF(MESSAGE_BYTES);
}

static bool write_parts(struct km_port *port, const struct km_str *parts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        km_buf_str(&work_of(port)->said, parts[i]);
    return true;
}

static void end(struct km_port *port)
{
    struct km_mcp_work *w = work_of(port);

    if (w->said.n && km_json_spans(km_buf_view(&w->said), NULL, 0, NULL, NULL, NULL) < 0) {
        km_fail(&w->call->err, KM_E_INTERNAL,
                km_buf_failed(&w->said) ? "What was made of the answer is too large."
                                        : "What was made of the answer is no JSON object.");
        fail(port);
        return;
    }
    respond(port, 200, KM_STR_NONE, km_buf_view(&w->said));
    km_buf_done(&w->said);
}

static bool take_back(struct km_port *port)
{
    km_buf_done(&work_of(port)->said);
    return true;
}

/* --- before it --- */

static bool ask(struct km_port *port, struct km_str id, struct km_str method, struct km_str params)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(2 * KM_RPC_BYTES);
    struct km_mcp_stream *stream = work_of(port)->job.stream;

    if (!stream)
        return false;
    km_rpc_request(&b, id, method, params);
    return !km_buf_failed(&b) && km_mcp_stream_say(stream, km_buf_view(&b));
}

static void tell_news(struct km_port *port, struct km_str method, struct km_str params)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(2 * KM_RPC_BYTES);
    struct km_mcp_stream *stream = work_of(port)->job.stream;

    if (!stream || km_mcp_stream_slow(stream))
        return;
    km_rpc_request(&b, KM_STR_NONE, method, params);
    if (!km_buf_failed(&b))
        (void)km_mcp_stream_news(stream, km_buf_view(&b));
}

const struct km_port_ops km_mcp_client_ops = {
    .name = "mcp",
    .gone = KM_GONE_CANCEL,
    .body = give_body,
    .start = start,
    .write = write_parts,
    .end = end,
    .abort = fail,
    .respond = respond,
    .take_back = take_back,
    .ask = ask,
    .progress = tell_news,
};
