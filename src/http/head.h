/* SPDX-License-Identifier: Apache-2.0 */
/* head.h - heads of HTTP/1 messages from bytes to views; private to http/.
 *
 * A parser is fed the head from its first byte on, cut anywhere, as long as all bytes so far
 * lie in one piece (they may move between feeds).  When the head is complete it is judged and
 * copied once, into an arena; the parser can then begin the next one.
 *
 * Thread: none of its own.
 */
#ifndef KM_HTTP_HEAD_H
#define KM_HTTP_HEAD_H

#include <llhttp.h>

#include "http/message.h"

#define KM_HEAD_FIELDS_MAX 1000

enum km_head_kind { KM_HEAD_REQUEST, KM_HEAD_RESPONSE };

struct km_head_limits {
    size_t bytes; /* the whole head */
    size_t line; /* request line; one header line */
    size_t fields; /* at most KM_HEAD_FIELDS_MAX */
};

struct km_head;

/* Room for `fields` fields.  NULL when out of memory. */
struct km_head *km_head_new(size_t fields);
struct km_head *km_head_free(struct km_head *h);
bool km_head_fits(const struct km_head *h, size_t fields);
/* limits must live until the head is complete; they may change meanwhile. */
void km_head_begin(struct km_head *h, enum km_head_kind kind, const struct km_head_limits *limits);

/* base: all n bytes so far.  0: complete, *ret_used bytes of it are the head; KM_E_AGAIN: feed
 * more; else what is wrong with it. */
int km_head_feed(struct km_head *h, const char *base, size_t n, size_t *ret_used,
                 struct km_err *err) KM_MUST_USE;

/* How the body is delimited and what becomes of the connection. */
struct km_framing {
    enum km_body_kind { KM_BODY_NONE, KM_BODY_LENGTH, KM_BODY_CHUNKED, KM_BODY_CLOSE } kind;
    uint64_t length; /* KM_BODY_LENGTH */
    bool keep_alive; /* the sender would keep the connection */
    bool expect; /* Expect: 100-continue */
    bool has_length; /* a Content-Length field is there */
};

/* Judges a complete request head and copies it.  ret_request->target is set as soon as there
 * is one, also on failure. */
int km_head_request(const struct km_head *h, const char *base, size_t used, struct km_arena *a,
                    struct km_request *ret_request, struct km_framing *ret_framing,
                    struct km_err *err) KM_MUST_USE;
/* method: of the request (HEAD has no body). */
int km_head_response(const struct km_head *h, const char *base, size_t used, struct km_arena *a,
                     struct km_str method, struct km_response *ret_response,
                     struct km_framing *ret_framing, struct km_err *err) KM_MUST_USE;

/* The parser's own state after a complete head, for a chunked body (body.h). */
const llhttp_t *km_head_parser(const struct km_head *h);

#endif
