/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File calls with faults.
 *
 * Every system call goes through one of the `sys_` functions, which ask strike() first. Without
 * faults that is one relaxed load of a pointer. The loops that carry on after EINTR and short
 * counts stand above them, so that faults of those kinds test the loops.
 */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/must.h"

#define PARTS_MAX 16
#define RETRIES_MAX 1000 /* EINTR in a row before it counts as a failure */

static struct file_faults *_Atomic active_faults;

enum strike { STRIKE_NONE, STRIKE_FAIL, STRIKE_HALF, STRIKE_HALF_FAIL, STRIKE_HALF_KILL };

void file_set_faults(struct file_faults *faults)
{
    atomic_store(&active_faults, faults);
}

static enum strike strike_now(struct file_faults *f, enum file_call call)
{
    uint64_t seen = atomic_fetch_add(&f->seen, 1) + 1;
    if (f->at == 0 || seen < f->at || (seen > f->at && !f->stays))
        return STRIKE_NONE;
    bool moves_bytes = call == FILE_READ || call == FILE_WRITE;
    errno = f->error;
    switch (f->kind) {
    case FILE_FAULT_ERROR:
        return STRIKE_FAIL;
    case FILE_FAULT_SHORT:
        return moves_bytes ? STRIKE_HALF : STRIKE_FAIL;
    case FILE_FAULT_TORN:
        return call == FILE_WRITE ? STRIKE_HALF_FAIL : STRIKE_FAIL;
    case FILE_FAULT_KILL:
        break;
    }
    if (call == FILE_WRITE)
        return STRIKE_HALF_KILL;
    raise(SIGKILL);
    return STRIKE_FAIL;
}

/* What is to happen to this call; sets errno when it is to fail. */
static enum strike strike(enum file_call call, const char *path)
{
    struct file_faults *f = atomic_load_explicit(&active_faults, memory_order_relaxed);
    if (!f || !(f->calls & FILE_CALL_BIT(call)) || (path && f->path && !strstr(path, f->path)))
        return STRIKE_NONE;
    return strike_now(f, call);
}

/* The same for a call that reads or writes `n` bytes at `offset`. */
static enum strike strike_at(enum file_call call, off_t offset, size_t n)
{
    struct file_faults *f = atomic_load_explicit(&active_faults, memory_order_relaxed);
    if (!f || !(f->calls & FILE_CALL_BIT(call)))
        return STRIKE_NONE;
    if (f->to && ((uint64_t)offset >= f->to || (uint64_t)offset + n <= f->from))
        return STRIKE_NONE;
    return strike_now(f, call);
}

/* A short count of zero would read as the end of the file, so a half is at least one byte. */
static size_t half(size_t n)
{
    return n > 1 ? n / 2 : n;
}

int file_sys_open(const char *path, int flags, int mode)
{
    if (strike(FILE_OPEN, path) != STRIKE_NONE)
        return -1;
    return open(path, flags | O_CLOEXEC, (mode_t)mode);
}

ssize_t file_sys_pread(int fd, void *p, size_t n, off_t offset)
{
    enum strike s = strike_at(FILE_READ, offset, n);
    if (s == STRIKE_FAIL)
        return -1;
    return pread(fd, p, s == STRIKE_NONE ? n : half(n), offset);
}

ssize_t file_sys_read(int fd, void *p, size_t n)
{
    enum strike s = strike(FILE_READ, NULL);
    if (s == STRIKE_FAIL)
        return -1;
    return read(fd, p, s == STRIKE_NONE ? n : half(n));
}

/* After the half of a write that had to be done: the result, or the end. */
static ssize_t after_half(enum strike s, ssize_t done, int error)
{
    if (s == STRIKE_HALF_KILL)
        raise(SIGKILL);
    errno = error;
    return s == STRIKE_HALF_FAIL ? -1 : done;
}

ssize_t file_sys_pwrite(int fd, const void *p, size_t n, off_t offset)
{
    enum strike s = strike_at(FILE_WRITE, offset, n);
    int error = errno;
    if (s == STRIKE_NONE)
        return pwrite(fd, p, n, offset);
    if (s == STRIKE_FAIL)
        return -1;
    return after_half(s, pwrite(fd, p, half(n), offset), error);
}

ssize_t file_sys_write(int fd, const void *p, size_t n)
{
    enum strike s = strike(FILE_WRITE, NULL);
    int error = errno;
    if (s == STRIKE_NONE)
        return write(fd, p, n);
    if (s == STRIKE_FAIL)
        return -1;
    return after_half(s, write(fd, p, half(n)), error);
}

static ssize_t sys_pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    enum strike s = strike_at(FILE_WRITE, offset, parts[0].iov_len);
    int error = errno;
    if (s == STRIKE_NONE)
        return pwritev(fd, parts, count, offset);
    if (s == STRIKE_FAIL)
        return -1;
    return after_half(s, pwrite(fd, parts[0].iov_base, half(parts[0].iov_len), offset), error);
}

int file_sys_ftruncate(int fd, off_t size)
{
    if (strike(FILE_TRUNCATE, NULL) != STRIKE_NONE)
        return -1;
    return ftruncate(fd, size);
}

int file_sys_unlink(const char *path)
{
    if (strike(FILE_UNLINK, path) != STRIKE_NONE)
        return -1;
    return unlink(path);
}

static int sys_fdatasync(int fd)
{
    if (strike(FILE_SYNC, NULL) != STRIKE_NONE)
        return -1;
    return fdatasync(fd);
}

/* False when the call was only interrupted and may be made again. */
static bool over(ssize_t result, unsigned *tries)
{
    return result >= 0 || errno != EINTR || ++*tries > RETRIES_MAX;
}

enum err file_open(const char *path, int flags, mode_t mode, int *ret_fd)
{
    unsigned tries = 0;
    int fd;
    do
        fd = file_sys_open(path, flags, (int)mode);
    while (!over(fd, &tries));
    if (fd < 0)
        return ERR_FILE_FAILED;
    *ret_fd = fd;
    return ERR_OK;
}

void file_close(int fd)
{
    if (fd >= 0)
        close(fd);
}

enum err file_read_at(int fd, void *out, size_t n, uint64_t offset, size_t *ret_n)
{
    size_t done = 0;
    unsigned tries = 0;
    while (done < n) {
        ssize_t got = file_sys_pread(fd, (char *)out + done, n - done, (off_t)(offset + done));
        if (got == 0)
            break;
        if (got > 0)
            done += (size_t)got;
        else if (over(got, &tries))
            return ERR_FILE_FAILED;
    }
    *ret_n = done;
    return ERR_OK;
}

enum err file_write_at(int fd, const void *p, size_t n, uint64_t offset)
{
    size_t done = 0;
    unsigned tries = 0;
    while (done < n) {
        ssize_t got = file_sys_pwrite(fd, (const char *)p + done, n - done, (off_t)(offset + done));
        if (got > 0)
            done += (size_t)got;
        else if (over(got, &tries))
            return ERR_FILE_FAILED;
    }
    return ERR_OK;
}

enum err file_write_parts_at(int fd, struct iovec *parts, int count, uint64_t offset)
{
    must(count > 0);
    must(count <= PARTS_MAX);
    unsigned tries = 0;
    while (count > 0) {
        if (parts->iov_len == 0) {
            parts++;
            count--;
            continue;
        }
        ssize_t got = sys_pwritev(fd, parts, count, (off_t)offset);
        if (got < 0 && over(got, &tries))
            return ERR_FILE_FAILED;
        size_t done = got > 0 ? (size_t)got : 0;
        offset += done;
        while (count > 0 && done >= parts->iov_len) {
            done -= parts->iov_len;
            parts++;
            count--;
        }
        if (count > 0) {
            parts->iov_base = (char *)parts->iov_base + done;
            parts->iov_len -= done;
        }
    }
    return ERR_OK;
}

enum err file_sync(int fd)
{
    unsigned tries = 0;
    int got;
    do
        got = sys_fdatasync(fd);
    while (!over(got, &tries));
    return got == 0 ? ERR_OK : ERR_FILE_FAILED;
}

enum err file_sync_dir(const char *path)
{
    int fd;
    enum err e = file_open(path, O_RDONLY | O_DIRECTORY, 0, &fd);
    if (e != ERR_OK)
        return e;
    unsigned tries = 0;
    int got;
    do
        got = strike(FILE_SYNC, NULL) != STRIKE_NONE ? -1 : fsync(fd);
    while (!over(got, &tries));
    int reason = errno;
    file_close(fd);
    errno = reason;
    return got == 0 ? ERR_OK : ERR_FILE_FAILED;
}

enum err file_truncate(int fd, uint64_t size)
{
    unsigned tries = 0;
    int got;
    do
        got = file_sys_ftruncate(fd, (off_t)size);
    while (!over(got, &tries));
    return got == 0 ? ERR_OK : ERR_FILE_FAILED;
}

enum err file_size(int fd, uint64_t *ret_size)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return ERR_FILE_FAILED;
    *ret_size = (uint64_t)st.st_size;
    return ERR_OK;
}

enum err file_look(const char *path, struct file_facts *ret)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return ERR_FILE_FAILED;
    ret->size = (uint64_t)st.st_size;
    ret->changed_us = (int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000;
    return ERR_OK;
}

enum err file_rename(const char *from, const char *to)
{
    if (strike(FILE_RENAME, from) != STRIKE_NONE)
        return ERR_FILE_FAILED;
    return rename(from, to) == 0 ? ERR_OK : ERR_FILE_FAILED;
}

enum err file_unlink(const char *path)
{
    return file_sys_unlink(path) == 0 || errno == ENOENT ? ERR_OK : ERR_FILE_FAILED;
}

enum err file_mkdir(const char *path, mode_t mode)
{
    if (strike(FILE_MKDIR, path) != STRIKE_NONE)
        return ERR_FILE_FAILED;
    if (mkdir(path, mode) == 0)
        return ERR_OK;
    int reason = errno;
    struct stat st;
    if (reason == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return ERR_OK;
    errno = reason == EEXIST ? ENOTDIR : reason;
    return ERR_FILE_FAILED;
}

enum err file_space(const char *path, uint64_t *ret_free)
{
    struct statvfs s;
    if (statvfs(path, &s) != 0)
        return ERR_FILE_FAILED;
    *ret_free = (uint64_t)s.f_bavail * (uint64_t)s.f_frsize;
    return ERR_OK;
}

enum err file_lock(const char *path, int *ret_fd)
{
    int fd;
    enum err e = file_open(path, O_RDWR | O_CREAT, 0600, &fd);
    if (e != ERR_OK)
        return e;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        *ret_fd = fd;
        return ERR_OK;
    }
    int reason = errno;
    file_close(fd);
    errno = reason;
    return reason == EWOULDBLOCK ? ERR_CONFLICT : ERR_FILE_FAILED;
}

enum err file_list(const char *path, file_name_fn *each, void *context)
{
    if (strike(FILE_OPEN, path) != STRIKE_NONE)
        return ERR_FILE_FAILED;
    DIR *dir = opendir(path);
    if (!dir)
        return ERR_FILE_FAILED;
    struct dirent *entry;
    errno = 0;
    while ((entry = readdir(dir)) != NULL) {
        bool dots = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
        if (!dots && !each(context, entry->d_name))
            break;
        errno = 0;
    }
    int reason = entry ? 0 : errno;
    closedir(dir);
    errno = reason;
    return reason ? ERR_FILE_FAILED : ERR_OK;
}

const char *file_failure(void)
{
    const char *text = strerrordesc_np(errno);
    return text ? text : "unknown error";
}
