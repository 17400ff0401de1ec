/* SPDX-License-Identifier: Apache-2.0 */
/* json_out.h - writing JSON: commas and quotes by themselves, long strings by reference.
 *
 *     km_json_out_init(&o, &buf);                     km_json_out_parts_init(&o, arena, max);
 *     km_out_open(&o, '{');
 *     km_out_key(&o, "model"); km_out_str(&o, model);
 *     km_out_key(&o, "tools"); km_out_open(&o, '['); ... km_out_close(&o, ']');
 *     km_out_close(&o, '}');
 *
 * With parts, a plain string of 4 KiB or more (an image's base64) is not copied: the body becomes
 * a list of views, as km_http_request wants it.  Such strings must live as long as the parts.
 * Misuse (a value without a key, an unbalanced close) is a bug and asserts; running out of
 * memory or over the limit is sticky and said at the end.
 */
#ifndef KM_HTTP_JSON_OUT_H
#define KM_HTTP_JSON_OUT_H

#include "base/arena.h"
#include "base/buf.h"
#include "http/json.h"

#define KM_OUT_DEPTH 64
#define KM_OUT_BY_REFERENCE 4096

struct km_out_part; /* private */

struct km_json_out {
    struct km_buf *buf; /* where bytes go */
    struct km_buf own; /* with parts: what is between the references */
    struct km_arena *arena; /* NULL: no parts */
    struct km_out_part *first, *last;
    size_t nparts;
    unsigned depth;
    uint64_t many; /* bit a level: something stands there already */
    bool keyed; /* a key was written: its value is next */
};

void km_json_out_init(struct km_json_out *o, struct km_buf *buf);
void km_json_out_parts_init(struct km_json_out *o, struct km_arena *arena, size_t max);
void km_json_out_done(struct km_json_out *o); /* after parts_init, when no parts were taken */

void km_out_open(struct km_json_out *o, char bracket); /* '{' or '[' */
void km_out_close(struct km_json_out *o, char bracket); /* '}' or ']' */
void km_out_key_plain(struct km_json_out *o, struct km_str name); /* ASCII without escapes */
void km_out_key_str(struct km_json_out *o, struct km_str name); /* any text */
void km_out_str(struct km_json_out *o, struct km_str s);
/* One string of two pieces, the second by reference where it is long: a data: URL. */
void km_out_joined(struct km_json_out *o, struct km_str first, struct km_str second);
void km_out_cstr(struct km_json_out *o, const char *s);
void km_out_raw(struct km_json_out *o, struct km_str json); /* valid JSON; empty: null */
void km_out_value(struct km_json_out *o, const struct km_json *v);
void km_out_i64(struct km_json_out *o, int64_t v);
void km_out_bool(struct km_json_out *o, bool v);
void km_out_null(struct km_json_out *o);

/* Has the object under way a member of that name?  By reading what was written, so for members
 * that callers name; what the buffer held before must have closed what it opened. */
bool km_out_has(const struct km_json_out *o, struct km_str name);

/* Plain as above; here, so that a literal's length costs nothing. */
static inline void km_out_key(struct km_json_out *o, const char *name)
{
    km_out_key_plain(o, km_str_c(name));
}

/* A member in one line. */
static inline void km_out_member(struct km_json_out *o, const char *name, struct km_str s)
{
    km_out_key(o, name);
    km_out_str(o, s);
}
static inline void km_out_member_raw(struct km_json_out *o, const char *name, struct km_str json)
{
    km_out_key(o, name);
    km_out_raw(o, json);
}
static inline void km_out_member_i64(struct km_json_out *o, const char *name, int64_t v)
{
    km_out_key(o, name);
    km_out_i64(o, v);
}

/* Ends the writing: the parts, in the arena. KM_E_NOMEM on overflow, KM_E_LIMIT over max. */
int km_json_out_parts(struct km_json_out *o, struct km_str **ret_parts, size_t *ret_n,
                      struct km_err *err) KM_MUST_USE;

#endif
