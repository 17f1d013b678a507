/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ids grow within a worker's journal, and the head of a segment has the greatest id before it; so
 * reading the last segment of each worker is enough to know the greatest id, unless it is empty and
 * its head is damaged: then the one before it is read as well.
 */
#include "ledger/journal_recover.h"

#include <fcntl.h>

#include "base/file.h"
#include "ledger/journal.h"
#include "ledger/journal_read.h"
#include "ledger/record_codec.h"

struct scan {
    int64_t last_id; /* 0: none found */
    uint64_t end;    /* of the last good entry */
};

static int64_t id_of(struct str payload)
{
    enum record_kind kind;
    struct record r;
    struct record_open o;
    if (record_kind_of(payload, &kind) != ERR_OK)
        return 0;
    if (kind == RECORD_KIND_OPEN && record_decode_open(payload, &o) == ERR_OK)
        return o.id;
    if (kind == RECORD_KIND_CLOSE && record_decode(payload, &r) == ERR_OK)
        return r.id;
    return 0;
}

static enum err scan_entries(struct journal_reader *r, uint64_t size, struct scan *s)
{
    struct journal_item item;
    for (;;) {
        enum err e = journal_read(r, size, &item);
        if (e != ERR_OK)
            return e;
        if (item.found == JOURNAL_TAIL || item.found == JOURNAL_END) {
            s->end = item.offset;
            break;
        }
        int64_t id = item.found == JOURNAL_ENTRY ? id_of(item.payload) : 0;
        if (id > s->last_id)
            s->last_id = id;
    }
    int64_t before;
    if (journal_reader_last_id(r, &before) && before > s->last_id)
        s->last_id = before;
    return ERR_OK;
}

static enum err scan_segment(const char *dir, const struct journal_segment *s, struct scan *ret)
{
    struct journal_reader *r;
    enum err e = journal_reader_open(dir, s, &r);
    if (e != ERR_OK)
        return e;
    struct scan scan = {0, 0};
    e = scan_entries(r, s->size, &scan);
    journal_reader_close(r);
    if (e == ERR_OK)
        *ret = scan;
    return e;
}

static enum err cut(const char *dir, const struct journal_segment *s, uint64_t size)
{
    char path[JOURNAL_PATH_MAX];
    int fd;
    if (!journal_path(path, dir, s))
        return ERR_FILE_FAILED;
    enum err e = file_open(path, O_WRONLY, 0, &fd);
    if (e != ERR_OK)
        return e;
    e = file_truncate(fd, size);
    if (e == ERR_OK)
        e = file_sync(fd);
    file_close(fd);
    return e;
}

/* `s` is a worker's last segment; `first` its first one in the same array. */
static enum err recover_worker(const char *dir, const struct journal_segment *first, const struct journal_segment *s,
                               struct journal_recovery *r)
{
    struct scan scan;
    enum err e = scan_segment(dir, s, &scan);
    if (e != ERR_OK)
        return e;
    if (scan.end < s->size) {
        e = cut(dir, s, scan.end);
        if (e != ERR_OK)
            return e;
        r->cut_bytes += s->size - scan.end;
        r->bytes -= s->size - scan.end;
    }
    while (scan.last_id == 0 && s > first) {
        e = scan_segment(dir, --s, &scan);
        if (e != ERR_OK)
            return e;
    }
    if (scan.last_id > r->last_id)
        r->last_id = scan.last_id;
    return ERR_OK;
}

enum err journal_recover(const char *dir, struct journal_recovery *ret)
{
    struct journal_segments all;
    struct journal_recovery r = {.last_id = 0};
    for (unsigned w = 0; w < RECORD_WORKERS_MAX; w++)
        r.next_sequence[w] = 1;
    enum err e = journal_list(dir, &all);
    if (e != ERR_OK)
        return e;
    for (size_t i = 0, first = 0; i < all.count && e == ERR_OK; i++) {
        const struct journal_segment *s = &all.list[i];
        r.bytes += s->size;
        if (s->worker != all.list[first].worker)
            first = i;
        if (i + 1 < all.count && all.list[i + 1].worker == s->worker)
            continue;
        r.next_sequence[s->worker] = s->sequence + 1;
        e = recover_worker(dir, &all.list[first], s, &r);
    }
    journal_segments_free(&all);
    if (e == ERR_OK)
        *ret = r;
    return e;
}
