/* SPDX-License-Identifier: Apache-2.0 */
/* mock.h - LiteLLM's `mock_response`: a deployment that answers by itself.
 *
 * The text is the answer; LiteLLM's error names ("litellm.RateLimitError", ...) are that error.
 * Usage is 10 and 20 tokens, as LiteLLM's.
 */
#ifndef KM_LLM_MOCK_H
#define KM_LLM_MOCK_H

#include "llm/api/openai.h"

struct km_mock_args {
    struct km_str text; /* the deployment's mock_response */
    const char *id; /* of the call */
    int64_t created_s;
};

/* 0, or the error the text names. */
int km_mock_check(struct km_str text, struct km_err *err) KM_MUST_USE;
/* A whole answer, or the events of a stream without [DONE]. */
void km_mock_answer(const struct km_llm_request *r, const struct km_mock_args *args,
                    struct km_buf *out);
void km_mock_stream(const struct km_llm_request *r, const struct km_mock_args *args,
                    struct km_buf *out);
struct km_usage km_mock_usage(void);
/* The same as events of an answer, for every other protocol. */
int km_mock_events(struct km_answer *a, struct km_str text, struct km_err *err) KM_MUST_USE;

#endif
