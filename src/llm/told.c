/* SPDX-License-Identifier: Apache-2.0 */
/* told.c - see told.h: the text of a stream, and how another upstream is asked to go on with it.
 *
 * A model that takes the beginning of its own answer is given it as the last message, and writes
 * the next word.  White space at the end of such a message is refused, or makes the model stumble:
 * it is left out, and where the model says it, the client does not hear it twice.  Any other model
 * is shown the beginning as its own message, and asked by the user to go on.
 *
 * The upstream that goes on numbers its blocks from 0, as every answer does.  Its first text is the
 * rest of the block that is open; what is no text begins the next one.  Its reasoning is left out:
 * it would stand in the middle of a text.
 */
#include "llm/told.h"

#include "llm/answer.h"
#include "llm/chat.h"

#define GO_ON                                                                                      \
    "Your answer above was cut off by a lost connection. Continue it from exactly where it "       \
    "stopped, with the very next character. Do not repeat any of it, do not comment on the "       \
    "interruption, and do not start over."

void km_told_init(struct km_told *t, struct km_arena *arena)
{
    *t = (struct km_told){ .arena = arena, .created_s = -1, .index = -1, .sequence = -1 };
}

void km_told_spoil(struct km_told *t, const char *why)
{
    if (!t->unfit)
        t->unfit = why;
}

void km_told_add(struct km_told *t, struct km_str text)
{
    size_t cap = t->cap ? t->cap : 1024;
    char *p;

    if (t->unfit || !text.n)
        return;
    if (text.n > KM_TOLD_TEXT_BYTES - t->n) {
        km_told_spoil(t, "length");
        return;
    }
    while (cap < t->n + text.n)
        cap *= 2;
    if (cap > t->cap) {
        p = km_arena_alloc(t->arena, cap);
        if (!p) {
            km_told_spoil(t, "memory");
            return;
        }
        if (t->n)
            memcpy(p, t->p, t->n);
        t->p = p;
        t->cap = cap;
    }
    memcpy(t->p + t->n, text.p, text.n);
    t->n += text.n;
}

void km_told_go_on(struct km_told *t)
{
    if (t->native && !t->resumed) {
        t->any = t->index >= 0;
        t->open_block = t->open;
        t->block = 0;
    }
    t->resumed++;
    t->placed = false;
    t->blank = KM_STR_NONE;
}

/* --- events --- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* What the client has already of a piece, left out of it. */
static void skip_blank(struct km_told *t, struct km_str *text)
{
    while (t->blank.n && text->n && text->p[0] == t->blank.p[0]) {
        *text = km_str_skip(*text, 1);
        t->blank = km_str_skip(t->blank, 1);
    }
    if (text->n)
        t->blank = KM_STR_NONE;
}

static const char *word_of(enum km_chat_event_kind kind)
{
    switch (kind) {
    case KM_CHAT_REASONING:
    case KM_CHAT_SIGNATURE:
    case KM_CHAT_REDACTED:
        return "reasoning";
    case KM_CHAT_REFUSAL:
        return "refusal";
    case KM_CHAT_LOGPROBS:
        return "logprobs";
    case KM_CHAT_CITATION:
        return "citation";
    case KM_CHAT_FINISH:
        return "end";
    default:
        return "tool_call";
    }
}

static bool is_reasoning(enum km_chat_event_kind kind)
{
    return kind == KM_CHAT_REASONING || kind == KM_CHAT_SIGNATURE || kind == KM_CHAT_REDACTED;
}

/* Its number in the client's stream. */
static void place(struct km_told *t, struct km_chat_event *e)
{
    if (t->resumed && !t->placed) {
        t->placed = true;
        t->first = e->block;
        t->base = e->kind == KM_CHAT_TEXT && t->open_block ? t->block : t->block + t->any;
    }
    if (t->resumed)
        e->block = t->base + (e->block > t->first ? e->block - t->first : 0);
    t->block = e->block;
    t->any = true;
    t->open_block = e->kind == KM_CHAT_TEXT;
}

bool km_told_take(struct km_told *t, struct km_chat_event *e)
{
    if (e->kind == KM_CHAT_USAGE)
        return true;
    if (e->kind == KM_CHAT_START)
        return !t->resumed;
    if (e->choice > 0)
        km_told_spoil(t, "choices");
    if (t->resumed && is_reasoning(e->kind) && t->n)
        return false;
    if (e->kind == KM_CHAT_TEXT && t->resumed)
        skip_blank(t, &e->text);
    if (e->kind == KM_CHAT_TEXT && !e->text.n && t->resumed)
        return false;
    if (e->kind == KM_CHAT_TEXT)
        km_told_add(t, e->text);
    else
        km_told_spoil(t, word_of(e->kind));
    if (e->kind != KM_CHAT_FINISH && e->kind != KM_CHAT_LOGPROBS)
        place(t, e);
    return true;
}

/* --- the request --- */

static struct km_str without_blank(struct km_str text)
{
    while (text.n && is_blank(text.p[text.n - 1]))
        text.n--;
    return text;
}

/* What it asks for that a text put together of two is not. */
static const char *unfit_request(const struct km_chat *chat)
{
    if (chat->n > 1)
        return "choices";
    if (chat->format != KM_FORMAT_TEXT)
        return "structured_output";
    if (chat->logprobs)
        return "logprobs";
    return km_chat_has(chat, KM_P_AUDIO) ? "audio" : NULL;
}

static bool thinks(const struct km_chat *chat)
{
    return (km_chat_has(chat, KM_P_THINKING) && chat->thinking != KM_THINKING_OFF) ||
           (km_chat_has(chat, KM_P_EFFORT) && chat->effort != KM_EFFORT_NONE);
}

static struct km_part *last_part(const struct km_message *m)
{
    struct km_part *p = m->parts;

    while (p && p->next)
        p = p->next;
    return p;
}

static int no_memory(struct km_err *err)
{
    return km_fail(err, KM_E_NOMEM, "out of memory");
}

static int add_text(struct km_chat *chat, enum km_role role, struct km_str text,
                    struct km_arena *arena, struct km_err *err)
{
    struct km_message *m = km_chat_message(chat, arena, role);
    struct km_part *part = m ? km_chat_part(arena, &m->parts, KM_PART_TEXT) : NULL;

    if (!part)
        return no_memory(err);
    part->text = text;
    return 0;
}

/* The caller may have begun the answer himself: then his beginning goes on. */
static int add_answer(struct km_chat *chat, struct km_str text, struct km_arena *arena,
                      struct km_err *err)
{
    struct km_message *m = chat->last_message;
    struct km_part *part = m && m->role == KM_ROLE_ASSISTANT ? last_part(m) : NULL;

    if (!part || part->kind != KM_PART_TEXT)
        return add_text(chat, KM_ROLE_ASSISTANT, text, arena, err);
    part->text = km_arena_cat(arena, (struct km_str[]){ part->text, text }, 2);
    return part->text.n ? 0 : no_memory(err);
}

int km_told_continue(struct km_told *t, struct km_chat *chat, bool prefill, struct km_arena *arena,
                     enum km_told_how *ret_how, struct km_err *err)
{
    const struct km_str all = km_told_text(t), text = without_blank(all);
    const char *why = unfit_request(chat);
    int r;

    if (why)
        km_told_spoil(t, why);
    if (why)
        return km_fail(err, KM_E_UNSUPPORTED,
                       "The stream broke, and does not go on at another deployment: %s.", why);
    t->blank = km_str_skip(all, text.n);
    *ret_how = KM_TOLD_AGAIN;
    if (!text.n)
        return 0;
    prefill = prefill && !thinks(chat);
    r = add_answer(chat, prefill ? text : all, arena, err);
    if (!prefill)
        t->blank = KM_STR_NONE;
    *ret_how = prefill ? KM_TOLD_PREFILL : KM_TOLD_ASKED;
    return r < 0 || prefill ? r : add_text(chat, KM_ROLE_USER, KM_STR(GO_ON), arena, err);
}
