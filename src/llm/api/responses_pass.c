/* SPDX-License-Identifier: Apache-2.0 */
/* responses_pass.c - Responses' answers on their way back from an upstream that speaks it, and
 * what is kept of an answer.
 *
 * The bytes go on as they are but for `model`, which is set back to the name that was asked for:
 * at the top of a whole answer, inside `response` in a stream's events.  The kept conversation is
 * spliced from the texts as they are, too: nothing of a caller's items is written anew.
 */
#include "base/encode.h"
#include "llm/api/responses_tail.h"
#include "llm/usage.h"

enum { E_TYPE, E_RESPONSE, E_DELTA, E_SEQUENCE, E_ITEM, E_ERROR, E_COUNT };

static const struct km_str event_members[E_COUNT] = {
    { "type", 4 },
    { "response", 8 },
    { "delta", 5 },
    { "sequence_number", 15 },
    { "item", 4 },
    { "error", 5 },
};

enum { O_MODEL, O_USAGE, O_OUTPUT, O_ID, O_PREVIOUS, O_SERVICE, O_COUNT };

static const struct km_str object_members[O_COUNT] = {
    { "model", 5 }, { "usage", 5 }, { "output", 6 }, { "id", 2 }, { "previous_response_id", 20 },
    { "service_tier", 12 },
};

void km_responses_read_usage(const struct km_json *usage, struct km_usage *u)
{
    const struct km_json *in = km_json_get(usage, "input_tokens_details");
    const struct km_json *out = km_json_get(usage, "output_tokens_details");
    bool bad = false;

    *u = (struct km_usage){ .prompt_tokens = km_usage_due(usage, "input_tokens", &bad),
                            .completion_tokens = km_usage_due(usage, "output_tokens", &bad),
                            .cached_tokens = km_usage_count(in, "cached_tokens", &bad),
                            .cache_write_tokens = km_usage_count(in, "cache_write_tokens", &bad),
                            .reasoning_tokens = km_usage_count(out, "reasoning_tokens", &bad) };
    km_usage_extras(usage, u, &bad);
    km_usage_judge(u, bad);
}

static void read_usage(const struct km_arena *arena, struct km_str text, struct km_usage *u)
{
    struct km_arena scratch KM_CLEANUP(km_arena_done);
    const struct km_json *root;

    km_arena_init(&scratch, arena->cap, arena->pool);
    if (km_json_parse_answer(&scratch, text, &root, NULL) == 0 &&
        km_json_kind(root) == KM_JSON_OBJECT)
        km_responses_read_usage(root, u);
}

/* Is it the first that has this container?  A session is one, however often it is used. */
static bool is_new_container(const struct km_json *output, const struct km_json *item)
{
    struct km_str id = KM_STR_NONE, other, key;
    const struct km_json *one;
    struct km_json_iter it;

    if (!km_json_string(km_json_get(item, "container_id"), &id))
        return true;
    for (km_json_iter(output, &it); km_json_next(&it, &key, &one) && one != item;)
        if (km_json_string(km_json_get(one, "container_id"), &other) && km_str_eq(id, other))
            return false;
    return true;
}

/* Of what a search of the web does, opening a page and looking through it have no fee. */
static bool is_search(const struct km_json *item)
{
    struct km_str action;

    return !km_json_string(km_json_get(km_json_get(item, "action"), "type"), &action) ||
           km_str_eq(action, KM_STR("search"));
}

static void count_item(const struct km_json *output, const struct km_json *item, struct km_usage *u)
{
    struct km_str type = KM_STR_NONE;

    (void)km_json_string(km_json_get(item, "type"), &type);
    if (km_str_eq(type, KM_STR("web_search_call")))
        u->hosted[KM_HOSTED_WEB_SEARCH] += is_search(item);
    else if (km_str_eq(type, KM_STR("file_search_call")))
        u->hosted[KM_HOSTED_FILE_SEARCH]++;
    else if (km_str_eq(type, KM_STR("code_interpreter_call")) ||
             km_str_eq(type, KM_STR("shell_call")))
        u->hosted[KM_HOSTED_CODE_INTERPRETER] += is_new_container(output, item);
}

void km_responses_hosted(const struct km_json *output, struct km_usage *u)
{
    struct km_json_iter it;
    const struct km_json *item;
    struct km_str key;

    for (km_json_iter(output, &it); km_json_next(&it, &key, &item);)
        count_item(output, item, u);
}

static void count_items(const struct km_arena *like, struct km_str output, struct km_usage *u)
{
    struct km_arena scratch KM_CLEANUP(km_arena_done);
    const struct km_json *root;

    km_arena_init(&scratch, like->cap, like->pool);
    if (km_json_parse_answer(&scratch, output, &root, NULL) < 0)
        return;
    memset(u->hosted, 0, sizeof u->hosted);
    km_responses_hosted(root, u);
}

/* The request's own tools, or a deployment's. */
static bool may_have_used(const struct km_llm_request *r, struct km_str output)
{
    return r->priced.hosts || km_str_find(output, KM_STR("_search_call\"")) < output.n ||
           km_str_find(output, KM_STR("code_interpreter_call\"")) < output.n;
}

/* An answer's usage: of a stream's object that is not the last there is none yet. */
static void read_object(const struct km_llm_request *r, const struct km_arena *arena,
                        struct km_str object, const struct km_json_span *spans, struct km_usage *u)
{
    if (spans[O_USAGE].type == KM_JSON_OBJECT) {
        read_usage(arena, km_json_value(object, &spans[O_USAGE]), u);
        if (u->known && spans[O_OUTPUT].type == KM_JSON_ARRAY &&
            may_have_used(r, km_json_value(object, &spans[O_OUTPUT])))
            count_items(arena, km_json_value(object, &spans[O_OUTPUT]), u);
    }
    if (spans[O_SERVICE].type == KM_JSON_STRING)
        km_usage_served(u, km_str_sub(km_json_value(object, &spans[O_SERVICE]), 1,
                                      spans[O_SERVICE].value_n - 2));
}

/* An answer's object as its caller knows it, as parts: the model's name, and the answer it went
 * on from.  Its usage is read. */
static int edit_object(const struct km_llm_request *r, struct km_str object,
                       struct km_str model_json, struct km_arena *arena, struct km_str **ret_parts,
                       size_t *ret_n, struct km_usage *u, struct km_err *err)
{
    struct km_json_span spans[O_COUNT];
    struct km_json_object place;
    struct km_json_edits e;
    struct km_err why = { 0 };

    if (km_json_spans(object, object_members, O_COUNT, spans, &place, &why) < 0)
        return km_answer_not_json(&why, err);
    read_object(r, arena, object, spans, u);
    km_json_edits_init(&e, object, &place);
    if (spans[O_MODEL].type == KM_JSON_STRING && model_json.n)
        km_json_replace(&e, &spans[O_MODEL], model_json);
    if (r->previous.n && spans[O_PREVIOUS].type != KM_JSON_ABSENT)
        km_json_replace(&e, &spans[O_PREVIOUS], r->previous);
    return km_json_parts(&e, arena, ret_parts, ret_n, err);
}

int km_responses_answer(const struct km_llm_request *r, struct km_arena *arena, struct km_str body,
                        struct km_str **ret_parts, size_t *ret_n, struct km_usage *ret_usage,
                        struct km_err *err)
{
    return edit_object(r, body, km_llm_json_string(arena, r->model), arena, ret_parts, ret_n,
                       ret_usage, err);
}

static bool is_last(struct km_str type)
{
    return km_str_eq(type, KM_STR("\"response.completed\"")) ||
           km_str_eq(type, KM_STR("\"response.incomplete\"")) ||
           km_str_eq(type, KM_STR("\"response.failed\""));
}

static void note(struct km_llm_stream *s, struct km_str type, struct km_str delta,
                 struct km_str sequence, struct km_str data)
{
    if (is_last(type))
        s->finished = s->ended = true;
    else if (km_str_eq(type, KM_STR("\"error\"")))
        s->error = true;
    else if (km_str_ends(type, KM_STR(".delta\"")) && delta.n > 2) {
        s->events++;
        km_text_hear(&s->heard, km_str_sub(delta, 1, delta.n - 2));
    }
    if (s->keeps && type.n > 2)
        km_responses_keep(s, km_str_sub(type, 1, type.n - 2), sequence, delta, data);
}

/* Tools that were used so far, should the stream be cut: its last event counts them all. */
static void note_item(struct km_llm_stream *s, struct km_str item)
{
    struct km_arena scratch KM_CLEANUP(km_arena_done);
    const struct km_json *root;

    km_arena_init(&scratch, s->scratch->cap, s->scratch->pool);
    if (km_json_parse_answer(&scratch, item, &root, NULL) == 0)
        count_item(NULL, root, &s->usage);
    if (s->usage.hosted[KM_HOSTED_CODE_INTERPRETER] > 1) /* mostly it is one and the same session */
        s->usage.hosted[KM_HOSTED_CODE_INTERPRETER] = 1;
}

static void emit(const struct km_sse_event *event, struct km_str data, struct km_buf *out)
{
    km_sse_write(out, event->type, data);
}

int km_responses_event(struct km_llm_stream *s, const struct km_sse_event *event,
                       struct km_buf *out, struct km_err *err)
{
    struct km_json_span spans[E_COUNT];
    struct km_json_object place;
    struct km_json_edits e;
    struct km_str *parts = NULL, object;
    size_t n = 0;
    int r;

    if (event->has_data && km_str_eq(km_str_trim(event->data), KM_STR("[DONE]"))) {
        s->done = true;
        return 0;
    }
    if (!event->has_data ||
        km_json_spans(event->data, event_members, E_COUNT, spans, &place, NULL) < 0) {
        km_buf_str(out, event->raw); /* comments, and what we do not understand */
        return 0;
    }
    note(s, km_json_value(event->data, &spans[E_TYPE]),
         spans[E_DELTA].type == KM_JSON_STRING ? km_json_value(event->data, &spans[E_DELTA])
                                               : KM_STR_NONE,
         km_json_value(event->data, &spans[E_SEQUENCE]), event->data);
    if (spans[E_ERROR].type == KM_JSON_OBJECT) /* without a type, as of a chat */
        s->error = true;
    if (s->request->priced.hosts && spans[E_ITEM].type == KM_JSON_OBJECT &&
        km_str_eq(km_json_value(event->data, &spans[E_TYPE]),
                  KM_STR("\"response.output_item.done\"")))
        note_item(s, km_json_value(event->data, &spans[E_ITEM]));
    if (spans[E_RESPONSE].type != KM_JSON_OBJECT) {
        km_buf_str(out, event->raw);
        return 0;
    }
    object = km_json_value(event->data, &spans[E_RESPONSE]);
    r = edit_object(s->request, object, s->model_json, s->scratch, &parts, &n, &s->usage, err);
    if (r < 0)
        return r;
    object = km_arena_cat(s->scratch, parts, n);
    if (s->keeps)
        km_responses_keep_object(s, object);
    km_json_edits_init(&e, event->data, &place);
    km_json_replace(&e, &spans[E_RESPONSE], object);
    r = km_json_parts(&e, s->scratch, &parts, &n, err);
    if (r == 0)
        emit(event, km_arena_cat(s->scratch, parts, n), out);
    return r;
}

bool km_responses_may_be_last(struct km_str type)
{
    return !km_str_ends(type, KM_STR(".delta"));
}

struct km_str km_responses_final(struct km_str data)
{
    struct km_json_span spans[E_COUNT];

    if (km_json_spans(data, event_members, E_COUNT, spans, NULL, NULL) < 0 ||
        spans[E_RESPONSE].type != KM_JSON_OBJECT || !is_last(km_json_value(data, &spans[E_TYPE])))
        return KM_STR_NONE;
    return km_json_value(data, &spans[E_RESPONSE]);
}

struct km_str km_responses_id(struct km_str response, struct km_arena *arena)
{
    struct km_json_span spans[O_COUNT];

    if (km_json_spans(response, object_members, O_COUNT, spans, NULL, NULL) < 0 ||
        spans[O_ID].type != KM_JSON_STRING)
        return KM_STR_NONE;
    return km_json_text(arena, response, &spans[O_ID]);
}

/* --- items by reference --- */

/* The members that say what an item is about.  Without them it is its id that says it. */
static const char *const telling[] = { "content", "arguments", "output", "input", "action",
                                       "operation", "code", "tools", "approve", NULL };
/* Items that the upstream made are more than what it showed of them; one member has it all. */
static const struct {
    const char *type;
    const char *const whole[2];
} made_items[] = {
    { "item_reference", { NULL } },
    { "reasoning", { "encrypted_content", NULL } },
    { "compaction", { "encrypted_content", NULL } },
    { "image_generation_call", { "result", NULL } },
    { "file_search_call", { "results", NULL } },
    { "", { "content", NULL } }, /* without a type: a message, or a reference */
};

static bool says(const struct km_json *item, const char *const *names)
{
    struct km_str text;

    for (; *names; names++) {
        const struct km_json *v = km_json_get(item, *names);

        if (v && km_json_kind(v) != KM_JSON_NULL && (!km_json_string(v, &text) || text.n))
            return true;
    }
    return false;
}

bool km_responses_refers(const struct km_json *item, struct km_str *ret_id)
{
    struct km_str type = KM_STR_NONE;

    *ret_id = KM_STR_NONE;
    if (km_json_kind(item) != KM_JSON_OBJECT || !km_json_string(km_json_get(item, "id"), ret_id) ||
        !ret_id->n)
        return false;
    (void)km_json_string(km_json_get(item, "type"), &type);
    for (size_t i = 0; i < sizeof made_items / sizeof made_items[0]; i++)
        if (km_str_eq(type, km_str_c(made_items[i].type)))
            return !says(item, made_items[i].whole);
    return !says(item, telling);
}

/* --- what is kept --- */

/* What stands between the brackets of an array; a string as one user's item. */
static struct km_str items_of(struct km_str value, enum km_json_type type, struct km_arena *arena)
{
    if (type == KM_JSON_ARRAY)
        return km_str_sub(value, 1, value.n - 2);
    if (type == KM_JSON_STRING)
        return km_arena_cat(
            arena,
            (struct km_str[]){ KM_STR("{\"role\":\"user\",\"content\":"), value, KM_STR("}") }, 3);
    return KM_STR_NONE;
}

static bool blank(struct km_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != ' ' && s.p[i] != '\t' && s.p[i] != '\n' && s.p[i] != '\r')
            return false;
    return true;
}

static struct km_str comma(struct km_str a, struct km_str b)
{
    return blank(a) || blank(b) ? KM_STR_NONE : KM_STR(",");
}

int km_responses_record(const struct km_llm_request *r, struct km_str response,
                        struct km_arena *arena, struct km_str *ret_record, struct km_err *err)
{
    struct km_json_span spans[O_COUNT];
    struct km_str input =
        items_of(km_responses_value(r, KM_R_INPUT), r->spans[KM_R_INPUT].type, arena);
    struct km_str output;

    if (km_json_spans(response, object_members, O_COUNT, spans, NULL, NULL) < 0)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "The upstream's answer is no response object.");
    output = spans[O_OUTPUT].type == KM_JSON_ARRAY
                 ? items_of(km_json_value(response, &spans[O_OUTPUT]), KM_JSON_ARRAY, arena)
                 : KM_STR_NONE;
    *ret_record =
        km_arena_cat(arena,
                     (struct km_str[]){ KM_STR("{\"input\":["), input, comma(input, output), output,
                                        KM_STR("],\"response\":"), response, KM_STR("}") },
                     7);
    return km_arena_overflowed(arena) ? km_fail(err, KM_E_NOMEM, "out of memory") : 0;
}

/* An array's; of one that is not to be read, which the request made of it will not be either, 0. */
static size_t count_said(struct km_str array, const struct km_arena *like)
{
    struct km_arena scratch KM_CLEANUP(km_arena_done);
    const struct km_json *root;

    km_arena_init(&scratch, like->cap, like->pool);
    return km_json_parse(&scratch, array, &root, NULL) == 0 ? km_json_count(root) : 0;
}

int km_responses_continue(const struct km_llm_request *r, struct km_str record,
                          struct km_arena *arena, struct km_str *ret_body, size_t *ret_before,
                          struct km_err *err)
{
    static const struct km_str name = { "input", 5 };
    struct km_str before, now, joined, *parts;
    struct km_json_span span;
    struct km_json_edits e;
    size_t n;
    int rc;

    if (km_json_spans(record, &name, 1, &span, NULL, NULL) < 0 || span.type != KM_JSON_ARRAY)
        return km_fail(err, KM_E_STORE, "The stored answer cannot be read.");
    before = items_of(km_json_value(record, &span), KM_JSON_ARRAY, arena);
    *ret_before = count_said(km_json_value(record, &span), arena);
    now = items_of(km_responses_value(r, KM_R_INPUT), r->spans[KM_R_INPUT].type, arena);
    joined = km_arena_cat(
        arena, (struct km_str[]){ KM_STR("["), before, comma(before, now), now, KM_STR("]") }, 5);
    km_json_edits_init(&e, r->body, &r->object);
    km_json_cut(&e, &r->spans[KM_R_PREVIOUS]);
    if (r->spans[KM_R_INPUT].type == KM_JSON_ABSENT)
        km_json_add(&e, arena, name, joined);
    else
        km_json_replace(&e, &r->spans[KM_R_INPUT], joined);
    rc = km_json_parts(&e, arena, &parts, &n, err);
    if (rc == 0)
        *ret_body = km_arena_cat(arena, parts, n);
    return rc;
}

int km_responses_recorded(struct km_str record, struct km_str *ret_response, struct km_err *err)
{
    static const struct km_str name = { "response", 8 };
    struct km_json_span span;

    if (km_json_spans(record, &name, 1, &span, NULL, NULL) < 0 || span.type != KM_JSON_OBJECT)
        return km_fail(err, KM_E_STORE, "The stored answer cannot be read.");
    *ret_response = km_json_value(record, &span);
    return 0;
}
