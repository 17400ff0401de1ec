/* SPDX-License-Identifier: Apache-2.0 */
/* client.c - see client.h for the contract.
 *
 * The request is what a chat client sends: a system and a user message, a temperature,
 * a bound on the answer, padded inside the user message to the size asked for.  It is
 * made once a run (once a stream where a tag differs), never per request.
 */
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int client_connect(const struct options *o, int i)
{
    struct sockaddr_in from = { .sin_family = AF_INET };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){ 1 }, sizeof(int));
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(i % o->sources));
    if (bind(fd, (struct sockaddr *)&from, sizeof from) < 0 ||
        connect(fd, (const struct sockaddr *)&o->target, sizeof o->target) < 0 ||
        fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static const char prose[] =
    "Summarise the following report in three sentences and name the figures that changed most "
    "against the quarter before. Revenue rose by four per cent, most of it in the northern "
    "regions, while the cost of transport fell for the second time this year. The new plant "
    "took up work in May and reached two thirds of its capacity by the end of the quarter. ";

void client_number(char *at, uint64_t number)
{
    if (!at)
        return;
    for (size_t i = sizeof CLIENT_NUMBER - 1; i-- > 1; number /= 10)
        at[i] = (char)('0' + number % 10);
    at[0] = (char)('1' + number % 9);
}

/* Puts the head before a body. */
static size_t finish(const struct options *o, char *out, const char *body, int n)
{
    return (size_t)snprintf(out, REQUEST_MAX,
                            "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                            "Authorization: Bearer %s\r\nContent-Type: application/json\r\n"
                            "Accept: application/json%s\r\nUser-Agent: bench_load\r\n%s"
                            "Content-Length: %d\r\n\r\n%.*s",
                            o->path, ntohs(o->target.sin_port), o->bearer,
                            o->body ? ", text/event-stream" : "", o->headers, n, n, body);
}

size_t client_request(const struct options *o, char *out, const char *script, bool stream)
{
    char body[REQUEST_MAX / 2];
    /* Streams may go on for ever here: one that is far past its bound is cut. */
    const char *tail = stream ? "\"}],\"temperature\":0.7,\"max_tokens\":1000000"
                              : "\"}],\"temperature\":0.7,\"max_tokens\":256";
    const char *end = stream ? ",\"stream\":true}" : "}"; /* a gateway asks for usage itself */
    int n = snprintf(body, sizeof body,
                     "{\"model\":\"%s\",\"messages\":[{\"role\":\"system\",\"content\":"
                     "\"You are a careful assistant.\"},{\"role\":\"user\",\"content\":\"%s%s%s",
                     o->model, script ? "[[mock " : "", script ? script : "", script ? "]] " : "");
    int fixed = (int)(strlen(tail) + strlen(end));

    if (o->body)
        return finish(o, out, o->body, (int)strlen(o->body));
    for (int i = 0; n + fixed < o->body_bytes && n + fixed < (int)sizeof body - 1; i++)
        body[n++] = prose[(size_t)i % (sizeof prose - 1)];
    n += snprintf(body + n, sizeof body - (size_t)n, "%s%s", tail, end);
    return finish(o, out, body, n);
}

bool client_check(struct tally *t, const struct options *o, const struct wire *w, const char *body)
{
    t->answered++;
    if (w->status == 200 && w->body_bytes >= (uint64_t)o->min_answer) {
        if (!t->body_min || w->body_bytes < t->body_min)
            t->body_min = w->body_bytes;
        if (w->body_bytes > t->body_max)
            t->body_max = w->body_bytes;
        return true;
    }
    if (!t->wrong++) {
        t->wrong_status = w->status;
        snprintf(t->wrong_body, sizeof t->wrong_body, "%s", body);
    }
    return false;
}

static void print_quoted(const char *text, FILE *out)
{
    fputc('"', out);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else
            fputc(c < 0x20 || c > 0x7e ? ' ' : c, out);
    }
    fputc('"', out);
}

void client_print_tally(const struct tally *t, FILE *out)
{
    fprintf(out,
            "\"sent\":%llu,\"answered\":%llu,\"completed\":%llu,\"wrong\":%llu,\"broken\":%llu,"
            "\"body_min\":%llu,\"body_max\":%llu,\"wrong_status\":%d,\"wrong_body\":",
            (unsigned long long)t->sent, (unsigned long long)t->answered,
            (unsigned long long)t->completed, (unsigned long long)t->wrong,
            (unsigned long long)t->broken, (unsigned long long)t->body_min,
            (unsigned long long)t->body_max, t->wrong_status);
    print_quoted(t->wrong_body, out);
}

struct gather {
    char *text;
    size_t len;
};

static void on_gather(void *ctx, const char *bytes, size_t len)
{
    struct gather *g = ctx;
    char *grown = realloc(g->text, g->len + len + 1);

    if (!grown)
        return;
    memcpy(grown + g->len, bytes, len);
    g->text = grown;
    g->len += len;
    g->text[g->len] = '\0';
}

char *client_ask_mock(const struct options *o, const char *method, const char *path)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct gather g = { 0 };
    struct wire w = { 0 };
    char buf[4096];
    ssize_t n = 0;
    size_t used;
    int len = snprintf(buf, sizeof buf, "%s %s HTTP/1.1\r\nHost: mock\r\n\r\n", method, path);

    wire_init(&w, true, on_gather, &g);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&o->mock, sizeof o->mock) == 0 &&
        send(fd, buf, (size_t)len, MSG_NOSIGNAL) == len)
        while (!w.done && (n = recv(fd, buf, sizeof buf, 0)) > 0)
            if (wire_feed(&w, buf, (size_t)n, &used) < 0)
                break;
    if (fd >= 0)
        close(fd);
    if (!w.done) {
        free(g.text);
        return NULL;
    }
    return g.text;
}
