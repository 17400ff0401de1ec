/* SPDX-License-Identifier: Apache-2.0 */
/* auth.h - requests to AWS, signed: the credentials of credentials.h, the signature of sigv4.h.
 *
 * The service's clock is learnt from its refusals: a signature it finds too old or too new is
 * made again with the offset between its Date and our clock.
 */
#ifndef KM_LLM_AWS_AUTH_H
#define KM_LLM_AWS_AUTH_H

#include "llm/aws/credentials.h"

struct km_aws_auth_args {
    struct km_aws_args credentials;
    struct km_str region, service; /* what is signed for: "bedrock" */
};

/* For d->auth.  NULL when out of memory. */
struct km_auth *km_aws_auth_new(const struct km_aws_auth_args *args, struct km_err *err);

#endif
