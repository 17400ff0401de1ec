/* SPDX-License-Identifier: Apache-2.0 */
/* dialect.c - see dialect.h.
 *
 * An error is written in the words of the API that the path belongs to, so that the caller's own
 * library raises what its users expect; each dialect's row of words is here and nowhere else.
 * Which dialect a path has is asked before anything else is known of the request, for the refusals
 * of the HTTP server as well: so it is told by the path alone.
 */
#include "llm/dialect.h"

#include "llm/vendor.h"

#define WAIT_MOST_S 60 /* OpenAI's library ignores a longer Retry-After and asks at once */

/* "/v1/models/{model}:generateContent": Google's newer clients leave out the "beta". */
static bool is_google(struct km_str path)
{
    static const char *const ends[] = { ":generateContent", ":streamGenerateContent",
                                        ":countTokens", ":embedContent", ":batchEmbedContents" };

    if (km_str_chr(path, ':') == path.n)
        return false;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (km_str_ends(path, km_str_c(ends[i])))
            return true;
    return false;
}

/* Paths that tell it by themselves; below a vendor's prefix it is the vendor's own. */
static const struct {
    struct km_str begins;
    enum km_dialect dialect;
} rows[] = {
    { { "/v1/messages", 12 }, KM_DIALECT_ANTHROPIC },
    { { "/v1beta/", 8 }, KM_DIALECT_GOOGLE },
    { { "/v1beta1/", 9 }, KM_DIALECT_GOOGLE },
    { { "/vertex-ai/", 11 }, KM_DIALECT_GOOGLE },
};

static bool is_below(struct km_str path, struct km_str prefix)
{
    return path.n > prefix.n && path.p[prefix.n] == '/' && km_str_starts(path, prefix);
}

enum km_dialect km_dialect_of(struct km_str path)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (km_str_starts(path, rows[i].begins))
            return rows[i].dialect;
    for (size_t i = 0; i < KM_VENDORS; i++)
        if (km_vendors[i].dialect != KM_DIALECT_OPENAI && is_below(path, km_vendors[i].prefix))
            return km_vendors[i].dialect;
    return is_google(path) ? KM_DIALECT_GOOGLE : KM_DIALECT_OPENAI;
}

/* The other vendors' words for a status. */
static const struct {
    int http;
    const char *anthropic, *google, *aws;
} words[] = {
    { 400, "invalid_request_error", "INVALID_ARGUMENT", "ValidationException" },
    { 401, "authentication_error", "UNAUTHENTICATED", "UnrecognizedClientException" },
    { 402, "billing_error", "FAILED_PRECONDITION", "AccessDeniedException" },
    { 403, "permission_error", "PERMISSION_DENIED", "AccessDeniedException" },
    { 404, "not_found_error", "NOT_FOUND", "ResourceNotFoundException" },
    { 408, "timeout_error", "DEADLINE_EXCEEDED", "ModelTimeoutException" },
    { 409, "conflict_error", "ABORTED", "ConflictException" },
    { 413, "request_too_large", "INVALID_ARGUMENT", "ValidationException" },
    { 429, "rate_limit_error", "RESOURCE_EXHAUSTED", "ThrottlingException" },
    { 499, "api_error", "CANCELLED", "InternalServerException" },
    { 500, "api_error", "INTERNAL", "InternalServerException" },
    { 501, "invalid_request_error", "UNIMPLEMENTED", "ValidationException" },
    { 503, "overloaded_error", "UNAVAILABLE", "ServiceUnavailableException" },
    { 504, "timeout_error", "DEADLINE_EXCEEDED", "ModelTimeoutException" },
    { 529, "overloaded_error", "UNAVAILABLE", "ServiceUnavailableException" },
};

static size_t word_of(int http)
{
    size_t n = sizeof words / sizeof words[0];

    for (size_t i = 0; i < n; i++)
        if (words[i].http == http)
            return i;
    return word_of(http < 500 ? 400 : 500);
}

static const char *anthropic_type(const struct km_err *err)
{
    struct km_err plain = { .code = err->code };

    /* A status of its own (an upstream's) says more than the code. */
    return err->http ? words[word_of(err->http)].anthropic : km_err_anthropic_type(&plain);
}

static void openai_json(const struct km_err *err, struct km_buf *out)
{
    km_buf_str(out, KM_STR("{\"error\":{\"message\":"));
    km_buf_json(out, km_str_c(err->text));
    km_buf_printf(out, ",\"type\":\"%s\",\"param\":", km_err_openai_type(err));
    if (err->param)
        km_buf_json(out, km_str_c(err->param));
    else
        km_buf_str(out, KM_STR("null"));
    if (err->reason)
        km_buf_printf(out, ",\"code\":\"%s\"}}", err->reason);
    else
        km_buf_printf(out, ",\"code\":\"%d\"}}", km_err_http(err));
}

static void anthropic_json(const struct km_err *err, struct km_str id, struct km_buf *out)
{
    km_buf_printf(
        out, "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":", anthropic_type(err));
    km_buf_json(out, km_str_c(err->text));
    km_buf_byte(out, '}');
    if (id.n) {
        km_buf_str(out, KM_STR(",\"request_id\":"));
        km_buf_json(out, id);
    }
    km_buf_byte(out, '}');
}

static void google_json(const struct km_err *err, struct km_buf *out)
{
    int http = km_err_http(err);

    km_buf_printf(out, "{\"error\":{\"code\":%d,\"message\":", http);
    km_buf_json(out, km_str_c(err->text));
    km_buf_printf(out, ",\"status\":\"%s\"", words[word_of(http)].google);
    if (err->retry_after_ms > 0)
        km_buf_printf(out,
                      ",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\","
                      "\"retryDelay\":\"%ds\"}]",
                      (err->retry_after_ms + 999) / 1000);
    km_buf_str(out, KM_STR("}}"));
}

/* AWS's clients look for the name in `__type` too, and take what stands there for the exception. */
static void aws_json(const struct km_err *err, struct km_buf *out)
{
    km_buf_printf(out, "{\"__type\":\"%s\",\"message\":",
                  err->code == KM_E_BUDGET ? "ServiceQuotaExceededException"
                                           : words[word_of(km_err_http(err))].aws);
    km_buf_json(out, km_str_c(err->text));
    if (err->reason)
        km_buf_printf(out, ",\"reason\":\"%s\"", err->reason);
    km_buf_byte(out, '}');
}

void km_error_json(enum km_dialect dialect, const struct km_err *err, struct km_str id,
                   struct km_buf *out)
{
    if (dialect == KM_DIALECT_ANTHROPIC)
        anthropic_json(err, id, out);
    else if (dialect == KM_DIALECT_GOOGLE)
        google_json(err, out);
    else if (dialect == KM_DIALECT_AWS)
        aws_json(err, out);
    else
        openai_json(err, out);
}

void km_error_event(enum km_dialect dialect, const struct km_err *err, struct km_str id,
                    struct km_buf *out)
{
    km_buf_str(out,
               dialect == KM_DIALECT_ANTHROPIC ? KM_STR("event: error\ndata: ") : KM_STR("data: "));
    km_error_json(dialect, err, id, out);
    km_buf_str(out, KM_STR("\n\n"));
}

void km_error_head(const struct km_err *err, struct km_buf *head)
{
    int after = (err->retry_after_ms + 999) / 1000;

    km_buf_str(head, KM_STR("Content-Type: application/json\r\n"));
    if (after > 0)
        km_buf_printf(head, "Retry-After: %d\r\n", after);
    if (err->retry_after_ms % 1000) /* OpenAI's and Anthropic's libraries read it */
        km_buf_printf(head, "retry-after-ms: %d\r\n", err->retry_after_ms);
    if (err->final || err->code == KM_E_BUDGET || after > WAIT_MOST_S)
        km_buf_str(head, KM_STR("x-should-retry: false\r\n"));
    if (err->http == 426)
        km_buf_str(head, KM_STR("Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"));
}
