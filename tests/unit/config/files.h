/* SPDX-License-Identifier: Apache-2.0 */
/* files.h - a private folder of files for one test. */
#ifndef KM_TEST_CONFIG_FILES_H
#define KM_TEST_CONFIG_FILES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct files {
    char dir[64];
    char names[8][96];
    size_t n;
};

static inline void files_init(struct files *f)
{
    memset(f, 0, sizeof *f);
    strcpy(f->dir, "/tmp/kanmon-config-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
}

/* Writes dir/name and returns its path, good until files_done(). */
static inline const char *files_add(struct files *f, const char *name, const char *text)
{
    char *path = f->names[f->n++];
    FILE *out;

    assert_true(f->n <= 8);
    snprintf(path, sizeof f->names[0], "%s/%s", f->dir, name);
    out = fopen(path, "we");
    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
    return path;
}

static inline void files_done(struct files *f)
{
    while (f->n)
        unlink(f->names[--f->n]);
    rmdir(f->dir);
}

#endif
