/* SPDX-License-Identifier: Apache-2.0 */
/* retry_settings.c - LiteLLM's retry_policy: further attempts by what an attempt failed of. */
#include "policy/retry_settings.h"

#include <stddef.h>

#define ROW(key, member, text)                                                                     \
    {                                                                                              \
        .name = key, .type = KM_SET_INT, .offset = offsetof(struct km_failure_counts, member),     \
        .def = "-1", .min = -1, .max = KM_RETRIES_MOST, .help = text                               \
    }
#define OF(kind) of[KM_FAILURE_##kind]

static const struct km_setting rows[] = {
    ROW("BadRequestErrorRetries", OF(BAD_REQUEST), "After 400, 413 and 422."),
    ROW("AuthenticationErrorRetries", OF(AUTHENTICATION), "After 401 and 403."),
    ROW("TimeoutErrorRetries", OF(TIMEOUT), "After 408, and when the upstream was too slow."),
    ROW("RateLimitErrorRetries", OF(RATE_LIMIT), "After 429."),
    ROW("ContentPolicyViolationErrorRetries", OF(CONTENT_POLICY),
        "After a refusal of the upstream's content filter; else BadRequestErrorRetries."),
    ROW("InternalServerErrorRetries", OF(SERVER), "After 500 and other failures of the upstream."),
    ROW("BadGatewayErrorRetries", OF(BAD_GATEWAY), "After 502; LiteLLM has it in DefaultRetries."),
    ROW("ServiceUnavailableErrorRetries", OF(UNAVAILABLE), "After 503 and 529."),
    ROW("NotFoundErrorRetries", OF(NOT_FOUND), "After 404."),
    ROW("DefaultRetries", rest, "After what has no number of its own here."),
    { 0 },
};

const struct km_settings_table km_retry_policy_table = {
    .rows = rows,
    .size = sizeof(struct km_failure_counts),
    .extra = SIZE_MAX,
};
