/* SPDX-License-Identifier: Apache-2.0 */
/* made.c - what a provider makes in passing belongs to the key in whose call it was made.
 *
 *     Responses  output[].container_id                              a container
 *                output[].id, unless `store` is false               an item
 *     chat       choices[].message.audio.id, ...delta.audio.id      a spoken answer
 *     Messages   container.id                                       a container
 *                content[]: ..._code_execution_tool_result: file_id a file made in it
 *     streams    message_start, message_delta, content_block_start  have these
 *
 * The ids come back in later bodies, where file_refs.c asks whose they are.  Only what the
 * provider itself says is read: in a tool's input a model writes what its caller asks for, and a
 * key could so make another's id its own.
 */
#include "kept/made.h"

#include "llm/api/responses.h"
#include "store/objects.h"

static void keep(struct km_call *call, const char *kind, struct km_str id)
{
    struct km_object o = { .id = id,
                           .kind = km_str_c(kind),
                           .deployment = call->at->d->id,
                           .model = call->req.model,
                           .json = KM_STR("{}") };

    if (!id.n)
        return;
    km_visit_hash(call->visit, o.owner);
    km_store_object_put(call->w->gw->store, NULL, &o, NULL, NULL);
}

/* --- Responses --- */

/* It goes back without its results, which were not asked for, and is taken for a reference. */
static bool is_search(const struct km_json *item)
{
    struct km_str type;

    return km_json_string(km_json_get(item, "type"), &type) &&
           km_str_eq(type, KM_STR("file_search_call"));
}

static void keep_output(struct km_call *call, const struct km_json *output)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key, id, last = KM_STR_NONE;

    for (km_json_iter(output, &it); km_json_next(&it, &key, &item);)
        if (km_json_string(km_json_get(item, "container_id"), &id) && !km_str_eq(id, last)) {
            keep(call, "container", id);
            last = id;
        }
    for (km_json_iter(output, &it); km_json_next(&it, &key, &item);)
        if ((km_responses_stored(&call->req) || is_search(item)) &&
            km_json_string(km_json_get(item, "id"), &id))
            keep(call, "item", id);
}

/* --- chat --- */

/* In a stream most chunks have the id: one row is enough. */
static void keep_audio(struct km_call *call, const struct km_json *answer, const char *in)
{
    static const char note; /* its address is the tag of the call's note: the id that was kept */
    struct km_str *last = km_call_make_note(call, &note, sizeof *last);
    const struct km_json *choice;
    struct km_json_iter it;
    struct km_str key, id;

    for (km_json_iter(km_json_get(answer, "choices"), &it); km_json_next(&it, &key, &choice);)
        if (km_json_string(km_json_get(km_json_get(km_json_get(choice, in), "audio"), "id"), &id) &&
            last && !km_str_eq(id, *last)) {
            keep(call, "audio", id);
            *last = km_arena_str(&call->arena, id);
        }
}

/* --- Messages --- */

static void keep_container(struct km_call *call, const struct km_json *container)
{
    struct km_str id;

    if (km_json_string(km_json_get(container, "id"), &id))
        keep(call, "container", id);
}

/* {"type":"bash_code_execution_tool_result","content":{"content":[{"file_id":"file_1"}]}} */
static void keep_block(struct km_call *call, const struct km_json *block)
{
    const struct km_json *made;
    struct km_json_iter it;
    struct km_str type = KM_STR_NONE, key, id;

    if (!km_json_string(km_json_get(block, "type"), &type) ||
        !km_str_ends(type, KM_STR("code_execution_tool_result")))
        return;
    for (km_json_iter(km_json_get(km_json_get(block, "content"), "content"), &it);
         km_json_next(&it, &key, &made);)
        if (km_json_string(km_json_get(made, "file_id"), &id))
            keep(call, "made", id);
}

static void keep_message(struct km_call *call, const struct km_json *message)
{
    const struct km_json *block;
    struct km_json_iter it;
    struct km_str key;

    keep_container(call, km_json_get(message, "container"));
    for (km_json_iter(km_json_get(message, "content"), &it); km_json_next(&it, &key, &block);)
        keep_block(call, block);
}

/* --- all --- */

/* A model's answer in chat names something only where it was to be spoken; an answer of the
 * Responses API always does. */
static bool may_name(const struct km_call *call, struct km_str text)
{
    if (call->api->wire != KM_WIRE_MESSAGES)
        return call->api->wire == KM_WIRE_RESPONSES || (call->req.names & KM_NAMES_AUDIO);
    return km_str_find(text, KM_STR("\"container")) < text.n ||
           km_str_find(text, KM_STR("\"file_id\"")) < text.n;
}

static void keep_whole(struct km_call *call, struct km_str answer)
{
    struct km_arena scratch KM_CLEANUP(km_arena_done);
    const struct km_json *root;

    km_arena_init(&scratch, call->arena.cap, call->arena.pool);
    if (!may_name(call, answer) || km_json_parse_answer(&scratch, answer, &root, NULL) < 0)
        return;
    if (call->api->wire == KM_WIRE_MESSAGES)
        keep_message(call, root);
    else if (call->api->wire == KM_WIRE_CHAT)
        keep_audio(call, root, "message");
    else
        keep_output(call, km_json_get(root, "output"));
}

/* Of most events the name says that they hold nothing of it. */
static bool is_piece(const struct km_call *call, struct km_str type)
{
    if (call->api->wire == KM_WIRE_RESPONSES) /* its last one has it all */
        return !km_responses_may_be_last(type);
    return call->api->wire == KM_WIRE_MESSAGES && !km_str_eq(type, KM_STR("message_start")) &&
           !km_str_eq(type, KM_STR("message_delta")) &&
           !km_str_eq(type, KM_STR("content_block_start"));
}

static void keep_event(struct km_call *call, const struct km_piece *event)
{
    struct km_arena scratch KM_CLEANUP(km_arena_done);
    const struct km_json *root;
    struct km_str last;

    km_arena_init(&scratch, call->arena.cap, call->arena.pool);
    if (is_piece(call, event->type) || !may_name(call, event->data))
        return;
    if (call->api->wire == KM_WIRE_RESPONSES) {
        last = km_responses_final(event->data);
        if (last.n)
            keep_whole(call, last);
        return;
    }
    if (km_json_parse_answer(&scratch, event->data, &root, NULL) < 0)
        return;
    if (call->api->wire == KM_WIRE_CHAT) {
        keep_audio(call, root, "delta");
        return;
    }
    keep_message(call, km_json_get(root, "message"));
    keep_container(call, km_json_get(km_json_get(root, "delta"), "container"));
    keep_block(call, km_json_get(root, "content_block"));
}

static int take(struct km_link *link, struct km_piece *piece, struct km_err *err)
{
    (void)err;
    if (piece->what == KM_PIECE_EVENT)
        keep_event(link->state, piece);
    else if (piece->what == KM_PIECE_END && piece->bytes.n)
        keep_whole(link->state, piece->bytes);
    return KM_UNIT_PASS;
}

static const struct km_unit unit = { .name = "made", .take = take };

/* What is translated names nothing that its provider would know again. */
static int join(struct km_call *call, struct km_chain *chain, struct km_err *err)
{
    bool names = call->api->wire != KM_WIRE_CHAT || call->req.names & KM_NAMES_AUDIO;

    if (!names || !call->at->d || call->at->convert || km_chain_put(chain, &unit, call))
        return 0;
    return km_fail(err, KM_E_NOMEM, "out of memory");
}

const struct km_call_unit km_made_unit = {
    "made", KM_WIRE_MESSAGES | KM_WIRE_RESPONSES | KM_WIRE_CHAT, join
};
