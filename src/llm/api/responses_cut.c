/* SPDX-License-Identifier: Apache-2.0 */
/* responses_cut.c - streams of Responses that are ended early.
 *
 *     X.done                   of the text that is open, with all of it
 *     content_part.done        of its part
 *     output_item.done         of its item, `incomplete`
 *     response.incomplete      max_output_tokens: the response as it began, with the output so far
 *
 * What is said was gathered as it came (responses_tail.c).  Where it was too much to be kept,
 * nothing is closed, and the last event has an empty output: a client that needs it whole is told
 * so by the status alone.
 */
#include "llm/api/cut.h"
#include "llm/api/responses_tail.h"

#define EVENT_MOST ((size_t)16 * 1024 * 1024)

/* One cut under way. */
struct cutting {
    struct km_llm_stream *s;
    const struct km_llm_cut *c;
    struct km_responses_tail *t;
    struct km_buf b;
    struct km_json_out o;
};

static void open_event(struct cutting *x, const char *type)
{
    km_buf_reset(&x->b);
    km_json_out_init(&x->o, &x->b);
    km_out_open(&x->o, '{');
    km_out_member(&x->o, "type", km_str_c(type));
    km_out_member_i64(&x->o, "sequence_number", ++x->t->sequence);
}

static int say(struct cutting *x, const char *type, struct km_err *err)
{
    km_out_close(&x->o, '}');
    return km_buf_failed(&x->b) ? km_fail(err, KM_E_NOMEM, "out of memory")
                                : km_cut_say(x->s, x->c, km_str_c(type), km_buf_view(&x->b), err);
}

/* The member of a JSON object, as JSON; empty: it has none. */
static struct km_str member_of(struct km_str object, const char *name)
{
    const struct km_str wanted = km_str_c(name);
    struct km_json_span span;

    return km_json_spans(object, &wanted, 1, &span, NULL, NULL) < 0 ? KM_STR_NONE
                                                                    : km_json_value(object, &span);
}

struct setting {
    const char *name;
    struct km_str json;
};

/* The object with members set, whether they were there or not. */
static int set_members(struct cutting *x, struct km_str object, const struct setting *v, size_t n,
                       struct km_str *ret, struct km_err *err)
{
    struct km_str names[4], *parts;
    struct km_json_span spans[4];
    struct km_json_object place;
    struct km_json_edits e;
    size_t nparts;
    int r;

    for (size_t i = 0; i < n; i++)
        names[i] = km_str_c(v[i].name);
    r = km_json_spans(object, names, n, spans, &place, err);
    if (r < 0)
        return r;
    km_json_edits_init(&e, object, &place);
    for (size_t i = 0; i < n; i++)
        if (spans[i].type == KM_JSON_ABSENT)
            km_json_add(&e, x->s->scratch, names[i], v[i].json);
        else
            km_json_replace(&e, &spans[i], v[i].json);
    r = km_json_parts(&e, x->s->scratch, &parts, &nparts, err);
    if (r < 0)
        return r;
    *ret = km_arena_cat(x->s->scratch, parts, nparts);
    return ret->n ? 0 : km_fail(err, KM_E_NOMEM, "out of memory");
}

/* --- an item that is open --- */

static void of_item(struct cutting *x, const struct km_responses_item *item, const char *index)
{
    km_out_member_raw(&x->o, "item_id", member_of(item->json, "id"));
    km_out_member_i64(&x->o, "output_index", item->index);
    if (index)
        km_out_member_i64(&x->o, index, item->at);
}

static struct km_str whole_text(struct cutting *x, const struct km_responses_item *item)
{
    return km_arena_cat(x->s->scratch,
                        (struct km_str[]){ KM_STR("\""), km_str(item->p, item->n), KM_STR("\"") },
                        3);
}

static int say_text(struct cutting *x, const struct km_responses_item *item, struct km_str text,
                    struct km_err *err)
{
    struct km_str type = km_arena_cat(x->s->scratch, /* with its zero byte: a name of events */
                                      (struct km_str[]){ item->text->stem, KM_STR(".done\0") }, 2);
    struct km_str name = member_of(item->json, "name");

    if (!type.n)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    open_event(x, type.p);
    of_item(x, item, item->text->index);
    km_out_member_raw(&x->o, item->text->done, text);
    if (item->text->part && km_str_eq(km_str_c(item->text->part), KM_STR("output_text")))
        km_out_member_raw(&x->o, "logprobs", KM_STR("[]"));
    if (name.n && km_str_eq(km_str_c(item->text->done), KM_STR("arguments")))
        km_out_member_raw(&x->o, "name", name);
    return say(x, type.p, err);
}

static int say_part(struct cutting *x, const struct km_responses_item *item, struct km_str part,
                    struct km_err *err)
{
    const char *type = item->text->index[0] == 's' ? "response.reasoning_summary_part.done"
                                                   : "response.content_part.done";

    open_event(x, type);
    of_item(x, item, item->text->index);
    km_out_member_raw(&x->o, "part", part);
    return say(x, type, err);
}

/* The open part as it is now. */
static int part_now(struct cutting *x, const struct km_responses_item *item, struct km_str text,
                    struct km_str *ret, struct km_err *err)
{
    const struct setting v[] = {
        { "type", km_llm_json_string(x->s->scratch, km_str_c(item->text->part)) },
        { item->text->done, text },
    };

    return set_members(x, km_cut_or(item->part, KM_STR("{}")), v, 2, ret, err);
}

/* What is open in it is closed; *ret_parts: those it had, and this one. */
static int close_text(struct cutting *x, const struct km_responses_item *item,
                      struct km_str *ret_parts, struct km_str *ret_text, struct km_err *err)
{
    struct km_str text = *ret_text = whole_text(x, item), part;
    int r = item->said ? 0 : say_text(x, item, text, err);

    if (r < 0 || !item->text->part)
        return r;
    r = part_now(x, item, text, &part, err);
    if (r == 0 && item->part.n)
        r = say_part(x, item, part, err);
    if (r < 0)
        return r;
    *ret_parts = km_arena_cat(
        x->s->scratch,
        (struct km_str[]){ item->parts, item->parts.n ? KM_STR(",") : KM_STR_NONE, part }, 3);
    return 0;
}

/* Calls of these two have no word for what was left unfinished but that it failed. */
static struct km_str status_of(struct km_str type)
{
    return km_str_eq(type, KM_STR("\"web_search_call\"")) ||
                   km_str_eq(type, KM_STR("\"image_generation_call\""))
               ? KM_STR("\"failed\"")
               : KM_STR("\"incomplete\"");
}

static int item_now(struct cutting *x, const struct km_responses_item *item, struct km_str parts,
                    struct km_str text, struct km_str *ret, struct km_err *err)
{
    struct km_str status = member_of(item->json, "status");
    bool summary = item->text ? item->text->index && item->text->index[0] == 's'
                              : !member_of(item->json, "content").n;
    struct setting v[3];
    size_t n = 0;

    if (status.n)
        v[n++] = (struct setting){ "status", status_of(member_of(item->json, "type")) };
    if (parts.n)
        v[n++] = (struct setting){
            summary ? "summary" : "content",
            km_arena_cat(x->s->scratch, (struct km_str[]){ KM_STR("["), parts, KM_STR("]") }, 3)
        };
    if (item->text && !item->text->part)
        v[n++] = (struct setting){ item->text->done, text };
    *ret = item->json;
    return n ? set_members(x, item->json, v, n, ret, err) : 0;
}

static int close_item(struct cutting *x, struct km_responses_item *item, struct km_err *err)
{
    struct km_str parts = item->parts, text = KM_STR_NONE, json = KM_STR_NONE;
    int r = item->text ? close_text(x, item, &parts, &text, err) : 0;

    if (r == 0)
        r = item_now(x, item, parts, text, &json, err);
    if (r < 0)
        return r;
    open_event(x, "response.output_item.done");
    km_out_member_i64(&x->o, "output_index", item->index);
    km_out_member_raw(&x->o, "item", json);
    item->json = json;
    item->done = true;
    return say(x, "response.output_item.done", err);
}

/* --- the response --- */

/* One whose own never came, or was too much to be kept. */
static struct km_str bare_object(struct cutting *x)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF((size_t)64 * 1024);
    struct km_json_out o;

    km_json_out_init(&o, &b);
    km_out_open(&o, '{');
    km_out_member_raw(&o, "id", km_cut_id(x->s, x->c, "resp_"));
    km_out_member(&o, "object", KM_STR("response"));
    km_out_member_i64(&o, "created_at", x->c->created_s);
    km_out_member(&o, "status", KM_STR("in_progress"));
    km_out_member_raw(&o, "error", KM_STR_NONE);
    km_out_member_raw(&o, "incomplete_details", KM_STR_NONE);
    km_out_member_raw(&o, "model", km_cut_model(x->s, KM_STR_NONE));
    km_out_member_raw(&o, "output", KM_STR("[]"));
    km_out_member_raw(&o, "parallel_tool_calls", KM_STR("true"));
    km_out_member(&o, "tool_choice", KM_STR("auto"));
    km_out_member_raw(&o, "tools", KM_STR("[]"));
    km_out_member_raw(&o, "usage", KM_STR_NONE);
    km_out_close(&o, '}');
    return km_arena_str(x->s->scratch, km_buf_view(&b));
}

static int say_response(struct cutting *x, const char *type, struct km_str object,
                        struct km_err *err)
{
    open_event(x, type);
    km_out_member_raw(&x->o, "response", object);
    return say(x, type, err);
}

static struct km_str usage_of(struct cutting *x)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF((size_t)4096);
    struct km_json_out o;

    km_json_out_init(&o, &b);
    km_responses_usage(&o, &x->c->usage);
    return km_arena_str(x->s->scratch, km_buf_view(&b));
}

static struct km_str output_of(struct cutting *x)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(EVENT_MOST);

    km_buf_byte(&b, '[');
    for (const struct km_responses_item *i = x->t->items; i; i = i->next) {
        km_buf_str(&b, i->json);
        if (i->next)
            km_buf_byte(&b, ',');
    }
    km_buf_byte(&b, ']');
    return km_arena_str(x->s->scratch, km_buf_view(&b));
}

static int say_incomplete(struct cutting *x, struct km_err *err)
{
    const struct setting v[] = {
        { "status", KM_STR("\"incomplete\"") },
        { "incomplete_details", KM_STR("{\"reason\":\"max_output_tokens\"}") },
        { "output", output_of(x) },
        { "usage", usage_of(x) },
    };
    struct km_str object = km_cut_or(x->t->object, bare_object(x));
    int r = set_members(x, object, v, sizeof v / sizeof *v, &object, err);

    return r < 0 ? r : say_response(x, "response.incomplete", object, err);
}

static int say_begun(struct cutting *x, struct km_err *err)
{
    x->t->object = bare_object(x);
    return say_response(x, "response.created", x->t->object, err);
}

static int end_all(struct cutting *x, struct km_err *err)
{
    int r = x->t->sequence < 0 ? say_begun(x, err) : 0;

    for (struct km_responses_item *i = x->t->items; r == 0 && i; i = i->next)
        if (!i->done)
            r = close_item(x, i, err);
    return r < 0 ? r : say_incomplete(x, err);
}

int km_responses_cut(struct km_llm_stream *s, const struct km_llm_cut *c, struct km_err *err)
{
    struct cutting x = { .s = s, .c = c, .t = km_responses_tail(s), .b = KM_BUF(EVENT_MOST) };
    int r;

    if (s->finished)
        return 0;
    if (!x.t)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    r = end_all(&x, err);
    km_buf_done(&x.b);
    return r;
}
