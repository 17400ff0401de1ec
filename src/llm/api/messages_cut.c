/* SPDX-License-Identifier: Apache-2.0 */
/* messages_cut.c - streams of Messages that are ended early.
 *
 *     content_block_stop       of the block that is open
 *     message_delta            stop_reason max_tokens, usage
 *     message_stop
 *
 * Blocks stand one after another, so that at most one is open.  A tool's input stays as far as it
 * got, as Anthropic leaves it at a bound of its own.
 */
#include "llm/api/cut.h"
#include "llm/api/messages.h"

#define EVENT_MOST ((size_t)64 * 1024)

struct tail {
    int64_t open; /* the block's index; -1: none is */
    bool begun; /* message_start came */
    bool stopped; /* and why it ended */
};

static struct tail *tail_of(struct km_llm_stream *s)
{
    struct tail *t = s->tail;

    if (t || !s->keeps)
        return t;
    t = s->tail = km_arena_zalloc(s->arena, sizeof *t);
    s->keeps = t != NULL;
    if (t)
        t->open = -1;
    return t;
}

static int64_t index_of(struct km_str data)
{
    static const struct km_str name = { "index", 5 };
    struct km_json_span span;
    int64_t n = 0;

    if (km_json_spans(data, &name, 1, &span, NULL, NULL) < 0 || span.type != KM_JSON_NUMBER ||
        km_str_i64(km_json_value(data, &span), &n) < 0)
        return 0;
    return n;
}

void km_messages_keep(struct km_llm_stream *s, struct km_str type, struct km_str data)
{
    struct tail *t = tail_of(s);

    if (!t)
        return;
    if (km_str_eq(type, KM_STR("message_start")))
        t->begun = true;
    else if (km_str_eq(type, KM_STR("content_block_start")))
        t->open = index_of(data);
    else if (km_str_eq(type, KM_STR("content_block_stop")))
        t->open = -1;
    else if (km_str_find(data, KM_STR("\"stop_reason\":\"")) < data.n)
        t->stopped = true;
}

/* --- the events --- */

static void open_event(struct km_buf *b, struct km_json_out *o, const char *type)
{
    km_buf_reset(b);
    km_json_out_init(o, b);
    km_out_open(o, '{');
    km_out_member(o, "type", km_str_c(type));
}

static int say(struct km_llm_stream *s, const struct km_llm_cut *c, const char *type,
               struct km_buf *b, struct km_json_out *o, struct km_err *err)
{
    km_out_close(o, '}');
    return km_buf_failed(b) ? km_fail(err, KM_E_NOMEM, "out of memory")
                            : km_cut_say(s, c, km_str_c(type), km_buf_view(b), err);
}

static void stop_members(struct km_json_out *o, const char *reason)
{
    km_out_key(o, "stop_reason");
    if (reason)
        km_out_cstr(o, reason);
    else
        km_out_null(o);
    km_out_key(o, "stop_sequence");
    km_out_null(o);
}

/* Nothing came yet: a message that begins. */
static int say_start(struct km_llm_stream *s, const struct km_llm_cut *c, struct km_buf *b,
                     struct km_err *err)
{
    struct km_usage before = c->usage;
    struct km_json_out o;

    before.completion_tokens = before.reasoning_tokens = 0;
    open_event(b, &o, "message_start");
    km_out_key(&o, "message");
    km_out_open(&o, '{');
    km_out_member_raw(&o, "id", km_cut_id(s, c, "msg_"));
    km_out_member(&o, "type", KM_STR("message"));
    km_out_member(&o, "role", KM_STR("assistant"));
    km_out_member_raw(&o, "model", km_cut_model(s, KM_STR_NONE));
    km_out_member_raw(&o, "content", KM_STR("[]"));
    stop_members(&o, NULL);
    km_messages_usage(&o, &before);
    km_out_close(&o, '}');
    return say(s, c, "message_start", b, &o, err);
}

static int say_stopped(struct km_llm_stream *s, const struct km_llm_cut *c, struct km_buf *b,
                       struct km_err *err)
{
    struct km_json_out o;

    open_event(b, &o, "message_delta");
    km_out_key(&o, "delta");
    km_out_open(&o, '{');
    stop_members(&o, "max_tokens");
    km_out_close(&o, '}');
    km_messages_usage(&o, &c->usage);
    return say(s, c, "message_delta", b, &o, err);
}

static int close_block(struct km_llm_stream *s, const struct km_llm_cut *c, int64_t index,
                       struct km_buf *b, struct km_err *err)
{
    struct km_json_out o;

    open_event(b, &o, "content_block_stop");
    km_out_member_i64(&o, "index", index);
    return say(s, c, "content_block_stop", b, &o, err);
}

int km_messages_cut(struct km_llm_stream *s, const struct km_llm_cut *c, struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(EVENT_MOST);
    const struct tail *t = tail_of(s);
    struct km_json_out o;
    int r = 0;

    if (!t)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    if (!t->begun)
        r = say_start(s, c, &b, err);
    if (r == 0 && t->open >= 0)
        r = close_block(s, c, t->open, &b, err);
    if (r == 0 && !t->stopped)
        r = say_stopped(s, c, &b, err);
    if (r < 0)
        return r;
    open_event(&b, &o, "message_stop");
    return say(s, c, "message_stop", &b, &o, err);
}
