/* SPDX-License-Identifier: Apache-2.0 */
/* poll.h - looks at batches until they have ended, so that each is charged without its owner. */
#ifndef KM_GATEWAY_POLL_H
#define KM_GATEWAY_POLL_H

#include "base/setting.h"
#include "host/module.h"

/* One a gateway: worker 0's, on its loop. */
struct km_batch_poll_settings { /* kanmon_settings */
    int64_t interval_ms; /* batch_poll; 0: batches are not looked at */
};

extern const struct km_settings_table km_batch_poll_settings_table;
extern const struct km_module km_batch_poll_module;

#endif
