/* SPDX-License-Identifier: Apache-2.0 */
/* eventstream.h - incremental reader of application/vnd.amazon.eventstream.
 *
 * Feed it bytes as they arrive, cut anywhere; it calls back once a message.  Both checksums are
 * checked: the prelude's before a byte of the rest is waited for, so that a broken length asks
 * for no memory.
 *
 * A message that lies whole in the bytes fed is not copied.
 *
 * Lifetime: views given to on_message die when it returns.
 * Limits: a message larger than max_message, or headers over 128 KiB, are KM_E_LIMIT.
 * Thread: none of its own; use one reader from one loop.
 */
#ifndef KM_LLM_AWS_EVENTSTREAM_H
#define KM_LLM_AWS_EVENTSTREAM_H

#include "base/buf.h"

struct km_eventstream;

enum km_aws_header_type {
    KM_AWS_TRUE,
    KM_AWS_FALSE,
    KM_AWS_BYTE,
    KM_AWS_SHORT,
    KM_AWS_INT,
    KM_AWS_LONG,
    KM_AWS_BYTES,
    KM_AWS_STRING,
    KM_AWS_TIMESTAMP,
    KM_AWS_UUID,
};

struct km_aws_message {
    struct km_str headers; /* as they came, checked; for km_aws_header_next() */
    struct km_str payload;
    size_t bytes; /* of all of it */
    /* Strings among the headers; empty: not there. */
    struct km_str message_type; /* "event", "exception", "error" */
    struct km_str event_type, exception_type, error_code, error_message;
};

struct km_aws_header {
    struct km_str name, value; /* value: its bytes, big-endian for numbers; none for booleans */
    enum km_aws_header_type type;
};

/* A negative return stops feeding and is handed back.  Do not free the reader from inside. */
typedef int km_aws_message_fn(void *ctx, const struct km_aws_message *m, struct km_err *err);

/* NULL when out of memory.  No buffer is held while nothing is unfinished. */
struct km_eventstream *km_eventstream_new(size_t max_message, km_aws_message_fn *on_message,
                                          void *ctx);
struct km_eventstream *km_eventstream_free(struct km_eventstream *s);

/* Takes all n bytes, or fails with KM_E_UPSTREAM_PROTOCOL, KM_E_LIMIT, KM_E_NOMEM or the
 * callback's code.  After a failure the reader can only be looked at and freed. */
int km_eventstream_feed(struct km_eventstream *s, const char *bytes, size_t n,
                        struct km_err *err) KM_MUST_USE;

/* Bytes of an unfinished message are waiting (the stream was cut in its middle). */
bool km_eventstream_unfinished(const struct km_eventstream *s);
/* Bytes of the message under way, or of the one it failed on if that came in pieces. */
struct km_str km_eventstream_held(const struct km_eventstream *s);

/* Appends an event of that type with a JSON payload. */
void km_eventstream_write(struct km_buf *out, struct km_str event_type, struct km_str payload);

/* Takes the first header off *rest; false at the end, and on one that is cut or of an unknown
 * type (then *rest is not empty). */
bool km_aws_header_next(struct km_str *rest, struct km_aws_header *ret);

#endif
