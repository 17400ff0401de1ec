/* SPDX-License-Identifier: Apache-2.0 */
/* poll.h - looks at batches until they have ended, so that each is charged without its owner. */
#ifndef KM_GATEWAY_POLL_H
#define KM_GATEWAY_POLL_H

#include "host/module.h"

/* One a gateway: worker 0's, on its loop. */
extern const struct km_module km_batch_poll_module;

#endif
