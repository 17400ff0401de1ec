/* SPDX-License-Identifier: Apache-2.0 */
/* background.h - threads whose work may wait a few milliseconds. */
#ifndef KM_SYS_BACKGROUND_H
#define KM_SYS_BACKGROUND_H

/* From here on the calling thread lets others of the process go first: it takes the processor
 * from nobody, and gives it up to one that wakes.  Its share of a busy machine stays what it was,
 * so it is late by milliseconds at most.  Where the kernel knows no such thing nothing changes. */
void km_thread_to_background(void);

#endif
