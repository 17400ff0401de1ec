/* SPDX-License-Identifier: Apache-2.0 */
/* speak.h - the same answers in other vendors' words: Anthropic's Messages, Bedrock's Converse.
 *
 * script.h says what is answered and how OpenAI would put it; here it is put as the others
 * would, so that a gateway has to translate.  Bedrock's streams are frames with checksums.
 * Thread: any; the texts are made once and then only read.
 */
#ifndef BENCH_SPEAK_H
#define BENCH_SPEAK_H

#include "script.h"

enum speak { SPEAK_OPENAI, SPEAK_ANTHROPIC, SPEAK_BEDROCK };

enum { SPEAK_EVENT_MAX = 512, SPEAK_NUMBER_DIGITS = 5 };

/* Whose path this is; -1: nobody's.  *ret_stream: the path asks for a stream. */
int speak_of(const char *target, bool *ret_stream);

/* Each writes at most 2 * SCRIPT_TEXT_MAX bytes and returns their number. */
size_t speak_json(enum speak speak, char *out);
size_t speak_stream_head(enum speak speak, char *out); /* with the events before the text */
size_t speak_event(enum speak speak, char *out, long number);
size_t speak_stream_end(enum speak speak, char *out, long events);

#endif
