/* SPDX-License-Identifier: Apache-2.0 */
/* things.c - what a provider's account keeps besides files, and which keys may name it.
 *
 *     member of the body ─> row ─> closed: the administrator's, or opened by the setting
 *                               └> a container, a spoken answer: the key's in whose call it was
 *                                  made (made.c)
 *
 * Of conversations, vector stores and caches the gateway has no routes, so none was made through
 * it: they are the operator's.  A stored prompt and a skill are the operator's too, but hold
 * nothing of a caller's: whoever may use the model may use them, and they have no row.
 *
 * OpenAI's bodies name such things at any depth, and its endpoints learn new places; the other
 * APIs do at the top alone, below which a caller's own labels may have such a name, but for names
 * that mean nothing else.
 */
#include "kept/things.h"

#include "llm/chat.h"

enum rule {
    CLOSED,
    LINE, /* closed in a line of a batch */
    CONTAINER,
    AUDIO,
};

/* Members by which a call reaches what the account keeps, and what opens it for keys: a value of
 * kanmon_settings.account_objects. */
static const struct {
    const char *name, *opened_by;
    enum rule rule;
    bool anywhere; /* in every API */
} things[] = {
    { "conversation", "conversations", CLOSED, false },
    { "vector_store_ids", "vector_stores", CLOSED, false },
    { "fileSearchStoreNames", "vector_stores", CLOSED, true },
    { "file_search_store_names", "vector_stores", CLOSED, true },
    { "vertexAiSearch", "vector_stores", CLOSED, true },
    { "vertex_ai_search", "vector_stores", CLOSED, true },
    { "vertexRagStore", "vector_stores", CLOSED, true },
    { "vertex_rag_store", "vector_stores", CLOSED, true },
    { "data_sources", "data_sources", CLOSED, true },
    { "project_connection_id", "data_sources", CLOSED, false },
    { "connection_id", "data_sources", CLOSED, false },
    { "agent_reference", "data_sources", CLOSED, false },
    { "previous_response_id", "responses", LINE, false }, /* elsewhere it is ours: answers.c */
    { "audio", "responses", AUDIO, false }, /* of a message; a body's own says how to speak */
    { "container", "containers", CONTAINER, false },
    { "container_id", "containers", CONTAINER, false },
    { "cachedContent", "caches", CLOSED, false },
    { "cached_content", "caches", CLOSED, false },
};
#define THINGS (sizeof things / sizeof things[0])

static bool names_something(const struct km_json *v)
{
    struct km_str s = KM_STR_NONE;

    return v && km_json_kind(v) != KM_JSON_NULL && (!km_json_string(v, &s) || s.n) &&
           (km_json_kind(v) != KM_JSON_ARRAY || km_json_count(v) > 0);
}

#define AT(member) offsetof(struct km_things_settings, member)

static const struct km_setting things_rows[] = {
    { .name = "account_objects",
      .type = KM_SET_STR_LIST,
      .offset = AT(account_objects),
      .flags = KM_SET_SAFETY,
      .help = "What virtual keys may name by id though it is the provider's account's: "
              "`conversations`, `vector_stores` (Google's too), `containers` not made by a call of "
              "theirs, `responses` (in lines of batches; items of earlier answers and spoken "
              "ones), `files` of Anthropic and Google, `caches` of Google, `data_sources` (Azure's "
              "search indexes, connections and agents), `buckets` (`s3://` and "
              "`gs://` addresses that Bedrock, Gemini and Vertex AI read with the operator's "
              "credentials)." },
    { 0 },
};

const struct km_settings_table km_things_settings_table = {
    .section = "kanmon_settings",
    .rows = things_rows,
    .size = sizeof(struct km_things_settings),
    .extra = SIZE_MAX,
};

static bool opened(const struct km_call *call, const char *name)
{
    const struct km_things_settings *s =
        km_config_get(call->visit->view->snap->config, &km_things_settings_table);
    const struct km_str_list *open = &s->account_objects;

    for (size_t i = 0; i < open->n; i++)
        if (km_str_eq(open->v[i], km_str_c(name)))
            return true;
    return false;
}

bool km_things_opened(const struct km_call *call, enum km_opened what)
{
    static const char *const names[] = { [KM_OPENED_FILES] = "files",
                                         [KM_OPENED_ANSWERS] = "responses",
                                         [KM_OPENED_BUCKETS] = "buckets" };

    return !call->visit->who.key || opened(call, names[what]);
}

/* "cntr_1", {"id":"container_1","skills":[...]}; without an id it is a new one.  false: it is
 * neither, and nobody knows what an upstream would take it for. */
static bool id_of(const struct km_json *v, struct km_str *ret)
{
    const struct km_json *id = km_json_kind(v) == KM_JSON_OBJECT ? km_json_get(v, "id") : v;

    *ret = KM_STR_NONE;
    return km_json_string(id, ret) || !id || km_json_kind(id) == KM_JSON_NULL;
}

/* Is the row about what stands there? */
static bool applies(const struct km_call *call, size_t i, bool top)
{
    if (call->api->dialect != KM_DIALECT_OPENAI && !top && !things[i].anywhere)
        return false;
    return things[i].rule == LINE    ? call->kind->lines
           : things[i].rule == AUDIO ? call->api->dialect == KM_DIALECT_OPENAI && !top
                                     : true;
}

/* The administrator's key may name what is the account's. */
enum km_right km_things_grants(const struct km_call *call, struct km_str member,
                               const struct km_json *v, bool top, struct km_thing *ret,
                               struct km_err *err)
{
    size_t i = 0;

    *ret = (struct km_thing){ 0 };
    while (i < THINGS && !km_str_eq(member, km_str_c(things[i].name)))
        i++;
    if (i == THINGS || !call->visit->who.key || !applies(call, i, top) || !names_something(v) ||
        opened(call, things[i].opened_by))
        return KM_GRANTED;
    ret->kind = things[i].rule == AUDIO ? KM_THING_AUDIO : KM_THING_CONTAINER;
    if (things[i].rule == AUDIO && km_json_kind(v) == KM_JSON_STRING)
        return KM_GRANTED; /* sound itself, as some engines have it */
    if ((things[i].rule == CONTAINER || things[i].rule == AUDIO) && id_of(v, &ret->id))
        return KM_GRANTED;
    km_fail_param(err, KM_E_FORBIDDEN, things[i].name,
                  "'%s' names something that belongs to the provider's account, and nobody "
                  "here knows to which key. kanmon_settings.account_objects: [%s] opens "
                  "them to all keys.",
                  things[i].name, things[i].opened_by);
    return KM_DENIED;
}

enum km_right km_things_grants_place(const struct km_call *call, struct km_str place,
                                     struct km_err *err)
{
    if (!km_media_in_bucket(place) || km_things_opened(call, KM_OPENED_BUCKETS))
        return KM_GRANTED;
    (void)km_media_refuse_bucket(place, err);
    return KM_DENIED;
}
