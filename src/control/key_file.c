/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets in files: bounded, whole, private. The bytes pass through one stack buffer, which is wiped. */
#include "control/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"

static enum err fail(const char *path, const char *what, char *why, size_t why_cap)
{
    snprintf(why, why_cap, "%s: %s", path, what);
    return ERR_FILE_FAILED;
}

/* A secret that others can read is no secret; one that others can write is theirs. */
static const char *unfit(int fd, bool private)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return file_failure();
    if (!S_ISREG(st.st_mode))
        return "it is not a regular file.";
    if (private && (st.st_mode & (S_IRWXG | S_IRWXO)))
        return "group or others have access to it; if they are not meant to know it, make a new key, else 'chmod 600'.";
    return NULL;
}

enum err key_file_read(const char *path, bool private, struct secret *ret_text, char *why, size_t why_cap)
{
    int fd;
    if (file_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, &fd) != ERR_OK)
        return errno == ENOENT ? ERR_NOT_FOUND : fail(path, file_failure(), why, why_cap);
    const char *what = unfit(fd, private);
    char bytes[KEY_FILE_MAX + 1];
    size_t n = 0;
    if (!what && file_read_at(fd, bytes, sizeof bytes, 0, &n) != ERR_OK)
        what = file_failure();
    file_close(fd);
    if (!what && n > KEY_FILE_MAX)
        what = "it is too long to be a key.";
    if (!what) {
        if (n > 0 && bytes[n - 1] == '\n')
            n--;
        if (n > 0 && bytes[n - 1] == '\r')
            n--;
        secret_set(ret_text, str_of(bytes, n));
    }
    mem_wipe(bytes, sizeof bytes);
    return what ? fail(path, what, why, why_cap) : ERR_OK;
}

/* Writes and syncs; the file is under its temporary name. */
static enum err write_whole(const char *path, struct str text)
{
    int fd;
    enum err e = file_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600, &fd);
    if (e != ERR_OK)
        return e;
    /* A left-over of an earlier crash may have been given other rights since. */
    e = fchmod(fd, 0600) == 0 ? ERR_OK : ERR_FILE_FAILED;
    if (e == ERR_OK)
        e = file_write_at(fd, text.p, text.n, 0);
    if (e == ERR_OK)
        e = file_write_at(fd, "\n", 1, text.n);
    if (e == ERR_OK)
        e = file_sync(fd);
    int error = errno;
    file_close(fd);
    errno = error;
    return e;
}

enum err key_file_make(const char *dir, const char *name, struct str text, char *why, size_t why_cap)
{
    char path[PATH_MAX], fresh[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/%s", dir, name);
    int m = snprintf(fresh, sizeof fresh, "%s/%s.new", dir, name);
    if (n < 0 || m < 0 || (size_t)n >= sizeof path || (size_t)m >= sizeof fresh)
        return fail(dir, "the path is too long.", why, why_cap);
    enum err e = write_whole(fresh, text);
    if (e == ERR_OK)
        e = file_rename(fresh, path);
    if (e == ERR_OK)
        e = file_sync_dir(dir);
    return e == ERR_OK ? ERR_OK : fail(path, file_failure(), why, why_cap);
}

enum err key_file_remove(const char *dir, const char *name, char *why, size_t why_cap)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/%s", dir, name);
    if (n < 0 || (size_t)n >= sizeof path)
        return fail(dir, "the path is too long.", why, why_cap);
    enum err e = file_unlink(path);
    if (e == ERR_OK)
        e = file_sync_dir(dir);
    return e == ERR_OK ? ERR_OK : fail(path, file_failure(), why, why_cap);
}
