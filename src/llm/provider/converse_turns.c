/* SPDX-License-Identifier: Apache-2.0 */
/* converse_turns.c - the conversation as Converse wants it: turns in alternation, then `system`.
 *
 *     chat      system  user  tool  tool  user  assistant  assistant  system
 *     messages  ------  [ one user turn     ]   [ one assistant turn ]
 *     system    1 ...................................................  2
 *
 * What stands together of one role is one message there.  The results of tools come first in a
 * user's; thinking comes first in an assistant's, unless it begins with thinking already: then the
 * order is the model's own.
 *
 * Bedrock refuses blank text, an image by its address, two documents of one name, a name with
 * punctuation, and a document without a text beside it.  So blank text is left out and with it
 * messages that hold nothing else; names are made to fit; a document alone gets a few words.
 */
#include "llm/dropped.h"
#include "llm/provider/converse.h"

#define KIND(k) (1U << KM_PART_##k)
#define THOUGHTS (KIND(REASONING) | KIND(REDACTED))
#define ALL (~0U)
#define DOCUMENT_NAME_MOST 200

#define JSON_HINT                                                                                  \
    "Answer with one valid JSON object and nothing else: no prose around it, no code fence."
#define SCHEMA_HINT JSON_HINT " The object must be valid by this JSON schema: "

static bool blank(struct km_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != ' ' && s.p[i] != '\t' && s.p[i] != '\n' && s.p[i] != '\r')
            return false;
    return true;
}

bool km_converse_writes(const struct km_converse_writer *w, const struct km_part *p)
{
    bool claude = km_converse_is(w, KM_FAMILY_CLAUDE);

    if (p->kind == KM_PART_TEXT || p->kind == KM_PART_REFUSAL)
        return !blank(p->text);
    if (p->kind == KM_PART_REASONING)
        return claude && p->signature.n > 0;
    return p->kind != KM_PART_REDACTED || (claude && p->text.n > 0);
}

static const struct km_part *first_written(const struct km_converse_writer *w,
                                           const struct km_message *m)
{
    const struct km_part *p = m->parts;

    while (p && !km_converse_writes(w, p))
        p = p->next;
    return p;
}

static bool is_turn(const struct km_converse_writer *w, const struct km_message *m)
{
    return m->role != KM_ROLE_SYSTEM && first_written(w, m);
}

static int refused(struct km_err *err, const char *what)
{
    return km_fail_param(err, KM_E_UNSUPPORTED, "messages", "'messages' hold %s.", what);
}

/* An hour came with Claude 4.5; before that there are five minutes, and only Claude and Nova
 * cache. */
void km_converse_write_cache(const struct km_converse_writer *w, int ttl_s)
{
    bool claude = km_converse_is(w, KM_FAMILY_CLAUDE);

    if (!ttl_s || (!claude && !km_converse_is(w, KM_FAMILY_NOVA)))
        return;
    km_out_open(w->out, '{');
    km_out_key(w->out, "cachePoint");
    km_out_open(w->out, '{');
    km_out_member(w->out, "type", KM_STR("default"));
    if (ttl_s == 3600 && claude && w->args->can->generation >= 45)
        km_out_member(w->out, "ttl", KM_STR("1h"));
    km_out_close(w->out, '}');
    km_out_close(w->out, '}');
}

/* --- media --- */

struct format {
    const char *from, *format;
};

static struct km_str format_of(struct km_str type, const struct format *table, size_t n)
{
    type = km_str_trim(km_str_sub(type, 0, km_str_chr(type, ';')));
    for (size_t i = 0; i < n; i++)
        if (km_str_ieq(type, km_str_c(table[i].from)))
            return km_str_c(table[i].format);
    return KM_STR_NONE;
}

/* By its type, by its name, or by what its first bytes say. */
static struct km_str image_format(const struct km_media *m)
{
    static const struct format types[] = { { "image/png", "png" },
                                           { "image/jpeg", "jpeg" },
                                           { "image/jpg", "jpeg" },
                                           { "image/gif", "gif" },
                                           { "image/webp", "webp" } };
    static const struct format ends[] = { { ".png", "png" },
                                          { ".jpeg", "jpeg" },
                                          { ".jpg", "jpeg" },
                                          { ".gif", "gif" },
                                          { ".webp", "webp" } };
    static const struct format begins[] = { { "iVBOR", "png" },
                                            { "/9j/", "jpeg" },
                                            { "R0lG", "gif" },
                                            { "UklG", "webp" } };
    struct km_str format = format_of(m->type, types, sizeof types / sizeof types[0]);

    for (size_t i = 0; !format.n && i < sizeof begins / sizeof begins[0]; i++)
        if (km_str_starts(m->data, km_str_c(begins[i].from)))
            format = km_str_c(begins[i].format);
    for (size_t i = 0; !format.n && i < sizeof ends / sizeof ends[0]; i++)
        if (km_str_ends(m->url, km_str_c(ends[i].from)))
            format = km_str_c(ends[i].format);
    return format;
}

static struct km_str document_format(const struct km_media *m)
{
    static const struct format types[] = {
        { "application/pdf", "pdf" },
        { "text/csv", "csv" },
        { "application/msword", "doc" },
        { "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx" },
        { "application/vnd.ms-excel", "xls" },
        { "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx" },
        { "text/html", "html" },
        { "text/plain", "txt" },
        { "text/markdown", "md" },
    };
    struct km_str format = format_of(m->type, types, sizeof types / sizeof types[0]);
    struct km_str name = m->name.n ? m->name : m->url;
    size_t dot = km_str_rchr(name, '.');

    for (size_t i = 0; !format.n && dot < name.n && i < sizeof types / sizeof types[0]; i++)
        if (km_str_ieq(km_str_skip(name, dot + 1), km_str_c(types[i].format)))
            format = km_str_c(types[i].format);
    if (!format.n && km_str_istarts(m->type, KM_STR("text/")))
        format = KM_STR("txt");
    return format.n || m->type.n ? format : KM_STR("pdf");
}

static int write_source(const struct km_converse_writer *w, const struct km_media *m,
                        struct km_err *err)
{
    struct km_json_out *out = w->out;

    if (!m->data.n && !km_str_istarts(m->url, KM_STR("s3://")))
        return refused(err, m->file_id.n ? "a file of a file store, which Bedrock has none of: "
                                           "send its bytes or an address of s3://"
                                         : "an image or a file by its address, which Bedrock does "
                                           "not fetch but from s3://: send it as a data: URL");
    if (!m->data.n && !w->args->buckets)
        return km_media_refuse_bucket(m->url, err);
    km_out_key(out, "source");
    km_out_open(out, '{');
    if (m->data.n) {
        km_out_member(out, "bytes", m->data);
    } else {
        km_out_key(out, "s3Location");
        km_out_open(out, '{');
        km_out_member(out, "uri", m->url);
        km_out_close(out, '}');
    }
    km_out_close(out, '}');
    return 0;
}

static bool fits_a_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '(' || c == ')' || c == '[' || c == ']';
}

/* Letters, digits, hyphens, brackets and single spaces; without the ending that its format says;
 * with its number, from the second on. */
static struct km_str document_name(struct km_converse_writer *w, const struct km_media *m,
                                   struct km_str format)
{
    struct km_str name = m->name;
    char text[DOCUMENT_NAME_MOST];
    size_t n = 0, dot = km_str_rchr(name, '.');

    if (dot < name.n && km_str_ieq(km_str_skip(name, dot + 1), format))
        name.n = dot;
    for (size_t i = 0; i < name.n && n < sizeof text - 12; i++) {
        if (fits_a_name(name.p[i]))
            text[n++] = name.p[i];
        else if (n && text[n - 1] != ' ')
            text[n++] = ' ';
    }
    while (n && text[n - 1] == ' ')
        n--;
    name = n ? km_str(text, n) : KM_STR("document");
    if (++w->documents == 1)
        return km_arena_str(w->args->arena, name);
    return km_arena_printf(w->args->arena, "%.*s (%u)", KM_STR_ARG(name), w->documents);
}

/* Claude's alone. */
static void write_citing(const struct km_converse_writer *w, const struct km_part *p)
{
    bool claude = km_converse_is(w, KM_FAMILY_CLAUDE);

    if (p->context.n && claude)
        km_out_member(w->out, "context", p->context);
    else if (p->context.n)
        km_dropped_note(w->chat->dropped, KM_STR("context"));
    if (p->cite && claude)
        km_out_member_raw(w->out, "citations", KM_STR("{\"enabled\":true}"));
    else if (p->cite)
        km_dropped_note(w->chat->dropped, KM_STR("citations"));
}

static int write_media(struct km_converse_writer *w, const struct km_part *p, struct km_err *err)
{
    const struct km_media *m = &p->media;
    bool image = p->kind == KM_PART_IMAGE;
    struct km_str format = image ? image_format(m) : document_format(m);
    int r;

    if (!format.n)
        return refused(err, image ? "an image that is not png, jpeg, gif or webp"
                                  : "a document that is not pdf, csv, doc, docx, xls, xlsx, html, "
                                    "txt or md");
    km_out_key(w->out, image ? "image" : "document");
    km_out_open(w->out, '{');
    km_out_member(w->out, "format", format);
    if (!image)
        km_out_member(w->out, "name", document_name(w, m, format));
    r = write_source(w, m, err);
    if (!image)
        write_citing(w, p);
    km_out_close(w->out, '}');
    return r;
}

static int write_audio(const struct km_converse_writer *w, const struct km_media *m,
                       struct km_err *err)
{
    size_t slash = km_str_chr(m->type, '/');
    int r;

    if (km_converse_is(w, KM_FAMILY_CLAUDE))
        return refused(err, "audio, which Claude does not take");
    km_out_key(w->out, "audio");
    km_out_open(w->out, '{');
    km_out_member(w->out, "format", km_str_skip(m->type, slash + 1));
    r = write_source(w, m, err);
    km_out_close(w->out, '}');
    return r;
}

/* --- blocks --- */

static int write_block(struct km_converse_writer *w, const struct km_part *p, bool last,
                       struct km_err *err);

static int write_result(struct km_converse_writer *w, const struct km_part *p, struct km_err *err)
{
    struct km_json_out *out = w->out;
    bool any = false;
    int r = 0;

    km_out_key(out, "toolResult");
    km_out_open(out, '{');
    km_out_member(out, "toolUseId",
                  km_messages_clean(p->id, KM_CONVERSE_NAME_MOST, w->args->arena));
    km_out_key(out, "content");
    km_out_open(out, '[');
    for (const struct km_part *c = p->content; r == 0 && c; c = c->next)
        if (km_converse_writes(w, c)) {
            r = write_block(w, c, false, err);
            any = true;
        }
    if (!any) {
        km_out_open(out, '{');
        km_out_member(out, "text", KM_STR("(no output)"));
        km_out_close(out, '}');
    }
    km_out_close(out, ']');
    if (km_converse_is(w, KM_FAMILY_CLAUDE) || km_converse_is(w, KM_FAMILY_NOVA))
        km_out_member(out, "status", p->is_error ? KM_STR("error") : KM_STR("success"));
    km_out_close(out, '}');
    return r;
}

static void write_use(const struct km_converse_writer *w, const struct km_part *p)
{
    struct km_json_out *out = w->out;
    struct km_arena *arena = w->args->arena;

    km_out_key(out, "toolUse");
    km_out_open(out, '{');
    km_out_member(out, "toolUseId", km_messages_clean(p->id, KM_CONVERSE_NAME_MOST, arena));
    km_out_member(out, "name", km_messages_clean(p->name, KM_CONVERSE_NAME_MOST, arena));
    km_out_member_raw(out, "input", p->input_json.n ? p->input_json : KM_STR("{}"));
    km_out_close(out, '}');
}

static void write_reasoning(const struct km_converse_writer *w, const struct km_part *p)
{
    struct km_json_out *out = w->out;

    km_out_key(out, "reasoningContent");
    km_out_open(out, '{');
    if (p->kind == KM_PART_REDACTED) {
        km_out_member(out, "redactedContent", p->text);
    } else {
        km_out_key(out, "reasoningText");
        km_out_open(out, '{');
        km_out_member(out, "text", p->text);
        km_out_member(out, "signature", p->signature);
        km_out_close(out, '}');
    }
    km_out_close(out, '}');
}

/* White space at the end of what Claude is to go on from is refused. */
static struct km_str without_end(struct km_str s)
{
    while (s.n && blank(km_str_skip(s, s.n - 1)))
        s.n--;
    return s;
}

/* last: nothing comes behind it in the whole conversation. */
static int write_block(struct km_converse_writer *w, const struct km_part *p, bool last,
                       struct km_err *err)
{
    int r = 0;

    km_out_open(w->out, '{');
    switch (p->kind) {
    case KM_PART_TEXT:
    case KM_PART_REFUSAL:
        km_out_member(w->out, "text", last ? without_end(p->text) : p->text);
        break;
    case KM_PART_IMAGE:
    case KM_PART_DOCUMENT:
        r = write_media(w, p, err);
        break;
    case KM_PART_AUDIO:
        r = write_audio(w, &p->media, err);
        break;
    case KM_PART_TOOL_USE:
        write_use(w, p);
        break;
    case KM_PART_TOOL_RESULT:
        r = write_result(w, p, err);
        break;
    case KM_PART_REASONING:
    case KM_PART_REDACTED:
        write_reasoning(w, p);
        break;
    }
    km_out_close(w->out, '}');
    return r;
}

/* A point inside of a tool's result stands behind the result. */
static int cache_of(const struct km_part *p)
{
    int ttl = p->cache_ttl_s;

    for (const struct km_part *c = p->kind == KM_PART_TOOL_RESULT ? p->content : NULL; c;
         c = c->next)
        if (c->cache_ttl_s > ttl)
            ttl = c->cache_ttl_s;
    return p->kind == KM_PART_REASONING || p->kind == KM_PART_REDACTED ? 0 : ttl;
}

/* --- turns --- */

/* The message a turn begins with; NULL: there is none. */
static const struct km_message *turn_from(const struct km_converse_writer *w,
                                          const struct km_message *m)
{
    while (m && !is_turn(w, m))
        m = m->next;
    return m;
}

/* The first message of the next turn; NULL: this was the last. */
static const struct km_message *turn_behind(const struct km_converse_writer *w,
                                            const struct km_message *turn)
{
    const struct km_message *m = turn;

    while (m && (!is_turn(w, m) || m->role == turn->role))
        m = m->next;
    return m;
}

/* The turn's blocks of those kinds; *ret_kinds gets what was there. */
static int write_kinds(struct km_converse_writer *w, const struct km_message *turn,
                       const struct km_message *end, unsigned kinds, unsigned *ret_kinds,
                       struct km_err *err)
{
    int r = 0;

    for (const struct km_message *m = turn; r == 0 && m != end; m = m->next) {
        if (m->role == KM_ROLE_SYSTEM)
            continue;
        for (const struct km_part *p = m->parts; r == 0 && p; p = p->next) {
            if (!km_converse_writes(w, p) || !(kinds & 1U << p->kind))
                continue;
            r = write_block(w, p, !end && m->role == KM_ROLE_ASSISTANT && !p->next, err);
            km_converse_write_cache(w, cache_of(p));
            *ret_kinds |= 1U << p->kind;
        }
    }
    return r;
}

static int write_turn(struct km_converse_writer *w, const struct km_message *turn,
                      const struct km_message *end, struct km_err *err)
{
    bool user = turn->role == KM_ROLE_USER;
    unsigned first = user ? KIND(TOOL_RESULT) : THOUGHTS, seen = 0;
    int r;

    if (!user && (THOUGHTS & 1U << first_written(w, turn)->kind))
        first = ALL;
    km_out_open(w->out, '{');
    km_out_member(w->out, "role", user ? KM_STR("user") : KM_STR("assistant"));
    km_out_key(w->out, "content");
    km_out_open(w->out, '[');
    r = write_kinds(w, turn, end, first, &seen, err);
    if (r == 0)
        r = write_kinds(w, turn, end, ~first, &seen, err);
    if ((seen & KIND(DOCUMENT)) && !(seen & KIND(TEXT))) {
        km_out_open(w->out, '{');
        km_out_member(w->out, "text", KM_STR("The document is attached."));
        km_out_close(w->out, '}');
    }
    if (user && !end)
        km_converse_write_cache(w, w->chat->cache_ttl_s);
    km_out_close(w->out, ']');
    km_out_close(w->out, '}');
    return r;
}

static void open_system(const struct km_converse_writer *w, bool *open)
{
    if (*open)
        return;
    km_out_key(w->out, "system");
    km_out_open(w->out, '[');
    *open = true;
}

static void write_system_text(const struct km_converse_writer *w, struct km_str text, int ttl_s,
                              bool *open)
{
    if (blank(text))
        return;
    open_system(w, open);
    km_out_open(w->out, '{');
    km_out_member(w->out, "text", text);
    km_out_close(w->out, '}');
    km_converse_write_cache(w, ttl_s);
}

static void write_system(const struct km_converse_writer *w)
{
    bool open = false;

    for (const struct km_message *m = w->chat->messages; m; m = m->next)
        for (const struct km_part *p = m->parts; m->role == KM_ROLE_SYSTEM && p; p = p->next)
            if (p->kind == KM_PART_TEXT)
                write_system_text(w, p->text, p->cache_ttl_s, &open);
    if (w->schema_hint)
        write_system_text(
            w,
            km_arena_cat(w->args->arena,
                         (struct km_str[]){ KM_STR(SCHEMA_HINT), w->chat->schema_json }, 2),
            0, &open);
    else if (w->chat->format == KM_FORMAT_JSON)
        write_system_text(w, KM_STR(JSON_HINT), 0, &open);
    if (open)
        km_out_close(w->out, ']');
}

int km_converse_write_turns(struct km_converse_writer *w, struct km_err *err)
{
    const struct km_message *turn = turn_from(w, w->chat->messages), *end;
    enum km_role last = KM_ROLE_USER;
    int r = 0;

    if (!turn || turn->role != KM_ROLE_USER)
        return km_fail_param(err, KM_E_INVALID, "messages",
                             "'messages' must begin with one of the user's that is not empty, "
                             "behind those of the system; Bedrock takes no other.");
    km_out_key(w->out, "messages");
    km_out_open(w->out, '[');
    for (; r == 0 && turn; turn = end) {
        end = turn_behind(w, turn);
        last = turn->role;
        r = write_turn(w, turn, end, err);
    }
    km_out_close(w->out, ']');
    if (r == 0 && last == KM_ROLE_ASSISTANT && !(w->args->can->can & KM_CAN_PREFILL))
        r = km_fail_param(err, KM_E_UNSUPPORTED, "messages",
                          "'messages' end with the assistant's; model '%.*s' does not go on from "
                          "there: end them with the user's.",
                          KM_STR_ARG(w->args->model));
    write_system(w);
    return r;
}
