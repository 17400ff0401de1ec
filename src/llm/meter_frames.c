/* SPDX-License-Identifier: Apache-2.0 */
/* meter_frames.c - streams in Bedrock's frames that are ended early.
 *
 *     Converse       contentBlockStop of the block that is open
 *                    messageStop{max_tokens}, metadata{usage, metrics}
 *     InvokeModel    of Claude: the events of Messages (api/messages_cut.c), each in a frame
 *
 * What other models say below InvokeModel is their own affair: such a stream can only break off.
 */
#include "base/encode.h"
#include "base/time.h"
#include "http/json_out.h"
#include "llm/api/messages.h"
#include "llm/aws/eventstream.h"
#include "llm/meter_frames.h"

#define EVENT_MOST ((size_t)1024 * 1024)

/* --- Converse --- */

struct tail {
    int64_t open; /* the block's index; -1: none is */
    bool begun; /* messageStart came */
    bool stopped; /* messageStop did */
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

void km_converse_keep(struct km_meter *m, struct km_str type, const struct km_json *root)
{
    struct tail *t = tail_of(&m->stream);

    if (!t)
        return;
    if (km_str_eq(type, KM_STR("messageStart")))
        t->begun = true;
    else if (km_str_eq(type, KM_STR("messageStop")))
        t->stopped = true;
    else if (km_str_eq(type, KM_STR("contentBlockStop")))
        t->open = -1;
    else
        (void)km_json_i64(km_json_get(root, "contentBlockIndex"), &t->open);
}

static int say(const struct km_llm_cut *c, struct km_str type, const struct km_buf *data,
               struct km_err *err)
{
    struct km_buf raw KM_CLEANUP(km_buf_done) = KM_BUF(EVENT_MOST);
    struct km_sse_event event = { .type = type, .has_data = true, .retry_ms = -1 };

    event.data = km_buf_view(data);
    km_eventstream_write(&raw, type, event.data);
    if (km_buf_failed(data) || km_buf_failed(&raw))
        return km_fail(err, KM_E_NOMEM, "out of memory");
    event.raw = km_buf_view(&raw);
    return c->say(c->ctx, &event, err);
}

static void put_usage(struct km_buf *b, const struct km_llm_cut *c)
{
    const struct km_usage *u = &c->usage;
    int64_t plain = u->prompt_tokens - u->cached_tokens - u->cache_write_tokens;
    int64_t ms = km_wall_us() / 1000 - c->created_s * 1000;
    struct km_json_out o;

    km_json_out_init(&o, b);
    km_out_open(&o, '{');
    km_out_key(&o, "usage");
    km_out_open(&o, '{');
    km_out_member_i64(&o, "inputTokens", plain > 0 ? plain : 0);
    km_out_member_i64(&o, "outputTokens", u->completion_tokens);
    km_out_member_i64(&o, "totalTokens", u->prompt_tokens + u->completion_tokens);
    if (u->cached_tokens > 0)
        km_out_member_i64(&o, "cacheReadInputTokens", u->cached_tokens);
    if (u->cache_write_tokens > 0)
        km_out_member_i64(&o, "cacheWriteInputTokens", u->cache_write_tokens);
    km_out_close(&o, '}');
    km_out_key(&o, "metrics");
    km_out_open(&o, '{');
    km_out_member_i64(&o, "latencyMs", ms > 0 ? ms : 0);
    km_out_close(&o, '}');
    km_out_close(&o, '}');
}

int km_converse_cut(struct km_meter *m, const struct km_llm_cut *c, struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(EVENT_MOST);
    const struct tail *t = tail_of(&m->stream);
    int r = 0;

    if (!t)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    if (!t->begun) {
        km_buf_str(&b, KM_STR("{\"role\":\"assistant\"}"));
        r = say(c, KM_STR("messageStart"), &b, err);
    }
    if (r == 0 && t->open >= 0) {
        km_buf_reset(&b);
        km_buf_printf(&b, "{\"contentBlockIndex\":%lld}", (long long)t->open);
        r = say(c, KM_STR("contentBlockStop"), &b, err);
    }
    if (r == 0 && !t->stopped) {
        km_buf_reset(&b);
        km_buf_str(&b, KM_STR("{\"stopReason\":\"max_tokens\"}"));
        r = say(c, KM_STR("messageStop"), &b, err);
    }
    if (r < 0)
        return r;
    km_buf_reset(&b);
    put_usage(&b, c);
    return say(c, KM_STR("metadata"), &b, err);
}

/* --- InvokeModel --- */

void km_invoke_keep(struct km_meter *m, const struct km_json *root, struct km_str event)
{
    struct km_str type;

    if (km_json_string(km_json_get(root, "type"), &type) &&
        !km_str_eq(type, KM_STR("content_block_delta")))
        km_messages_keep(&m->stream, type, event);
}

static int in_chunk(void *ctx, const struct km_sse_event *event, struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(EVENT_MOST);

    km_buf_str(&b, KM_STR("{\"bytes\":\""));
    km_buf_base64(&b, event->data);
    km_buf_str(&b, KM_STR("\"}"));
    return say(ctx, KM_STR("chunk"), &b, err);
}

int km_invoke_cut(struct km_meter *m, const struct km_llm_cut *c, struct km_err *err)
{
    struct km_llm_cut chunks = *c;

    if (!m->stream.tail) /* no word of Claude's yet: whose it is nobody knows */
        return km_fail(err, KM_E_UNSUPPORTED, "This stream cannot be ended but by an error.");
    chunks.say = in_chunk;
    chunks.ctx = (void *)(uintptr_t)c;
    return km_messages_cut(&m->stream, &chunks, err);
}
