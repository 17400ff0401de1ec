/* SPDX-License-Identifier: Apache-2.0 */
/* identity.c - see identity.h for the contract.
 *
 *     store.id     the store
 *     no           no          both are made
 *     no           there       adopted: it has an id or gets one, the file is written
 *     there        no          refused
 *     there        another     refused
 *     there        the same    goes on
 *
 * The file is a line of text with the id, and the path of the store on the next, for a person.  It
 * is written under another name, synced and renamed: whole or not at all.
 */
#include "store/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/log.h"
#include "store/aside.h"
#include "store/statements.h"
#include "sys/read_file.h"

#define FILE_BYTES (KM_PLACE_PATH + 128)
#define REMEDY                                                                                     \
    "Restore it from a backup, or start once with --new-store to go on with what is there"

static int name_file(const char *state_dir, char out[KM_PLACE_PATH], struct km_err *err)
{
    out[0] = 0;
    if (!state_dir || !state_dir[0])
        return 0;
    if ((size_t)snprintf(out, KM_PLACE_PATH, "%s/store.id", state_dir) + 32 > KM_PLACE_PATH)
        return km_fail(err, KM_E_INVALID, "the path of the state folder is too long");
    return 0;
}

int km_identity_read(struct km_identity *i, const char *state_dir, struct km_err *err)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(FILE_BYTES);
    struct km_err why = { 0 };
    struct km_str line;
    int r;

    memset(i, 0, sizeof *i);
    r = name_file(state_dir, i->file, err);
    if (r < 0 || !i->file[0])
        return r;
    r = km_file_read(i->file, KM_FILE_REGULAR, &text, &why);
    if (r == KM_E_NOT_FOUND)
        return 0;
    if (r < 0)
        return km_fail(err, KM_E_STORE, "cannot read '%s': %s", i->file, why.text);
    line = km_buf_view(&text);
    line = km_str_sub(line, 0, km_str_chr(line, '\n'));
    if (km_uuid_parse(line, &i->folder) < 0)
        return km_fail(err, KM_E_STORE,
                       "'%s' does not name a store. Restore it from a backup, or start once with "
                       "--new-store to go on with the store that is there",
                       i->file);
    i->known = true;
    return 0;
}

/* Copies that were made of a lost file (rescue.c): the last of them. */
static void find_rescued(const struct km_place *place, char out[KM_PLACE_PATH])
{
    char pattern[KM_PLACE_PATH + 16];
    glob_t found = { 0 };

    out[0] = 0;
    (void)snprintf(pattern, sizeof pattern, "%s.rescued-*", place->path);
    if (glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc)
        (void)snprintf(out, KM_PLACE_PATH, "%s", found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);
}

static int refuse_missing(const struct km_identity *i, const struct km_place *place,
                          struct km_err *err)
{
    char id[KM_UUID_LEN + 1], rescued[KM_PLACE_PATH];

    km_uuid_text(&i->folder, id);
    find_rescued(place, rescued);
    return km_fail(err, KM_E_STORE,
                   "the store '%s' is missing: '%s' says that store %s belongs there. %s%s%s"
                   "Restore it from a backup, or start once with --new-store to begin an empty one",
                   place->path, i->file, id, rescued[0] ? "A copy of it is '" : "", rescued,
                   rescued[0] ? "': move it there. " : "");
}

enum { MADE, READ, GIVE };

#define ID KM_FIELDS({ KM_FIELD_BYTES, 0, sizeof(struct km_uuid) })

static const struct km_statement rows[] = {
    [MADE] = { "identity.made",
               { "SELECT count(*) FROM sqlite_schema WHERE name = 'store_identity'" },
               .out = KM_NUMBER },
    [READ] = { "identity.read", { "SELECT id FROM store_identity" }, .out = ID },
    [GIVE] = { "identity.give",
               { "INSERT INTO store_identity (one, id) VALUES (1, ?1)" },
               .in = ID },
};
const struct km_statements km_identity_statements = KM_STATEMENTS(rows);

static int read_id(struct km_db *db, struct km_uuid *ret_id, bool *ret_has, struct km_err *err)
{
    enum km_row got = KM_ROW_END;
    int64_t tables = 0;
    int r = km_db_number(db, &rows[MADE], &tables, err);

    *ret_has = false;
    if (r < 0 || tables == 0)
        return r;
    r = km_db_first(db, &rows[READ], NULL, ret_id, &got, err);
    *ret_has = got == KM_ROW;
    return r;
}

int km_identity_check(const struct km_identity *i, const struct km_driver *driver,
                      const struct km_place *place, struct km_err *err)
{
    struct km_db *db KM_CLEANUP(km_db_done) = NULL;
    char want[KM_UUID_LEN + 1], found[KM_UUID_LEN + 1] = "a store without an id";
    struct km_uuid id;
    bool has = false;
    int r;

    if (!i->known)
        return 0;
    if (access(place->path, F_OK) != 0 && errno == ENOENT)
        return refuse_missing(i, place, err);
    r = driver->open(place->path, KM_DB_READ, &db, err);
    if (r == 0)
        r = read_id(db, &id, &has, err);
    if (r < 0 || (has && memcmp(id.b, i->folder.b, sizeof id.b) == 0))
        return r;
    km_uuid_text(&i->folder, want);
    if (has)
        km_uuid_text(&id, found);
    return km_fail(err, KM_E_STORE,
                   "'%s' is store %s, but '%s' says that store %s belongs there. " REMEDY,
                   place->path, found, i->file, want);
}

static int sync_folder_of(const char *path)
{
    char dir[KM_PLACE_PATH];
    int fd, r;

    (void)snprintf(dir, sizeof dir, "%.*s", (int)km_str_rchr(km_str_c(path), '/'), path);
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    r = fd < 0 || fsync(fd) != 0 ? -1 : 0;
    if (fd >= 0)
        (void)close(fd);
    return r;
}

static int write_file(const struct km_identity *i, const struct km_place *place, struct km_err *err)
{
    char fresh[KM_PLACE_PATH + 8], text[FILE_BYTES], id[KM_UUID_LEN + 1];
    int fd, n;
    bool ok;

    km_uuid_text(&i->id, id);
    n = snprintf(text, sizeof text, "%s\n%s\n", id, place->path);
    (void)snprintf(fresh, sizeof fresh, "%s.new", i->file);
    fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ok = fd >= 0 && write(fd, text, (size_t)n) == n && fsync(fd) == 0;
    if (fd >= 0)
        (void)close(fd);
    if (!ok || rename(fresh, i->file) != 0 || sync_folder_of(i->file) != 0)
        return km_fail_errno(err, errno, "cannot write '%s'", i->file);
    return 0;
}

static int give_id(struct km_identity *i, struct km_db *db, struct km_err *err)
{
    int r = km_random(i->id.b, sizeof i->id.b, err);

    return r == 0 ? km_db_run(db, &rows[GIVE], &i->id, NULL, err) : r;
}

int km_identity_keep(struct km_identity *i, struct km_db *db, const struct km_place *place,
                     struct km_log *log, struct km_err *err)
{
    char id[KM_UUID_LEN + 1];
    struct km_err why = { 0 };
    bool has = false;
    int r = read_id(db, &i->id, &has, err);

    if (r == 0 && !has)
        r = give_id(i, db, err);
    if (r < 0 || i->known || !i->file[0])
        return r;
    km_uuid_text(&i->id, id);
    if (write_file(i, place, &why) == 0)
        km_log_msg(log, KM_LOG_INFO, "store.adopted",
                   "'%s' says from now on that store %s ('%s') belongs to this folder", i->file, id,
                   place->path);
    else /* a full disk must not keep a gateway from starting; the next start writes it */
        km_log_msg(log, KM_LOG_WARN, "store.adopted", "%s", why.text);
    return 0;
}

int km_identity_forget(const char *state_dir, struct km_err *err)
{
    char file[KM_PLACE_PATH], old[KM_PLACE_PATH];
    int r = name_file(state_dir, file, err);

    if (r < 0 || !file[0] || access(file, F_OK) != 0)
        return r;
    return km_aside(file, file, "old", old, err);
}
