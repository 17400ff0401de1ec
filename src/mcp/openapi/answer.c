/* SPDX-License-Identifier: Apache-2.0 */
/* answer.c - an HTTP response as the result of a tool (openapi.h).
 *
 *     2xx  an object of JSON        text, and the same as structuredContent
 *          other JSON, text         text
 *          image/..., audio/...     content of that kind, in base64
 *          anything else            a resource, in base64
 *          nothing                  "204 No Content"
 *     else                          isError: "404 Not Found", and what came with it
 *
 * No outputSchema is said: what interfaces answer and what their documents say differ too often,
 * and a client takes no result that does not fit.
 */
#include "base/encode.h"
#include "mcp/openapi/openapi.h"

#define ERROR_BYTES ((size_t)64 * 1024) /* of a refusal's body */
#define TREE_BYTES ((size_t)128 * 1024 * 1024)
#define ABOVE 8 /* levels of a message that are above structuredContent, and some */

static bool is_json(struct km_str type)
{
    struct km_str media = km_str_trim(km_str_sub(type, 0, km_str_chr(type, ';')));

    return km_str_ieq(media, KM_STR("application/json")) || km_str_ends(media, KM_STR("+json")) ||
           km_str_ieq(media, KM_STR("text/json"));
}

static void put_status(struct km_buf *out, int status)
{
    km_buf_printf(out, "%d %s", status, km_http_reason(status));
}

static void failed(struct km_mcp_call *call, const struct km_openapi_answer *a)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(2 * ERROR_BYTES);
    struct km_str body = km_utf8_cut(a->body, ERROR_BYTES);

    km_buf_str(&b, KM_STR("HTTP "));
    put_status(&b, a->status);
    if (a->location.n)
        km_buf_printf(&b, ", to %.*s: redirects are not followed",
                      KM_STR_ARG(km_str_sub(a->location, 0, 500)));
    if (body.n && km_utf8_valid(body)) {
        km_buf_byte(&b, '\n');
        km_buf_str(&b, body);
    }
    km_mcp_call_text(call, km_buf_view(&b), true);
}

/* A result is one line on some transports: its JSON must be.  It is not at a message's top, which
 * may be KM_JSON_DEPTH deep. */
static bool structured(struct km_mcp_call *call, struct km_str body)
{
    struct km_buf compact KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_RESULT_BYTES);
    const struct km_json *root;
    struct km_arena arena;
    bool fits;

    km_arena_init(&arena, TREE_BYTES, NULL);
    fits = km_json_parse_answer(&arena, body, &root, NULL) == 0 &&
           km_json_kind(root) == KM_JSON_OBJECT && km_json_within(root, KM_JSON_DEPTH - ABOVE);
    if (fits)
        km_json_write(root, &compact);
    km_arena_done(&arena);
    fits = fits && !km_buf_failed(&compact);
    if (fits)
        km_mcp_call_result(call, km_buf_view(&compact));
    return fits;
}

static void blob(struct km_mcp_call *call, const struct km_openapi_answer *a)
{
    struct km_str type = km_str_trim(km_str_sub(a->type, 0, km_str_chr(a->type, ';')));
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(2 * KM_MCP_RESULT_BYTES);
    bool image = km_str_istarts(type, KM_STR("image/"));
    bool audio = km_str_istarts(type, KM_STR("audio/"));

    if (image || audio) {
        km_buf_printf(&b, "[{\"type\":\"%s\",\"data\":\"", image ? "image" : "audio");
    } else {
        km_buf_str(&b, KM_STR("[{\"type\":\"resource\",\"resource\":{\"uri\":"));
        km_buf_json(&b, a->uri);
        km_buf_str(&b, KM_STR(",\"blob\":\""));
    }
    km_buf_base64(&b, a->body);
    km_buf_str(&b, KM_STR("\",\"mimeType\":"));
    km_buf_json(&b, type.n ? type : KM_STR("application/octet-stream"));
    km_buf_str(&b, image || audio ? KM_STR("}]") : KM_STR("}}]"));
    km_mcp_call_content(call, km_buf_view(&b), false);
}

/* Can it be shown as it is? */
static bool is_text(const struct km_openapi_answer *a)
{
    static const char *const bytes[] = { "image/", "audio/", "video/", "font/",
                                         "application/octet-stream", "application/pdf",
                                         "application/zip", NULL };

    for (size_t i = 0; bytes[i]; i++)
        if (km_str_istarts(a->type, km_str_c(bytes[i])) &&
            !km_str_istarts(a->type, KM_STR("image/svg")))
            return false;
    return km_utf8_valid(a->body) && !memchr(a->body.p, 0, a->body.n);
}

void km_openapi_answer(struct km_mcp_call *call, const struct km_openapi_answer *a)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(64);

    if (a->status < 200 || a->status > 299) {
        failed(call, a);
    } else if (!a->body.n) {
        put_status(&b, a->status);
        km_mcp_call_text(call, km_buf_view(&b), false);
    } else if (!is_json(a->type) || !structured(call, a->body)) {
        if (is_text(a))
            km_mcp_call_text(call, a->body, false);
        else
            blob(call, a);
    }
}
