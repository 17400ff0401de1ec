/* SPDX-License-Identifier: Apache-2.0 */
/* job.h - what is under way for a request that is not answered at once.
 *
 * A job hangs on the stream that will carry its answer, under the request's id, so that
 * notifications/cancelled, a lost client (stateless era) and the end of a session find it.  When
 * it is cancelled its stream is NULL first: it says nothing any more.
 */
#ifndef KM_GATEWAY_MCP_JOB_H
#define KM_GATEWAY_MCP_JOB_H

#include "gateway/mcp/stream.h"

struct km_mcp_job {
    struct km_list link; /* of stream->calls */
    struct km_mcp_stream *stream; /* NULL: nobody waits */
    struct km_str id; /* of the request, as JSON */
    void (*cancel)(struct km_mcp_job *job, struct km_str reason);
};

void km_mcp_job_begin(struct km_mcp_job *job, struct km_mcp_stream *stream, struct km_str id);
/* Off its stream, which goes on without it; NULL: it had none. */
struct km_mcp_stream *km_mcp_job_take(struct km_mcp_job *job);
/* Answers and takes it off its stream; harmless when nobody waits. */
void km_mcp_job_answer(struct km_mcp_job *job, int http, struct km_str message);
void km_mcp_jobs_cancel(struct km_mcp_stream *stream, struct km_str reason);
/* notifications/cancelled: the stream goes on without an answer to it.  false: there is none. */
bool km_mcp_job_cancel_id(struct km_mcp_session *session, struct km_str id, struct km_str reason);

#endif
