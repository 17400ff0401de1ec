/* SPDX-License-Identifier: Apache-2.0 */
/* load.c - the load generator's command line.
 *
 *     bench_load MODE --target HOST:PORT [--mock HOST:PORT] [options]
 *
 *     closed   each connection waits for its answer, then asks again    load_rate.c
 *     open     requests are due at a fixed rate                         load_rate.c
 *     hold     opens many slow streams and holds them                   load_stream.c
 *     events   streams with one event under way each                    load_stream.c
 *     depart   clients that leave in the middle                         load_depart.c
 *
 * It prints one JSON object (hold: two) and ends with 0 when it measured something.
 */
#include "client.h"

#include <arpa/inet.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

static int read_address(const char *text, struct sockaddr_in *ret_sa)
{
    char host[64];
    const char *colon = strrchr(text, ':');

    if (!colon || (size_t)(colon - text) >= sizeof host)
        return -1;
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    *ret_sa =
        (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(colon + 1)) };
    return inet_pton(AF_INET, host, &ret_sa->sin_addr) == 1 ? 0 : -1;
}

static int add_header(struct options *o, const char *line)
{
    size_t have = strlen(o->headers);
    int n = snprintf(o->headers + have, sizeof o->headers - have, "%s\r\n", line);

    return (size_t)n < sizeof o->headers - have ? 0 : -1;
}

static int set_text(struct options *o, const char *name, const char *value)
{
    if (!strcmp(name, "--target"))
        return read_address(value, &o->target);
    if (!strcmp(name, "--mock"))
        return read_address(value, &o->mock);
    if (!strcmp(name, "--header"))
        return add_header(o, value);
    if (!strcmp(name, "--path"))
        o->path = value;
    else if (!strcmp(name, "--bearer"))
        o->bearer = value;
    else if (!strcmp(name, "--model"))
        o->model = value;
    else if (!strcmp(name, "--script"))
        o->script = value;
    else if (!strcmp(name, "--body"))
        o->body = value;
    else if (!strcmp(name, "--pids"))
        o->pids = value;
    else
        return -1;
    return 0;
}

static int set_option(struct options *o, const char *name, const char *value)
{
    if (!strcmp(name, "--connections"))
        o->connections = atoi(value);
    else if (!strcmp(name, "--seconds"))
        o->seconds = atof(value);
    else if (!strcmp(name, "--warmup"))
        o->warmup_s = atof(value);
    else if (!strcmp(name, "--rate"))
        o->rate = atof(value);
    else if (!strcmp(name, "--requests"))
        o->requests = strtoull(value, NULL, 10);
    else if (!strcmp(name, "--bytes"))
        o->body_bytes = atoi(value);
    else if (!strcmp(name, "--min-answer"))
        o->min_answer = atoi(value);
    else if (!strcmp(name, "--sources"))
        o->sources = atoi(value);
    else if (!strcmp(name, "--core"))
        o->core = atoi(value);
    else if (!strcmp(name, "--stream"))
        o->stream = atoi(value) != 0;
    else if (!strcmp(name, "--unary"))
        o->unary = atoi(value) != 0;
    else
        return set_text(o, name, value);
    return 0;
}

static int usage(const char *what)
{
    fprintf(
        stderr,
        "bench_load: %s\n"
        "usage: bench_load closed|open|hold|events|depart --target HOST:PORT\n"
        "       [--mock HOST:PORT] [--path P] [--bearer KEY] [--header 'K: V']...\n"
        "       [--body JSON] [--model M] [--bytes 1024] [--min-answer 300] [--script 'events=3']\n"
        "       [--connections 64] [--seconds 3] [--warmup 0.5] [--rate R]\n"
        "       [--requests N] [--sources 4] [--stream 0] [--unary 0] [--pids 1,2] [--core 0]\n",
        what);
    return 2;
}

int main(int argc, char **argv)
{
    static struct options o = {
        .path = "/v1/chat/completions",
        .bearer = "sk-bench",
        .model = "gpt-4o",
        .core = -1,
        .connections = 64,
        .body_bytes = 1024,
        .min_answer = 300,
        .sources = 4,
        .warmup_s = 0.5,
    };

    o.mode = argc > 1 ? argv[1] : "";
    for (int i = 2; i < argc; i += 2)
        if (i + 1 == argc || set_option(&o, argv[i], argv[i + 1]) < 0)
            return usage(argv[i]);
    if (!o.target.sin_port)
        return usage("--target is missing");
    if (o.body && strlen(o.body) > REQUEST_MAX / 4)
        return usage("--body is too long");
    if (o.connections < 1 || o.sources < 1 || o.body_bytes > REQUEST_MAX / 4)
        return usage("a number is out of range");
    if (o.seconds <= 0)
        o.seconds = o.requests ? 86400 : 3;
    /* Shares its core with the mock: let each finish its batch. */
    sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){ 0 });
    if (!strcmp(o.mode, "closed") || (!strcmp(o.mode, "open") && o.rate > 0))
        return load_rate(&o);
    if ((!strcmp(o.mode, "hold") || !strcmp(o.mode, "events")) && o.mock.sin_port) {
        if (!o.script)
            o.script = o.mode[0] == 'h' ? "events=-1 interval_ms=4000" : "events=-1 ack=1";
        return load_streams(&o);
    }
    if (!strcmp(o.mode, "depart") && o.mock.sin_port)
        return load_depart(&o);
    return usage("unknown mode, or --rate or --mock is missing");
}
