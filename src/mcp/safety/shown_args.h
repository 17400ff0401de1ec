/* SPDX-License-Identifier: Apache-2.0 */
/* shown_args.h - the arguments of a tool call as the person sees them who is to approve it: in the
 * question to a client's user, in the list of the administrator, in both the same.
 *
 * What is made is JSON again.  Characters that nobody sees, or that turn the text round, are
 * escaped (\u202e), so it is safe on a terminal.  What fits is shown whole.  What does not is cut
 * value by value: the room is shared among the members, one that needs less leaves the rest to the
 * others, and a cut value says how long it is.  So no member can push another out of sight,
 * whatever the order the caller gives them; a cut text shows its beginning and its end.
 *
 * Pure functions, bounded by their input.
 */
#ifndef KM_MCP_SHOWN_ARGS_H
#define KM_MCP_SHOWN_ARGS_H

#include "http/json.h"

#define KM_ARGS_SHOWN_BYTES ((size_t)16 * 1024) /* what is shown of one call */
#define KM_ARGS_MEMBERS 128 /* of the arguments, each of which is shown at least in part */
/* The limit of a buffer that takes the text: cuts are said, and lines begin, beside the above. */
#define KM_ARGS_TEXT_BYTES (KM_ARGS_SHOWN_BYTES + 4096)

/* Can each member be shown?  KM_E_LIMIT: there are too many for a person to judge. */
int km_args_showable(const struct km_json *args, struct km_err *err) KM_MUST_USE;

/* A text as a JSON string, safe in the same way. */
void km_args_text(struct km_str s, struct km_buf *out);

/* JSON text with such characters of its strings escaped: it means the same. */
void km_args_json(struct km_str json, struct km_buf *out);

/* Appends args (NULL: {}) in about `most` bytes.  line: what stands before each member of args,
 * "" for all on one line, or a line's end and at least two blanks.  Returns how many values were
 * cut. */
size_t km_args_show(const struct km_json *args, size_t most, const char *line, struct km_buf *out);

#endif
