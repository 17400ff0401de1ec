/* SPDX-License-Identifier: Apache-2.0 */
/* meter.c - see meter.h.
 *
 *     bytes ──> framer ──> event ──> the API's own relay, whose usage is kept and whose output
 *       │                            is thrown away; or the kind's event()
 *       └──────────────────────────> the client, as they came
 *
 * Where the protocol is one that callers of the gateway speak too (OpenAI's, Anthropic's,
 * Google's), the reading is that API's: nothing of it is written here a second time.  Bedrock's
 * is nobody's API, and bodies of InvokeModel and rawPredict are whatever the model takes: those
 * kinds are in meter_kinds.c.
 */
#include "llm/meter.h"

#define OUT_MOST ((size_t)64 * 1024 * 1024)

void km_meter_init(struct km_meter *m, const struct km_meter_kind *kind,
                   const struct km_llm_request *request, struct km_arena *arena)
{
    *m = (struct km_meter){ .kind = kind, .like = arena };
    m->stream = (struct km_llm_stream){ .request = request, .arena = arena, .keeps = true };
}

void km_meter_done(struct km_meter *m)
{
    m->framer = km_framer_free(m->framer);
}

void km_meter_note(struct km_meter *m, struct km_str text)
{
    m->stream.events += text.n > 0;
    km_text_hear(&m->stream.heard, text);
}

/* Does the caller get this stream edited, or as it is? */
static bool edits(const struct km_meter *m)
{
    return m->kind->asks_usage && !m->stream.request->usage_asked;
}

static int by_api(struct km_meter *m, const struct km_frame_event *e, struct km_err *err)
{
    struct km_buf unread KM_CLEANUP(km_buf_done) = KM_BUF(OUT_MOST);
    bool done = m->stream.done;
    size_t before = m->out ? m->out->n : 0;
    int r = m->kind->api->event(&m->stream, e->sse, edits(m) && m->out ? m->out : &unread, err);

    /* The relay leaves the last line to whoever ends the stream; here it is passed on. */
    if (r == 0 && edits(m) && m->out && m->stream.done && !done)
        km_buf_str(m->out, e->sse->raw);
    if (r < 0 && edits(m) && m->out)
        m->out->n = before; /* it will be passed on as it came */
    return r;
}

static int on_event(void *ctx, const struct km_frame_event *e, struct km_err *err)
{
    struct km_meter *m = ctx;

    if (m->kind->api)
        return by_api(m, e, err);
    if (!e->exception.n)
        m->kind->event(m, e);
    return 0;
}

int km_meter_stream(struct km_meter *m, size_t max_event, struct km_err *err)
{
    m->framer = km_framer_new(m->kind->framing, max_event, on_event, m);
    return m->framer ? 0 : km_fail(err, KM_E_NOMEM, "out of memory");
}

/* What cannot be read is output all the same: one event of it, in however many reads it comes. */
static void hear_raw(struct km_meter *m, struct km_str bytes)
{
    m->stream.events += bytes.n > 0 && !m->raw;
    m->raw = m->raw || bytes.n > 0;
    km_text_hear(&m->stream.heard, bytes);
}

/* From the event on that could not be read, also what of it came earlier: an edited stream goes on
 * raw from there, for its caller has none of it yet. */
static void lose(struct km_meter *m, struct km_str bytes, struct km_buf *out)
{
    struct km_str early, late;

    m->lost = true;
    km_framer_unread(m->framer, bytes, &early, &late);
    hear_raw(m, early);
    hear_raw(m, late);
    if (edits(m)) {
        km_buf_str(out, early);
        km_buf_str(out, late);
    }
}

void km_meter_feed(struct km_meter *m, const char *bytes, size_t n, struct km_buf *out)
{
    struct km_arena scratch;
    struct km_err ignored; /* what cannot be read is passed on all the same */

    if (m->stream.cut)
        return;
    if (m->lost || !m->framer) {
        hear_raw(m, km_str(bytes, n));
        km_buf_bytes(out, bytes, n);
        return;
    }
    km_arena_init(&scratch, m->like->cap, m->like->pool);
    m->stream.scratch = &scratch;
    m->out = out;
    if (km_framer_feed(m->framer, bytes, n, &ignored) < 0)
        lose(m, km_str(bytes, n), out);
    m->out = NULL;
    m->stream.scratch = NULL;
    km_arena_done(&scratch);
    if (!edits(m))
        km_buf_bytes(out, bytes, n);
}

/* Of a stream that is passed on as it comes the client may have a part of an event. */
int km_meter_cut(struct km_meter *m, const struct km_llm_cut *c, struct km_err *err)
{
    struct km_arena scratch;
    int r;

    if (m->stream.done)
        return 0; /* its client has all of it */
    if (!m->framer || m->lost || !(m->kind->api || m->kind->cut))
        return km_fail(err, KM_E_UNSUPPORTED, "This stream cannot be ended but by an error.");
    if (!edits(m) && km_framer_unfinished(m->framer))
        return km_fail(err, KM_E_AGAIN, "An event is under way.");
    km_arena_init(&scratch, m->like->cap, m->like->pool);
    m->stream.scratch = &scratch;
    r = m->kind->cut ? m->kind->cut(m, c, err) : km_llm_stream_cut(&m->stream, c, err);
    m->stream.scratch = NULL;
    km_arena_done(&scratch);
    if (r == 0 && m->kind->cut) {
        m->stream.cut = m->stream.done = true;
        m->stream.usage = c->usage;
    }
    return r;
}

void km_meter_end(struct km_meter *m)
{
    m->stream.ended = m->stream.ended || m->stream.finished || m->stream.done;
}

/* Of a vendor's own call it is not known. */
static bool writes(const struct km_meter *m)
{
    return !m->kind->api || (m->kind->api->wire & KM_WIRES_WRITE);
}

/* Of an answer whose usage says nothing, or that nothing came out: is there text all the same? */
static void note_whole(struct km_meter *m, struct km_str body)
{
    km_llm_whole_text(m->like, body, &m->stream.heard);
    if (!m->stream.heard.bytes && !m->stream.usage.known)
        km_text_hear(&m->stream.heard, body);
    m->stream.events += m->stream.heard.bytes > 0;
    m->stream.finished = true;
}

void km_meter_whole(struct km_meter *m, const struct km_headers *headers, struct km_str body)
{
    struct km_arena scratch KM_CLEANUP(km_arena_done);
    const struct km_json *root;
    struct km_err ignored;
    struct km_str *parts;
    size_t n;

    km_arena_init(&scratch, m->like->cap, m->like->pool);
    m->stream.ended = true;
    if (m->kind->api && !m->kind->read) {
        if (m->kind->api->answer(m->stream.request, &scratch, body, &parts, &n, &m->stream.usage,
                                 &ignored) < 0)
            m->lost = true;
    } else if (km_json_parse_answer(&scratch, body, &root, NULL) < 0) {
        m->lost = true;
    } else {
        m->kind->read(m, headers, root);
    }
    if (m->stream.heard.bytes == 0 &&
        (!m->stream.usage.known || (m->stream.usage.completion_tokens == 0 && writes(m))))
        note_whole(m, body);
}

struct km_usage km_meter_usage(const struct km_meter *m)
{
    struct km_usage u = km_llm_stream_usage(&m->stream);
    const struct km_llm_api *api = m->stream.request->api;

    if (!u.known && api && !(api->wire & KM_WIRES_WRITE))
        u.completion_tokens = 0;
    return u;
}
