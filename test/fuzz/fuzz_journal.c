/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recovery of the journal, and the decoders behind it. The first byte of the input chooses:
 *
 *   even   the rest is a payload for each decoder; what a decoder takes must come out of the encoder
 *          as the same record again
 *   odd    the rest describes a segment: entries (length, bytes), then damage (place, bits) and a
 *          cut. The segment is made properly, damaged, and read. Whatever is read must be what was
 *          written at that place; everything that was not touched must be read.
 *
 * The segment's key is made from the whole input, so that no input can carry checks that fit.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/must.h"
#include "base/wire.h"
#include "ledger/body_format.h"
#include "ledger/journal_format.h"
#include "ledger/journal_read.h"
#include "ledger/record_codec.h"
#include "ledger/sums.h"

int LLVMFuzzerTestOneInput(const unsigned char *p, size_t n);

/* --- decoders -------------------------------------------------------------------------------- */

static void same_text(struct str a, struct str b)
{
    must(str_eq(a, b));
}

static void check_record(const struct record *r)
{
    static unsigned char bytes[RECORD_ENCODED_MAX], again[RECORD_ENCODED_MAX];
    struct record back;
    size_t size = record_encode(r, bytes);
    must(record_decode(str_of((const char *)bytes, size), &back) == ERR_OK);
    must(back.id == r->id && back.request_id == r->request_id && back.started_us == r->started_us);
    must(back.cost.total_pusd == r->cost.total_pusd && back.cost.state == r->cost.state);
    must(memcmp(back.usage.quantity, r->usage.quantity, sizeof r->usage.quantity) == 0);
    same_text(back.metadata, r->metadata);
    same_text(back.err_detail, r->err_detail);
    same_text(back.routing.hook_results, r->routing.hook_results);
    must(record_encode(&back, again) == size && memcmp(bytes, again, size) == 0);
    size = record_encode_extra(r, bytes);
    back = *r;
    must(record_decode_extra(str_of((const char *)bytes, size), &back) == ERR_OK);
}

static void decode_all(struct str s)
{
    static unsigned char bytes[RECORD_ENCODED_MAX];
    enum record_kind kind;
    struct record r = {.id = 1};
    struct record_open o, o2;
    struct record_gap g, g2;
    struct sums sums = {0};
    struct body_pair pair;
    int64_t id;
    unsigned char column[SUMS_BYTES_MAX];
    (void)!record_kind_of(s, &kind);
    (void)!record_decode_id(s, &id);
    (void)!record_decode_extra(s, &r);
    if (record_decode(s, &r) == ERR_OK)
        check_record(&r);
    if (record_decode_open(s, &o) == ERR_OK) {
        size_t size = record_encode_open(&o, bytes);
        must(record_decode_open(str_of((const char *)bytes, size), &o2) == ERR_OK);
        must(o.id == o2.id && o.reserved_pusd == o2.reserved_pusd && o.started_us == o2.started_us);
        same_text(o.path, o2.path);
    }
    if (record_decode_gap(s, &g) == ERR_OK) {
        size_t size = record_encode_gap(&g, bytes);
        must(record_decode_gap(str_of((const char *)bytes, size), &g2) == ERR_OK);
        must(g.cost_pusd == g2.cost_pusd && g.records == g2.records);
    }
    if (sums_add_encoded(s, &sums) == ERR_OK) {
        struct sums back = {0};
        must(sums_add_encoded(str_of((const char *)column, sums_encode(&sums, column)), &back) == ERR_OK);
        must(memcmp(back.quantity, sums.quantity, sizeof sums.quantity) == 0);
    }
    struct wire w = wire_of(s.p, s.n);
    while (body_get_row(&w, &id, &pair))
        must(pair.request.bytes.n + pair.response.bytes.n + pair.request_headers.n + pair.response_headers.n <= s.n);
}

/* --- segments -------------------------------------------------------------------------------- */

#define ENTRIES_MAX 64
#define SEGMENT_MAX (1u << 17)

struct segment {
    unsigned char good[SEGMENT_MAX], bytes[SEGMENT_MAX];
    size_t n;
    size_t begin[ENTRIES_MAX], end[ENTRIES_MAX];
    unsigned count;
    struct journal_segment name;
};

static char dir[64];
static int segment_fd = -1;

static void remove_dir(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    if (system(command) != 0)
        fprintf(stderr, "%s was not removed\n", dir);
}

/* One file, written anew for every input. */
static void open_segment_file(const struct journal_segment *name)
{
    static struct journal_segment last;
    char path[JOURNAL_PATH_MAX], old[JOURNAL_PATH_MAX];
    if (segment_fd < 0) {
        const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
        snprintf(dir, sizeof dir, "%s/tollgate-fuzz-XXXXXX", base);
        must(mkdtemp(dir) != NULL);
        atexit(remove_dir);
        must(journal_path(path, dir, name));
        must(file_open(path, O_RDWR | O_CREAT, 0600, &segment_fd) == ERR_OK);
    } else {
        must(journal_path(old, dir, &last) && journal_path(path, dir, name));
        must(file_rename(old, path) == ERR_OK);
    }
    last = *name;
}

static uint64_t key_of(const unsigned char *p, size_t n)
{
    uint64_t h = 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 0x100000001b3u, h ^= h >> 29;
    return h;
}

static void put_head(struct segment *s)
{
    memset(s->good, 0, JOURNAL_HEAD_BYTES);
    memcpy(s->good, "TGJ1", 4);
    wire_put_u32(s->good + 4, JOURNAL_VERSION);
    wire_put_u64(wire_put_u64(s->good + 16, s->name.sequence), s->name.key);
    wire_put_u32(s->good + JOURNAL_HEAD_BYTES - 4, crc32c(0, s->good, JOURNAL_HEAD_BYTES - 4));
    s->n = JOURNAL_HEAD_BYTES;
}

static void put_entries(struct segment *s, struct wire *w)
{
    uint32_t seed = journal_seed(s->name.key, s->name.sequence, s->name.worker), chain = 0;
    while (s->count < ENTRIES_MAX) {
        size_t length = wire_u16(w);
        struct str payload = wire_bytes(w, length);
        if (w->bad || s->n + JOURNAL_ENTRY_HEAD_BYTES + length > SEGMENT_MAX)
            break;
        unsigned char *head = s->good + s->n;
        uint32_t check = journal_put_entry_head(head, seed, s->n, (uint32_t)length, chain);
        wire_put_bytes(head + JOURNAL_ENTRY_HEAD_BYTES, payload);
        chain = crc32c(check, payload.p, payload.n);
        wire_put_u32(head + JOURNAL_ENTRY_HEAD_BYTES - 4, chain);
        s->begin[s->count] = s->n;
        s->n += JOURNAL_ENTRY_HEAD_BYTES + length;
        s->end[s->count++] = s->n;
        if (length % 7 == 0)
            break; /* what follows is damage */
    }
    w->bad = false;
}

static void damage(struct segment *s, struct wire *w)
{
    memcpy(s->bytes, s->good, s->n);
    while (wire_left(w) >= 4) {
        size_t at = wire_u16(w) % s->n;
        uint8_t bits = wire_u8(w), run = wire_u8(w);
        for (size_t i = at; i < s->n && i <= at + run % 32; i++)
            s->bytes[i] = bits ? s->bytes[i] ^ bits : s->good[(i + run) % s->n];
    }
    if (wire_left(w) >= 2)
        s->n = wire_u16(w) % (s->n + 1);
}

static bool touched(const struct segment *s, unsigned i)
{
    return s->end[i] > s->n || memcmp(s->good + s->begin[i], s->bytes + s->begin[i], s->end[i] - s->begin[i]) != 0;
}

static void check_reading(const struct segment *s)
{
    struct journal_reader *r;
    struct journal_item item;
    unsigned next = 0;
    uint64_t at = 0;
    must(journal_reader_open(dir, &s->name, &r) == ERR_OK);
    do {
        must(journal_read(r, s->n, &item) == ERR_OK);
        must(item.offset >= at && item.end >= item.offset && item.end <= s->n);
        at = item.end;
        if (item.found != JOURNAL_ENTRY)
            continue;
        while (next < s->count && s->begin[next] != item.offset)
            must(touched(s, next++)); /* only what was damaged may be passed over */
        must(next < s->count);
        must(item.end == s->end[next] && !touched(s, next));
        next++;
        decode_all(item.payload);
    } while (item.found == JOURNAL_ENTRY || item.found == JOURNAL_DAMAGE);
    while (next < s->count)
        must(touched(s, next++));
    journal_reader_close(r);
}

int LLVMFuzzerTestOneInput(const unsigned char *p, size_t n)
{
    static struct segment s;
    if (n < 1)
        return 0;
    if (p[0] % 2 == 0) {
        decode_all(str_of((const char *)p + 1, n - 1));
        return 0;
    }
    struct wire w = wire_of(p + 1, n - 1);
    s.count = 0;
    s.name = (struct journal_segment){.worker = 0, .sequence = 7, .key = key_of(p, n)};
    put_head(&s);
    put_entries(&s, &w);
    damage(&s, &w);
    open_segment_file(&s.name);
    must(file_write_at(segment_fd, s.bytes, s.n, 0) == ERR_OK);
    must(file_truncate(segment_fd, s.n) == ERR_OK);
    check_reading(&s);
    return 0;
}
