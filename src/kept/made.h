/* SPDX-License-Identifier: Apache-2.0 */
/* made.h - what a provider makes in passing, by an answer, and keeps for the next call. */
#ifndef KM_KEPT_MADE_H
#define KM_KEPT_MADE_H

#include "call/call.h"
#include "call/hooks.h"

/* On the way from an attempt whose answer is passed on: containers, files and spoken answers that
 * it names are the calling key's from now on.  Does not wait; whoever asks the store after it finds
 * them. */
extern const struct km_call_unit km_made_unit;

#endif
