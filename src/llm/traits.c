/* SPDX-License-Identifier: Apache-2.0 */
/* traits.c - see traits.h.
 *
 * One walk over messages, parts and tools finds all of them, as bits; what a codec's encoder writes
 * (`carries`) is taken from those, and the rest is noted by name.  The same bits say whether an
 * answer may cite: then its text is kept while it streams, for places in it.
 */
#include "llm/traits.h"

#include "llm/dropped.h"

static const char *const names[KM_TRAIT_COUNT] = {
#define XX(name, text) [KM_TRAIT_##name] = (text),
    KM_TRAITS(XX)
#undef XX
};

static unsigned of_parts(const struct km_part *p)
{
    unsigned found = 0;

    for (; p; p = p->next) {
        if (p->is_error)
            found |= KM_TRAIT_BIT(RESULT_ERROR);
        if (p->cache_ttl_s)
            found |= KM_TRAIT_BIT(CACHE_POINT);
        if (p->media.detail.n && !km_str_eq(p->media.detail, KM_STR("auto")))
            found |= KM_TRAIT_BIT(IMAGE_DETAIL);
        if (p->kind == KM_PART_REASONING && !p->signature.n)
            found |= KM_TRAIT_BIT(UNSIGNED);
        else if (p->kind == KM_PART_REASONING || p->kind == KM_PART_REDACTED)
            found |= KM_TRAIT_BIT(THOUGHTS);
        if (p->kind == KM_PART_IMAGE && p->media.name.n)
            found |= KM_TRAIT_BIT(IMAGE_NAME);
        if (p->cite)
            found |= KM_TRAIT_BIT(CITE);
        if (p->context.n)
            found |= KM_TRAIT_BIT(CONTEXT);
        if (p->content)
            found |= of_parts(p->content);
    }
    return found;
}

/* What a model itself showed. */
static unsigned of_spoken(const struct km_part *p)
{
    unsigned found = 0;

    for (; p; p = p->next) {
        if (p->kind == KM_PART_IMAGE)
            found |= KM_TRAIT_BIT(SPOKEN_IMAGE);
        if (p->kind == KM_PART_DOCUMENT || (p->kind == KM_PART_AUDIO && !p->media.file_id.n))
            found |= KM_TRAIT_BIT(SPOKEN_FILE);
    }
    return found;
}

unsigned km_chat_traits(const struct km_chat *chat)
{
    const struct km_message *last = NULL;
    unsigned found = 0;

    for (const struct km_message *m = chat->messages; m; m = m->next) {
        found |= of_parts(m->parts);
        if (m->role == KM_ROLE_ASSISTANT)
            found |= of_spoken(m->parts);
        if (m->name.n)
            found |= KM_TRAIT_BIT(NAME);
        last = m;
    }
    if (chat->cache_ttl_s)
        found |= KM_TRAIT_BIT(CACHE_ALL);
    if (chat->thinking_display.n)
        found |= KM_TRAIT_BIT(DISPLAY);
    if (chat->cache_retention.n)
        found |= KM_TRAIT_BIT(RETENTION);
    if (chat->calls_validated)
        found |= KM_TRAIT_BIT(VALIDATED);
    if (last && last->role == KM_ROLE_ASSISTANT)
        found |= KM_TRAIT_BIT(PREFILL);
    for (const struct km_tool *t = chat->tools; t; t = t->next) {
        if (t->strict == 1)
            found |= KM_TRAIT_BIT(TOOL_STRICT);
        if (t->cache_ttl_s)
            found |= KM_TRAIT_BIT(CACHE_POINT);
    }
    return found;
}

bool km_chat_may_cite(const struct km_chat *chat, unsigned traits)
{
    const struct km_tool *t = chat->tools;

    while (t && !t->hosted_json.n)
        t = t->next;
    return t || (traits & KM_TRAIT_BIT(CITE)) || km_chat_has(chat, KM_P_WEB_SEARCH);
}

unsigned km_traits_note(const struct km_chat *chat, unsigned carries)
{
    unsigned found = km_chat_traits(chat), lost = found & ~carries;

    for (unsigned i = 0; lost && i < KM_TRAIT_COUNT; i++)
        if (lost >> i & 1)
            km_dropped_note(chat->dropped, km_str_c(names[i]));
    return found;
}
