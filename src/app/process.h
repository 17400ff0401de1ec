/* SPDX-License-Identifier: Apache-2.0 */
/* process.h - what a gateway asks of the system for itself. */
#ifndef KM_APP_PROCESS_H
#define KM_APP_PROCESS_H

/* Before any thread and any large allocation. */
void km_process_prepare(void);

#endif
