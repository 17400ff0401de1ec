/* SPDX-License-Identifier: Apache-2.0 */
/* faulty_vfs.h - SQLite's file layer with a switch: writes and syncs fail as told.
 *
 * It stands in front of the default layer and hands everything on; it only knows how to say no.
 * The number of writes and syncs is counted, so that a test can fail each of them in turn.
 * A sync of a file in the folder faulty.keep also copies it to `<name>.synced`: what would be left
 * of it
 * if the power went off before the next one. */
#ifndef KM_TEST_STORE_FAULTY_VFS_H
#define KM_TEST_STORE_FAULTY_VFS_H

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct faulty_file {
    sqlite3_file base;
    sqlite3_file *real;
    const char *name; /* lives as long as the file */
};

struct faulty {
    sqlite3_vfs vfs;
    sqlite3_vfs *real;
    sqlite3_io_methods methods;
    _Atomic int calls; /* writes, syncs and truncates so far */
    _Atomic int fail_from; /* they fail from this call on; 0: none */
    _Atomic int fail_until; /* and work again after this one; 0: never */
    _Atomic int code; /* SQLITE_FULL, SQLITE_IOERR_FSYNC, ... */
    char keep[72]; /* folder whose files are kept as synced; set before they open */
};

static struct faulty faulty;

static int faulty_step(void)
{
    int n = atomic_fetch_add(&faulty.calls, 1) + 1;
    int from = atomic_load(&faulty.fail_from), until = atomic_load(&faulty.fail_until);

    return from && n >= from && (!until || n <= until) ? atomic_load(&faulty.code) : SQLITE_OK;
}

static sqlite3_file *real_of(sqlite3_file *f)
{
    return ((struct faulty_file *)(void *)f)->real;
}

static int f_close(sqlite3_file *f)
{
    return real_of(f)->pMethods->xClose(real_of(f));
}

static int f_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    return real_of(f)->pMethods->xRead(real_of(f), p, n, at);
}

static int f_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    int r = faulty_step();

    return r ? r : real_of(f)->pMethods->xWrite(real_of(f), p, n, at);
}

static int f_truncate(sqlite3_file *f, sqlite3_int64 n)
{
    int r = faulty_step();

    return r ? r : real_of(f)->pMethods->xTruncate(real_of(f), n);
}

/* false: it could not be copied. */
static inline bool faulty_copy(const char *from, const char *to)
{
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    char block[8192];
    size_t n;
    bool ok = in && out;

    while (ok && (n = fread(block, 1, sizeof block, in)) > 0)
        ok = fwrite(block, 1, n, out) == n;
    if (in)
        (void)fclose(in);
    if (out)
        ok = fclose(out) == 0 && ok;
    return ok;
}

static int f_sync(sqlite3_file *f, int flags)
{
    const char *name = ((struct faulty_file *)(void *)f)->name;
    char kept[512];
    int r = faulty_step();

    if (r == SQLITE_OK)
        r = real_of(f)->pMethods->xSync(real_of(f), flags);
    if (r == SQLITE_OK && name && faulty.keep[0] &&
        strncmp(name, faulty.keep, strlen(faulty.keep)) == 0) {
        (void)snprintf(kept, sizeof kept, "%s.synced", name);
        if (!faulty_copy(name, kept))
            r = SQLITE_IOERR_FSYNC;
    }
    return r;
}

static int f_size(sqlite3_file *f, sqlite3_int64 *n)
{
    return real_of(f)->pMethods->xFileSize(real_of(f), n);
}

static int f_lock(sqlite3_file *f, int l)
{
    return real_of(f)->pMethods->xLock(real_of(f), l);
}

static int f_unlock(sqlite3_file *f, int l)
{
    return real_of(f)->pMethods->xUnlock(real_of(f), l);
}

static int f_reserved(sqlite3_file *f, int *out)
{
    return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}

static int f_control(sqlite3_file *f, int op, void *arg)
{
    return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

static int f_sector(sqlite3_file *f)
{
    return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int f_device(sqlite3_file *f)
{
    return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static int f_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
    return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, out);
}

static int f_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
    return real_of(f)->pMethods->xShmLock(real_of(f), at, n, flags);
}

static void f_shm_barrier(sqlite3_file *f)
{
    real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int f_shm_unmap(sqlite3_file *f, int del)
{
    return real_of(f)->pMethods->xShmUnmap(real_of(f), del);
}

static int faulty_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags,
                       int *out_flags)
{
    struct faulty_file *f = (struct faulty_file *)(void *)file;
    int r;

    (void)vfs;
    f->real = (sqlite3_file *)(void *)(f + 1);
    f->base.pMethods = NULL;
    f->name = name;
    r = faulty.real->xOpen(faulty.real, name, f->real, flags, out_flags);
    if (f->real->pMethods)
        f->base.pMethods = &faulty.methods;
    return r;
}

/* From here on every connection goes through it. */
static void faulty_install(void)
{
    faulty.real = sqlite3_vfs_find(NULL);
    faulty.vfs = *faulty.real;
    faulty.vfs.zName = "faulty";
    faulty.vfs.szOsFile = (int)sizeof(struct faulty_file) + faulty.real->szOsFile;
    faulty.vfs.xOpen = faulty_open;
    faulty.methods = (sqlite3_io_methods){
        .iVersion = 2,
        .xClose = f_close,
        .xRead = f_read,
        .xWrite = f_write,
        .xTruncate = f_truncate,
        .xSync = f_sync,
        .xFileSize = f_size,
        .xLock = f_lock,
        .xUnlock = f_unlock,
        .xCheckReservedLock = f_reserved,
        .xFileControl = f_control,
        .xSectorSize = f_sector,
        .xDeviceCharacteristics = f_device,
        .xShmMap = f_shm_map,
        .xShmLock = f_shm_lock,
        .xShmBarrier = f_shm_barrier,
        .xShmUnmap = f_shm_unmap,
    };
    sqlite3_vfs_register(&faulty.vfs, 1);
}

/* Calls from..until (counted from now, from 1) fail with code; until 0: all that follow. */
static inline void faulty_fail(int from, int until, int code)
{
    int now = atomic_load(&faulty.calls);

    atomic_store(&faulty.code, code);
    atomic_store(&faulty.fail_until, until ? now + until : 0);
    atomic_store(&faulty.fail_from, now + from);
}

static inline void faulty_heal(void)
{
    atomic_store(&faulty.fail_from, 0);
}

#endif
