/* SPDX-License-Identifier: Apache-2.0 */
/* gemini_answer.c - generateContent's answers, whole or streamed, as events.
 *
 * A stream is a row of GenerateContentResponse objects (SSE with CRLF, or, without alt=sse, one
 * JSON array of them); a whole answer is one such object.  So all three take one way: chunk()
 * once an object, end() behind the last.
 *
 * A call comes whole in one part, with or without an id; where there is none one is made from
 * the answer's own id.  Some models repeat a finishReason in every chunk, and there is no end
 * marker: so what finished is noted and told at the end, when nothing can follow any more.  A
 * stream whose candidates did not finish was cut.
 */
#include "http/json_take.h"
#include "llm/dropped.h"
#include "llm/provider/citations.h"
#include "llm/provider/gemini.h"

#include "llm/usage.h"

/* --- usage --- */

static bool counts_anything(const struct km_json *v)
{
    static const char *const names[] = { "promptTokenCount", "candidatesTokenCount",
                                         "totalTokenCount", "thoughtsTokenCount" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (km_json_take(v, names[i]))
            return true;
    return false;
}

int64_t km_gemini_searches(const struct km_json *candidates)
{
    struct km_json_iter it;
    const struct km_json *one;
    struct km_str key;
    int64_t n = 0;

    for (km_json_iter(candidates, &it); km_json_next(&it, &key, &one);) {
        const struct km_json *queries =
            km_json_take(km_json_take(one, "groundingMetadata"), "webSearchQueries");

        if (km_json_kind(queries) == KM_JSON_ARRAY)
            n += (int64_t)km_json_count(queries);
    }
    return n;
}

bool km_gemini_usage(const struct km_json *v, struct km_usage *ret)
{
    int64_t searches = ret->hosted[KM_HOSTED_WEB_SEARCH];
    bool bad = false;

    /* Vertex AI's chunks but the last have {"trafficType":..} alone: that counts nothing. */
    if (km_json_kind(v) != KM_JSON_OBJECT || !counts_anything(v))
        return false;
    km_json_take_all(v);
    /* Protobuf's JSON leaves out what is 0, so no count is due but one of what went in. */
    *ret = (struct km_usage){
        .prompt_tokens = km_usage_due(v, "promptTokenCount", &bad) +
                         km_usage_count(v, "toolUsePromptTokenCount", &bad),
        .reasoning_tokens = km_usage_count(v, "thoughtsTokenCount", &bad),
        .cached_tokens = km_usage_count(v, "cachedContentTokenCount", &bad),
    };
    ret->completion_tokens =
        km_usage_count(v, "candidatesTokenCount", &bad) + ret->reasoning_tokens;
    bad = bad || km_json_kind(km_json_take(v, "candidatesTokenCount")) == KM_JSON_NULL;
    km_usage_judge(ret, bad);
    ret->said |= KM_SAID_REASONING; /* what it leaves out is 0 */
    ret->hosted[KM_HOSTED_WEB_SEARCH] = searches; /* it stands beside, in the candidates */
    km_usage_served_by(ret, v, "trafficType");
    km_usage_served_by(ret, v, "serviceTier");
    return true;
}

/* --- what goes out --- */

static int put(struct km_decode *d, unsigned choice, enum km_chat_event_kind kind,
               struct km_str text, struct km_err *err)
{
    const struct km_gemini_state *s = d->state;
    struct km_chat_event e = {
        .kind = kind, .choice = choice, .block = s->candidates[choice].block, .text = text
    };

    return km_answer_put(d->answer, &e, err);
}

/* The block that pieces of this kind belong to: the one under way, or the next. */
static void turn_to(struct km_gemini_candidate *c, enum km_chat_event_kind kind)
{
    if (c->open == kind && kind != KM_CHAT_TOOL)
        return;
    if (c->open != KM_CHAT_START)
        c->block++;
    c->open = kind;
}

static int put_text(struct km_decode *d, unsigned choice, enum km_chat_event_kind kind,
                    struct km_str text, struct km_err *err)
{
    struct km_gemini_state *s = d->state;

    if (!text.n)
        return 0;
    turn_to(&s->candidates[choice], kind);
    s->candidates[choice].output = true;
    return put(d, choice, kind, text, err);
}

/* "call_" and the answer's id without dashes, and which one it is. */
static struct km_str make_id(struct km_decode *d)
{
    struct km_gemini_state *s = d->state;
    char hex[40];
    size_t n = 0;

    for (size_t i = 0; i < d->answer->id.n && n < 32; i++)
        if (d->answer->id.p[i] != '-')
            hex[n++] = d->answer->id.p[i];
    return km_arena_printf(d->scratch, "call_%.*s%u", (int)n, hex, s->calls++);
}

static int put_call(struct km_decode *d, unsigned choice, const struct km_json *call,
                    struct km_str signature, struct km_err *err)
{
    struct km_gemini_state *s = d->state;
    struct km_gemini_candidate *c = &s->candidates[choice];
    const struct km_json *args = km_json_take(call, "args");
    struct km_chat_event e = { .kind = KM_CHAT_TOOL, .choice = choice, .text = signature };
    struct km_buf json KM_CLEANUP(km_buf_done) = KM_BUF((size_t)32 << 20);
    int r;

    (void)km_json_string(km_json_take(call, "id"), &e.id);
    if (!km_json_string(km_json_take(call, "name"), &e.name) || !e.name.n)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "Gemini called a function without a name.");
    if (!e.id.n)
        e.id = make_id(d);
    turn_to(c, KM_CHAT_TOOL);
    c->output = c->tools = true;
    e.block = c->block;
    r = km_answer_put(d->answer, &e, err);
    if (r < 0 || km_json_kind(args) != KM_JSON_OBJECT)
        return r;
    km_json_take_write(args, &json);
    if (km_buf_failed(&json))
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "Gemini's arguments are too long.");
    return put(d, choice, KM_CHAT_TOOL_INPUT, km_buf_view(&json), err);
}

static int put_part(struct km_decode *d, unsigned choice, const struct km_json *part,
                    struct km_err *err)
{
    const struct km_gemini_state *s = d->state;
    const struct km_json *call = km_json_take(part, "functionCall");
    struct km_str text = KM_STR_NONE, signature = KM_STR_NONE;
    bool thought = false;
    int r;

    (void)km_json_string(km_json_take(part, "thoughtSignature"), &signature);
    if (call)
        return put_call(d, choice, call, signature, err);
    (void)km_json_string(km_json_take(part, "text"), &text);
    (void)km_json_bool(km_json_take(part, "thought"), &thought);
    r = put_text(d, choice, thought ? KM_CHAT_REASONING : KM_CHAT_TEXT, text, err);
    if (r == 0 && signature.n && s->candidates[choice].open == KM_CHAT_REASONING)
        r = put(d, choice, KM_CHAT_SIGNATURE, signature, err);
    return r;
}

/* --- log-probabilities, in OpenAI's shape --- */

static void write_token(struct km_json_out *o, const struct km_json *token)
{
    struct km_str text = KM_STR_NONE, value = KM_STR("0");

    (void)km_json_string(km_json_take(token, "token"), &text);
    (void)km_json_number(km_json_take(token, "logProbability"), &value);
    km_out_member(o, "token", text);
    km_out_member_raw(o, "logprob", value);
    km_out_key(o, "bytes");
    km_out_null(o);
}

static void write_tops(struct km_json_out *o, const struct km_json *top)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key;

    km_out_key(o, "top_logprobs");
    km_out_open(o, '[');
    km_json_iter(km_json_take(top, "candidates"), &it);
    while (km_json_next(&it, &key, &item)) {
        km_out_open(o, '{');
        write_token(o, item);
        km_out_close(o, '}');
    }
    km_out_close(o, ']');
}

static int put_logprobs(struct km_decode *d, unsigned choice, const struct km_json *result,
                        struct km_err *err)
{
    struct km_buf json KM_CLEANUP(km_buf_done) = KM_BUF((size_t)32 << 20);
    const struct km_json *item, *top;
    struct km_json_iter it, tops;
    struct km_json_out o;
    struct km_str key;

    if (km_json_kind(km_json_take(result, "chosenCandidates")) != KM_JSON_ARRAY)
        return 0;
    km_json_out_init(&o, &json);
    km_out_open(&o, '{');
    km_out_key(&o, "content");
    km_out_open(&o, '[');
    km_json_iter(km_json_take(result, "topCandidates"), &tops);
    km_json_iter(km_json_take(result, "chosenCandidates"), &it);
    while (km_json_next(&it, &key, &item)) {
        top = NULL;
        (void)km_json_next(&tops, &key, &top);
        km_out_open(&o, '{');
        write_token(&o, item);
        write_tops(&o, top);
        km_out_close(&o, '}');
    }
    km_out_close(&o, ']');
    km_out_key(&o, "refusal");
    km_out_null(&o);
    km_out_close(&o, '}');
    if (km_buf_failed(&json))
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "Gemini's logprobs are too long.");
    return put(d, choice, KM_CHAT_LOGPROBS, km_buf_view(&json), err);
}

/* --- finish --- */

/* XX(finishReason, what it is); NONE: what was made is unusable */
#define REASONS(XX)                                                                                \
    XX(STOP, STOP)                                                                                 \
    XX(FINISH_REASON_UNSPECIFIED, STOP)                                                            \
    XX(OTHER, STOP)                                                                                \
    XX(MAX_TOKENS, LENGTH)                                                                         \
    XX(SAFETY, FILTER)                                                                             \
    XX(RECITATION, FILTER)                                                                         \
    XX(BLOCKLIST, FILTER)                                                                          \
    XX(PROHIBITED_CONTENT, FILTER)                                                                 \
    XX(SPII, FILTER)                                                                               \
    XX(LANGUAGE, FILTER)                                                                           \
    XX(MODEL_ARMOR, FILTER)                                                                        \
    XX(IMAGE_SAFETY, FILTER)                                                                       \
    XX(IMAGE_PROHIBITED_CONTENT, FILTER)                                                           \
    XX(IMAGE_RECITATION, FILTER)                                                                   \
    XX(MALFORMED_FUNCTION_CALL, NONE)                                                              \
    XX(UNEXPECTED_TOOL_CALL, NONE)                                                                 \
    XX(TOO_MANY_TOOL_CALLS, NONE)                                                                  \
    XX(MALFORMED_RESPONSE, NONE)

static const struct {
    const char *name;
    enum km_finish finish;
} reasons[] = {
#define XX(reason, what) { #reason, KM_FINISH_##what },
    REASONS(XX)
#undef XX
};

static enum km_finish finish_of(struct km_str reason)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (km_str_eq(reason, km_str_c(reasons[i].name)))
            return reasons[i].finish;
    return KM_FINISH_STOP; /* a newer one: it did end */
}

/* Its word for the reason is no sentence for whoever reads the answer. */
static struct km_str why_filtered(struct km_decode *d, struct km_str reason, struct km_str text)
{
    return text.n ? km_arena_str(d->arena, km_str_sub(text, 0, 1000))
                  : km_arena_printf(d->arena, "Google stopped the answer (%.*s).",
                                    KM_STR_ARG(km_str_sub(reason, 0, 60)));
}

static int note_finish(struct km_decode *d, struct km_gemini_candidate *c,
                       const struct km_json *candidate, struct km_err *err)
{
    struct km_str reason = KM_STR_NONE, text = KM_STR_NONE;

    if (!km_json_string(km_json_take(candidate, "finishReason"), &reason) || !reason.n)
        return 0;
    (void)km_json_string(km_json_take(candidate, "finishMessage"), &text);
    c->finish = finish_of(reason);
    if (c->finish == KM_FINISH_NONE && !c->output)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "Gemini made no usable answer: %.*s%s%.*s",
                       KM_STR_ARG(km_str_sub(reason, 0, 60)), text.n ? ": " : "",
                       KM_STR_ARG(km_str_sub(text, 0, 300)));
    if (c->finish == KM_FINISH_NONE)
        c->finish = KM_FINISH_STOP;
    if (c->finish == KM_FINISH_FILTER)
        c->finish_text = why_filtered(d, reason, text);
    return 0;
}

static int candidate(struct km_decode *d, unsigned place, const struct km_json *v,
                     struct km_err *err)
{
    struct km_gemini_state *s = d->state;
    const struct km_json *part;
    struct km_json_iter it;
    struct km_str key;
    int64_t index = place;
    int r = 0;

    (void)km_json_i64(km_json_take(v, "index"), &index);
    if (index < 0 || index >= KM_GEMINI_CANDIDATES)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "Gemini sent candidate %lld.",
                       (long long)index);
    s->candidates[index].seen = true;
    km_json_iter(km_json_take(km_json_take(v, "content"), "parts"), &it);
    while (r == 0 && km_json_next(&it, &key, &part))
        r = put_part(d, (unsigned)index, part, err);
    if (r == 0)
        r = km_gemini_cite(d, (unsigned)index, s->candidates[index].block, v, &s->cited, err);
    if (r == 0)
        r = put_logprobs(d, (unsigned)index, km_json_take(v, "logprobsResult"), err);
    return r == 0 ? note_finish(d, &s->candidates[index], v, err) : r;
}

/* A prompt that was refused has no candidates. */
static void note_block(struct km_decode *d, const struct km_json *root)
{
    const struct km_json *feedback = km_json_take(root, "promptFeedback");
    struct km_gemini_state *s = d->state;
    struct km_gemini_candidate *c = &s->candidates[0];
    struct km_str reason = KM_STR_NONE, text = KM_STR_NONE;

    if (c->seen) /* there is an answer all the same: what is said of the prompt is told */
        return;
    if (!km_json_string(km_json_take(feedback, "blockReason"), &reason) || !reason.n)
        return;
    (void)km_json_string(km_json_take(feedback, "blockReasonMessage"), &text);
    c->seen = true;
    c->finish = KM_FINISH_FILTER;
    c->finish_text = why_filtered(d, reason, text);
}

/* --- errors --- */

/* Of the service, or of the key: never of the caller's own. */
static bool is_ours(int code)
{
    return code == 401 || code == 403;
}

static int stream_error(const struct km_json *error, struct km_err *err)
{
    struct km_str text = KM_STR("(no message)");
    int64_t code = 500;

    (void)km_json_string(km_json_take(error, "message"), &text);
    (void)km_json_i64(km_json_take(error, "code"), &code);
    km_fail(err, KM_E_UPSTREAM_STATUS, "Gemini: %.*s", KM_STR_ARG(km_str_sub(text, 0, 400)));
    if (!err)
        return KM_E_UPSTREAM_STATUS;
    err->http = code < 400 || code > 599 || is_ours((int)code) ? 502
                : code == 499                                  ? 503
                                                               : (int)code;
    km_refusal_judge(err, text);
    return err->code;
}

/* --- chunks --- */

static int chunk(struct km_decode *d, const struct km_json *root, struct km_err *err)
{
    const struct km_json *error = km_json_take(root, "error"), *item;
    struct km_chat_event start = { .kind = KM_CHAT_START };
    struct km_json_iter it;
    struct km_gemini_state *s = d->state;
    struct km_usage *usage = &d->answer->usage;
    struct km_str key;
    int64_t searches;
    unsigned place = 0;
    int r = 0;

    if (km_json_kind(root) != KM_JSON_OBJECT)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "Gemini's answer is no object.");
    if (km_json_kind(error) == KM_JSON_OBJECT)
        return stream_error(error, err);
    if (!d->answer->started) {
        (void)km_json_string(km_json_take(root, "responseId"), &start.id);
        r = km_answer_put(d->answer, &start, err);
    }
    km_json_iter(km_json_take(root, "candidates"), &it);
    for (; r == 0 && km_json_next(&it, &key, &item); place++)
        r = candidate(d, place, item, err);
    note_block(d, root);
    searches = km_gemini_searches(km_json_take(root, "candidates"));
    if (searches > usage->hosted[KM_HOSTED_WEB_SEARCH])
        usage->hosted[KM_HOSTED_WEB_SEARCH] = searches;
    /* The count so far, should the stream be cut: as an event, and final, it comes at the end. */
    if (km_gemini_usage(km_json_take(root, "usageMetadata"), usage))
        s->usable = usage->known;
    usage->known = false;
    return r;
}

/* One object, or an array of them. */
static int chunks(struct km_decode *d, struct km_str text, struct km_err *err)
{
    const struct km_json *root, *item;
    struct km_json_iter it;
    struct km_str key;
    int r = 0;

    if (km_decode_json(d, d->scratch, text, &root, err) < 0)
        return KM_E_UPSTREAM_PROTOCOL;
    if (km_json_kind(root) != KM_JSON_ARRAY)
        return chunk(d, root, err);
    km_json_iter(root, &it);
    while (r == 0 && km_json_next(&it, &key, &item))
        r = chunk(d, item, err);
    return r;
}

/* What is of its own form, and which build answered. */
const struct km_str km_gemini_idle[] = {
    KM_IDLE("candidates.content.role"),
    KM_IDLE("responseId"),
    KM_IDLE("modelVersion"),
    KM_IDLE("createTime"),
    KM_IDLE(""),
};

int km_gemini_event(struct km_decode *d, const struct km_frame_event *e, struct km_err *err)
{
    struct km_str data = km_str_trim(e->data);

    return data.n && !km_str_eq(data, KM_STR("[DONE]")) ? chunks(d, data, err) : 0;
}

static int put_finish(struct km_decode *d, unsigned choice, struct km_err *err)
{
    struct km_gemini_state *s = d->state;
    struct km_gemini_candidate *c = &s->candidates[choice];
    struct km_chat_event e = { .kind = KM_CHAT_FINISH,
                               .choice = choice,
                               .block = c->block,
                               .text = c->finish_text,
                               .finish = c->finish };

    if (c->finish == KM_FINISH_STOP && c->tools)
        e.finish = KM_FINISH_TOOLS;
    return km_answer_put(d->answer, &e, err);
}

/* Every candidate that was heard of has finished, and there was one. */
static bool is_complete(const struct km_gemini_state *s)
{
    bool any = false;

    for (unsigned i = 0; i < KM_GEMINI_CANDIDATES; i++) {
        if (s->candidates[i].seen && s->candidates[i].finish == KM_FINISH_NONE)
            return false;
        any = any || s->candidates[i].seen;
    }
    return any;
}

int km_gemini_end(struct km_decode *d, struct km_err *err)
{
    struct km_gemini_state *s = d->state;
    struct km_chat_event usage = { .kind = KM_CHAT_USAGE, .usage = d->answer->usage };
    int r = 0;

    if (!is_complete(s))
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL,
                       "Gemini's answer ended before it was complete.");
    for (unsigned i = 0; r == 0 && i < KM_GEMINI_CANDIDATES; i++)
        if (s->candidates[i].seen)
            r = put_finish(d, i, err);
    usage.usage.known = s->usable;
    if (r == 0 && s->usable)
        r = km_answer_put(d->answer, &usage, err);
    return r;
}

int km_gemini_decode(struct km_decode *d, struct km_str body, struct km_err *err)
{
    int r = chunks(d, body, err);

    return r == 0 ? km_gemini_end(d, err) : r;
}

/* --- refusals --- */

/* "46s", "1.5s" */
static int delay_ms(struct km_str s)
{
    int64_t ms;

    if (!km_str_ends(s, KM_STR("s")) || km_str_decimal(km_str_sub(s, 0, s.n - 1), 3, &ms) < 0)
        return 0;
    return (int)(ms > 3600000 ? 3600000 : ms);
}

static bool has(struct km_str text, const char *needle)
{
    return km_str_find(text, km_str_c(needle)) < text.n;
}

/* A quota of the day does not come back soon. */
static bool by_day(const struct km_json *failure)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key, id;

    km_json_iter(km_json_take(failure, "violations"), &it);
    while (km_json_next(&it, &key, &item))
        if (km_json_string(km_json_take(item, "quotaId"), &id) && has(id, "PerDay"))
            return true;
    return false;
}

static void read_details(const struct km_json *error, struct km_refusal *ret, bool *ret_key)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key, text;

    km_json_iter(km_json_take(error, "details"), &it);
    while (km_json_next(&it, &key, &item)) {
        if (km_json_string(km_json_take(item, "retryDelay"), &text))
            ret->retry_after_ms = delay_ms(text);
        if (by_day(item))
            ret->again = KM_AGAIN_OTHER;
        if (km_json_string(km_json_take(item, "reason"), &text) &&
            (has(text, "API_KEY_") || has(text, "ACCESS_TOKEN_")))
            *ret_key = true;
    }
}

void km_gemini_refusal(struct km_arena *arena, int status, const struct km_headers *headers,
                       struct km_str body, struct km_refusal *ret)
{
    const struct km_json *root = NULL, *error, *first;
    struct km_json_iter it;
    bool key = is_ours(status);
    struct km_str name;

    km_refusal_openai(arena, status, headers, body, ret);
    ret->kind = status == 429 ? KM_REFUSED_RATE : KM_REFUSED_PLAIN;
    if (km_json_parse_answer(arena, body, &root, NULL) == 0 &&
        km_json_kind(root) == KM_JSON_ARRAY) {
        km_json_iter(root, &it);
        if (km_json_next(&it, &name, &first))
            root = first;
    }
    error = km_json_take(root, "error");
    if (km_json_string(km_json_take(error, "message"), &name))
        ret->text = km_str_sub(name, 0, 1000);
    read_details(error, ret, &key);
    if (status == 429 && has(ret->text, "limit: 0"))
        ret->again = KM_AGAIN_OTHER;
    if (key) { /* our key, not the caller's */
        km_refusal_auth(ret);
        if (status == 401)
            ret->again = KM_AGAIN_SIGN;
    } else if (status == 400 && km_refusal_is_context(ret->text, &ret->tokens)) {
        ret->kind = KM_REFUSED_CONTEXT;
    } else if (status == 400 && has(ret->text, "User location is not supported")) {
        ret->again = KM_AGAIN_OTHER;
    } else if (status == 499) {
        ret->status = 503;
        ret->again = KM_AGAIN_SAME;
    }
}
