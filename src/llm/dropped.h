/* SPDX-License-Identifier: Apache-2.0 */
/* dropped.h - what a translation left out, by name.
 *
 * Whoever leaves something out notes it: decoders by what is left of a document when it was read
 * (http/json_take.h), codecs by what their protocol has no word for.  The names go to the caller in
 * x-kanmon-dropped, and to the log.
 *
 * A list belongs to one attempt and lives in an arena; loop thread only.
 */
#ifndef KM_LLM_DROPPED_H
#define KM_LLM_DROPPED_H

#include "base/arena.h"
#include "base/buf.h"

#define KM_DROPPED_MOST 24 /* names; further ones are counted as one, "..." */

struct km_json;

struct km_dropped {
    struct km_arena *arena; /* of the names */
    struct km_str *v; /* room for all of them, once there is one */
    size_t n;
    bool more;
};

/* An entry of a table of places; KM_IDLE("") ends it. */
#define KM_IDLE(name)                                                                              \
    {                                                                                              \
        (name), sizeof(name) - 1                                                                   \
    }

/* Notes a name, once, as it may stand in a header: cut at KM_JSON_PLACE, and what is not printable
 * ASCII, or parts names there, is a question mark.  NULL: nobody listens. */
void km_dropped_note(struct km_dropped *d, struct km_str name);
/* What is left of a document that was read, but for the places in idle ("" ends; NULL: none):
 * they say nothing that the other side's form does not say by itself. */
void km_dropped_left(struct km_dropped *d, const struct km_json *root, const struct km_str *idle);
/* "a, b.c, ...", as a header's value has it. */
void km_dropped_write(const struct km_dropped *d, struct km_buf *out);

#endif
