/* SPDX-License-Identifier: Apache-2.0 */
/* speak.c - see speak.h for the contract.
 *
 * Anthropic's events are SSE in one chunk each; Bedrock's are frames:
 *
 *     total length | headers' length | crc of these | headers | payload | crc of all before
 *
 * A frame's checksum depends on its text, so it is made for each: the table is small and the
 * frame short.  Nothing is shared with the gateway's own reader of frames on purpose.
 */
#include "speak.h"

#include <stdio.h>
#include <string.h>

#define HEAD "HTTP/1.1 200 OK\r\nServer: mock\r\nx-request-id: req_0123456789abcdef\r\n"

static const char words[] =
    "The gateway translated this answer: every byte of it is counted at both ends. "
    "The gateway translated this answer: every byte of it is counted at both ends. ";

int speak_of(const char *target, bool *ret_stream)
{
    static const struct {
        const char *end;
        int speak;
        bool stream;
    } rows[] = {
        { "/chat/completions", SPEAK_OPENAI, false },
        { "/messages", SPEAK_ANTHROPIC, false },
        { "/converse", SPEAK_BEDROCK, false },
        { "/converse-stream", SPEAK_BEDROCK, true },
    };
    size_t n = strcspn(target, "?");

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t m = strlen(rows[i].end);

        if (n >= m && memcmp(target + n - m, rows[i].end, m) == 0) {
            *ret_stream = rows[i].stream;
            return rows[i].speak;
        }
    }
    return -1;
}

static size_t with_length(char *out, const char *body)
{
    return (size_t)snprintf(out, 2 * SCRIPT_TEXT_MAX,
                            HEAD "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                            strlen(body), body);
}

size_t speak_json(enum speak speak, char *out)
{
    char body[SCRIPT_TEXT_MAX];

    if (speak == SPEAK_ANTHROPIC)
        snprintf(
            body, sizeof body,
            "{\"id\":\"msg_0123456789\",\"type\":\"message\",\"role\":\"assistant\",\"model\":"
            "\"claude-haiku-4-5\",\"content\":[{\"type\":\"text\",\"text\":\"%s\"}],"
            "\"stop_reason\":\"end_turn\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":%d,"
            "\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,"
            "\"output_tokens\":%d}}",
            words, SCRIPT_PROMPT_TOKENS, SCRIPT_COMPLETION_TOKENS);
    else
        snprintf(body, sizeof body,
                 "{\"metrics\":{\"latencyMs\":321},\"output\":{\"message\":{\"content\":[{\"text\":"
                 "\"%s\"}],\"role\":\"assistant\"}},\"stopReason\":\"end_turn\",\"usage\":"
                 "{\"inputTokens\":%d,\"outputTokens\":%d,\"totalTokens\":%d}}",
                 words, SCRIPT_PROMPT_TOKENS, SCRIPT_COMPLETION_TOKENS,
                 SCRIPT_PROMPT_TOKENS + SCRIPT_COMPLETION_TOKENS);
    return with_length(out, body);
}

/* --- frames --- */

static uint32_t crc(const unsigned char *p, size_t n)
{
    static const uint32_t nibbles[16] = { /* of CRC-32, half a byte at a time */
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c
    };
    uint32_t sum = 0xffffffff;

    for (size_t i = 0; i < n; i++) {
        sum = nibbles[(sum ^ p[i]) & 15] ^ (sum >> 4);
        sum = nibbles[(sum ^ (uint32_t)(p[i] >> 4)) & 15] ^ (sum >> 4);
    }
    return ~sum;
}

static void put32(unsigned char *at, uint32_t v)
{
    for (int i = 3; i >= 0; i--, v >>= 8)
        at[i] = (unsigned char)v;
}

static size_t put_header(unsigned char *at, const char *name, const char *value)
{
    size_t n = strlen(name), v = strlen(value);

    at[0] = (unsigned char)n;
    memcpy(at + 1, name, n);
    at[n + 1] = 7; /* a string */
    at[n + 2] = (unsigned char)(v >> 8);
    at[n + 3] = (unsigned char)v;
    memcpy(at + n + 4, value, v);
    return n + 4 + v;
}

static size_t frame(char *out, const char *type, const char *payload)
{
    unsigned char *at = (unsigned char *)out;
    size_t n = 12, body = strlen(payload);

    n += put_header(at + n, ":event-type", type);
    n += put_header(at + n, ":content-type", "application/json");
    n += put_header(at + n, ":message-type", "event");
    put32(at, (uint32_t)(n + body + 4));
    put32(at + 4, (uint32_t)(n - 12));
    put32(at + 8, crc(at, 8));
    memcpy(at + n, payload, body);
    put32(at + n + body, crc(at, n + body));
    return n + body + 4;
}

/* --- streams --- */

static size_t chunk(char *out, const char *bytes, size_t len)
{
    size_t n = (size_t)sprintf(out, "%zx\r\n", len);

    memcpy(out + n, bytes, len);
    memcpy(out + n + len, "\r\n", 2);
    return n + len + 2;
}

/* One event of either, as one chunk. */
static size_t put(enum speak speak, char *out, const char *type, const char *json)
{
    char event[SPEAK_EVENT_MAX];
    size_t n = speak == SPEAK_BEDROCK
                   ? frame(event, type, json)
                   : (size_t)snprintf(event, sizeof event, "event: %s\ndata: %s\n\n", type, json);

    return chunk(out, event, n);
}

size_t speak_stream_head(enum speak speak, char *out)
{
    size_t n = (size_t)snprintf(
        out, 2 * SCRIPT_TEXT_MAX, HEAD "Content-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n",
        speak == SPEAK_BEDROCK ? "application/vnd.amazon.eventstream" : "text/event-stream");
    char start[SPEAK_EVENT_MAX];

    if (speak == SPEAK_BEDROCK)
        return n + put(speak, out + n, "messageStart", "{\"p\":\"ab\",\"role\":\"assistant\"}");
    snprintf(start, sizeof start,
             "{\"type\":\"message_start\",\"message\":{\"id\":\"msg_0123456789\",\"type\":"
             "\"message\",\"role\":\"assistant\",\"model\":\"claude-haiku-4-5\",\"content\":[],"
             "\"stop_reason\":null,\"usage\":{\"input_tokens\":%d,\"output_tokens\":1}}}",
             SCRIPT_PROMPT_TOKENS);
    n += put(speak, out + n, "message_start", start);
    return n + put(speak, out + n, "content_block_start",
                   "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":"
                   "{\"type\":\"text\",\"text\":\"\"}}");
}

size_t speak_event(enum speak speak, char *out, long number)
{
    char json[SPEAK_EVENT_MAX];

    number %= 100000;
    if (speak == SPEAK_BEDROCK)
        snprintf(json, sizeof json,
                 "{\"contentBlockIndex\":0,\"delta\":{\"text\":\" w%05ld\"},\"p\":\"abcdefgh\"}",
                 number);
    else
        snprintf(json, sizeof json,
                 "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\","
                 "\"text\":\" w%05ld\"}}",
                 number);
    return put(speak, out, speak == SPEAK_BEDROCK ? "contentBlockDelta" : "content_block_delta",
               json);
}

size_t speak_stream_end(enum speak speak, char *out, long events)
{
    char json[SPEAK_EVENT_MAX];
    size_t n = 0;

    if (speak == SPEAK_BEDROCK) {
        n += put(speak, out, "contentBlockStop", "{\"contentBlockIndex\":0,\"p\":\"a\"}");
        n += put(speak, out + n, "messageStop", "{\"p\":\"ab\",\"stopReason\":\"end_turn\"}");
        snprintf(json, sizeof json,
                 "{\"metrics\":{\"latencyMs\":321},\"p\":\"a\",\"usage\":{\"inputTokens\":%d,"
                 "\"outputTokens\":%ld,\"totalTokens\":%ld}}",
                 SCRIPT_PROMPT_TOKENS, events, SCRIPT_PROMPT_TOKENS + events);
        n += put(speak, out + n, "metadata", json);
    } else {
        n += put(speak, out, "content_block_stop", "{\"type\":\"content_block_stop\",\"index\":0}");
        snprintf(json, sizeof json,
                 "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\","
                 "\"stop_sequence\":null},\"usage\":{\"output_tokens\":%ld}}",
                 events);
        n += put(speak, out + n, "message_delta", json);
        n += put(speak, out + n, "message_stop", "{\"type\":\"message_stop\"}");
    }
    memcpy(out + n, "0\r\n\r\n", 5);
    return n + 5;
}
