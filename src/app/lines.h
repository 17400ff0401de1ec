/* SPDX-License-Identifier: Apache-2.0 */
/* lines.h - the lines in which calls wait, as `kanmon status` shows them. */
#ifndef KM_APP_LINES_H
#define KM_APP_LINES_H

#include "http/json.h"

/* A line for each that is busy, of the status's member `queues`. */
void km_lines_show(const struct km_json *status);

#endif
