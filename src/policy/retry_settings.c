/* SPDX-License-Identifier: Apache-2.0 */
/* retry_settings.c - numbers by what an attempt failed of, as LiteLLM names them.
 *
 * retry_policy and allowed_fails_policy have the same kinds, each with an ending of its own.  The
 * kinds stand in one list here, so that one that is added is known to both.
 */
#include "policy/retry_settings.h"

#include <stddef.h>

#define KINDS(XX)                                                                                  \
    XX(BAD_REQUEST, "BadRequestError", "After 400, 413 and 422.")                                  \
    XX(AUTHENTICATION, "AuthenticationError", "After 401 and 403.")                                \
    XX(TIMEOUT, "TimeoutError", "After 408, and when the upstream was too slow.")                  \
    XX(RATE_LIMIT, "RateLimitError", "After 429.")                                                 \
    XX(CONTENT_POLICY, "ContentPolicyViolationError",                                              \
       "After a refusal of the upstream's content filter; else as BadRequestError.")               \
    XX(SERVER, "InternalServerError", "After 500 and other failures of the upstream.")             \
    XX(BAD_GATEWAY, "BadGatewayError", "After 502.")                                               \
    XX(UNAVAILABLE, "ServiceUnavailableError", "After 503 and 529.")                               \
    XX(NOT_FOUND, "NotFoundError", "After 404.")

#define AT(member) offsetof(struct km_failure_counts, member)
#define ROW(key, at, most, text)                                                                   \
    { .name = key, .type = KM_SET_INT, .offset = at, .def = "-1", .min = -1, .max = most,          \
      .help = text },

static const struct km_setting retries[] = {
#define XX(KIND, name, text) ROW(name "Retries", AT(of[KM_FAILURE_##KIND]), KM_RETRIES_MOST, text)
    KINDS(XX)
#undef XX
    ROW("DefaultRetries", AT(rest), KM_RETRIES_MOST, "After what has no number of its own here.")
    { 0 },
};

static const struct km_setting allowed_fails[] = {
#define XX(KIND, name, text) ROW(name "AllowedFails", AT(of[KM_FAILURE_##KIND]), 1000000, text)
    KINDS(XX)
#undef XX
    ROW("DefaultAllowedFails", AT(rest), 1000000,
        "After what has no number of its own here; else allowed_fails.")
    { 0 },
};

const struct km_settings_table km_retry_policy_table = {
    .rows = retries, .size = sizeof(struct km_failure_counts), .extra = SIZE_MAX
};

const struct km_settings_table km_allowed_fails_policy_table = {
    .rows = allowed_fails, .size = sizeof(struct km_failure_counts), .extra = SIZE_MAX
};
