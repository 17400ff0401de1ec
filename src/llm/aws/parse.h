/* SPDX-License-Identifier: Apache-2.0 */
/* parse.h - credentials as they come from outside: JSON of metadata services and processes, XML
 * of STS. */
#ifndef KM_LLM_AWS_PARSE_H
#define KM_LLM_AWS_PARSE_H

#include "base/arena.h"

/* What a source gave; views. */
struct km_aws_found {
    struct km_str akid, secret, token;
    int64_t expires_us; /* INT64_MAX: never */
};

/* {"AccessKeyId","SecretAccessKey","Token" or "SessionToken","Expiration"} of IMDS, containers and
 * credential_process ("Version":1).  KM_E_UPSTREAM_PROTOCOL with a text that holds no value. */
int km_aws_parse_json(struct km_arena *arena, struct km_str text, struct km_aws_found *ret,
                      struct km_err *err) KM_MUST_USE;

/* STS's <Credentials>. */
int km_aws_parse_sts(struct km_arena *arena, struct km_str xml, struct km_aws_found *ret,
                     struct km_err *err) KM_MUST_USE;

/* STS's <Error><Code>, <Message>, or a piece of the text: for messages. */
struct km_str km_aws_sts_error(struct km_arena *arena, struct km_str xml);

#endif
