/* SPDX-License-Identifier: Apache-2.0 */
/* body.c - see body.h for the contract.
 *
 * Chunks are llhttp's: it goes on from the state it had at the end of the head and is stopped
 * (HPE_PAUSED) after each piece and at the end, so that the caller is free to do anything
 * between two pieces, also to forget the whole message.
 *
 * What llhttp does not bound is how many bytes that are no body come along: chunk extensions,
 * leading zeros of sizes, trailer fields.  An ordinary chunk needs 6 to 20 of them; a budget
 * of 32 a chunk and 1 KiB in all leaves room for the odd extension and none for an attack.
 */
#include "http/body.h"

#define OVERHEAD_BASE 1024
#define OVERHEAD_CHUNK 32
#define OVERHEAD_TRAILER (8 * 1024)
#define TRAILER_FIELDS 64

static int on_body(llhttp_t *p, const char *at, size_t n)
{
    struct km_body *b = p->data;

    b->piece = km_str(at, n);
    return HPE_PAUSED;
}

static int on_chunk_header(llhttp_t *p)
{
    struct km_body *b = p->data;

    b->chunks++;
    b->last_chunk = p->content_length == 0;
    /* Saturating: the largest size of a chunk is the largest number. */
    b->announced =
        p->content_length > UINT64_MAX - b->got ? UINT64_MAX : b->got + p->content_length;
    return 0;
}

static int on_field_complete(llhttp_t *p)
{
    struct km_body *b = p->data;

    return ++b->fields > TRAILER_FIELDS ? -1 : 0;
}

static int on_message_complete(llhttp_t *p)
{
    struct km_body *b = p->data;

    b->done = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t body_settings = {
    .on_body = on_body,
    .on_chunk_header = on_chunk_header,
    .on_header_field_complete = on_field_complete,
    .on_message_complete = on_message_complete,
};

void km_body_init(struct km_body *b, const struct km_framing *framing, const llhttp_t *parser)
{
    b->kind = framing->kind;
    b->left = framing->length;
    b->got = 0;
    b->done = framing->kind == KM_BODY_NONE;
    b->overhead = 0;
    if (framing->kind != KM_BODY_CHUNKED)
        return;
    b->chunks = b->announced = 0;
    b->fields = 0;
    b->last_chunk = false;
    b->parser = *parser;
    b->parser.settings = (void *)(uintptr_t)&body_settings;
    b->parser.upgrade = 0; /* never granted: the body is a body */
    llhttp_resume(&b->parser);
}

static int next_chunked(struct km_body *b, struct km_str *in, struct km_str *ret_piece,
                        struct km_err *err)
{
    enum llhttp_errno e;
    size_t used = in->n;

    b->parser.data = b;
    b->piece = KM_STR_NONE;
    e = llhttp_execute(&b->parser, in->p, in->n);
    if (e == HPE_PAUSED) {
        used = (size_t)(llhttp_get_error_pos(&b->parser) - in->p);
        llhttp_resume(&b->parser);
    } else if (e != HPE_OK) {
        const char *why = llhttp_get_error_reason(&b->parser);

        return km_fail(err, KM_E_INVALID, "the chunked body is malformed: %s",
                       why && *why ? why : llhttp_errno_name(e));
    }
    b->overhead += used - b->piece.n;
    if (b->overhead >
        OVERHEAD_BASE + OVERHEAD_CHUNK * b->chunks + (b->last_chunk ? OVERHEAD_TRAILER : 0))
        return km_fail(err, KM_E_INVALID, "the chunked body has too many bytes that are no body");
    b->got += b->piece.n;
    *in = km_str_skip(*in, used);
    *ret_piece = b->piece;
    return 0;
}

int km_body_next(struct km_body *b, struct km_str *in, struct km_str *ret_piece, struct km_err *err)
{
    size_t n = in->n;

    *ret_piece = KM_STR_NONE;
    if (b->done || n == 0)
        return 0;
    if (b->kind == KM_BODY_CHUNKED) {
        /* Framing bytes give no piece: go on until one comes or the input is used up. */
        int r = 0;

        while (r == 0 && ret_piece->n == 0 && in->n > 0 && !b->done)
            r = next_chunked(b, in, ret_piece, err);
        return r;
    }
    if (b->kind == KM_BODY_LENGTH && n > b->left)
        n = (size_t)b->left;
    *ret_piece = km_str(in->p, n);
    *in = km_str_skip(*in, n);
    b->got += n;
    if (b->kind == KM_BODY_LENGTH) {
        b->left -= n;
        b->done = b->left == 0;
    }
    return 0;
}
