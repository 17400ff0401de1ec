/* SPDX-License-Identifier: Apache-2.0 */
/* json_span.h - places of top-level members in an untouched JSON object, and edits by place.
 *
 * Where client and upstream speak the same protocol a body is passed on verbatim except for the
 * spans that change.  km_json_spans() walks validated source once; edits are collected and
 * turned into parts that alternate between the source's own bytes and new ones:
 *
 *     source:  { "model" : "gpt-4o" , "stream":true , "user":"u" }
 *     parts:   [{ "model" : ]["openai/x"][ , "stream":true][}]        (model set, user cut)
 *
 * Property (fuzzed): parse(splice(body)) equals the edited parse(body), and all bytes outside
 * the edited spans are equal and in order.
 */
#ifndef KM_HTTP_JSON_SPAN_H
#define KM_HTTP_JSON_SPAN_H

#include "base/arena.h"

struct km_json;

#define KM_JSON_DEPTH 64

enum km_json_type {
    KM_JSON_ABSENT,
    KM_JSON_NULL,
    KM_JSON_FALSE,
    KM_JSON_TRUE,
    KM_JSON_NUMBER,
    KM_JSON_STRING,
    KM_JSON_ARRAY,
    KM_JSON_OBJECT,
};

/* Places of 32 bits: a call holds some forty of these while it waits. */
struct km_json_span {
    enum km_json_type type;
    uint32_t member, member_n; /* key quote .. end of value */
    uint32_t value, value_n; /* the value's own bytes */
};

struct km_json_object {
    size_t open, close; /* places of '{' and '}' */
    size_t members; /* how many there are at all */
    size_t past; /* of the wanted names this one and those behind it are absent */
};

/* Names looked for at any depth, while a text is walked for other reasons. */
#define KM_JSON_WATCH_BIT(first, n) (UINT64_C(1) << (((unsigned)(first) + 11 * (unsigned)(n)) & 63))
/* Of a literal that is not empty. */
#define KM_JSON_WATCH(name) KM_JSON_WATCH_BIT((name)[0], sizeof(name) - 1)

#define KM_JSON_END(c) (UINT64_C(1) << ((unsigned char)(c) & 63))
#define KM_JSON_ENDED (UINT64_C(1) << 63)

struct km_json_watch {
    const struct km_str *names;
    size_t n;
    uint64_t filter; /* KM_JSON_WATCH() of each: nearly no other name is looked up */
    uint64_t inside; /* the same below the outermost object, where further names may count */
    /* What of `seen` each name sets, where several mean one thing; NULL: bit i, of at most 63. */
    const uint64_t *as;
    uint64_t seen; /* bit i: names[i] is there; all: a name is written with escapes, so it may be */
    /* Further names are told by how they end: those whose last byte is in `ends` (KM_JSON_END of
     * each) are asked about, and KM_JSON_ENDED is seen if one counts. */
    uint64_t ends;
    bool (*counts)(struct km_str name, bool inside);
    struct km_str other; /* a member, as it is written, that is a wanted one but for its case */
    /* Members of the outermost object in which nothing is judged: names may occur twice there. */
    const struct km_str *free;
    size_t nfree;
};

/* The first of the names (ASCII) that a member of the tree's object is but for its case, or NULL;
 * *ret_member: how it is written there.  Readers that take "Model" for "model" (Go's encoding/json)
 * would read it for what is judged here. */
const struct km_str *km_json_other_case(const struct km_json *object, const struct km_str *names,
                                        size_t n, struct km_str *ret_member);

/* body must be one valid JSON object (yyjson said so), names are the decoded names wanted.
 * spans[i] belongs to names[i].  A wanted name that occurs twice, after decoding escapes, is
 * KM_E_INVALID; nesting over KM_JSON_DEPTH and a body over 4 GiB are KM_E_LIMIT.  *ret_object
 * may be NULL. */
int km_json_spans(struct km_str body, const struct km_str *names, size_t n,
                  struct km_json_span *spans, struct km_json_object *ret_object,
                  struct km_err *err) KM_MUST_USE;

/* The same for a text that nobody has judged yet, in one walk: true says that it is an object
 * km_json_parse() takes: however deep, each member of each object is there once.  false says
 * nothing, and spans and watch nothing either: ask the parser, and then km_json_spans().  watch may
 * be NULL. */
bool km_json_judged_spans(struct km_str body, const struct km_str *names, size_t n,
                          struct km_json_span *spans, struct km_json_object *ret_object,
                          struct km_json_watch *watch) KM_MUST_USE;

/* The same for an answer, as km_json_parse_answer() takes it: members that are not wanted may occur
 * twice. */
bool km_json_sure_spans(struct km_str body, const struct km_str *names, size_t n,
                        struct km_json_span *spans, struct km_json_object *ret_object,
                        struct km_json_watch *watch) KM_MUST_USE;

/* The next value of an array that is one valid JSON text; *at: 0 at first.  ret: its type and its
 * place in the array's text, no member's.  false: there is none, or the text ends too early. */
bool km_json_next_item(struct km_str array, size_t *at, struct km_json_span *ret) KM_MUST_USE;

static inline struct km_str km_json_value(struct km_str body, const struct km_json_span *s)
{
    return s->type == KM_JSON_ABSENT ? KM_STR_NONE : km_str(body.p + s->value, s->value_n);
}

/* The text of a string value (escapes decoded into the arena when there are any). */
struct km_str km_json_text(struct km_arena *a, struct km_str body, const struct km_json_span *s);

#define KM_JSON_EDITS 128

struct km_json_edit {
    size_t at, remove;
    struct km_str insert;
};

/* Collected in any order; at most KM_JSON_EDITS, sticky overflow. */
struct km_json_edits {
    struct km_str body;
    struct km_json_object object;
    struct km_json_edit v[KM_JSON_EDITS];
    size_t n;
    size_t cut, added; /* members cut and added so far */
    bool overflow;
};

void km_json_edits_init(struct km_json_edits *e, struct km_str body,
                        const struct km_json_object *object);
/* New bytes (valid JSON, living as long as the parts) in place of the value. */
void km_json_replace(struct km_json_edits *e, const struct km_json_span *s, struct km_str value);
/* The member goes, with exactly one comma where one must go. */
void km_json_cut(struct km_json_edits *e, const struct km_json_span *s);
/* `"name": value` at the end of the object; name is plain ASCII without escapes. */
void km_json_add(struct km_json_edits *e, struct km_arena *a, struct km_str name,
                 struct km_str value);

/* The edited body as parts (in the arena).  KM_E_NOMEM on overflow. Without edits: one part,
 * the body itself. */
int km_json_parts(struct km_json_edits *e, struct km_arena *a, struct km_str **ret_parts,
                  size_t *ret_n, struct km_err *err) KM_MUST_USE;

#endif
