/* SPDX-License-Identifier: Apache-2.0 */
/* mock.c - see mock.h.
 *
 * It walks the same way as a call to an upstream from routing on, so that limits, books and
 * streams can be tried before any provider key exists.  The usage is LiteLLM's constants, for
 * people compare.  Its texts that stand for errors ("litellm.RateLimitError" and the like) end
 * as that error would from an upstream.
 */
#include "llm/mock.h"

#define PROMPT_TOKENS 10 /* LiteLLM's constants for mock answers */
#define COMPLETION_TOKENS 20
#define PIECE 16 /* bytes of text a streamed chunk carries, at least */

static const struct {
    const char *text;
    int code, http;
    const char *type, *message;
} errors[] = {
    { "litellm.RateLimitError", KM_E_UPSTREAM_STATUS, 429, "throttling_error",
      "litellm.RateLimitError: this is a mock rate limit error" },
    { "litellm.ContextWindowExceededError", KM_E_UPSTREAM_STATUS, 400, "invalid_request_error",
      "litellm.ContextWindowExceededError: litellm.BadRequestError: this is a mock context window "
      "exceeded error" },
    { "litellm.InternalServerError", KM_E_UPSTREAM_STATUS, 500, "internal_server_error",
      "litellm.InternalServerError: InternalServerError: this is a mock internal server error" },
    { "Exception: content_filter_policy", KM_E_UPSTREAM_STATUS, 400, "invalid_request_error",
      "litellm.ContentPolicyViolationError: this is a mock content policy violation error" },
};

int km_mock_check(struct km_str text, struct km_err *err)
{
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        if (!km_str_eq(text, km_str_c(errors[i].text)))
            continue;
        km_fail(err, errors[i].code, "%s", errors[i].message);
        if (err) {
            err->http = errors[i].http;
            err->type = errors[i].type;
        }
        return errors[i].code;
    }
    return 0;
}

struct km_usage km_mock_usage(void)
{
    return (struct km_usage){ .prompt_tokens = PROMPT_TOKENS,
                              .completion_tokens = COMPLETION_TOKENS,
                              .known = true };
}

static void open_object(const struct km_llm_request *r, const struct km_mock_args *args,
                        const char *kind, struct km_buf *out)
{
    km_buf_printf(out, "{\"id\":\"%s%s\",\"object\":\"%s\",\"created\":%lld,\"model\":",
                  r->api->chat ? "chatcmpl-" : "cmpl-", args->id, kind, (long long)args->created_s);
    km_buf_json(out, r->model);
}

static void usage(struct km_buf *out)
{
    km_buf_printf(out,
                  "\"usage\":{\"prompt_tokens\":%d,\"completion_tokens\":%d,\"total_tokens\":%d}",
                  PROMPT_TOKENS, COMPLETION_TOKENS, PROMPT_TOKENS + COMPLETION_TOKENS);
}

void km_mock_answer(const struct km_llm_request *r, const struct km_mock_args *args,
                    struct km_buf *out)
{
    open_object(r, args, r->api->chat ? "chat.completion" : "text_completion", out);
    km_buf_str(out, KM_STR(",\"choices\":["));
    for (int64_t i = 0; i < r->choices; i++) {
        km_buf_printf(out, "%s{\"index\":%lld,", i ? "," : "", (long long)i);
        km_buf_str(out, r->api->chat ? KM_STR("\"message\":{\"role\":\"assistant\",\"content\":")
                                     : KM_STR("\"text\":"));
        km_buf_json(out, args->text);
        km_buf_str(out, r->api->chat ? KM_STR("},\"finish_reason\":\"stop\"}")
                                     : KM_STR(",\"finish_reason\":\"stop\"}"));
    }
    km_buf_str(out, KM_STR("],"));
    usage(out);
    km_buf_byte(out, '}');
}

static void chunk(const struct km_llm_request *r, const struct km_mock_args *args,
                  struct km_str text, bool first, bool last, struct km_buf *out)
{
    km_buf_str(out, KM_STR("data: "));
    open_object(r, args, r->api->chat ? "chat.completion.chunk" : "text_completion", out);
    km_buf_str(out, KM_STR(",\"choices\":[{\"index\":0,"));
    if (r->api->chat) {
        km_buf_str(out, KM_STR("\"delta\":{"));
        if (first)
            km_buf_str(out, KM_STR("\"role\":\"assistant\","));
        if (!last) {
            km_buf_str(out, KM_STR("\"content\":"));
            km_buf_json(out, text);
        }
        km_buf_byte(out, '}');
    } else {
        km_buf_str(out, KM_STR("\"text\":"));
        km_buf_json(out, text);
    }
    km_buf_str(out, last ? KM_STR(",\"finish_reason\":\"stop\"}]}\n\n")
                         : KM_STR(",\"finish_reason\":null}]}\n\n"));
}

/* At least PIECE bytes, and never half a character. */
static struct km_str piece_of(struct km_str text)
{
    size_t n = text.n < PIECE ? text.n : PIECE;

    while (n < text.n && ((unsigned char)text.p[n] & 0xc0) == 0x80)
        n++;
    return km_str_sub(text, 0, n);
}

void km_mock_stream(const struct km_llm_request *r, const struct km_mock_args *args,
                    struct km_buf *out)
{
    struct km_str rest = args->text;
    bool first = true;

    while (rest.n) {
        struct km_str piece = piece_of(rest);

        chunk(r, args, piece, first, false, out);
        rest = km_str_skip(rest, piece.n);
        first = false;
    }
    chunk(r, args, KM_STR_NONE, false, true, out);
    if (!r->usage_asked)
        return;
    km_buf_str(out, KM_STR("data: "));
    open_object(r, args, r->api->chat ? "chat.completion.chunk" : "text_completion", out);
    km_buf_str(out, KM_STR(",\"choices\":[],"));
    usage(out);
    km_buf_str(out, KM_STR("}\n\n"));
}

static int put(struct km_answer *a, enum km_chat_event_kind kind, struct km_str text,
               struct km_err *err)
{
    struct km_chat_event e = {
        .kind = kind, .text = text, .finish = KM_FINISH_STOP, .usage = km_mock_usage()
    };

    return km_answer_put(a, &e, err);
}

int km_mock_events(struct km_answer *a, struct km_str text, struct km_err *err)
{
    int r = put(a, KM_CHAT_START, KM_STR_NONE, err);

    while (r == 0 && text.n) {
        struct km_str piece = piece_of(text);

        r = put(a, KM_CHAT_TEXT, piece, err);
        text = km_str_skip(text, piece.n);
    }
    if (r == 0)
        r = put(a, KM_CHAT_USAGE, KM_STR_NONE, err);
    return r == 0 ? put(a, KM_CHAT_FINISH, KM_STR_NONE, err) : r;
}
