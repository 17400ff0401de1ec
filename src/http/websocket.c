/* SPDX-License-Identifier: Apache-2.0 */
/* websocket.c - frames of RFC 6455; contract in websocket.h.
 *
 *     bytes ──> head (2 to 14 bytes, kept until complete) ──> payload
 *                                                              │ control: 125 bytes, apart, for
 *                                                              │ they come between fragments
 *                                                              └ data: in place, or gathered
 *
 * A head is judged as soon as it is complete: a length over the limit, a wrong mask, a reserved
 * bit or opcode, a fragment where none can be, costs the peer its connection before its payload
 * is read.  Lengths must be written in their shortest form, as the standard says: two spellings
 * of one frame are two opinions of where the next one begins.
 *
 * Text is checked as UTF-8 when its message is whole, which is before anybody sees it.
 */
#include "http/websocket.h"

#include <stdlib.h>

#include "base/crypto.h"
#include "base/encode.h"
#include "http/server.h"

#define KEEP_BYTES ((size_t)16 * 1024) /* of the buffer, from one message to the next */

struct km_ws {
    enum km_ws_side side;
    size_t max_message;
    struct km_body_budget *budget;
    const struct km_ws_events *events;
    void *ctx;
    unsigned fault;
    bool closed; /* the peer's Close came */
    bool stopped; /* a callback said so */

    /* the frame under way */
    char head[KM_WS_HEAD_MAX];
    size_t head_n;
    bool in_payload;
    bool fin;
    enum km_ws_opcode op;
    uint8_t mask[4];
    uint64_t length, left;
    char control[KM_WS_CONTROL_MAX];
    size_t control_n;

    /* the message under way */
    enum km_ws_opcode kind; /* CONTINUATION: none */
    size_t frames;
    struct km_buf message;
    int64_t taken; /* of the budget */
};

struct km_ws *km_ws_new(enum km_ws_side side, size_t max_message, struct km_body_budget *budget,
                        const struct km_ws_events *events, void *ctx)
{
    struct km_ws *ws = calloc(1, sizeof *ws);

    if (!ws)
        return NULL;
    ws->side = side;
    ws->max_message = max_message;
    ws->budget = budget;
    ws->events = events;
    ws->ctx = ctx;
    km_buf_init(&ws->message, max_message);
    return ws;
}

static void give_back(struct km_ws *ws)
{
    if (ws->taken > 0)
        km_body_budget_give(ws->budget, ws->taken);
    ws->taken = 0;
}

struct km_ws *km_ws_free(struct km_ws *ws)
{
    if (!ws)
        return NULL;
    give_back(ws);
    km_buf_done(&ws->message);
    free(ws);
    return NULL;
}

unsigned km_ws_fault(const struct km_ws *ws)
{
    return ws->fault;
}

bool km_ws_closed(const struct km_ws *ws)
{
    return ws->closed;
}

static int broken(struct km_ws *ws, unsigned code, struct km_err *err, const char *what)
{
    ws->fault = code;
    return km_fail(err,
                   code == KM_WS_TOO_BIG     ? KM_E_LIMIT
                   : code == KM_WS_TRY_LATER ? KM_E_OVERLOADED
                                             : KM_E_INVALID,
                   "WebSocket: %s", what);
}

/* --- heads --- */

static size_t head_length(const struct km_ws *ws)
{
    unsigned char second = (unsigned char)ws->head[1];
    size_t n = 2 + ((second & 0x7f) == 126 ? 2 : (second & 0x7f) == 127 ? 8 : 0);

    return n + (second & 0x80 ? 4 : 0);
}

static uint64_t number(const char *p, size_t n)
{
    uint64_t v = 0;

    for (size_t i = 0; i < n; i++)
        v = v << 8 | (unsigned char)p[i];
    return v;
}

static int read_length(struct km_ws *ws, struct km_err *err)
{
    unsigned n = (unsigned char)ws->head[1] & 0x7f;
    uint64_t least = n == 126 ? 126 : n == 127 ? 65536 : 0;

    ws->length = n < 126 ? n : number(ws->head + 2, n == 126 ? 2 : 8);
    if (ws->length < least || ws->length > INT64_MAX)
        return broken(ws, KM_WS_PROTOCOL, err, "a frame's length is not in its shortest form");
    return 0;
}

static int judge_control(struct km_ws *ws, struct km_err *err)
{
    if (ws->op > KM_WS_PONG)
        return broken(ws, KM_WS_PROTOCOL, err, "a reserved opcode");
    if (!ws->fin)
        return broken(ws, KM_WS_PROTOCOL, err, "a control frame in fragments");
    if (ws->length > KM_WS_CONTROL_MAX)
        return broken(ws, KM_WS_PROTOCOL, err, "a control frame of over 125 bytes");
    return 0;
}

static int judge_data(struct km_ws *ws, struct km_err *err)
{
    if (ws->op > KM_WS_BINARY)
        return broken(ws, KM_WS_PROTOCOL, err, "a reserved opcode");
    if (ws->op == KM_WS_CONTINUATION && ws->kind == KM_WS_CONTINUATION)
        return broken(ws, KM_WS_PROTOCOL, err, "a continuation of nothing");
    if (ws->op != KM_WS_CONTINUATION && ws->kind != KM_WS_CONTINUATION)
        return broken(ws, KM_WS_PROTOCOL, err, "a message in the middle of another");
    if (ws->length > ws->max_message - ws->message.n)
        return broken(ws, KM_WS_TOO_BIG, err, "a message over the limit");
    if (++ws->frames > KM_WS_FRAMES_MAX)
        return broken(ws, KM_WS_TOO_BIG, err, "a message in too many frames");
    if (ws->op != KM_WS_CONTINUATION)
        ws->kind = ws->op;
    return 0;
}

static int judge_head(struct km_ws *ws, struct km_err *err)
{
    unsigned char first = (unsigned char)ws->head[0], second = (unsigned char)ws->head[1];
    bool masked = second & 0x80;
    int r;

    if (first & 0x70)
        return broken(ws, KM_WS_PROTOCOL, err, "a reserved bit is set");
    if (masked != (ws->side == KM_WS_SERVER))
        return broken(ws, KM_WS_PROTOCOL, err,
                      masked ? "a server's frame is masked" : "a client's frame is not masked");
    ws->fin = first & 0x80;
    ws->op = first & 0x0f;
    r = read_length(ws, err);
    if (r == 0)
        r = ws->op >= KM_WS_CLOSE ? judge_control(ws, err) : judge_data(ws, err);
    if (r < 0)
        return r;
    if (masked)
        memcpy(ws->mask, ws->head + ws->head_n - 4, 4);
    ws->left = ws->length;
    ws->control_n = ws->op >= KM_WS_CLOSE ? 0 : ws->control_n;
    ws->in_payload = true;
    return 0;
}

/* Takes bytes of a head; true: it is complete. */
static bool take_head(struct km_ws *ws, struct km_str *in)
{
    while (in->n > 0) {
        ws->head[ws->head_n++] = in->p[0];
        *in = km_str_skip(*in, 1);
        if (ws->head_n >= 2 && ws->head_n == head_length(ws))
            return true;
    }
    return false;
}

/* --- payloads --- */

/* The mask, turned so that it begins at byte `at` of the payload. */
static void turned(const struct km_ws *ws, uint64_t at, uint8_t out[4])
{
    for (size_t i = 0; i < 4; i++)
        out[i] = ws->mask[(at + i) % 4];
}

void km_ws_mask(char *p, size_t n, const uint8_t mask[4])
{
    uint32_t one;
    uint64_t two;
    size_t i = 0;

    memcpy(&one, mask, 4);
    two = (uint64_t)one << 32 | one;
    for (; i + 8 <= n; i += 8) {
        uint64_t word;

        memcpy(&word, p + i, 8);
        word ^= two;
        memcpy(p + i, &word, 8);
    }
    for (; i < n; i++)
        p[i] = (char)((uint8_t)p[i] ^ mask[i % 4]);
}

static int gather(struct km_ws *ws, struct km_str piece, struct km_err *err)
{
    size_t before = ws->message.n;
    uint8_t mask[4];

    if (ws->budget && !km_body_budget_take(ws->budget, (int64_t)piece.n))
        return broken(ws, KM_WS_TRY_LATER, err, "too many messages are being read");
    ws->taken += ws->budget ? (int64_t)piece.n : 0;
    km_buf_str(&ws->message, piece);
    if (km_buf_failed(&ws->message))
        return broken(ws, KM_WS_TOO_BIG, err, "no memory for a message");
    if (ws->side == KM_WS_SERVER && piece.n) {
        turned(ws, ws->length - ws->left, mask);
        km_ws_mask(ws->message.p + before, piece.n, mask);
    }
    return 0;
}

static int deliver(struct km_ws *ws, struct km_str data, struct km_err *err)
{
    enum km_ws_opcode kind = ws->kind;
    int r;

    ws->kind = KM_WS_CONTINUATION;
    ws->frames = 0;
    if (kind == KM_WS_TEXT && !km_utf8_valid(data))
        return broken(ws, KM_WS_BAD_DATA, err, "text that is no UTF-8");
    r = ws->events->on_message(ws->ctx, kind, data);
    ws->stopped = r < 0;
    return r < 0 ? km_fail(err, r, "WebSocket: stopped") : 0;
}

static int end_message(struct km_ws *ws, struct km_err *err)
{
    int r = deliver(ws, km_buf_view(&ws->message), err);

    give_back(ws);
    if (ws->message.cap > KEEP_BYTES)
        km_buf_done(&ws->message);
    else
        km_buf_reset(&ws->message);
    return r;
}

bool km_ws_code_valid(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static int end_close(struct km_ws *ws, struct km_str payload, struct km_err *err)
{
    unsigned code = KM_WS_NO_STATUS;

    if (payload.n == 1)
        return broken(ws, KM_WS_PROTOCOL, err, "a Close with half a code");
    if (payload.n >= 2) {
        code = (unsigned)number(payload.p, 2);
        if (!km_ws_code_valid(code))
            return broken(ws, KM_WS_PROTOCOL, err, "a Close with a code that may not be sent");
        if (!km_utf8_valid(km_str_skip(payload, 2)))
            return broken(ws, KM_WS_BAD_DATA, err, "a Close whose reason is no UTF-8");
    }
    ws->closed = true;
    ws->events->on_close(ws->ctx, code, km_str_skip(payload, 2));
    return 0;
}

static int end_control(struct km_ws *ws, struct km_err *err)
{
    struct km_str payload = { ws->control, ws->control_n };

    if (ws->side == KM_WS_SERVER)
        km_ws_mask(ws->control, ws->control_n, ws->mask);
    if (ws->op == KM_WS_CLOSE)
        return end_close(ws, payload, err);
    ws->events->on_control(ws->ctx, ws->op, payload);
    return 0;
}

/* The payload's bytes at hand; the frame's end when they are all. */
static int take_payload(struct km_ws *ws, struct km_str *in, struct km_err *err)
{
    struct km_str piece = km_str_sub(*in, 0, ws->left < in->n ? (size_t)ws->left : in->n);
    bool in_place = ws->side == KM_WS_CLIENT && ws->fin && ws->message.n == 0 &&
                    piece.n == ws->length && ws->op < KM_WS_CLOSE;
    int r = 0;

    *in = km_str_skip(*in, piece.n);
    if (ws->op >= KM_WS_CLOSE) {
        if (piece.n)
            memcpy(ws->control + ws->control_n, piece.p, piece.n);
        ws->control_n += piece.n;
    } else if (!in_place) {
        r = gather(ws, piece, err);
    }
    ws->left -= piece.n;
    if (r < 0 || ws->left > 0)
        return r;
    ws->in_payload = false;
    ws->head_n = 0;
    if (ws->op >= KM_WS_CLOSE)
        return end_control(ws, err);
    if (!ws->fin)
        return 0;
    return in_place ? deliver(ws, piece, err) : end_message(ws, err);
}

int km_ws_feed(struct km_ws *ws, const char *bytes, size_t n, struct km_err *err)
{
    struct km_str in = { bytes, n };
    int r = 0;

    while (r == 0 && (in.n > 0 || (ws->in_payload && ws->left == 0))) {
        if (ws->closed || ws->fault || ws->stopped)
            return 0;
        if (ws->in_payload)
            r = take_payload(ws, &in, err);
        else if (take_head(ws, &in))
            r = judge_head(ws, err);
    }
    return r;
}

/* --- writing --- */

size_t km_ws_head(char out[KM_WS_HEAD_MAX], enum km_ws_opcode op, uint64_t payload,
                  const uint8_t mask[4])
{
    size_t n = 2, wide = payload > 65535 ? 8 : payload > 125 ? 2 : 0;

    out[0] = (char)(0x80 | op);
    out[1] = (char)(wide == 8 ? 127 : wide == 2 ? 126 : payload);
    for (size_t i = wide; i > 0; i--)
        out[n++] = (char)(payload >> (8 * (i - 1)));
    if (!mask)
        return n;
    out[1] = (char)((uint8_t)out[1] | 0x80);
    memcpy(out + n, mask, 4);
    return n + 4;
}

int km_ws_put(struct km_buf *out, enum km_ws_side side, enum km_ws_opcode op, struct km_str payload,
              struct km_err *err)
{
    char head[KM_WS_HEAD_MAX];
    uint8_t mask[4];
    size_t at;

    if (side == KM_WS_CLIENT && km_random(mask, sizeof mask, err) < 0)
        return KM_E_SYSTEM;
    km_buf_bytes(out, head, km_ws_head(head, op, payload.n, side == KM_WS_CLIENT ? mask : NULL));
    at = out->n;
    km_buf_str(out, payload);
    if (km_buf_failed(out))
        return km_fail(err, KM_E_NOMEM, "no memory for a WebSocket frame");
    if (side == KM_WS_CLIENT)
        km_ws_mask(out->p + at, payload.n, mask);
    return 0;
}

size_t km_ws_close_payload(char out[KM_WS_CONTROL_MAX], unsigned code, struct km_str reason)
{
    size_t n = 0, step;

    if (!km_ws_code_valid(code))
        return 0;
    out[0] = (char)(code >> 8);
    out[1] = (char)(code & 0xff);
    while ((step = km_utf8_step(km_str_skip(reason, n))) > 0 && n + step <= KM_WS_CONTROL_MAX - 2)
        n += step;
    if (n)
        memcpy(out + 2, reason.p, n);
    return n + 2;
}
