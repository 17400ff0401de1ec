/* SPDX-License-Identifier: Apache-2.0 */
/* soft.h - tells in the log, as an event and in a metric who has passed a soft budget. */
#ifndef KM_HOST_SOFT_H
#define KM_HOST_SOFT_H

struct km_worker;

/* On the worker's loop, a few times a second; one number where nobody has. */
void km_soft_look(struct km_worker *w);

#endif
