/* SPDX-License-Identifier: Apache-2.0 */
/* anthropic_turns.c - the conversation as Messages wants it: `system`, then turns in alternation.
 *
 *     chat      system  user  tool  tool  user  assistant  assistant  system
 *     messages  ------  [ one user turn     ]   [ one assistant turn ]
 *     system    1 ...................................................  2
 *
 * A turn is what stands together of one role, system messages overlooked.  In a user's turn the
 * results of tools come first; in an assistant's its thinking does, unless the turn begins with
 * thinking already: then the order is the model's own and its signatures hold for that order.
 *
 * Empty text is refused there, so it is left out, and with it messages that hold nothing else.
 * Thinking without a signature is somebody else's and is left out too.
 */
#include "base/encode.h"
#include "llm/provider/anthropic.h"

#define KIND(k) (1U << KM_PART_##k)
#define THOUGHTS (KIND(REASONING) | KIND(REDACTED))
#define ALL (~0U)
#define TEXT_MOST (64 * 1024 * 1024)

#define JSON_HINT                                                                                  \
    "Answer with one valid JSON object and nothing else: no prose around it, no code fence."

static bool blank(struct km_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != ' ' && s.p[i] != '\t' && s.p[i] != '\n' && s.p[i] != '\r')
            return false;
    return true;
}

static bool is_written(const struct km_part *p)
{
    if (p->kind == KM_PART_TEXT || p->kind == KM_PART_REFUSAL)
        return !blank(p->text);
    if (p->kind == KM_PART_REASONING)
        return p->signature.n > 0;
    return p->kind != KM_PART_REDACTED || p->text.n > 0;
}

static const struct km_part *first_written(const struct km_message *m)
{
    const struct km_part *p = m->parts;

    while (p && !is_written(p))
        p = p->next;
    return p;
}

static bool is_turn(const struct km_message *m)
{
    return m->role != KM_ROLE_SYSTEM && first_written(m);
}

void km_messages_write_cache(struct km_json_out *out, int ttl_s)
{
    if (!ttl_s)
        return;
    km_out_key(out, "cache_control");
    km_out_open(out, '{');
    km_out_member(out, "type", KM_STR("ephemeral"));
    if (ttl_s == 3600)
        km_out_member(out, "ttl", KM_STR("1h"));
    km_out_close(out, '}');
}

static int refused(struct km_err *err, const char *what)
{
    return km_fail_param(err, KM_E_UNSUPPORTED, "messages", "'messages' hold %s.", what);
}

/* --- media --- */

/* What the first bytes of base64 say of an image that came without a type. */
static struct km_str image_type(const struct km_media *m)
{
    static const struct {
        const char *begins, *type;
    } known[] = { { "iVBOR", "image/png" },
                  { "/9j/", "image/jpeg" },
                  { "R0lG", "image/gif" },
                  { "UklG", "image/webp" } };

    for (size_t i = 0; !m->type.n && i < sizeof known / sizeof known[0]; i++)
        if (km_str_starts(m->data, km_str_c(known[i].begins)))
            return km_str_c(known[i].type);
    return m->type;
}

static int write_source(const struct km_messages_writer *w, const struct km_media *m,
                        struct km_str type, struct km_err *err)
{
    struct km_json_out *out = w->out;
    bool by_http = km_url_is_http(m->url);

    if (!m->data.n && !m->file_id.n && !by_http)
        return refused(err, "an image or a document by an address that is not of http or https, "
                            "which Claude does not fetch: send its bytes");
    if (!m->data.n && by_http && !w->options->remote_media)
        return refused(err, "an image or a document by its address, which is not fetched there: "
                            "send it as a data: URL, or set fetch_remote_media: true");
    km_out_key(out, "source");
    km_out_open(out, '{');
    if (m->data.n) {
        km_out_member(out, "type", KM_STR("base64"));
        km_out_member(out, "media_type", type);
        km_out_member(out, "data", m->data);
    } else if (m->file_id.n) {
        km_out_member(out, "type", KM_STR("file"));
        km_out_member(out, "file_id", m->file_id);
    } else {
        km_out_member(out, "type", KM_STR("url"));
        km_out_member(out, "url", m->url);
    }
    km_out_close(out, '}');
    return 0;
}

/* Text documents are given as text. */
static int write_text_source(const struct km_messages_writer *w, const struct km_media *m,
                             struct km_err *err)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(TEXT_MOST);

    if (km_buf_unbase64(&text, m->data) < 0 || !km_utf8_valid(km_buf_view(&text)))
        return refused(err, "a text document that is not base64 of UTF-8");
    km_out_key(w->out, "source");
    km_out_open(w->out, '{');
    km_out_member(w->out, "type", KM_STR("text"));
    km_out_member(w->out, "media_type", KM_STR("text/plain"));
    km_out_member(w->out, "data", km_arena_str(w->args->arena, km_buf_view(&text)));
    km_out_close(w->out, '}');
    return 0;
}

static int write_media(const struct km_messages_writer *w, const struct km_part *p,
                       struct km_err *err)
{
    const struct km_media *m = &p->media;
    bool image = p->kind == KM_PART_IMAGE;
    bool text = !image && m->data.n && km_str_istarts(m->type, KM_STR("text/"));
    struct km_str type = image ? image_type(m) : m->type.n ? m->type : KM_STR("application/pdf");
    int r;

    km_out_member(w->out, "type", image ? KM_STR("image") : KM_STR("document"));
    r = text ? write_text_source(w, m, err) : write_source(w, m, type, err);
    if (r == 0 && !image && m->name.n)
        km_out_member(w->out, "title", m->name);
    if (r == 0 && p->context.n)
        km_out_member(w->out, "context", p->context);
    if (r == 0 && p->cite)
        km_out_member_raw(w->out, "citations", KM_STR("{\"enabled\":true}"));
    return r;
}

/* --- blocks --- */

static int write_block(const struct km_messages_writer *w, const struct km_part *p, bool last,
                       struct km_err *err);

static int write_result(const struct km_messages_writer *w, const struct km_part *p,
                        struct km_err *err)
{
    const struct km_part *only = NULL;
    size_t n = 0;
    int r = 0;

    for (const struct km_part *c = p->content; c; c = c->next)
        if (is_written(c)) {
            only = c;
            n++;
        }
    km_out_member(w->out, "type", KM_STR("tool_result"));
    km_out_member(w->out, "tool_use_id",
                  km_messages_clean(p->id, KM_MESSAGES_ID_MOST, w->args->arena));
    if (n == 1 && only->kind == KM_PART_TEXT && !only->cache_ttl_s) {
        km_out_member(w->out, "content", only->text);
    } else if (n) {
        km_out_key(w->out, "content");
        km_out_open(w->out, '[');
        for (const struct km_part *c = p->content; r == 0 && c; c = c->next)
            if (is_written(c))
                r = write_block(w, c, false, err);
        km_out_close(w->out, ']');
    }
    if (p->is_error) {
        km_out_key(w->out, "is_error");
        km_out_bool(w->out, true);
    }
    return r;
}

/* White space at the end of what Claude is to go on from is refused. */
static struct km_str without_end(struct km_str s)
{
    while (s.n && blank(km_str_skip(s, s.n - 1)))
        s.n--;
    return s;
}

static int write_inside(const struct km_messages_writer *w, const struct km_part *p, bool last,
                        struct km_err *err)
{
    struct km_json_out *out = w->out;

    switch (p->kind) {
    case KM_PART_TEXT:
    case KM_PART_REFUSAL:
        km_out_member(out, "type", KM_STR("text"));
        km_out_member(out, "text", last ? without_end(p->text) : p->text);
        return 0;
    case KM_PART_IMAGE:
    case KM_PART_DOCUMENT:
        return write_media(w, p, err);
    case KM_PART_AUDIO:
        return refused(err, "audio, which Claude does not take");
    case KM_PART_TOOL_USE:
        km_out_member(out, "type", KM_STR("tool_use"));
        km_out_member(out, "id", km_messages_clean(p->id, KM_MESSAGES_ID_MOST, w->args->arena));
        km_out_member(out, "name",
                      km_messages_clean(p->name, KM_MESSAGES_NAME_MOST, w->args->arena));
        km_out_member_raw(out, "input", p->input_json.n ? p->input_json : KM_STR("{}"));
        return 0;
    case KM_PART_TOOL_RESULT:
        return write_result(w, p, err);
    case KM_PART_REASONING:
        km_out_member(out, "type", KM_STR("thinking"));
        km_out_member(out, "thinking", p->text);
        km_out_member(out, "signature", p->signature);
        return 0;
    case KM_PART_REDACTED:
        km_out_member(out, "type", KM_STR("redacted_thinking"));
        km_out_member(out, "data", p->text);
        return 0;
    }
    return 0;
}

/* last: nothing comes behind it in the whole conversation. */
static int write_block(const struct km_messages_writer *w, const struct km_part *p, bool last,
                       struct km_err *err)
{
    int r;

    km_out_open(w->out, '{');
    r = write_inside(w, p, last, err);
    if (p->kind != KM_PART_REASONING && p->kind != KM_PART_REDACTED)
        km_messages_write_cache(w->out, p->cache_ttl_s);
    km_out_close(w->out, '}');
    return r;
}

/* --- turns --- */

/* The message a turn begins with; NULL: there is none. */
static const struct km_message *turn_from(const struct km_message *m)
{
    while (m && !is_turn(m))
        m = m->next;
    return m;
}

/* The first message of the next turn; NULL: this was the last. */
static const struct km_message *turn_behind(const struct km_message *turn)
{
    const struct km_message *m = turn;

    while (m && (!is_turn(m) || m->role == turn->role))
        m = m->next;
    return m;
}

/* The turn's blocks of those kinds. */
static int write_kinds(const struct km_messages_writer *w, const struct km_message *turn,
                       const struct km_message *end, unsigned kinds, struct km_err *err)
{
    int r = 0;

    for (const struct km_message *m = turn; r == 0 && m != end; m = m->next) {
        if (m->role == KM_ROLE_SYSTEM)
            continue;
        for (const struct km_part *p = m->parts; r == 0 && p; p = p->next)
            if (is_written(p) && (kinds & 1U << p->kind))
                r = write_block(w, p, !end && m->role == KM_ROLE_ASSISTANT && !p->next, err);
    }
    return r;
}

static int write_turn(const struct km_messages_writer *w, const struct km_message *turn,
                      const struct km_message *end, struct km_err *err)
{
    bool user = turn->role == KM_ROLE_USER;
    unsigned first = user ? KIND(TOOL_RESULT) : THOUGHTS;
    int r;

    if (!user && (THOUGHTS & 1U << first_written(turn)->kind))
        first = ALL;
    km_out_open(w->out, '{');
    km_out_member(w->out, "role", user ? KM_STR("user") : KM_STR("assistant"));
    km_out_key(w->out, "content");
    km_out_open(w->out, '[');
    r = write_kinds(w, turn, end, first, err);
    if (r == 0)
        r = write_kinds(w, turn, end, ~first, err);
    km_out_close(w->out, ']');
    km_out_close(w->out, '}');
    return r;
}

static void write_system(const struct km_messages_writer *w)
{
    bool hint = w->chat->format == KM_FORMAT_JSON, open = false;

    for (const struct km_message *m = w->chat->messages; m; m = m->next) {
        for (const struct km_part *p = m->parts; m->role == KM_ROLE_SYSTEM && p; p = p->next) {
            if (p->kind != KM_PART_TEXT || blank(p->text))
                continue;
            if (!open) {
                km_out_key(w->out, "system");
                km_out_open(w->out, '[');
                open = true;
            }
            km_out_open(w->out, '{');
            km_out_member(w->out, "type", KM_STR("text"));
            km_out_member(w->out, "text", p->text);
            km_messages_write_cache(w->out, p->cache_ttl_s);
            km_out_close(w->out, '}');
        }
    }
    if (hint && !open) {
        km_out_key(w->out, "system");
        km_out_open(w->out, '[');
        open = true;
    }
    if (hint) {
        km_out_open(w->out, '{');
        km_out_member(w->out, "type", KM_STR("text"));
        km_out_member(w->out, "text", KM_STR(JSON_HINT));
        km_out_close(w->out, '}');
    }
    if (open)
        km_out_close(w->out, ']');
}

int km_messages_write_turns(const struct km_messages_writer *w, struct km_err *err)
{
    const struct km_message *turn = turn_from(w->chat->messages), *end;
    enum km_role last = KM_ROLE_USER;
    int r = 0;

    write_system(w);
    km_out_key(w->out, "messages");
    km_out_open(w->out, '[');
    for (; r == 0 && turn; turn = end) {
        end = turn_behind(turn);
        last = turn->role;
        r = write_turn(w, turn, end, err);
    }
    km_out_close(w->out, ']');
    if (r == 0 && last == KM_ROLE_ASSISTANT && !(w->args->can->can & KM_CAN_PREFILL))
        r = km_fail_param(err, KM_E_UNSUPPORTED, "messages",
                          "'messages' end with the assistant's; model '%.*s' does not go on from "
                          "there: end them with the user's.",
                          KM_STR_ARG(w->args->model));
    return r;
}
