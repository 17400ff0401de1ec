/* SPDX-License-Identifier: Apache-2.0 */
/* read.h - small readers for requests: each knows where in the body it stands.
 *
 * A place is a chain on the stack and costs nothing until something is wrong there; then it
 * becomes the caller's text: "messages[2].content[0].image_url".
 *
 * Readers take an absent value (NULL) or null as not given unless they say "needed".
 */
#ifndef KM_LLM_API_READ_H
#define KM_LLM_API_READ_H

#include "http/json.h"
#include "llm/chat.h"

struct km_place {
    const struct km_place *up; /* NULL: the body */
    const char *name; /* static; NULL: an item */
    size_t index;
};

#define KM_AT(above, member) (&(const struct km_place){ .up = (above), .name = (member) })
#define KM_ITEM(above, i) (&(const struct km_place){ .up = (above), .index = (i) })

struct km_reading {
    struct km_arena *arena;
    struct km_err *err;
};

static inline bool km_given(const struct km_json *v)
{
    return km_json_kind(v) != KM_JSON_ABSENT && km_json_kind(v) != KM_JSON_NULL;
}

/* "'messages[0].role' must be a string."  KM_E_INVALID. */
int km_read_bad(const struct km_reading *r, const struct km_place *at, const char *why);
/* KM_E_UNSUPPORTED, in the same words. */
int km_read_refuse(const struct km_reading *r, const struct km_place *at, const char *why);
int km_read_nomem(const struct km_reading *r);
/* "messages[2].content[0]", in the arena. */
struct km_str km_place_of(const struct km_place *at, struct km_arena *arena);

/* *ret is written only where the value is given. */
int km_read_string(const struct km_reading *r, const struct km_place *at, const struct km_json *v,
                   struct km_str *ret) KM_MUST_USE;
int km_read_needed(const struct km_reading *r, const struct km_place *at, const struct km_json *v,
                   struct km_str *ret) KM_MUST_USE; /* a string that must be there, not empty */
int km_read_bool(const struct km_reading *r, const struct km_place *at, const struct km_json *v,
                 bool *ret) KM_MUST_USE;
int km_read_number(const struct km_reading *r, const struct km_place *at, const struct km_json *v,
                   struct km_str *ret) KM_MUST_USE;
int km_read_i64(const struct km_reading *r, const struct km_place *at, const struct km_json *v,
                int64_t low, int64_t high, int64_t *ret) KM_MUST_USE;
/* As compact JSON. */
int km_read_object(const struct km_reading *r, const struct km_place *at, const struct km_json *v,
                   struct km_str *ret) KM_MUST_USE;
int km_read_array(const struct km_reading *r, const struct km_place *at,
                  const struct km_json *v) KM_MUST_USE; /* only its type */

/* A text that must be a JSON object ("" is none: "{}"), compact. */
int km_read_object_text(const struct km_reading *r, const struct km_place *at, struct km_str text,
                        struct km_str *ret) KM_MUST_USE;
/* A media's address, data: or other. */
int km_read_url(const struct km_reading *r, const struct km_place *at, struct km_str url,
                struct km_media *ret) KM_MUST_USE;
/* Anthropic's cache_control: seconds; 0 where there is none. */
int km_read_cache(const struct km_json *v);

#endif
