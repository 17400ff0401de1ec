/* SPDX-License-Identifier: Apache-2.0 */
/* lines.h - messages of a stdio server: one a line, cut anywhere on the way.
 *
 * A line that lies whole in the bytes fed is not copied.  CR before LF and empty lines are passed
 * over.  Limits: a line over max is KM_E_LIMIT, after which it can only be done.
 */
#ifndef KM_MCP_LINES_H
#define KM_MCP_LINES_H

#include "base/buf.h"

/* line dies when it returns.  Not negative: go on. */
typedef int km_line_fn(void *ctx, struct km_str line);

struct km_lines {
    struct km_buf rest; /* of a line that is not over */
    size_t max;
    km_line_fn *fn;
    void *ctx;
};

void km_lines_init(struct km_lines *l, size_t max, km_line_fn *fn, void *ctx);
void km_lines_done(struct km_lines *l);
/* Takes all bytes, or fails with KM_E_LIMIT or what fn returned. */
int km_lines_feed(struct km_lines *l, const char *bytes, size_t n, struct km_err *err) KM_MUST_USE;

#endif
