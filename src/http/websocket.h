/* SPDX-License-Identifier: Apache-2.0 */
/* websocket.h - RFC 6455 without sockets: the handshake of both sides, frames from bytes to
 * messages and back.
 *
 * A reader is fed bytes as they arrive, cut anywhere, and calls back once a message or control
 * frame.  A message that came in one frame, unmasked and whole in the bytes fed, is not copied.
 * No extension is negotiated, so reserved bits are errors.
 *
 * Limits: a message over max_message is refused when its frame announces it, before a byte of it
 * is kept; at most KM_WS_FRAMES_MAX frames make a message; what is kept of unfinished messages is
 * taken from the bound on all bodies.
 * Lifetime: views given to callbacks die when they return.  Thread: none of its own.
 */
#ifndef KM_HTTP_WEBSOCKET_H
#define KM_HTTP_WEBSOCKET_H

#include "base/buf.h"
#include "http/message.h"

#define KM_WS_FRAMES_MAX 16384 /* of one message: 16 MiB in pieces of 1 KiB */
#define KM_WS_HEAD_MAX 14 /* of a frame */
#define KM_WS_CONTROL_MAX 125 /* payload of a control frame */
#define KM_WS_KEY_LEN 24
#define KM_WS_ACCEPT_LEN 28

enum km_ws_opcode {
    KM_WS_CONTINUATION = 0,
    KM_WS_TEXT = 1,
    KM_WS_BINARY = 2,
    KM_WS_CLOSE = 8,
    KM_WS_PING = 9,
    KM_WS_PONG = 10,
};

/* Close codes (RFC 6455, 7.4, and IANA's registry). */
enum km_ws_code {
    KM_WS_NORMAL = 1000,
    KM_WS_GOING_AWAY = 1001,
    KM_WS_PROTOCOL = 1002,
    KM_WS_UNSUPPORTED = 1003,
    KM_WS_NO_STATUS = 1005, /* never sent: the frame had no code */
    KM_WS_ABNORMAL = 1006, /* never sent: there was no frame */
    KM_WS_BAD_DATA = 1007,
    KM_WS_POLICY = 1008,
    KM_WS_TOO_BIG = 1009,
    KM_WS_INTERNAL = 1011,
    KM_WS_RESTART = 1012,
    KM_WS_TRY_LATER = 1013,
    KM_WS_BAD_GATEWAY = 1014,
    KM_WS_UNAUTHORIZED = 3000,
    KM_WS_TIMEOUT = 3008,
};

enum km_ws_side { KM_WS_SERVER, KM_WS_CLIENT }; /* which of the two we are */

struct km_body_budget;
struct km_ws;

struct km_ws_events {
    /* TEXT (valid UTF-8) or BINARY.  A negative return stops and is handed back. */
    int (*on_message)(void *ctx, enum km_ws_opcode kind, struct km_str data);
    /* PING (answer it with a PONG of the same payload) or PONG. */
    void (*on_control)(void *ctx, enum km_ws_opcode kind, struct km_str payload);
    /* The peer's Close; NO_STATUS when it gave no code.  What it sends after is dropped. */
    void (*on_close)(void *ctx, unsigned code, struct km_str reason);
};

/* NULL when out of memory.  budget may be NULL.  No buffer is held between messages. */
struct km_ws *km_ws_new(enum km_ws_side side, size_t max_message, struct km_body_budget *budget,
                        const struct km_ws_events *events, void *ctx);
struct km_ws *km_ws_free(struct km_ws *ws); /* not from inside a callback */

/* Takes all n bytes, or fails with what the peer did (KM_E_INVALID, KM_E_LIMIT, KM_E_OVERLOADED:
 * km_ws_fault() is the close code to send) or the callback's code.  After a failure it only
 * drops what comes. */
int km_ws_feed(struct km_ws *ws, const char *bytes, size_t n, struct km_err *err) KM_MUST_USE;
unsigned km_ws_fault(const struct km_ws *ws); /* 0: none */
bool km_ws_closed(const struct km_ws *ws); /* the peer's Close was read */

/* --- writing --- */

/* The head of an unfragmented frame; mask: the client's, NULL on the server's side.  Returns its
 * length. */
size_t km_ws_head(char out[KM_WS_HEAD_MAX], enum km_ws_opcode op, uint64_t payload,
                  const uint8_t mask[4]);
/* Masks or unmasks in place. */
void km_ws_mask(char *p, size_t n, const uint8_t mask[4]);
/* Appends a whole frame; of a client its payload is masked with fresh random bytes.  KM_E_NOMEM:
 * over the buffer's limit. */
int km_ws_put(struct km_buf *out, enum km_ws_side side, enum km_ws_opcode op, struct km_str payload,
              struct km_err *err) KM_MUST_USE;
/* Payload of a Close: the reason is cut to fit, between characters.  NO_STATUS and ABNORMAL: an
 * empty one. */
size_t km_ws_close_payload(char out[KM_WS_CONTROL_MAX], unsigned code, struct km_str reason);
bool km_ws_code_valid(unsigned code); /* may a Close carry it? */

/* --- the handshake (RFC 6455, 4) --- */

bool km_ws_asked(const struct km_request *request); /* Upgrade: websocket */
/* What the server must see.  *ret_key: Sec-WebSocket-Key.  KM_E_INVALID; another version is
 * err->http 426. */
int km_ws_request_check(const struct km_request *request, struct km_str *ret_key,
                        struct km_err *err) KM_MUST_USE;
void km_ws_accept(struct km_str key, char out[KM_WS_ACCEPT_LEN + 1]);
int km_ws_key(char out[KM_WS_KEY_LEN + 1], struct km_err *err) KM_MUST_USE;
/* What the client must see in answer to key; protocol: the one it asked for, or empty. */
int km_ws_response_check(const struct km_response *response, struct km_str key,
                         struct km_str protocol, struct km_err *err) KM_MUST_USE;
/* The next token of a comma list; false: none is left. */
bool km_ws_token(struct km_str *list, struct km_str *ret_token);

#endif
