/* SPDX-License-Identifier: Apache-2.0 */
/* answer.c - see answer.h.
 *
 * Every event passes here once: the grammar is checked and output is counted (an estimate's base,
 * should the upstream never say its usage).  What of it the client is told may be less, or other
 * words (hand_on): that is encoded, and where a whole is wanted gathered into the parts of a
 * message, so that the whole never says what its stream did not.
 *
 * Pieces of one block stand together, so a gathered text grows in one buffer and becomes a part's
 * text in the arena when the block is over.  The buffer is the answer's own and bounded by the
 * arena's cap.
 */
#include "llm/answer.h"

#include "llm/api.h"

#include "base/encode.h"
#include "http/json.h"
#include "llm/api/openai.h"
#include "llm/dropped.h"
#include "llm/told.h"
#include "llm/usage.h"

static bool is_output(enum km_chat_event_kind kind)
{
    return kind == KM_CHAT_TEXT || kind == KM_CHAT_REASONING || kind == KM_CHAT_REFUSAL ||
           kind == KM_CHAT_TOOL || kind == KM_CHAT_TOOL_INPUT || kind == KM_CHAT_REDACTED;
}

static enum km_part_kind part_of(enum km_chat_event_kind kind)
{
    switch (kind) {
    case KM_CHAT_REASONING:
    case KM_CHAT_SIGNATURE:
        return KM_PART_REASONING;
    case KM_CHAT_REDACTED:
        return KM_PART_REDACTED;
    case KM_CHAT_REFUSAL:
        return KM_PART_REFUSAL;
    case KM_CHAT_TOOL:
    case KM_CHAT_TOOL_INPUT:
        return KM_PART_TOOL_USE;
    default:
        return KM_PART_TEXT;
    }
}

/* A text under way: its pieces, doubled in the arena as it grows, so that a long answer costs
 * the arena at most twice its size. */
static void grow(struct km_answer *a, struct km_gathering *g, struct km_str piece)
{
    if (piece.n > g->cap - g->n) {
        size_t cap = g->cap ? g->cap * 2 : 256;
        char *p;

        while (cap < g->n + piece.n)
            cap *= 2;
        p = km_arena_alloc(a->arena, cap);
        if (!p)
            return;
        if (g->n)
            memcpy(p, g->p, g->n);
        g->p = p;
        g->cap = cap;
    }
    if (piece.n)
        memcpy(g->p + g->n, piece.p, piece.n);
    g->n += piece.n;
}

static struct km_str *text_of(struct km_part *part, enum km_chat_event_kind kind)
{
    if (kind == KM_CHAT_SIGNATURE)
        return &part->signature;
    return kind == KM_CHAT_TOOL_INPUT ? &part->input_json : &part->text;
}

static void gather_piece(struct km_answer *a, struct km_gather *g, const struct km_chat_event *e)
{
    struct km_gathering *text = e->kind == KM_CHAT_SIGNATURE ? &g->signature : &g->text;

    if (!g->open || g->block != e->block) {
        g->part = km_chat_part(a->arena, g->last ? &g->last->next : &a->choices[e->choice].parts,
                               part_of(e->kind));
        if (!g->part)
            return;
        g->last = g->part;
        g->open = true;
        g->block = e->block;
        g->text = g->signature = (struct km_gathering){ 0 };
    }
    if (e->kind == KM_CHAT_TOOL) {
        g->part->id = km_arena_str(a->arena, e->id);
        g->part->name = km_arena_str(a->arena, e->name);
        g->part->signature = km_arena_str(a->arena, e->text);
        g->part->input_json = KM_STR("{}");
        return;
    }
    grow(a, text, e->text);
    *text_of(g->part, e->kind) = km_str(text->p, text->n);
    if (g->part->kind == KM_PART_TOOL_USE && !text->n)
        g->part->input_json = KM_STR("{}");
}

/* Room for this choice and those before it: nearly every answer has one, the bound is 128. */
static bool more_room(struct km_answer *a, unsigned choice)
{
    unsigned room = a->room ? a->room : 1;
    struct km_gather **gather;
    struct km_choice *choices;

    while (room <= choice)
        room *= 2;
    gather = km_arena_zalloc(a->arena, room * sizeof *gather);
    choices = km_arena_zalloc(a->arena, room * sizeof *choices);
    if (!gather || !choices)
        return false;
    if (a->room) {
        memcpy(gather, a->gather, a->room * sizeof *gather);
        memcpy(choices, a->choices, a->room * sizeof *choices);
    }
    a->gather = gather;
    a->choices = choices;
    a->room = room;
    return true;
}

/* The place of a choice; NULL over the bound or out of memory. */
static struct km_gather *choice_at(struct km_answer *a, unsigned choice)
{
    struct km_gather *g;

    if (choice >= KM_CHOICES_MOST)
        return NULL;
    if (choice >= a->room && !more_room(a, choice))
        return NULL;
    g = a->gather[choice];
    if (!g) {
        g = a->gather[choice] = km_arena_zalloc(a->arena, sizeof *g);
        if (!g)
            return NULL;
        if (choice >= a->nchoices)
            a->nchoices = choice + 1;
    }
    return g;
}

/* Of the text part that its place ends in; without one, of the last. */
static void gather_citation(struct km_answer *a, const struct km_chat_event *e)
{
    struct km_part *at = NULL;
    int64_t behind = 0;

    for (struct km_part *p = a->choices[e->choice].parts; p; p = p->next) {
        if (p->kind != KM_PART_TEXT)
            continue;
        at = p;
        behind += (int64_t)km_utf8_chars(p->text);
        if (e->citation->end >= 0 && e->citation->end <= behind)
            break;
    }
    if (at)
        km_citation_append(a->arena, &at->citations, e->citation);
    else
        km_dropped_note(a->dropped, KM_STR("citations"));
}

static void gather(struct km_answer *a, struct km_gather *g, const struct km_chat_event *e)
{
    struct km_choice *choice = &a->choices[e->choice];

    if (e->kind == KM_CHAT_CITATION) {
        gather_citation(a, e);
    } else if (e->kind == KM_CHAT_FINISH) {
        choice->finish = e->finish;
        choice->finish_text = km_arena_str(a->arena, e->text);
        g->open = false;
    } else if (e->kind == KM_CHAT_LOGPROBS) {
        choice->logprobs_json = km_arena_str(a->arena, e->text);
        if (!a->to->logprobs)
            km_dropped_note(a->dropped, KM_STR("logprobs"));
    } else {
        gather_piece(a, g, e);
    }
}

static int broken(struct km_err *err, const char *what)
{
    return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "The upstream's answer is out of order: %s.", what);
}

static int check(struct km_answer *a, const struct km_chat_event *e, struct km_err *err)
{
    if (e->kind == KM_CHAT_USAGE)
        return 0;
    if (e->kind == KM_CHAT_START)
        return a->started ? broken(err, "it begins twice") : 0;
    if (!a->started)
        return broken(err, "output before its beginning");
    return e->choice < KM_CHOICES_MOST ? 0 : broken(err, "too many choices");
}

/* What the upstream said is what is counted, whatever of it is handed on. */
static void count(struct km_answer *a, const struct km_chat_event *e)
{
    if (e->kind == KM_CHAT_USAGE) {
        a->usage = e->usage;
    } else if (e->kind == KM_CHAT_START) {
        a->started = true;
        a->upstream_id = km_arena_str(a->arena, e->id);
    } else if (is_output(e->kind)) {
        a->events++;
        km_text_hear(&a->heard, e->text);
        a->open[e->choice / 64] |= UINT64_C(1) << e->choice % 64;
    } else if (e->kind == KM_CHAT_FINISH) {
        a->finished = true;
        a->open[e->choice / 64] &= ~(UINT64_C(1) << e->choice % 64);
    }
}

static int keep(struct km_answer *a, const struct km_chat_event *e, struct km_err *err)
{
    struct km_gather *g;

    if (e->kind == KM_CHAT_USAGE || e->kind == KM_CHAT_START)
        return 0;
    g = choice_at(a, e->choice);
    if (!g)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    gather(a, g, e);
    return km_arena_overflowed(a->arena) ? km_fail(err, KM_E_NOMEM, "out of memory") : 0;
}

int km_answer_say(struct km_answer *a, const struct km_chat_event *e, struct km_err *err)
{
    int r = a->stream && !a->gathers ? 0 : keep(a, e, err);

    return r < 0 || !a->stream ? r : a->to->event(a, e, err);
}

static int pass_on(struct km_answer *a, const struct km_chat_event *e, struct km_err *err)
{
    return a->hand_on ? a->hand_on(a->hand_ctx, e, err) : km_answer_say(a, e, err);
}

/* What the client gets of it has its place behind what it was told before. */
static int put_watched(struct km_answer *a, const struct km_chat_event *e, struct km_err *err)
{
    struct km_chat_event own = *e;

    return km_told_take(a->watch, &own) ? pass_on(a, &own, err) : 0;
}

int km_answer_put(struct km_answer *a, const struct km_chat_event *e, struct km_err *err)
{
    int r = check(a, e, err);

    if (r < 0)
        return r;
    count(a, e);
    return a->watch ? put_watched(a, e, err) : pass_on(a, e, err);
}

struct km_str km_answer_id(const struct km_answer *a, struct km_str prefix)
{
    return a->whole_id.n ? a->whole_id
                         : km_arena_cat(a->arena, (struct km_str[]){ prefix, a->id }, 2);
}

int km_answer_tell_before(struct km_answer *a, struct km_str text, struct km_err *err)
{
    const struct km_chat_event e = { .kind = KM_CHAT_TEXT, .text = text };

    return a->gathers ? keep(a, &e, err) : 0;
}

int km_answer_cite(struct km_answer *a, unsigned choice, unsigned block,
                   const struct km_citation *c, struct km_err *err)
{
    struct km_chat_event e = { .kind = KM_CHAT_CITATION, .choice = choice, .block = block };

    if (a->cited++ >= KM_CITATIONS_MOST) {
        km_dropped_note(a->dropped, KM_STR("citations"));
        return 0;
    }
    e.citation = km_citation_keep(a->arena, c);
    return e.citation ? km_answer_put(a, &e, err) : km_fail(err, KM_E_NOMEM, "out of memory");
}

/* What units have been handed may be told otherwise, and later. */
static bool has_text(const struct km_answer *a, unsigned choice)
{
    return !a->hand_on && (!a->stream || a->gathers) && choice < a->nchoices && a->gather[choice];
}

bool km_answer_words(const struct km_answer *a, unsigned choice, struct km_str *ret)
{
    if (!has_text(a, choice))
        return false;
    *ret = km_parts_text(a->choices[choice].parts, KM_PART_TEXT, a->arena);
    return true;
}

void km_answer_block_place(const struct km_answer *a, unsigned choice, int64_t *ret_start,
                           int64_t *ret_end)
{
    int64_t last = 0;

    *ret_start = *ret_end = -1;
    if (!has_text(a, choice))
        return;
    *ret_end = 0;
    for (const struct km_part *p = a->choices[choice].parts; p; p = p->next)
        if (p->kind == KM_PART_TEXT) {
            last = (int64_t)km_utf8_chars(p->text);
            *ret_end += last;
        }
    *ret_start = *ret_end - last;
}

/* A choice that never said anything is not open; an answer that said nothing at all has one. */
static int finish_all(struct km_answer *a, struct km_err *err)
{
    struct km_chat_event finish = { .kind = KM_CHAT_FINISH, .finish = KM_FINISH_LENGTH };
    bool none = !a->finished && !a->open[0] && !a->open[1];
    int r = none ? km_answer_put(a, &finish, err) : 0;

    for (; r == 0 && finish.choice < KM_CHOICES_MOST; finish.choice++)
        if (a->open[finish.choice / 64] >> finish.choice % 64 & 1)
            r = km_answer_put(a, &finish, err);
    return r;
}

int km_answer_cut(struct km_answer *a, const struct km_usage *told, struct km_err *err)
{
    const struct km_chat_event start = { .kind = KM_CHAT_START };
    const struct km_chat_event usage = { .kind = KM_CHAT_USAGE, .usage = *told };
    int r = 0;

    a->cut = true;
    if (!a->started)
        r = km_answer_put(a, &start, err);
    if (r == 0)
        r = finish_all(a, err);
    return r == 0 ? km_answer_put(a, &usage, err) : r;
}

struct km_usage km_answer_usage(const struct km_answer *a)
{
    const struct km_pace *pace = a->request ? a->request->pace : NULL;
    struct km_heard heard = { .pieces = (int64_t)a->events, .prompt = a->prompt_estimate };

    if (a->told)
        return *a->told;
    if (a->cut || km_usage_is_final(&a->usage, a->finished))
        return a->usage;
    heard.text = km_pace_heard(pace, &a->heard);
    return km_usage_settle(&a->usage, a->finished, &heard);
}

int km_answer_not_json(const struct km_err *why, struct km_err *err)
{
    return km_fail(err, KM_E_UPSTREAM_PROTOCOL,
                   "The upstream's answer is not the JSON it should be: %s", why->text);
}

int km_answer_json(struct km_arena *arena, struct km_str text, const struct km_json **ret_root,
                   struct km_err *err)
{
    KM_ERR_NONE(why);

    return km_json_parse_answer(arena, text, ret_root, &why) == 0 ? 0
                                                                  : km_answer_not_json(&why, err);
}
