/* SPDX-License-Identifier: Apache-2.0 */
/* The WebSocket reader.
 *
 * One byte says which side reads and the size of the pieces, the rest are frames.  Fed whole and
 * in pieces they must give the same messages, the same end and the same fault; nothing is over
 * the limit; text is UTF-8; and a message written by the other side reads back as it was.
 */
#include "fuzz.h"

#include "base/encode.h"
#include "http/server.h"
#include "http/websocket.h"

#define MAX_MESSAGE 4096
#define MAX_INPUT ((size_t)1 << 16)

struct record {
    struct km_buf text;
    enum km_ws_side side;
    bool again; /* reading back: what is read is only kept */
};

static int on_message(void *ctx, enum km_ws_opcode kind, struct km_str data);

static void on_control(void *ctx, enum km_ws_opcode kind, struct km_str payload)
{
    struct record *r = ctx;

    must(kind == KM_WS_PING || kind == KM_WS_PONG);
    must(payload.n <= KM_WS_CONTROL_MAX);
    km_buf_printf(&r->text, "<%d %zu>", (int)kind, payload.n);
    km_buf_str(&r->text, payload);
}

static void on_close(void *ctx, unsigned code, struct km_str reason)
{
    struct record *r = ctx;

    must(code == KM_WS_NO_STATUS || km_ws_code_valid(code));
    must(km_utf8_valid(reason));
    km_buf_printf(&r->text, "<close %u %zu>", code, reason.n);
}

static const struct km_ws_events events = { on_message, on_control, on_close };

static void read_back(enum km_ws_side side, enum km_ws_opcode kind, struct km_str data)
{
    enum km_ws_side other = side == KM_WS_SERVER ? KM_WS_CLIENT : KM_WS_SERVER;
    struct record r = { .text = KM_BUF(MAX_INPUT), .side = side, .again = true };
    struct km_ws *ws = km_ws_new(side, MAX_MESSAGE, NULL, &events, &r);
    struct km_buf out = KM_BUF(MAX_INPUT);

    must(ws && km_ws_put(&out, other, kind, data, NULL) == 0);
    must(km_ws_feed(ws, out.p, out.n, NULL) == 0);
    must(km_str_eq(km_buf_view(&r.text), data));
    km_ws_free(ws);
    km_buf_done(&out);
    km_buf_done(&r.text);
}

static int on_message(void *ctx, enum km_ws_opcode kind, struct km_str data)
{
    struct record *r = ctx;

    must(kind == KM_WS_TEXT || kind == KM_WS_BINARY);
    must(data.n <= MAX_MESSAGE && (kind == KM_WS_BINARY || km_utf8_valid(data)));
    if (!r->again)
        km_buf_printf(&r->text, "<%d %zu>", (int)kind, data.n);
    km_buf_str(&r->text, data);
    if (!r->again)
        read_back(r->side, kind, data);
    return 0;
}

static void feed(struct record *r, const uint8_t *p, size_t n, size_t step)
{
    struct km_body_budget budget = { .limit = (int64_t)MAX_MESSAGE };
    struct km_ws *ws = km_ws_new(r->side, MAX_MESSAGE, &budget, &events, r);
    int e = 0;

    must(ws != NULL);
    for (size_t at = 0; at < n && e == 0; at += step) {
        size_t len = n - at < step ? n - at : step;
        char *copy = malloc(len);

        memcpy(copy, p + at, len);
        e = km_ws_feed(ws, copy, len, NULL);
        free(copy);
    }
    must((e < 0) == (km_ws_fault(ws) != 0));
    km_buf_printf(&r->text, "%u %d", km_ws_fault(ws), km_ws_closed(ws));
    km_ws_free(ws);
    must(budget.used == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct record whole = { .text = KM_BUF(64 * MAX_INPUT) };
    struct record cut = { .text = KM_BUF(64 * MAX_INPUT) };

    if (size < 2 || size > MAX_INPUT)
        return 0;
    whole.side = cut.side = data[0] & 1 ? KM_WS_CLIENT : KM_WS_SERVER;
    feed(&whole, data + 1, size - 1, size);
    feed(&cut, data + 1, size - 1, (size_t)(data[0] >> 1) % 64 + 1);
    must(km_str_eq(km_buf_view(&whole.text), km_buf_view(&cut.text)));
    km_buf_done(&whole.text);
    km_buf_done(&cut.text);
    return 0;
}
