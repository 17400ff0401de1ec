/* SPDX-License-Identifier: Apache-2.0 */
/* body.h - the body of one message, piece by piece from the connection's bytes; private to
 * http/.  Pieces are views into what was given: nothing is copied or kept.
 */
#ifndef KM_HTTP_BODY_H
#define KM_HTTP_BODY_H

#include "http/head.h"

struct km_body {
    enum km_body_kind kind;
    uint64_t left; /* LENGTH: bytes to come */
    uint64_t got; /* body bytes so far */
    bool done;
    /* CHUNKED only */
    uint64_t overhead; /* bytes that are no body */
    uint64_t chunks;
    uint64_t announced; /* body bytes there will be at least */
    size_t fields; /* of the trailer */
    bool last_chunk;
    struct km_str piece;
    llhttp_t parser;
};

/* parser: km_head_parser() of the head just read. */
void km_body_init(struct km_body *b, const struct km_framing *framing, const llhttp_t *parser);

/* Takes bytes from the front of *in and gives the next piece of body.  An empty piece: *in is
 * used up, or the body is done (b->done; what is left in *in belongs to the next message).
 * KM_E_INVALID when the chunks are malformed or mostly not body. */
int km_body_next(struct km_body *b, struct km_str *in, struct km_str *ret_piece,
                 struct km_err *err) KM_MUST_USE;

#endif
