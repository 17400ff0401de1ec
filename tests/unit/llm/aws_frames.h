/* SPDX-License-Identifier: Apache-2.0 */
/* aws_frames.h - frames of AWS's event streams, from lines. */
#ifndef KM_TEST_LLM_AWS_FRAMES_H
#define KM_TEST_LLM_AWS_FRAMES_H

#include <string.h>

#include "base/encode.h"
#include "base/hash.h"

static inline void aws_put_u32(struct km_buf *b, uint32_t v)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        km_buf_byte(b, (char)(v >> shift & 0xff));
}

static inline void aws_put_header(struct km_buf *b, const char *name, const char *value)
{
    km_buf_byte(b, (char)strlen(name));
    km_buf_str(b, km_str_c(name));
    km_buf_byte(b, 7);
    km_buf_byte(b, 0);
    km_buf_byte(b, (char)strlen(value));
    km_buf_str(b, km_str_c(value));
}

/* kind: "event" or "exception" */
static inline void aws_put_frame(struct km_buf *b, const char *kind, const char *type,
                                 struct km_str payload)
{
    struct km_buf headers KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    size_t from = b->n;

    aws_put_header(&headers, ":message-type", kind);
    aws_put_header(&headers, kind[1] == 'v' ? ":event-type" : ":exception-type", type);
    aws_put_u32(b, (uint32_t)(16 + headers.n + payload.n));
    aws_put_u32(b, (uint32_t)headers.n);
    aws_put_u32(b, km_crc32(0, b->p + from, 8));
    km_buf_str(b, km_buf_view(&headers));
    km_buf_str(b, payload);
    aws_put_u32(b, km_crc32(0, b->p + from, b->n - from));
}

/* "type json" a line; a type that begins with '!' is an exception; one of "chunk" is put into
 * {"bytes":...}. */
static inline void aws_put_lines(struct km_buf *b, const char *lines)
{
    struct km_str rest = km_str_c(lines), line;

    while (km_str_split(&rest, '\n', &line)) {
        struct km_buf wrapped KM_CLEANUP(km_buf_done) = KM_BUF(65536);
        size_t space = km_str_chr(line, ' ');
        bool exception = line.n && line.p[0] == '!';
        char type[64] = { 0 };

        if (!line.n)
            continue;
        memcpy(type, line.p + exception, space - exception);
        if (strcmp(type, "chunk") == 0) {
            km_buf_str(&wrapped, KM_STR("{\"bytes\":\""));
            km_buf_base64(&wrapped, km_str_skip(line, space + 1));
            km_buf_str(&wrapped, KM_STR("\",\"p\":\"abcd\"}"));
        } else {
            km_buf_str(&wrapped, km_str_skip(line, space + 1));
        }
        aws_put_frame(b, exception ? "exception" : "event", type, km_buf_view(&wrapped));
    }
}

#endif
