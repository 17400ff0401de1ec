/* SPDX-License-Identifier: Apache-2.0 */
/* job.c - see job.h for the contract.
 *
 *     stream ── calls ── job (id 7) ── job (id "a") ...
 *
 * A request that is cancelled gets no answer: its stream ends without one, or goes on with what
 * else is pending in a batch.  Cancelling must not end the stream under the hands of whoever
 * walks its jobs, so each is taken off before it is told.
 */
#include "gateway/mcp/job.h"

void km_mcp_job_begin(struct km_mcp_job *job, struct km_mcp_stream *stream, struct km_str id)
{
    job->stream = stream;
    job->id = id;
    km_list_push(&stream->calls, &job->link);
    if (stream->session)
        stream->session->calls++;
}

struct km_mcp_stream *km_mcp_job_take(struct km_mcp_job *job)
{
    struct km_mcp_stream *stream = job->stream;

    if (!stream)
        return NULL;
    job->stream = NULL;
    km_list_remove(&job->link);
    if (stream->session)
        stream->session->calls--;
    return stream;
}

void km_mcp_job_answer(struct km_mcp_job *job, int http, struct km_str message)
{
    struct km_mcp_stream *stream = km_mcp_job_take(job);

    if (stream)
        km_mcp_stream_answer(stream, http, message);
}

void km_mcp_jobs_cancel(struct km_mcp_stream *stream, struct km_str reason)
{
    while (!km_list_empty(&stream->calls)) {
        struct km_mcp_job *job = KM_CONTAINER(stream->calls.next, struct km_mcp_job, link);

        (void)km_mcp_job_take(job);
        job->cancel(job, reason);
    }
}

bool km_mcp_job_cancel_id(struct km_mcp_session *session, struct km_str id, struct km_str reason)
{
    KM_LIST_EACH(it, &session->streams)
    {
        struct km_mcp_stream *stream = KM_CONTAINER(it, struct km_mcp_stream, link);

        KM_LIST_EACH(at, &stream->calls)
        {
            struct km_mcp_job *job = KM_CONTAINER(at, struct km_mcp_job, link);

            if (!km_str_eq(job->id, id))
                continue;
            (void)km_mcp_job_take(job);
            job->cancel(job, reason);
            km_mcp_stream_answer(stream, 202, KM_STR_NONE);
            return true;
        }
    }
    return false;
}
