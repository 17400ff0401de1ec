/* SPDX-License-Identifier: Apache-2.0 */
/* judge_files.h - can the files that a configuration names be what it wants of them? */
#ifndef KM_HOST_JUDGE_FILES_H
#define KM_HOST_JUDGE_FILES_H

#include "base/err.h"

struct km_config;

typedef void km_judge_wrong_fn(void *ctx, const char *setting, const struct km_err *err);

/* The state folder, the store, its spill file and the log.  Calls wrong() for each that cannot be
 * used; nothing is made or opened. */
void km_judge_files(const struct km_config *config, km_judge_wrong_fn *wrong, void *ctx);

#endif
