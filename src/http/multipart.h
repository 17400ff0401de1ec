/* SPDX-License-Identifier: Apache-2.0 */
/* multipart.h - a reader of multipart/form-data (RFC 7578) that sees the bytes as they come.
 *
 * It keeps no part: bytes of values are views into what was fed.  Places are counted from the
 * form's first byte, so that its owner can pass the bytes on and change or leave out parts:
 *
 *     --B CRLF Content-Disposition: form-data; name="model" CRLF CRLF fast CRLF --B ...
 *     ^ part.begin                                                    ^ value    ^ the next begin
 *
 * It is strict where readers differ, because the upstream reads the same bytes again: nothing
 * before the first boundary, lines end in CRLF, no boundary stands behind one that does not, each
 * part says its name once and plainly, no transfer encodings, nothing but a line end or two behind
 * the last boundary.
 */
#ifndef KM_HTTP_MULTIPART_H
#define KM_HTTP_MULTIPART_H

#include "base/str.h"

#define KM_MULTIPART_BOUNDARY 70 /* RFC 2046 */
#define KM_MULTIPART_HEAD 4096 /* bytes of one part's header */
#define KM_MULTIPART_PARTS 256

struct km_multipart_part {
    struct km_str name; /* dies with the next byte fed */
    bool file; /* it has a filename */
    uint64_t begin; /* where its boundary's first '-' stands */
};

struct km_multipart_events {
    int (*on_part)(void *ctx, const struct km_multipart_part *part, struct km_err *err);
    /* Bytes of its value; any number of times. */
    int (*on_data)(void *ctx, struct km_str bytes, struct km_err *err);
    /* The value is over; end: where the next boundary's first '-' stands. */
    int (*on_end)(void *ctx, uint64_t end, struct km_err *err);
};

enum km_multipart_state {
    KM_MP_DELIMITER, /* in a boundary: `matched` bytes of it were seen */
    KM_MP_BEHIND, /* a boundary was seen: CRLF, or "--" */
    KM_MP_HEAD,
    KM_MP_VALUE,
    KM_MP_OVER, /* behind the last boundary */
};

/* In its owner's storage; no memory of its own. */
struct km_multipart {
    const struct km_multipart_events *events;
    void *ctx;
    enum km_multipart_state state;
    char delimiter[KM_MULTIPART_BOUNDARY + 4]; /* CRLF "--" boundary */
    size_t delimiter_n, matched;
    char bare; /* CR or LF, where that alone stood before what was matched; else 0 */
    char behind[2]; /* what followed it */
    size_t nbehind;
    char head[KM_MULTIPART_HEAD];
    size_t nhead;
    unsigned parts;
    uint64_t at; /* bytes fed */
};

/* type: the Content-Type's value.  KM_E_INVALID: no usable boundary. */
int km_multipart_init(struct km_multipart *m, struct km_str type,
                      const struct km_multipart_events *events, void *ctx,
                      struct km_err *err) KM_MUST_USE;
/* Takes all bytes, or fails: with KM_E_INVALID, KM_E_HEADER_TOO_LARGE, KM_E_LIMIT, or what a
 * callback said.  After that it is of no use. */
int km_multipart_feed(struct km_multipart *m, struct km_str bytes, struct km_err *err) KM_MUST_USE;
/* The form is over: was it whole? */
int km_multipart_end(const struct km_multipart *m, struct km_err *err) KM_MUST_USE;
/* The boundary, without its dashes. */
struct km_str km_multipart_boundary(const struct km_multipart *m);

#endif
