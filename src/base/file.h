/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

/*
 * file: every call that reads or writes a disk, in one place where tests can make it fail.
 *
 * Thin calls over descriptors. Interrupted calls and short counts are carried on with here, so that
 * callers see "all of it" or an error. Functions return ERR_FILE_FAILED and leave the reason in
 * errno; file_failure() turns it into words. Outputs are untouched on failure.
 *
 * Faults: file_set_faults() makes the n-th matching call fail with an error, do only half of its
 * work, or kill the process. The embedded database is routed through the same switch in tests.
 *
 * Safe from any thread; a descriptor belongs to whoever opened it.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/err.h"
#include "base/str.h"

/* Descriptors are close-on-exec. `flags` are open(2)'s. */
enum err file_open(const char *path, int flags, mode_t mode, int *ret_fd) ERR_USE;
void file_close(int fd); /* a negative one does nothing */

/* Up to `n` bytes from `offset`; less only at the end of the file. */
enum err file_read_at(int fd, void *out, size_t n, uint64_t offset, size_t *ret_n) ERR_USE;
/*
 * All `n` bytes at `offset`. On failure any part of them may have reached the file: the caller
 * truncates or overwrites.
 */
enum err file_write_at(int fd, const void *p, size_t n, uint64_t offset) ERR_USE;
/* As file_write_at, from several places; changes `parts`. At most 8 parts. */
enum err file_write_parts_at(int fd, struct iovec *parts, int count, uint64_t offset) ERR_USE;

/* The bytes and the size are on the disk when this returns (fdatasync). */
enum err file_sync(int fd) ERR_USE;
/* The names in the directory are on the disk when this returns. */
enum err file_sync_dir(const char *path) ERR_USE;
enum err file_truncate(int fd, uint64_t size) ERR_USE;
enum err file_size(int fd, uint64_t *ret_size) ERR_USE;

struct file_facts {
    uint64_t size;
    int64_t changed_us; /* wall clock of the last write */
};
enum err file_look(const char *path, struct file_facts *ret) ERR_USE;

enum err file_rename(const char *from, const char *to) ERR_USE;
enum err file_unlink(const char *path) ERR_USE; /* a missing file is no error */
/* A missing directory is made (its parent must exist); an existing one is no error. */
enum err file_mkdir(const char *path, mode_t mode) ERR_USE;
/* Bytes that can still be written on the file system of `path`. */
enum err file_space(const char *path, uint64_t *ret_free) ERR_USE;

/*
 * Takes the lock file `path`, made if missing, for this process. ERR_CONFLICT when another process
 * (or another descriptor) has it. Given back by file_close or the end of the process.
 */
enum err file_lock(const char *path, int *ret_fd) ERR_USE;

/* Calls `each` for every name in the directory except "." and ".."; stops when it returns false. */
typedef bool file_name_fn(void *context, const char *name);
enum err file_list(const char *path, file_name_fn *each, void *context) ERR_USE;

/* What errno says, in words; a static string. */
const char *file_failure(void);

/* --- faults ---------------------------------------------------------------------------------- */

enum file_call {
    FILE_OPEN,
    FILE_READ,
    FILE_WRITE,
    FILE_SYNC,
    FILE_TRUNCATE,
    FILE_RENAME,
    FILE_UNLINK,
    FILE_MKDIR,
    FILE_CALL_COUNT
};
#define FILE_CALL_BIT(call) (1u << (call))
#define FILE_CALLS_ALL ((1u << FILE_CALL_COUNT) - 1)

enum file_fault_kind {
    FILE_FAULT_ERROR, /* the call fails with `error` */
    FILE_FAULT_SHORT, /* reads and writes do half; other calls fail with `error` */
    FILE_FAULT_TORN,  /* a write does half, then fails with `error`; others as FILE_FAULT_ERROR */
    FILE_FAULT_KILL,  /* a write does half, then the process is killed */
};

struct file_faults {
    unsigned calls; /* which calls count and can fail: FILE_CALL_BIT(FILE_WRITE) | … */
    enum file_fault_kind kind;
    int error;             /* errno to give */
    uint64_t at;           /* the at-th counted call fails, from 1; 0 = only count */
    bool stays;            /* and every one after it */
    const char *path;      /* calls that name a path count only when it contains this; NULL = all */
    uint64_t from, to;     /* positioned reads and writes count only when they touch these bytes; 0, 0 = all */
    _Atomic uint64_t seen; /* calls counted so far */
};
/* Good until the next file_set_faults; NULL ends it. */
void file_set_faults(struct file_faults *faults);

/*
 * The bare system calls with the faults applied, for libraries that take their system calls as
 * function pointers. `open` has the third argument always; close-on-exec is added.
 */
int file_sys_open(const char *path, int flags, int mode);
ssize_t file_sys_pread(int fd, void *p, size_t n, off_t offset);
ssize_t file_sys_pwrite(int fd, const void *p, size_t n, off_t offset);
ssize_t file_sys_read(int fd, void *p, size_t n);
ssize_t file_sys_write(int fd, const void *p, size_t n);
int file_sys_ftruncate(int fd, off_t size);
int file_sys_unlink(const char *path);

#endif
