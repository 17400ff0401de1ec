/* SPDX-License-Identifier: Apache-2.0 */
/* text_diff.h - what a definition said and what it says, one below the other, for people. */
#ifndef KM_APP_TEXT_DIFF_H
#define KM_APP_TEXT_DIFF_H

#include <stdio.h>

#include "http/json.h"

#define KM_DIFF_LINES 200 /* of one side that are shown */

/* Each member that differs: its lines before with '-', its lines now with '+', and two lines around
 * them.  What nobody sees is spelled out.  before NULL: all members, as they are. */
void km_show_definition(FILE *to, const struct km_json *before, const struct km_json *now);

#endif
