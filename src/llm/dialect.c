/* SPDX-License-Identifier: Apache-2.0 */
/* dialect.c - see dialect.h.
 *
 * An error is written in the words of the API that the path belongs to, so that the caller's own
 * library raises what its users expect; each dialect's row of words is here and nowhere else.
 * Which dialect a path has is asked before anything else is known of the request, for the refusals
 * of the HTTP server as well: so it is told by the path alone.
 */
#include "llm/dialect.h"

#include <stdio.h>
#include <string.h>

#include "llm/refusal.h"
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

/* --- a kind's face --- */

/* The words OpenAI's clients branch on. */
static const char *const reasons[KM_REFUSED_KINDS] = {
    [KM_REFUSED_CONTEXT] = "context_length_exceeded",
    [KM_REFUSED_FILTER] = "content_filter",
    [KM_REFUSED_QUOTA] = "insufficient_quota",
    [KM_REFUSED_RATE] = "rate_limit_exceeded",
    [KM_REFUSED_CREDENTIALS] = "upstream_auth_error",
    [KM_REFUSED_MODEL] = "model_not_found",
};

const char *km_error_reason(const struct km_err *err)
{
    if (err->reason || err->kind)
        return err->reason ? err->reason : err->kind < KM_REFUSED_KINDS ? reasons[err->kind] : NULL;
    if (err->code == KM_E_BUDGET)
        return reasons[KM_REFUSED_QUOTA];
    if (err->code == KM_E_RATE_LIMITED || km_err_http(err) == 429)
        return reasons[KM_REFUSED_RATE];
    return NULL;
}

/* A prompt that is too long: each vendor's own sentence, without numbers, with them, and the one
 * for a prompt that fits and leaves too little for the answer.  Claude Code looks for Anthropic's
 * to the letter, and computes from its numbers how much has to go or what bound still fits.  In
 * them: I the prompt's tokens, A the answer's bound, T both, W the window. */
static const struct {
    const char *plain, *counted, *together;
} too_long[] = {
    [KM_DIALECT_OPENAI] = { "This model's maximum context length is exceeded",
                            "This model's maximum context length is {W} tokens. However, your "
                            "messages resulted in {I} tokens. Please reduce the length of the "
                            "messages.",
                            "This model's maximum context length is {W} tokens. However, you "
                            "requested {T} tokens ({I} in the messages, {A} in the completion). "
                            "Please reduce the length of the messages or completion." },
    [KM_DIALECT_ANTHROPIC] = { "prompt is too long", "prompt is too long: {I} tokens > {W} maximum",
                               "input length and `max_tokens` exceed context limit: {I} + {A} > "
                               "{W}, decrease input length or `max_tokens` and try again" },
    [KM_DIALECT_GOOGLE] = { "The input token count exceeds the maximum number of tokens allowed",
                            "The input token count ({I}) exceeds the maximum number of tokens "
                            "allowed ({W}).",
                            "The input token count ({I}) and maxOutputTokens ({A}) together exceed "
                            "the maximum number of tokens allowed ({W})." },
    [KM_DIALECT_AWS] = { "Input is too long for requested model",
                         "Input is too long for requested model: {I} tokens, {W} at most.",
                         "Input is too long for requested model: {I} tokens and {A} of output, {W} "
                         "at most." },
};

static long long number_named(char name, const struct km_err_tokens *t)
{
    return name == 'I'   ? t->input
           : name == 'A' ? t->output
           : name == 'W' ? t->most
                         : t->input + t->output;
}

static void fill_in(const char *sentence, const struct km_err_tokens *t, char *out, size_t size)
{
    size_t n = 0;

    for (const char *p = sentence; *p && n + 24 < size; p++) {
        if (*p != '{') {
            out[n++] = *p;
            continue;
        }
        n += (size_t)snprintf(out + n, size - n, "%lld", number_named(p[1], t));
        p += 2;
    }
    out[n] = '\0';
}

static void say_too_long(enum km_dialect dialect, struct km_err *err)
{
    const struct km_err_tokens t = err->tokens;
    char was[sizeof err->text];

    memcpy(was, err->text, sizeof was);
    err->http = 400;
    err->type = "invalid_request_error";
    err->final = true;
    if (t.input && t.most)
        fill_in(t.output && t.input <= t.most ? too_long[dialect].together
                                              : too_long[dialect].counted,
                &t, err->text, sizeof err->text);
    else /* how long it is stands in the upstream's words alone, if there */
        (void)snprintf(err->text, sizeof err->text, "%s: %.400s", too_long[dialect].plain, was);
}

void km_error_face(enum km_dialect dialect, struct km_err *err)
{
    if (err->code == KM_E_UPSTREAM_STATUS && (err->http == 408 || err->http == 504))
        err->type = "timeout_error"; /* as of a time that was over here */
    if (!err->kind || err->reason)
        return;
    if (err->kind == KM_REFUSED_MODEL && err->code == KM_E_INVALID &&
        dialect == KM_DIALECT_OPENAI) {
        err->kind = KM_REFUSED_PLAIN; /* as LiteLLM says it of its own list */
        return;
    }
    err->reason = km_error_reason(err);
    if (err->kind == KM_REFUSED_CONTEXT)
        say_too_long(dialect, err);
    else if (err->kind == KM_REFUSED_RATE)
        err->type = "throttling_error";
    else if (err->kind == KM_REFUSED_QUOTA)
        err->type = "insufficient_quota";
    else if (err->kind == KM_REFUSED_OVERLOADED)
        err->type = "overloaded_error";
    else if (err->kind == KM_REFUSED_MODEL)
        err->http = 404;
}

static void openai_json(const struct km_err *err, struct km_buf *out)
{
    const char *reason = km_error_reason(err);

    km_buf_str(out, KM_STR("{\"error\":{\"message\":"));
    km_buf_json(out, km_str_c(err->text));
    km_buf_printf(out, ",\"type\":\"%s\",\"param\":", km_err_openai_type(err));
    if (err->param)
        km_buf_json(out, km_str_c(err->param));
    else
        km_buf_str(out, KM_STR("null"));
    if (reason)
        km_buf_printf(out, ",\"code\":\"%s\"}}", reason);
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
    if (km_error_reason(err))
        km_buf_printf(out, ",\"reason\":\"%s\"", km_error_reason(err));
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
