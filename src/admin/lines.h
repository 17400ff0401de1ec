/* SPDX-License-Identifier: Apache-2.0 */
/* lines.h - private to admin/: the lines in which calls wait, for /kanmon/status. */
#ifndef KM_ADMIN_LINES_H
#define KM_ADMIN_LINES_H

#include "http/json_out.h"

#define KM_LINES_BYTES ((size_t)256 * 1024) /* all of it at most */

struct km_worker;

/* Member "queues": each resource that has a limit, is near its upstream's, or had calls wait. */
void km_admin_put_lines(struct km_json_out *o, const struct km_worker *w);

#endif
