/* SPDX-License-Identifier: Apache-2.0 */
/* sigv4.h - AWS Signature Version 4: the header lines that prove who sends a request.
 *
 *     struct km_sigv4_key key = { 0 };            one per (region, service), kept by its owner
 *     km_sigv4_sign(&request, &credentials, &key, &head, &err);
 *
 * Pure: no clock, no I/O.  The time is given, with whatever offset the owner has learnt of the
 * service's clock.  Thread: whoever has the key to himself; the rest is the caller's.
 */
#ifndef KM_LLM_AWS_SIGV4_H
#define KM_LLM_AWS_SIGV4_H

#include "base/buf.h"
#include "base/crypto.h"

#define KM_SIGV4_HEADERS_MOST 16 /* of km_sigv4_request */
#define KM_SIGV4_TIME_LEN 16 /* "20261120T074600Z" */

struct km_aws_credentials {
    struct km_str akid, secret;
    struct km_str token; /* of a session; empty: none */
};

struct km_sigv4_header {
    struct km_str name, value; /* as sent; any case */
};

struct km_sigv4_request {
    struct km_str method, host; /* as sent: host with a port that is not its scheme's own */
    struct km_str target; /* path and query, escaped, as sent */
    const struct km_sigv4_header *headers; /* others to sign; those never signed are skipped */
    size_t nheaders;
    const struct km_str *body;
    size_t nbody;
    struct km_str region, service;
    int64_t now_us; /* wall */
    bool send_body_hash; /* x-amz-content-sha256 too: STS and Bedrock do without */
};

/* The signing key of a day, region, service and secret; zeroed to begin with. */
struct km_sigv4_key {
    uint8_t of[KM_SHA256_LEN]; /* a digest of what it was made of */
    uint8_t key[KM_SHA256_LEN];
    bool made;
};
void km_sigv4_key_done(struct km_sigv4_key *key); /* wipes */

/* Appends the lines x-amz-date, x-amz-security-token, x-amz-content-sha256 and Authorization,
 * each with its CRLF; host and the other headers are the caller's to send.  KM_E_INVALID: the
 * credentials cannot stand in a header; KM_E_LIMIT: over 64 KiB, or too many headers.  On an
 * error head may hold a part of the lines. */
int km_sigv4_sign(const struct km_sigv4_request *q, const struct km_aws_credentials *who,
                  struct km_sigv4_key *key, struct km_buf *head, struct km_err *err) KM_MUST_USE;

/* The text that is hashed first: for tests and for finding out why a signature is refused.
 * hash_hex: of the body. */
int km_sigv4_canonical(const struct km_sigv4_request *q, struct km_str token, const char *hash_hex,
                       struct km_buf *out, struct km_str *ret_signed_headers,
                       struct km_err *err) KM_MUST_USE;

void km_sigv4_time(int64_t now_us, char out[KM_SIGV4_TIME_LEN + 1]);

#endif
