/* SPDX-License-Identifier: Apache-2.0 */
/* responses_out.c - an answer's events as the Responses API's, and the response object.
 *
 *     START      ->  response.created, response.in_progress
 *     a block    ->  output_item.added  (its parts, deltas, dones)  output_item.done
 *     end()      ->  response.completed | response.incomplete
 *     fail()     ->  response.failed
 *
 * A block is an item: text and refusals are messages of one part, reasoning is an item with its
 * words as summary, a call is a function_call.  What puts these events together at the other end
 * throws at anything out of order: numbers rise from 0, an item's index is how many there were
 * before, its id is the same wherever it is named, and the last event holds the whole output
 * again.  So the ids are made of the item's number, and the answer is gathered (answer.h) while
 * it streams.
 *
 * The response object gives back what was asked for, from the request's own bytes.
 */
#include "llm/api/citations.h"
#include "llm/api/responses.h"
#include "llm/dialect.h"
#include "llm/told.h"

#include <stdio.h>

enum block_kind { B_NONE, B_REASONING, B_TEXT, B_REFUSAL, B_CALL, B_CUSTOM };

struct state {
    uint64_t sequence;
    unsigned items; /* begun */
    unsigned block; /* of the item under way */
    unsigned annotations; /* of it that were told */
    enum block_kind kind; /* of the item under way; B_NONE: none is */
    const struct km_part *part; /* what is gathered of it */
    enum km_finish finish;
    struct km_str first; /* the first item's id, where the client was told another than ours */
    bool owes_part; /* the item under way was told, and its part was not */
    bool owes_progress; /* likewise of the response, and that it is in progress */
};

/* --- writing --- */

static const char *prefix_of(enum block_kind kind)
{
    switch (kind) {
    case B_REASONING:
        return "rs";
    case B_CALL:
        return "fc";
    case B_CUSTOM:
        return "ctc";
    default:
        return "msg";
    }
}

static void item_id(struct km_json_out *o, const struct km_answer *a, const char *key,
                    enum block_kind kind, unsigned index)
{
    const struct state *s = a->state;
    char id[160];
    int n;

    if (s && s->first.n && index == 0) {
        km_out_member(o, key, s->first);
        return;
    }
    n = snprintf(id, sizeof id, "%s_%.*s_%u", prefix_of(kind), (int)(a->id.n < 100 ? a->id.n : 100),
                 a->id.p ? a->id.p : "", index);

    km_out_member(o, key, km_str(id, (size_t)n));
}

static void begin(struct km_answer *a, struct km_json_out *o, const char *type)
{
    struct state *s = a->state;

    km_buf_str(a->out, KM_STR("event: "));
    km_buf_str(a->out, km_str_c(type));
    km_buf_str(a->out, KM_STR("\ndata: "));
    km_json_out_init(o, a->out);
    km_out_open(o, '{');
    km_out_member(o, "type", km_str_c(type));
    km_out_member_i64(o, "sequence_number", (int64_t)s->sequence++);
}

static void finish(struct km_answer *a, struct km_json_out *o)
{
    km_out_close(o, '}');
    km_buf_str(a->out, KM_STR("\n\n"));
}

/* An event about the item under way. */
static void begin_of_item(struct km_answer *a, struct km_json_out *o, const char *type)
{
    const struct state *s = a->state;

    begin(a, o, type);
    item_id(o, a, "item_id", s->kind, s->items - 1);
    km_out_member_i64(o, "output_index", s->items - 1);
}

/* of: the part whose text it is, for what it rests on; NULL: it is only begun. */
static void text_part(struct km_answer *a, struct km_json_out *o, enum block_kind kind,
                      struct km_str text, const struct km_part *of)
{
    km_out_open(o, '{');
    if (kind == B_REASONING) {
        km_out_member(o, "type", KM_STR("summary_text"));
        km_out_member(o, "text", text);
    } else if (kind == B_REFUSAL) {
        km_out_member(o, "type", KM_STR("refusal"));
        km_out_member(o, "refusal", text);
    } else {
        km_out_member(o, "type", KM_STR("output_text"));
        km_out_member(o, "text", text);
        km_out_key(o, "annotations");
        km_out_open(o, '[');
        for (const struct km_citation *c = of ? of->citations : NULL; c; c = c->next)
            km_cite_responses(a, o, a->choices[0].parts, of, c);
        km_out_close(o, ']');
        km_out_member_raw(o, "logprobs", KM_STR("[]"));
    }
    km_out_close(o, '}');
}

/* --- items --- */

static enum block_kind kind_of(const struct km_answer *a, const struct km_part *part)
{
    switch (part->kind) {
    case KM_PART_REASONING:
    case KM_PART_REDACTED:
        return B_REASONING;
    case KM_PART_REFUSAL:
        return B_REFUSAL;
    case KM_PART_TOOL_USE:
        return km_responses_tool(a->request, part->name, a->arena).custom ? B_CUSTOM : B_CALL;
    default:
        return B_TEXT;
    }
}

/* The text of a custom tool's call: the one member of its input. */
static struct km_str custom_input(const struct km_answer *a, const struct km_part *part)
{
    const struct km_json *root;
    struct km_str s = KM_STR("");

    if (km_json_parse_answer(a->arena, part->input_json, &root, NULL) < 0 ||
        !km_json_string(km_json_get(root, "input"), &s))
        return part->input_json;
    return s;
}

static void call_id(const struct km_answer *a, struct km_json_out *o, const struct km_part *part)
{
    struct km_responses_tool tool = km_responses_tool(a->request, part->name, a->arena);

    km_out_member(o, "call_id",
                  part->signature.n
                      ? km_arena_cat(a->arena,
                                     (struct km_str[]){ part->id, KM_STR(KM_RESPONSES_SIGNED),
                                                        part->signature },
                                     3)
                      : part->id);
    if (tool.group.n)
        km_out_member(o, "namespace", tool.group);
    km_out_member(o, "name", tool.name);
}

static void reasoning_item(struct km_answer *a, struct km_json_out *o, const struct km_part *part,
                           bool done)
{
    bool redacted = part->kind == KM_PART_REDACTED;

    km_out_member(o, "type", KM_STR("reasoning"));
    km_out_key(o, "summary");
    km_out_open(o, '[');
    if (done && !redacted && part->text.n)
        text_part(a, o, B_REASONING, part->text, NULL);
    km_out_close(o, ']');
    if (!done)
        return;
    if (redacted)
        km_out_member(o, "encrypted_content",
                      km_arena_cat(a->arena,
                                   (struct km_str[]){ KM_STR(KM_RESPONSES_REDACTED), part->text },
                                   2));
    else if (part->signature.n)
        km_out_member(
            o, "encrypted_content",
            km_arena_cat(a->arena,
                         (struct km_str[]){ KM_STR(KM_RESPONSES_THINKING), part->signature }, 2));
}

/* What the bound of the output left unfinished is the last one. */
static struct km_str item_status(const struct km_part *part, enum km_finish f, bool done)
{
    if (!done)
        return KM_STR("in_progress");
    return f == KM_FINISH_LENGTH && !part->next ? KM_STR("incomplete") : KM_STR("completed");
}

/* An item as it stands: at its beginning without its content, at its end with all of it. */
static void item(struct km_answer *a, struct km_json_out *o, const struct km_part *part,
                 enum block_kind kind, unsigned index, enum km_finish f, bool done)
{
    struct km_str status = item_status(part, f, done);

    km_out_open(o, '{');
    item_id(o, a, "id", kind, index);
    if (kind == B_REASONING) {
        reasoning_item(a, o, part, done);
    } else if (kind == B_CALL || kind == B_CUSTOM) {
        km_out_member(o, "type",
                      kind == B_CALL ? KM_STR("function_call") : KM_STR("custom_tool_call"));
        km_out_member(o, "status", status);
        call_id(a, o, part);
        if (kind == B_CALL)
            km_out_member(o, "arguments", done ? part->input_json : KM_STR(""));
        else
            km_out_member(o, "input", done ? custom_input(a, part) : KM_STR(""));
    } else {
        km_out_member(o, "type", KM_STR("message"));
        km_out_member(o, "status", status);
        km_out_member(o, "role", KM_STR("assistant"));
        km_out_key(o, "content");
        km_out_open(o, '[');
        if (done)
            text_part(a, o, kind, part->text, part);
        km_out_close(o, ']');
    }
    km_out_close(o, '}');
}

/* --- the response object --- */

static void given_back(const struct km_answer *a, struct km_json_out *o, const char *name,
                       enum km_responses_member m, const char *none)
{
    struct km_str v = a->request ? km_responses_value(a->request, m) : KM_STR_NONE;

    km_out_member_raw(o, name, v.n ? v : km_str_c(none));
}

void km_responses_usage(struct km_json_out *o, const struct km_usage *u)
{
    km_out_open(o, '{');
    km_out_member_i64(o, "input_tokens", u->prompt_tokens);
    km_out_key(o, "input_tokens_details");
    km_out_open(o, '{');
    km_out_member_i64(o, "cached_tokens", u->cached_tokens);
    if (u->cache_write_tokens)
        km_out_member_i64(o, "cache_write_tokens", u->cache_write_tokens);
    km_out_close(o, '}');
    km_out_member_i64(o, "output_tokens", u->completion_tokens);
    km_out_key(o, "output_tokens_details");
    km_out_open(o, '{');
    /* Clients read the number without asking whether it is there: 0 where nobody counted. */
    km_out_member_i64(o, "reasoning_tokens", u->reasoning_tokens);
    km_out_close(o, '}');
    km_out_member_i64(o, "total_tokens", u->prompt_tokens + u->completion_tokens);
    km_out_close(o, '}');
}

static void output(struct km_answer *a, struct km_json_out *o, enum km_finish f, bool done)
{
    unsigned index = 0;

    km_out_key(o, "output");
    km_out_open(o, '[');
    if (done && a->nchoices > 0)
        for (const struct km_part *p = a->choices[0].parts; p; p = p->next)
            item(a, o, p, kind_of(a, p), index++, f, true);
    km_out_close(o, ']');
}

static void details(struct km_json_out *o, enum km_finish f)
{
    km_out_key(o, "incomplete_details");
    if (f != KM_FINISH_LENGTH && f != KM_FINISH_FILTER) {
        km_out_null(o);
        return;
    }
    km_out_open(o, '{');
    km_out_member(o, "reason",
                  f == KM_FINISH_LENGTH ? KM_STR("max_output_tokens") : KM_STR("content_filter"));
    km_out_close(o, '}');
}

static void error(struct km_json_out *o, const struct km_err *err)
{
    km_out_key(o, "error");
    if (!err) {
        km_out_null(o);
        return;
    }
    km_out_open(o, '{');
    km_out_member(o, "code",
                  km_str_c(km_error_reason(err) ? km_error_reason(err) : "server_error"));
    km_out_member(o, "message", km_str_c(err->text));
    km_out_close(o, '}');
}

static void object(struct km_answer *a, struct km_json_out *o, const char *status, enum km_finish f,
                   const struct km_err *err)
{
    bool done = status[0] != 'i' || status[3] == 'o'; /* not "in_progress" */
    bool stored = a->request && km_responses_stored(a->request);
    struct km_usage u = km_answer_usage(a);

    km_out_open(o, '{');
    km_out_member(o, "id", km_answer_id(a, KM_STR("resp_")));
    km_out_member(o, "object", KM_STR("response"));
    km_out_member_i64(o, "created_at", a->created_s);
    km_out_member(o, "status", km_str_c(status));
    error(o, err);
    details(o, f);
    given_back(a, o, "instructions", KM_R_INSTRUCTIONS, "null");
    given_back(a, o, "max_output_tokens", KM_R_MAX_TOKENS, "null");
    km_out_member(o, "model", a->model);
    output(a, o, f, done);
    given_back(a, o, "parallel_tool_calls", KM_R_PARALLEL, "true");
    km_out_member_raw(o, "previous_response_id", a->request ? a->request->previous : KM_STR_NONE);
    given_back(a, o, "reasoning", KM_R_REASONING, "{\"effort\":null,\"summary\":null}");
    km_out_key(o, "store");
    km_out_bool(o, stored);
    given_back(a, o, "temperature", KM_R_TEMPERATURE, "1");
    given_back(a, o, "text", KM_R_TEXT, "{\"format\":{\"type\":\"text\"}}");
    given_back(a, o, "tool_choice", KM_R_TOOL_CHOICE, "\"auto\"");
    given_back(a, o, "tools", KM_R_TOOLS, "[]");
    given_back(a, o, "top_p", KM_R_TOP_P, "1");
    given_back(a, o, "truncation", KM_R_TRUNCATION, "\"disabled\"");
    km_out_key(o, "usage");
    if (done)
        km_responses_usage(o, &u);
    else
        km_out_null(o);
    given_back(a, o, "user", KM_R_USER, "null");
    given_back(a, o, "metadata", KM_R_METADATA, "{}");
    km_out_close(o, '}');
}

static void response_event(struct km_answer *a, const char *type, const char *status,
                           enum km_finish f, const struct km_err *err)
{
    struct km_json_out o;

    begin(a, &o, type);
    km_out_key(&o, "response");
    object(a, &o, status, f, err);
    finish(a, &o);
}

/* --- blocks --- */

static void item_event(struct km_answer *a, const char *type, bool done)
{
    const struct state *s = a->state;
    struct km_json_out o;

    begin(a, &o, type);
    km_out_member_i64(&o, "output_index", s->items - 1);
    km_out_key(&o, "item");
    item(a, &o, s->part, s->kind, s->items - 1, s->finish, done);
    finish(a, &o);
}

/* Of a part: added empty, done with its text. */
static void part_event(struct km_answer *a, bool done)
{
    const struct state *s = a->state;
    bool summary = s->kind == B_REASONING;
    struct km_json_out o;

    begin_of_item(a, &o,
                  summary ? (done ? "response.reasoning_summary_part.done"
                                  : "response.reasoning_summary_part.added")
                          : (done ? "response.content_part.done" : "response.content_part.added"));
    km_out_member_i64(&o, summary ? "summary_index" : "content_index", 0);
    km_out_key(&o, "part");
    text_part(a, &o, s->kind, done ? s->part->text : KM_STR(""), done ? s->part : NULL);
    finish(a, &o);
}

/* Of a text: a piece of it, or all. */
static void text_event(struct km_answer *a, struct km_str text, bool done)
{
    static const char *const types[][2] = {
        [B_REASONING] = { "response.reasoning_summary_text.delta",
                          "response.reasoning_summary_text.done" },
        [B_TEXT] = { "response.output_text.delta", "response.output_text.done" },
        [B_REFUSAL] = { "response.refusal.delta", "response.refusal.done" },
        [B_CALL] = { "response.function_call_arguments.delta",
                     "response.function_call_arguments.done" },
        [B_CUSTOM] = { "response.custom_tool_call_input.delta",
                       "response.custom_tool_call_input.done" },
    };
    const struct state *s = a->state;
    struct km_json_out o;

    begin_of_item(a, &o, types[s->kind][done]);
    if (s->kind == B_REASONING)
        km_out_member_i64(&o, "summary_index", 0);
    else if (s->kind == B_TEXT || s->kind == B_REFUSAL)
        km_out_member_i64(&o, "content_index", 0);
    if (!done)
        km_out_member(&o, "delta", text);
    else if (s->kind == B_REFUSAL)
        km_out_member(&o, "refusal", text);
    else if (s->kind == B_CALL)
        km_out_member(&o, "arguments", text);
    else if (s->kind == B_CUSTOM)
        km_out_member(&o, "input", text);
    else
        km_out_member(&o, "text", text);
    if (s->kind == B_TEXT)
        km_out_member_raw(&o, "logprobs", KM_STR("[]"));
    if (done && s->kind == B_CALL)
        km_out_member(&o, "name", s->part->name);
    finish(a, &o);
}

static bool has_part(const struct state *s)
{
    return s->kind == B_TEXT || s->kind == B_REFUSAL ||
           (s->kind == B_REASONING && s->part->kind == KM_PART_REASONING && s->part->text.n);
}

/* The beginning of its part, where the upstream before this one broke ahead of it. */
static void begin_part(struct km_answer *a)
{
    struct state *s = a->state;

    if (s->owes_part)
        part_event(a, false);
    s->owes_part = false;
}

static void end_item(struct km_answer *a)
{
    struct state *s = a->state;

    if (s->kind == B_NONE)
        return;
    begin_part(a);
    if (s->kind == B_CALL) {
        text_event(a, s->part->input_json, true);
    } else if (s->kind == B_CUSTOM) {
        struct km_str input = custom_input(a, s->part);

        text_event(a, input, false);
        text_event(a, input, true);
    } else if (has_part(s)) {
        text_event(a, s->part->text, true);
        part_event(a, true);
    }
    item_event(a, "response.output_item.done", true);
    s->kind = B_NONE;
}

static void begin_item(struct km_answer *a, const struct km_chat_event *e)
{
    struct state *s = a->state;

    s->part = a->gather[0]->part;
    s->kind = kind_of(a, s->part);
    s->block = e->block;
    s->items++;
    s->annotations = 0;
    item_event(a, "response.output_item.added", false);
    if (s->kind == B_TEXT || s->kind == B_REFUSAL)
        part_event(a, false);
}

/* One of an item that is over is told with the whole output. */
static void annotation(struct km_answer *a)
{
    struct state *s = a->state;
    const struct km_citation *c = s->kind == B_TEXT ? s->part->citations : NULL;
    struct km_json_out o;

    for (unsigned i = 0; c && i < s->annotations; i++)
        c = c->next;
    if (!c)
        return;
    begin_of_item(a, &o, "response.output_text.annotation.added");
    km_out_member_i64(&o, "content_index", 0);
    km_out_member_i64(&o, "annotation_index", s->annotations++);
    km_out_key(&o, "annotation");
    km_cite_responses(a, &o, a->choices[0].parts, s->part, c);
    finish(a, &o);
}

static void piece(struct km_answer *a, const struct km_chat_event *e)
{
    const struct state *s = a->state;

    if (!e->text.n)
        return;
    switch (e->kind) {
    case KM_CHAT_REASONING:
        if (s->part->text.n == e->text.n) /* its first words: the part begins with them */
            part_event(a, false);
        text_event(a, e->text, false);
        break;
    case KM_CHAT_TEXT:
    case KM_CHAT_REFUSAL:
        begin_part(a);
        text_event(a, e->text, false);
        break;
    case KM_CHAT_TOOL_INPUT:
        if (s->kind == B_CALL)
            text_event(a, e->text, false);
        break;
    default:
        break;
    }
}

static int event(struct km_answer *a, const struct km_chat_event *e, struct km_err *err)
{
    struct state *s = a->state;

    if (e->kind == KM_CHAT_START) {
        response_event(a, "response.created", "in_progress", KM_FINISH_NONE, NULL);
        response_event(a, "response.in_progress", "in_progress", KM_FINISH_NONE, NULL);
        return 0;
    }
    if (s->owes_progress)
        response_event(a, "response.in_progress", "in_progress", KM_FINISH_NONE, NULL);
    s->owes_progress = false;
    if (e->kind == KM_CHAT_USAGE || e->kind == KM_CHAT_LOGPROBS || e->choice != 0)
        return 0;
    if (e->kind == KM_CHAT_CITATION) {
        annotation(a);
    } else if (e->kind == KM_CHAT_FINISH) {
        s->finish = e->finish;
        end_item(a);
    } else {
        if (s->kind == B_NONE || s->block != e->block) {
            end_item(a);
            begin_item(a, e);
        }
        piece(a, e);
    }
    return km_arena_overflowed(a->arena) ? km_fail(err, KM_E_NOMEM, "out of memory") : 0;
}

static const char *status_of(enum km_finish f)
{
    return f == KM_FINISH_LENGTH || f == KM_FINISH_FILTER ? "incomplete" : "completed";
}

static void end(struct km_answer *a)
{
    const struct state *s = a->state;
    bool whole = status_of(s->finish)[0] == 'c';

    response_event(a, whole ? "response.completed" : "response.incomplete", status_of(s->finish),
                   s->finish, NULL);
}

static void fail(struct km_answer *a, const struct km_err *err)
{
    end_item(a);
    response_event(a, "response.failed", "failed", KM_FINISH_NONE, err);
}

static int whole(struct km_answer *a, struct km_err *err)
{
    enum km_finish f = a->nchoices ? a->choices[0].finish : KM_FINISH_STOP;
    struct km_json_out o;

    km_json_out_init(&o, a->out);
    object(a, &o, status_of(f), f, NULL);
    return km_arena_overflowed(a->arena) ? km_fail(err, KM_E_NOMEM, "out of memory") : 0;
}

static int go_on(struct km_answer *a, const struct km_told *told, struct km_err *err)
{
    struct state *s = a->state;
    int r = told->index < 0 ? 0 : km_answer_tell_before(a, km_told_text(told), err);

    if (r < 0)
        return r;
    s->sequence = (uint64_t)(told->sequence + 1);
    s->owes_progress = !told->progress;
    if (told->index < 0)
        return 0;
    s->items = 1;
    s->first = told->item;
    s->kind = B_TEXT;
    s->part = a->gather[0]->part;
    s->owes_part = !told->part;
    return 0;
}

const struct km_encoder km_encoder_responses = {
    .state_size = sizeof(struct state),
    .event = event,
    .end = end,
    .whole = whole,
    .fail = fail,
    .go_on = go_on,
    .gathers = true,
};
