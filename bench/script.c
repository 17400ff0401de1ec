/* SPDX-License-Identifier: Apache-2.0 */
/* script.c - see script.h for the contract.
 *
 * The body is searched, not parsed: the mock is on the same core as the load generator
 * and every microsecond it takes is one less for pushing the server under test.  That is
 * safe because both ends of the conversation are ours.
 */
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *find(const char *hay, size_t len, const char *needle)
{
    return memmem(hay, len, needle, strlen(needle));
}

/* True when a member of this name is `true`, with any blanks around the colon. */
static bool member_true(const char *body, size_t len, const char *quoted_name)
{
    const char *p = find(body, len, quoted_name);
    const char *end = body + len;

    if (!p)
        return false;
    p += strlen(quoted_name);
    while (p < end && (*p == ' ' || *p == ':'))
        p++;
    return end - p >= 4 && memcmp(p, "true", 4) == 0;
}

static void set_number(struct script *s, const char *name, size_t len, long value)
{
    if (len == 6 && !memcmp(name, "events", 6))
        s->events = value;
    else if (len == 11 && !memcmp(name, "interval_ms", 11))
        s->interval_ms = (uint32_t)value;
    else if (len == 8 && !memcmp(name, "delay_ms", 8))
        s->delay_ms = (uint32_t)value;
    else if (len == 3 && !memcmp(name, "ack", 3))
        s->ack = value != 0;
    else if (len == 3 && !memcmp(name, "tag", 3))
        s->tag = (uint32_t)value % SCRIPT_TAG_MAX;
    else if (len == 6 && !memcmp(name, "status", 6))
        s->status = (int)value;
}

void script_read(struct script *s, const char *body, size_t len)
{
    char text[160];
    const char *p = find(body, len, "[[mock ");
    size_t n;

    *s = (struct script){ .events = 16 };
    s->stream = member_true(body, len, "\"stream\"");
    s->include_usage = s->stream && member_true(body, len, "\"include_usage\"");
    if (!p)
        return;
    n = len - (size_t)(p - body);
    if (n >= sizeof text)
        n = sizeof text - 1;
    memcpy(text, p, n);
    text[n] = '\0';
    for (char *word = text + 7; *word && *word != ']';) {
        size_t name = strcspn(word, "= ]");
        char *next;
        long value;

        if (word[name] != '=')
            break;
        value = strtol(word + name + 1, &next, 10);
        set_number(s, word, name, value);
        word = next + strspn(next, " ");
    }
}

#define HEAD_JSON                                                                                  \
    "Content-Type: application/json\r\nServer: mock\r\nx-request-id: req_0123456789abcdef\r\n"

static const char json_before[] =
    "{\"id\":\"chatcmpl-%016llx\",\"object\":\"chat.completion\",\"created\":1700000000,"
    "\"model\":\"gpt-4o-2024-08-06\",\"choices\":[{\"index\":0,\"message\":"
    "{\"role\":\"assistant\",\"content\":\"";
static const char json_after[] =
    "\"},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":%d,"
    "\"completion_tokens\":%d,\"total_tokens\":%d},\"system_fingerprint\":\"fp_0123456789\"}";
static const char filler[] =
    "The gateway passed this answer on as it was: every byte of it is counted at both ends. "
    "The gateway passed this answer on as it was: every byte of it is counted at both ends. ";

static size_t make_json(char *out)
{
    char after[256];
    int n =
        snprintf(out, SCRIPT_TEXT_MAX, "HTTP/1.1 200 OK\r\n" HEAD_JSON "Content-Length: %d\r\n\r\n",
                 SCRIPT_BODY_BYTES);
    int head = n;
    int tail = snprintf(after, sizeof after, json_after, SCRIPT_PROMPT_TOKENS,
                        SCRIPT_COMPLETION_TOKENS, SCRIPT_PROMPT_TOKENS + SCRIPT_COMPLETION_TOKENS);
    int pad;

    n += snprintf(out + n, SCRIPT_TEXT_MAX - (size_t)n, json_before, 0ull);
    pad = head + SCRIPT_BODY_BYTES - tail - n;
    memcpy(out + n, filler, (size_t)pad);
    memcpy(out + n + pad, after, (size_t)tail);
    return (size_t)(n + pad + tail);
}

static void put_hex(char *at, uint64_t id)
{
    for (int i = 15; i >= 0; i--, id >>= 4)
        at[i] = "0123456789abcdef"[id & 15];
}

size_t script_json(const struct script_texts *t, char *out, uint64_t id)
{
    memcpy(out, t->json, t->json_len);
    put_hex(out + t->json_id, id);
    return t->json_len;
}

size_t script_error(char *out, int status)
{
    const char *body = "{\"error\":{\"message\":\"The mock was told to fail.\",\"type\":"
                       "\"server_error\",\"param\":null,\"code\":null}}";

    return (size_t)snprintf(out, SCRIPT_TEXT_MAX,
                            "HTTP/1.1 %d Scripted\r\n" HEAD_JSON "Content-Length: %zu\r\n\r\n%s",
                            status, strlen(body), body);
}

size_t script_stream_head(char *out)
{
    return (size_t)snprintf(out, SCRIPT_TEXT_MAX,
                            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
                            "Cache-Control: no-cache\r\nServer: mock\r\n"
                            "x-request-id: req_0123456789abcdef\r\n"
                            "Transfer-Encoding: chunked\r\n\r\n");
}

/* Frames one event as one chunk. */
static size_t chunk(char *out, const char *event, size_t len)
{
    size_t n = (size_t)sprintf(out, "%zx\r\n", len);

    memcpy(out + n, event, len);
    memcpy(out + n + len, "\r\n", 2);
    return n + len + 2;
}

static size_t chunk_event(char *out, uint64_t id, const char *rest)
{
    char event[SCRIPT_TEXT_MAX];
    int n = snprintf(event, sizeof event,
                     "data: {\"id\":\"chatcmpl-%016llx\",\"object\":\"chat.completion.chunk\","
                     "\"created\":1700000000,\"model\":\"gpt-4o-2024-08-06\",%s}\n\n",
                     (unsigned long long)id, rest);

    return chunk(out, event, (size_t)n);
}

size_t script_event(const struct script_texts *t, char *out, uint64_t id, long number)
{
    memcpy(out, t->event, t->event_len);
    put_hex(out + t->event_id, id);
    for (int i = 4; i >= 0; i--, number /= 10)
        out[t->event_number + (size_t)i] = (char)('0' + number % 10);
    return t->event_len;
}

static size_t place_of(const char *text, size_t len, const char *mark)
{
    return (size_t)(find(text, len, mark) - text) + strlen(mark);
}

void script_texts_init(struct script_texts *t)
{
    t->json_len = make_json(t->json);
    t->json_id = place_of(t->json, t->json_len, "chatcmpl-");
    t->event_len = chunk_event(t->event, 0,
                               "\"choices\":[{\"index\":0,\"delta\":{\"content\":\" w00000\"},"
                               "\"logprobs\":null,\"finish_reason\":null}]");
    t->event_id = place_of(t->event, t->event_len, "chatcmpl-");
    t->event_number = place_of(t->event, t->event_len, "\" w");
}

size_t script_stream_end(char *out, uint64_t id, const struct script *s)
{
    size_t n = chunk_event(out, id,
                           "\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":null,"
                           "\"finish_reason\":\"stop\"}]");
    char usage[160];

    if (s->include_usage) {
        snprintf(usage, sizeof usage,
                 "\"choices\":[],\"usage\":{\"prompt_tokens\":%d,\"completion_tokens\":%ld,"
                 "\"total_tokens\":%ld}",
                 SCRIPT_PROMPT_TOKENS, s->events, SCRIPT_PROMPT_TOKENS + s->events);
        n += chunk_event(out + n, id, usage);
    }
    n += chunk(out + n, "data: [DONE]\n\n", 14);
    memcpy(out + n, "0\r\n\r\n", 5);
    return n + 5;
}
