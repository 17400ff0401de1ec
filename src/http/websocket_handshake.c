/* SPDX-License-Identifier: Apache-2.0 */
/* websocket_handshake.c - how a connection becomes a WebSocket (RFC 6455, 4); contract in
 * websocket.h.
 *
 *     client  GET, Upgrade: websocket, Sec-WebSocket-Key: 16 random bytes
 *     server  101, Sec-WebSocket-Accept: base64(SHA-1(key and a fixed text))
 *
 * The accept value proves that the server read a handshake and not just any request.  Neither
 * side here offers or takes an extension: compression of a relay's messages would cost memory a
 * connection and hide their length from no one.
 */
#include <string.h>

#include "base/crypto.h"
#include "base/encode.h"
#include "http/websocket.h"

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

bool km_ws_token(struct km_str *list, struct km_str *ret_token)
{
    struct km_str token;

    while (km_str_split(list, ',', &token)) {
        token = km_str_trim(token);
        if (token.n) {
            *ret_token = token;
            return true;
        }
    }
    return false;
}

bool km_ws_asked(const struct km_request *request)
{
    return km_header_has_token(&request->headers, KM_STR("upgrade"), KM_STR("websocket"));
}

static bool is_key(struct km_str key)
{
    struct km_buf raw KM_CLEANUP(km_buf_done) = KM_BUF(64);

    return key.n == KM_WS_KEY_LEN && km_buf_unbase64(&raw, key) == 0 && raw.n == 16;
}

int km_ws_request_check(const struct km_request *request, struct km_str *ret_key,
                        struct km_err *err)
{
    const struct km_headers *h = &request->headers;
    struct km_str key = km_header_get(h, KM_STR("sec-websocket-key"));

    if (!km_str_eq(request->method, KM_STR("GET")) || request->minor == 0 || request->has_body)
        return km_fail(err, KM_E_INVALID, "a WebSocket begins with a GET of HTTP/1.1");
    if (!km_header_has_token(h, KM_STR("connection"), KM_STR("upgrade")))
        return km_fail(err, KM_E_INVALID, "the handshake lacks `Connection: Upgrade`");
    if (!km_str_eq(km_str_trim(km_header_get(h, KM_STR("sec-websocket-version"))), KM_STR("13"))) {
        km_fail(err, KM_E_INVALID, "the only WebSocket version spoken here is 13");
        if (err)
            err->http = 426;
        return KM_E_INVALID;
    }
    if (km_header_count(h, KM_STR("sec-websocket-key")) != 1 || !is_key(key))
        return km_fail(err, KM_E_INVALID, "Sec-WebSocket-Key is not 16 bytes in base64");
    *ret_key = key;
    return 0;
}

void km_ws_accept(struct km_str key, char out[KM_WS_ACCEPT_LEN + 1])
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(256);
    uint8_t digest[KM_SHA1_LEN];

    km_buf_str(&text, key);
    km_buf_str(&text, KM_STR(GUID));
    km_sha1(km_buf_view(&text), digest);
    km_buf_reset(&text);
    km_buf_base64(&text, km_str((const char *)digest, sizeof digest));
    km_assert(text.n == KM_WS_ACCEPT_LEN);
    memcpy(out, text.p, KM_WS_ACCEPT_LEN);
    out[KM_WS_ACCEPT_LEN] = 0;
}

int km_ws_key(char out[KM_WS_KEY_LEN + 1], struct km_err *err)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(64);
    uint8_t raw[16];

    if (km_random(raw, sizeof raw, err) < 0)
        return KM_E_SYSTEM;
    km_buf_base64(&text, km_str((const char *)raw, sizeof raw));
    if (text.n != KM_WS_KEY_LEN)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    memcpy(out, text.p, KM_WS_KEY_LEN);
    out[KM_WS_KEY_LEN] = 0;
    return 0;
}

static int wrong(struct km_err *err, const char *what)
{
    return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "the upstream's WebSocket handshake: %s", what);
}

int km_ws_response_check(const struct km_response *response, struct km_str key,
                         struct km_str protocol, struct km_err *err)
{
    const struct km_headers *h = &response->headers;
    struct km_str said = km_str_trim(km_header_get(h, KM_STR("sec-websocket-protocol")));
    char accept[KM_WS_ACCEPT_LEN + 1];

    if (response->status != 101)
        return wrong(err, "it does not switch protocols");
    if (!km_header_has_token(h, KM_STR("upgrade"), KM_STR("websocket")) ||
        !km_header_has_token(h, KM_STR("connection"), KM_STR("upgrade")))
        return wrong(err, "it switches to something else");
    km_ws_accept(key, accept);
    if (km_header_count(h, KM_STR("sec-websocket-accept")) != 1 ||
        !km_str_eq(km_str_trim(km_header_get(h, KM_STR("sec-websocket-accept"))),
                   km_str(accept, KM_WS_ACCEPT_LEN)))
        return wrong(err, "Sec-WebSocket-Accept is not the answer to our key");
    if (km_header_count(h, KM_STR("sec-websocket-extensions")) != 0)
        return wrong(err, "it uses an extension nobody offered");
    if (said.n && !km_str_eq(said, protocol))
        return wrong(err, "it speaks a subprotocol nobody offered");
    return 0;
}
