/* SPDX-License-Identifier: Apache-2.0 */
/* say.h - how a command prints what others wrote: names of tools, reasons, arguments, aliases.
 *
 * A server or a caller that writes what steers a terminal, ends a line or turns a text round would
 * otherwise say what kanmon did not: such characters are spelled out (\u001b).
 */
#ifndef KM_APP_SAY_H
#define KM_APP_SAY_H

#include <stdio.h>

#include "base/err.h"
#include "base/str.h"

/* One line, its end is added. */
void km_say(FILE *to, const char *fmt, ...) KM_PRINTF(2, 3);
/* JSON on standard output as it is, but for characters nobody sees: they are escaped.  The first
 * adds a line's end. */
void km_say_json(struct km_str json);
void km_say_json_part(struct km_str json);

#endif
