/* SPDX-License-Identifier: Apache-2.0 */
/* The journal: what is flushed can be read, whatever the disk and the process do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "ledger/journal.h"
#include "ledger/journal_read.h"
#include "ledger/journal_recover.h"
#include "ledger/record_codec.h"
#include "ledger_fixture.h"

#define SEED 11
#define FIRST_ID (INT64_C(900000000) << 32)

static char *const dir = fixture_test_dir;

static int64_t id_of(uint64_t i)
{
    return FIRST_ID + (int64_t)i * 4096;
}

static struct journal *open_journal(uint64_t sequence, uint64_t segment_bytes)
{
    struct journal *j;
    const struct journal_options o = {dir, 3, .first_sequence = sequence, .segment_bytes = segment_bytes};
    assert_int_equal(journal_open(&o, &j), ERR_OK);
    return j;
}

static void add(struct journal *j, uint64_t i, bool bodies)
{
    static struct fixture_record f;
    fixture_record(&f, SEED, i, id_of(i), bodies);
    journal_add(j, &f.r);
}

static void add_open(struct journal *j, uint64_t i)
{
    const struct record_open o = {.id = id_of(i), .request_id = id_of(i), .reserved_pusd = (int64_t)i};
    journal_add_open(j, &o);
}

/* What a reading of the whole directory finds. */
struct found {
    uint64_t closes, opens, gaps, damaged, damaged_bytes, tails, breaks;
    uint64_t gap_records;
    int64_t ids[20000];
    struct record_gap gap;
    bool wrong; /* a record that is not what was written */
};

static void look_at(struct found *f, struct str payload)
{
    static struct fixture_record expected;
    enum record_kind kind;
    struct record r;
    struct record_open o;
    assert_int_equal(record_kind_of(payload, &kind), ERR_OK);
    if (kind == RECORD_KIND_OPEN) {
        assert_int_equal(record_decode_open(payload, &o), ERR_OK);
        f->opens++;
    } else if (kind == RECORD_KIND_GAP) {
        assert_int_equal(record_decode_gap(payload, &f->gap), ERR_OK);
        f->gaps++;
        f->gap_records += f->gap.records;
    } else {
        assert_int_equal(record_decode(payload, &r), ERR_OK);
        fixture_record(&expected, SEED, (uint64_t)(r.id - FIRST_ID) / 4096, r.id, r.bodies_kept);
        f->wrong = f->wrong || !fixture_equal(&expected.r, &r) || !fixture_same_parts(&expected.r, &r);
        assert_true(f->closes < 20000);
        f->ids[f->closes++] = r.id;
    }
}

static void read_segment(struct found *f, const struct journal_segment *s)
{
    struct journal_reader *r;
    struct journal_item item;
    bool after_damage = false;
    assert_int_equal(journal_reader_open(dir, s, &r), ERR_OK);
    do {
        assert_int_equal(journal_read(r, s->size, &item), ERR_OK);
        if (item.found == JOURNAL_ENTRY) {
            if (!item.follows && !after_damage)
                f->breaks++;
            look_at(f, item.payload);
        } else if (item.found == JOURNAL_DAMAGE) {
            f->damaged++;
            f->damaged_bytes += item.end - item.offset;
        } else if (item.found == JOURNAL_TAIL) {
            f->tails++;
        }
        after_damage = item.found == JOURNAL_DAMAGE;
    } while (item.found == JOURNAL_ENTRY || item.found == JOURNAL_DAMAGE);
    journal_reader_close(r);
}

static struct found *read_all(void)
{
    static struct found f;
    struct journal_segments all;
    memset(&f, 0, sizeof f);
    assert_int_equal(journal_list(dir, &all), ERR_OK);
    for (size_t i = 0; i < all.count; i++)
        read_segment(&f, &all.list[i]);
    journal_segments_free(&all);
    return &f;
}

static void what_is_flushed_is_read_back_in_order(void **state)
{
    (void)state;
    struct journal *j = open_journal(1, 0);
    for (uint64_t i = 0; i < 1000; i++) {
        add_open(j, i);
        add(j, i, i % 3 == 0);
        if (i % 7 == 0)
            assert_int_equal(journal_flush(j), ERR_OK);
    }
    assert_int_equal(journal_flush(j), ERR_OK);
    struct journal_counts c = journal_counts(j);
    assert_true(c.records == 1000 && c.opens == 1000);
    assert_int_equal(c.records_lost, 0);
    struct found *f = read_all();
    assert_int_equal(f->closes, 1000);
    assert_int_equal(f->opens, 1000);
    assert_int_equal(f->damaged + f->tails + f->breaks, 0);
    assert_false(f->wrong);
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(f->ids[i], id_of(i));
    journal_close(j);
}

static void nothing_is_written_before_the_flush_and_one_write_does_it(void **state)
{
    (void)state;
    struct journal *j = open_journal(1, 0);
    uint64_t before = journal_written(j);
    struct file_faults count = {.calls = FILE_CALL_BIT(FILE_WRITE)};
    file_set_faults(&count);
    for (uint64_t i = 0; i < 50; i++) {
        add_open(j, i);
        add(j, i, false);
    }
    assert_int_equal(journal_written(j), before);
    assert_int_equal(atomic_load(&count.seen), 0);
    assert_int_equal(journal_flush(j), ERR_OK);
    assert_int_equal(atomic_load(&count.seen), 1);
    assert_true(journal_written(j) > before);
    assert_int_equal(journal_flush(j), ERR_OK); /* an empty turn costs nothing */
    assert_int_equal(atomic_load(&count.seen), 1);
    journal_close(j);
}

static void long_bodies_are_written_without_being_copied(void **state)
{
    (void)state;
    static char body[300000];
    static struct fixture_record f;
    memset(body, 'b', sizeof body);
    struct journal *j = open_journal(1, 0);
    add(j, 0, false);
    /* Sizes of bodies and header fields; what is too long for header fields is not kept. */
    static const size_t sizes[][4] = {
        {0}, {200000, sizeof body, RECORD_HEADERS_MAX, RECORD_HEADERS_MAX + 1}, {1, 100000, 2, 2}, {0}};
    for (int i = 1; i < 3; i++) {
        fixture_record(&f, SEED, (uint64_t)i, id_of((uint64_t)i), false);
        f.r.bodies_kept = true;
        f.r.request_body.bytes = str_of(body, sizes[i][0]);
        f.r.response_body.bytes = str_of(body, sizes[i][1]);
        f.r.request_headers = str_of(body, sizes[i][2]);
        f.r.response_headers = str_of(body, sizes[i][3]);
        journal_add(j, &f.r);
    }
    add(j, 3, false);
    assert_int_equal(journal_flush(j), ERR_OK);
    journal_close(j);

    struct journal_segments all;
    struct journal_reader *r;
    struct journal_item item;
    struct record back;
    assert_int_equal(journal_list(dir, &all), ERR_OK);
    assert_int_equal(journal_reader_open(dir, &all.list[0], &r), ERR_OK);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(journal_read(r, all.list[0].size, &item), ERR_OK);
        assert_true(item.found == JOURNAL_ENTRY && item.follows && record_decode(item.payload, &back) == ERR_OK);
        assert_int_equal(back.id, id_of((uint64_t)i));
        assert_int_equal(back.request_body.bytes.n, sizes[i][0]);
        assert_int_equal(back.response_body.bytes.n, sizes[i][1]);
        assert_int_equal(back.request_headers.n, sizes[i][2]);
        assert_int_equal(back.response_headers.n, sizes[i][3] <= RECORD_HEADERS_MAX ? sizes[i][3] : 0);
        assert_memory_equal(back.response_body.bytes.p, body, back.response_body.bytes.n);
    }
    journal_reader_close(r);
    journal_segments_free(&all);
}

static void segments_change_at_their_size_and_the_chain_goes_on(void **state)
{
    (void)state;
    struct journal *j = open_journal(1, 20000);
    for (uint64_t i = 0; i < 1000; i++) {
        add(j, i, false);
        assert_int_equal(journal_flush(j), ERR_OK);
        if (i % 50 == 0)
            assert_int_equal(journal_sync(j), ERR_OK);
    }
    journal_close(j);
    struct journal_segments all;
    assert_int_equal(journal_list(dir, &all), ERR_OK);
    assert_in_range(all.count, 10, 40);
    for (size_t i = 0; i < all.count; i++) {
        assert_int_equal(all.list[i].sequence, i + 1);
        assert_in_range(all.list[i].size, 1000, 22000);
    }
    journal_segments_free(&all);
    struct found *f = read_all();
    assert_int_equal(f->closes, 1000);
    assert_int_equal(f->damaged + f->tails + f->breaks, 0);
    assert_false(f->wrong);
}

static void a_segment_that_cannot_be_made_leaves_the_old_one_in_use(void **state)
{
    (void)state;
    struct journal *j = open_journal(1, 5000);
    struct file_faults f = {.calls = FILE_CALL_BIT(FILE_OPEN), .error = EMFILE, .at = 1, .stays = true};
    file_set_faults(&f);
    for (uint64_t i = 0; i < 200; i++) {
        add(j, i, false);
        assert_int_equal(journal_flush(j), ERR_OK);
    }
    file_set_faults(NULL);
    struct found *found = read_all();
    assert_int_equal(found->closes, 200);
    journal_close(j);
}

/* Runs turns with one write failing; what was acknowledged, and nothing else, must be there. */
static void fail_write(enum file_fault_kind kind, int error, uint64_t at, unsigned span, bool stays)
{
    uint64_t acknowledged = 0, refused = 0, next = 0;
    static bool good[4000];
    struct journal *j = open_journal(1, 30000);
    struct file_faults f = {.calls = FILE_CALL_BIT(FILE_WRITE), .kind = kind, .error = error, .at = at, .stays = stays};
    file_set_faults(&f);
    for (unsigned turn = 0; turn < 60; turn++) {
        if (turn == 40)
            file_set_faults(NULL);
        uint64_t begin = next;
        for (unsigned k = 0; k <= turn % span; k++, next++)
            add(j, next, turn % 5 == 0);
        enum err e = journal_flush(j);
        assert_true(e == ERR_OK || e == ERR_JOURNAL_FAILED);
        for (uint64_t i = begin; i < next; i++)
            good[i] = e == ERR_OK;
        acknowledged += e == ERR_OK ? next - begin : 0;
        refused += e == ERR_OK ? 0 : next - begin;
    }
    struct journal_counts c = journal_counts(j);
    journal_close(j);
    assert_int_equal(c.records, acknowledged);
    assert_int_equal(c.records_lost, refused);
    struct found *found = read_all();
    assert_false(found->wrong);
    assert_int_equal(found->closes, acknowledged);
    assert_int_equal(found->gap_records, refused);
    assert_int_equal(found->damaged + found->tails + found->breaks, 0);
    for (uint64_t i = 0, k = 0; i < next; i++)
        if (good[i])
            assert_int_equal(found->ids[k++], id_of(i));
    fixture_remove(dir);
    assert_int_equal(file_mkdir(dir, 0700), ERR_OK);
}

static void any_write_may_fail_in_any_way(void **state)
{
    (void)state;
    const struct {
        enum file_fault_kind kind;
        int error;
        bool stays;
    } ways[] = {
        {FILE_FAULT_ERROR, EIO, false},   {FILE_FAULT_ERROR, ENOSPC, false}, {FILE_FAULT_ERROR, EINTR, false},
        {FILE_FAULT_TORN, ENOSPC, false}, {FILE_FAULT_TORN, EIO, false},     {FILE_FAULT_SHORT, EIO, false},
        {FILE_FAULT_TORN, ENOSPC, true},  {FILE_FAULT_ERROR, EIO, true},     {FILE_FAULT_SHORT, EIO, true},
    };
    for (size_t w = 0; w < sizeof ways / sizeof ways[0]; w++)
        for (uint64_t at = 1; at <= 30; at++)
            fail_write(ways[w].kind, ways[w].error, at, 7, ways[w].stays);
}

static void a_torn_write_that_cannot_be_cut_off_stops_all_writing_until_it_can(void **state)
{
    (void)state;
    struct journal *j = open_journal(1, 0);
    add(j, 0, false);
    assert_int_equal(journal_flush(j), ERR_OK);
    struct file_faults f = {.calls = FILE_CALL_BIT(FILE_WRITE) | FILE_CALL_BIT(FILE_TRUNCATE),
                            .kind = FILE_FAULT_TORN,
                            .error = EIO,
                            .at = 1,
                            .stays = true};
    file_set_faults(&f);
    add(j, 1, true);
    assert_int_equal(journal_flush(j), ERR_JOURNAL_FAILED);
    uint64_t seen = atomic_load(&f.seen);
    add(j, 2, false);
    assert_int_equal(journal_flush(j), ERR_JOURNAL_FAILED);
    assert_int_equal(atomic_load(&f.seen), seen + 1); /* it tried to cut, and did not write */
    file_set_faults(NULL);
    add(j, 3, false);
    assert_int_equal(journal_flush(j), ERR_OK);
    journal_close(j);
    struct found *found = read_all();
    assert_int_equal(found->closes, 2);
    assert_int_equal(found->ids[1], id_of(3));
    assert_int_equal(found->gap_records, 2);
    assert_int_equal(found->damaged + found->tails, 0);
}

static void what_could_not_be_written_is_known_with_its_money(void **state)
{
    (void)state;
    static struct fixture_record f;
    money_sum cost = 0;
    uint64_t unpriced = 0;
    struct journal *j = open_journal(1, 0);
    struct file_faults faults = {.calls = FILE_CALL_BIT(FILE_WRITE), .error = ENOSPC, .at = 1, .stays = true};
    file_set_faults(&faults);
    for (uint64_t i = 0; i < 100; i++) {
        fixture_record(&f, SEED, i, id_of(i), false);
        journal_add(j, &f.r);
        cost += f.r.cost.total_pusd;
        unpriced += f.r.cost.state == COST_UNPRICED;
        add_open(j, i);
        assert_int_equal(journal_flush(j), ERR_JOURNAL_FAILED);
    }
    file_set_faults(NULL);
    assert_int_equal(journal_flush(j), ERR_OK); /* nothing of its own to write: only the gap */
    journal_close(j);
    struct found *found = read_all();
    assert_int_equal(found->closes, 0);
    assert_int_equal(found->gaps, 1);
    assert_int_equal(found->gap.records, 100);
    assert_int_equal(found->gap.opens, 100);
    assert_true(found->gap.cost_pusd == cost);
    assert_int_equal(found->gap.unpriced, unpriced);
}

static void a_full_spool_refuses_and_counts(void **state)
{
    (void)state;
    _Atomic bool full = true;
    struct journal *j;
    const struct journal_options o = {.dir = dir, .worker = 3, .first_sequence = 1, .full = &full};
    assert_int_equal(journal_open(&o, &j), ERR_OK);
    add(j, 0, false);
    add(j, 1, false);
    assert_int_equal(journal_flush(j), ERR_JOURNAL_FAILED);
    assert_int_equal(journal_counts(j).records_lost, 2);
    atomic_store(&full, false);
    add(j, 2, false);
    assert_int_equal(journal_flush(j), ERR_OK);
    struct found *found = read_all();
    assert_int_equal(found->closes, 1);
    assert_int_equal(found->gap_records, 2);
    journal_close(j);
}

static void sync_says_what_is_on_the_disk_and_when_it_refused(void **state)
{
    (void)state;
    struct journal *j = open_journal(1, 0);
    assert_int_equal(journal_sync(j), ERR_OK);
    add(j, 0, false);
    assert_int_equal(journal_flush(j), ERR_OK);
    assert_true(journal_synced(j) < journal_written(j));
    struct file_faults f = {.calls = FILE_CALL_BIT(FILE_SYNC), .error = EIO, .at = 1};
    file_set_faults(&f);
    uint64_t synced = journal_synced(j);
    assert_int_equal(journal_sync(j), ERR_FILE_FAILED);
    assert_int_equal(journal_synced(j), synced);
    assert_int_equal(journal_sync(j), ERR_OK);
    assert_int_equal(journal_synced(j), journal_written(j));
    assert_int_equal(journal_sync(j), ERR_OK); /* nothing new: no call */
    assert_int_equal(atomic_load(&f.seen), 2);
    journal_close(j);
}

/* --- damage ---------------------------------------------------------------------------------- */

/* One segment with `count` records; its path, bytes and the ends of its entries. */
struct segment {
    char path[FIXTURE_PATH_MAX];
    char *bytes;
    size_t n;
    uint64_t ends[256]; /* ends[0] is the end of the head */
    unsigned count;
    struct journal_segment name;
};

static void make_segment(struct segment *s, unsigned count, unsigned bodies_every)
{
    struct journal *j = open_journal(1, 0);
    struct journal_segments all;
    s->count = count;
    s->ends[0] = journal_pos_offset(journal_written(j));
    for (unsigned i = 0; i < count; i++) {
        add(j, i, i % bodies_every == 1);
        assert_int_equal(journal_flush(j), ERR_OK);
        s->ends[i + 1] = journal_pos_offset(journal_written(j));
    }
    journal_close(j);
    assert_int_equal(journal_list(dir, &all), ERR_OK);
    s->name = all.list[0];
    assert_true(journal_path(s->path, dir, &s->name));
    journal_segments_free(&all);
    s->bytes = fixture_read(s->path, &s->n);
}

static void a_tail_cut_at_any_byte_leaves_what_was_whole(void **state)
{
    (void)state;
    struct segment s;
    make_segment(&s, 10, 5);
    /* Every byte of the records without bodies and of the ends of the others; all when scaled up. */
    for (size_t cut = 0; cut <= s.n; cut++) {
        bool inside = false;
        for (unsigned i = 0; i < s.count && !inside; i++)
            inside = cut > s.ends[i] + 400 && cut + 20 < s.ends[i + 1];
        if (inside && fixture_scale() == 1)
            continue;
        unsigned whole = 0;
        while (whole < s.count && s.ends[whole + 1] <= cut)
            whole++;
        fixture_write(s.path, s.bytes, cut);
        struct journal_recovery r;
        assert_int_equal(journal_recover(dir, &r), ERR_OK);
        struct found *f = read_all();
        assert_int_equal(f->closes, whole);
        assert_int_equal(f->damaged + f->tails + f->breaks, 0);
        assert_false(f->wrong);
        assert_int_equal(r.next_sequence[3], 2);
        uint64_t kept = cut < s.ends[0] ? 0 : s.ends[whole];
        assert_int_equal(r.cut_bytes, cut - kept);
        assert_int_equal(r.last_id, whole ? id_of(whole - 1) : 0);
    }
    mem_free(s.bytes);
}

/* Damages bytes of the segment at random and checks that exactly the records they hit are gone. */
static void damage_at(const struct segment *s, size_t at, size_t n, int how)
{
    char *copy = mem_strndup(s->bytes, s->n);
    unsigned missing = 0;
    bool changed = false;
    for (size_t i = at; i < at + n && i < s->n; i++) {
        copy[i] = (char)(how < 8 ? copy[i] ^ (1 << how) : 0);
        changed = changed || copy[i] != s->bytes[i];
    }
    for (unsigned i = 0; i < s->count; i++)
        for (size_t k = at > s->ends[i] ? at : s->ends[i]; k < at + n && k < s->ends[i + 1]; k++)
            if (copy[k] != s->bytes[k]) {
                missing++;
                break;
            }
    fixture_write(s->path, copy, s->n);
    struct found *f = read_all();
    assert_false(f->wrong);
    assert_int_equal(f->closes, s->count - missing);
    if (changed)
        assert_true(f->damaged + f->tails > 0);
    else
        assert_int_equal(f->damaged + f->tails + f->breaks, 0);
    mem_free(copy);
}

static void every_flipped_or_zeroed_byte_is_noticed_and_costs_only_its_record(void **state)
{
    (void)state;
    struct segment s;
    struct rng_seeded g = {5};
    make_segment(&s, 24, 4);
    for (unsigned i = 0; i < 1600 * fixture_scale(); i++)
        damage_at(&s, rng_seeded_below(&g, s.n), 1, (int)rng_seeded_below(&g, 9));
    for (unsigned i = 0; i < 400 * fixture_scale(); i++)
        damage_at(&s, rng_seeded_below(&g, s.n), 1 + rng_seeded_below(&g, 600), 8);
    mem_free(s.bytes);
}

/* What a power cut may leave: synced bytes as they are, of the others any sectors, and any length. */
static void make_image(const struct segment *s, uint64_t synced, struct rng_seeded *g)
{
    enum { SECTOR = 512 };
    size_t n = synced + rng_seeded_below(g, s->n - synced + 1);
    if (rng_seeded_below(g, 3) == 0)
        n = s->n;
    char *image = mem_strndup(s->bytes, n);
    for (size_t at = synced / SECTOR * SECTOR; at < n; at += SECTOR) {
        size_t from = at < synced ? synced : at, end = at + SECTOR < n ? at + SECTOR : n;
        if (from < end && rng_seeded_below(g, 4) == 0)
            memset(image + from, 0, end - from);
    }
    fixture_write(s->path, image, n);
    mem_free(image);
}

static void after_a_power_cut_everything_synced_is_there_and_nothing_is_wrong(void **state)
{
    (void)state;
    struct segment s;
    struct rng_seeded g = {29};
    make_segment(&s, 40, 8);
    for (unsigned k = 0; k < 400 * fixture_scale(); k++) {
        unsigned whole = (unsigned)rng_seeded_below(&g, s.count + 1);
        struct journal_recovery r;
        make_image(&s, s.ends[whole], &g);
        assert_int_equal(journal_recover(dir, &r), ERR_OK);
        struct found *f = read_all();
        assert_false(f->wrong);
        assert_int_equal(f->tails, 0);
        assert_true(f->closes >= whole);
        for (unsigned i = 0; i < f->closes; i++) {
            assert_true(i >= whole || f->ids[i] == id_of(i));
            assert_true(i == 0 || f->ids[i] > f->ids[i - 1]);
        }
    }
    mem_free(s.bytes);
}

static void reordered_or_repeated_entries_are_not_accepted(void **state)
{
    (void)state;
    struct segment s;
    make_segment(&s, 24, 4);
    /* The bytes of record 5 in the place of record 9: right in themselves, wrong there. */
    size_t n = s.ends[6] - s.ends[5];
    char *copy = mem_strndup(s.bytes, s.n);
    memcpy(copy + s.ends[9], s.bytes + s.ends[5], n);
    fixture_write(s.path, copy, s.n);
    struct found *f = read_all();
    assert_false(f->wrong);
    assert_true(f->closes < s.count);
    assert_true(f->damaged > 0);
    for (uint64_t i = 1; i < f->closes; i++)
        assert_true(f->ids[i] > f->ids[i - 1]);
    mem_free(copy);
    mem_free(s.bytes);
}

static void bytes_of_a_client_never_pass_for_an_entry(void **state)
{
    (void)state;
    /* A body that holds whole entries of another journal, then damage just before it. */
    static struct fixture_record f;
    struct segment s;
    make_segment(&s, 10, 4);
    fixture_remove(dir);
    assert_int_equal(file_mkdir(dir, 0700), ERR_OK);
    struct journal *j = open_journal(1, 0);
    fixture_record(&f, SEED, 0, id_of(0), false);
    f.r.bodies_kept = true;
    f.r.request_body.bytes = str_of(s.bytes, s.n);
    journal_add(j, &f.r);
    add(j, 1, false);
    assert_int_equal(journal_flush(j), ERR_OK);
    journal_close(j);
    struct journal_segments all;
    char path[JOURNAL_PATH_MAX];
    size_t n;
    assert_int_equal(journal_list(dir, &all), ERR_OK);
    assert_true(journal_path(path, dir, &all.list[0]));
    char *bytes = fixture_read(path, &n);
    bytes[JOURNAL_HEAD_BYTES + 5] ^= 1; /* the length of the first entry */
    fixture_write(path, bytes, n);
    struct found *found = read_all();
    assert_int_equal(found->closes, 1);
    assert_int_equal(found->ids[0], id_of(1));
    assert_int_equal(found->damaged, 1);
    journal_segments_free(&all);
    mem_free(bytes);
    mem_free(s.bytes);
}

static void the_greatest_id_is_known_even_from_an_empty_segment(void **state)
{
    (void)state;
    struct journal *j = open_journal(1, 0);
    for (uint64_t i = 0; i < 20; i++)
        add_open(j, i);
    assert_int_equal(journal_flush(j), ERR_OK);
    journal_close(j);
    struct journal_recovery r;
    assert_int_equal(journal_recover(dir, &r), ERR_OK);
    assert_int_equal(r.last_id, id_of(19));
    const struct journal_options o = {.dir = dir, .worker = 3, .first_sequence = 2, .last_id = r.last_id};
    assert_int_equal(journal_open(&o, &j), ERR_OK);
    journal_close(j);
    assert_int_equal(journal_recover(dir, &r), ERR_OK);
    assert_int_equal(r.last_id, id_of(19));
    assert_int_equal(r.next_sequence[3], 3);
    assert_int_equal(r.next_sequence[0], 1);
    /* Its head is gone too: the segment before it is read. */
    struct journal_segments all;
    char path[JOURNAL_PATH_MAX];
    assert_int_equal(journal_list(dir, &all), ERR_OK);
    assert_true(journal_path(path, dir, &all.list[1]));
    fixture_write(path, "", 0);
    journal_segments_free(&all);
    assert_int_equal(journal_recover(dir, &r), ERR_OK);
    assert_int_equal(r.last_id, id_of(19));
}

static void reading_may_fail_anywhere_and_be_tried_again(void **state)
{
    (void)state;
    struct journal *j = open_journal(1, 0);
    for (uint64_t i = 0; i < 500; i++)
        add(j, i, true);
    assert_int_equal(journal_flush(j), ERR_OK);
    journal_close(j);
    struct journal_segments all;
    assert_int_equal(journal_list(dir, &all), ERR_OK);
    for (uint64_t at = 1; at <= 6; at++) {
        struct journal_reader *r;
        struct journal_item item;
        unsigned entries = 0, failures = 0;
        assert_int_equal(journal_reader_open(dir, &all.list[0], &r), ERR_OK);
        struct file_faults f = {.calls = FILE_CALL_BIT(FILE_READ), .error = EIO, .at = at};
        file_set_faults(&f);
        for (;;) {
            enum err e = journal_read(r, all.list[0].size, &item);
            failures += e != ERR_OK;
            if (e != ERR_OK)
                continue;
            if (item.found == JOURNAL_END)
                break;
            assert_int_equal(item.found, JOURNAL_ENTRY);
            entries++;
        }
        file_set_faults(NULL);
        assert_int_equal(entries, 500);
        assert_int_equal(failures, at <= atomic_load(&f.seen));
        journal_reader_close(r);
    }
    journal_segments_free(&all);
}

/* --- processes and threads ------------------------------------------------------------------- */

/* Writes turns of random length and tells each acknowledged count through the pipe, until killed. */
static void write_until_killed(int out, uint64_t from, uint64_t sequence)
{
    struct rng_seeded g = {from + 1};
    struct journal *j = open_journal(sequence, 200000);
    for (uint64_t next = from;;) {
        for (uint64_t k = rng_seeded_below(&g, 6); k < 7; k++)
            add(j, next++, rng_seeded_below(&g, 4) == 0);
        if (journal_flush(j) != ERR_OK || write(out, &next, sizeof next) != sizeof next)
            _exit(1);
        if (next % 64 == 0 && journal_sync(j) != ERR_OK)
            _exit(1);
    }
}

static void fifty_kills_lose_nothing_that_was_acknowledged(void **state)
{
    (void)state;
    struct rng_seeded g = {17};
    uint64_t next = 0;
    for (unsigned round = 0; round < 50 * fixture_scale(); round++) {
        int ends[2];
        uint64_t acknowledged = next, v;
        struct journal_recovery r;
        assert_int_equal(journal_recover(dir, &r), ERR_OK);
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            close(ends[0]);
            write_until_killed(ends[1], next, r.next_sequence[3]);
        }
        close(ends[1]);
        usleep((useconds_t)(1000 + rng_seeded_below(&g, 20000)));
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        while (read(ends[0], &v, sizeof v) == sizeof v)
            acknowledged = v;
        close(ends[0]);
        assert_int_equal(journal_recover(dir, &r), ERR_OK);
        struct found *f = read_all();
        assert_false(f->wrong);
        assert_int_equal(f->damaged + f->tails + f->breaks, 0);
        assert_true(f->closes >= acknowledged - next);
        for (uint64_t i = 0; i < f->closes; i++)
            assert_int_equal(f->ids[i], id_of(next + i)); /* each once, in order, none missing */
        next += f->closes;
        fixture_remove(dir);
        assert_int_equal(file_mkdir(dir, 0700), ERR_OK);
    }
    assert_true(next > 1000);
}

static void *write_many(void *context)
{
    struct journal *j = context;
    for (uint64_t i = 0; i < 5000; i++) {
        add(j, i, false);
        if (journal_flush(j) != ERR_OK)
            return context;
    }
    return NULL;
}

static void *sync_often(void *context)
{
    struct journal *j = context;
    for (unsigned i = 0; i < 200; i++) {
        if (journal_sync(j) != ERR_OK)
            return context;
        usleep(500);
    }
    return NULL;
}

static void a_reader_and_a_syncer_run_beside_the_writer(void **state)
{
    (void)state;
    pthread_t writer, syncer;
    void *result;
    struct journal *j = open_journal(1, UINT64_C(1) << 40);
    assert_int_equal(pthread_create(&writer, NULL, write_many, j), 0);
    assert_int_equal(pthread_create(&syncer, NULL, sync_often, j), 0);
    struct journal_segments all;
    struct journal_reader *r;
    struct journal_item item;
    struct record back;
    assert_int_equal(journal_list(dir, &all), ERR_OK);
    assert_int_equal(journal_reader_open(dir, &all.list[0], &r), ERR_OK);
    for (uint64_t i = 0; i < 5000;) {
        assert_int_equal(journal_read(r, journal_pos_offset(journal_written(j)), &item), ERR_OK);
        if (item.found == JOURNAL_END)
            continue;
        assert_int_equal(item.found, JOURNAL_ENTRY);
        assert_int_equal(record_decode(item.payload, &back), ERR_OK);
        assert_int_equal(back.id, id_of(i++));
    }
    assert_int_equal(pthread_join(writer, &result), 0);
    assert_null(result);
    assert_int_equal(pthread_join(syncer, &result), 0);
    assert_null(result);
    journal_reader_close(r);
    journal_segments_free(&all);
    journal_close(j);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_make_dir, fixture_remove_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_is_flushed_is_read_back_in_order),
        CASE(nothing_is_written_before_the_flush_and_one_write_does_it),
        CASE(long_bodies_are_written_without_being_copied),
        CASE(segments_change_at_their_size_and_the_chain_goes_on),
        CASE(a_segment_that_cannot_be_made_leaves_the_old_one_in_use),
        CASE(any_write_may_fail_in_any_way),
        CASE(a_torn_write_that_cannot_be_cut_off_stops_all_writing_until_it_can),
        CASE(what_could_not_be_written_is_known_with_its_money),
        CASE(a_full_spool_refuses_and_counts),
        CASE(sync_says_what_is_on_the_disk_and_when_it_refused),
        CASE(a_tail_cut_at_any_byte_leaves_what_was_whole),
        CASE(every_flipped_or_zeroed_byte_is_noticed_and_costs_only_its_record),
        CASE(after_a_power_cut_everything_synced_is_there_and_nothing_is_wrong),
        CASE(reordered_or_repeated_entries_are_not_accepted),
        CASE(bytes_of_a_client_never_pass_for_an_entry),
        CASE(the_greatest_id_is_known_even_from_an_empty_segment),
        CASE(reading_may_fail_anywhere_and_be_tried_again),
        CASE(fifty_kills_lose_nothing_that_was_acknowledged),
        CASE(a_reader_and_a_syncer_run_beside_the_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
