/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets at rest: what opens, what does not, and master keys in all their forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rng.h"
#include "control/crypt.h"
#include "control/key_file.h"
#include "control/master_key.h"

#define KEY_A "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define KEY_B "f00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static struct crypt *crypt_with(const char *master)
{
    char why[200];
    struct master_key k = {0};
    assert_int_equal(master_key_from_text(&k, str_c(master), why, sizeof why), ERR_OK);
    struct crypt *c = crypt_new(&k);
    assert_int_equal(k.bytes.n, 0);
    return c;
}

static struct buf sealed_in(const struct crypt *c, int64_t workspace, struct crypt_place place, const char *plain)
{
    struct buf out;
    buf_init(&out, 1024);
    crypt_seal(c, workspace, place, str_c(plain), &out);
    return out;
}

/* A crypt with one data key for workspace 1 (id 10) and one for workspace 2 (id 20). */
static struct crypt *two_workspaces(struct buf wrapped[2])
{
    struct crypt *c = crypt_with(KEY_A);
    for (int i = 0; i < 2; i++) {
        buf_init(&wrapped[i], CRYPT_WRAPPED_BYTES);
        crypt_make_key(c, 10 * (i + 1), i + 1, &wrapped[i]);
        assert_int_equal(buf_size(&wrapped[i]), CRYPT_WRAPPED_BYTES);
    }
    return c;
}

static const struct crypt_place here = {"integration", 7, "sealed_key"};

static void what_was_sealed_opens_again(void **state)
{
    (void)state;
    struct buf wrapped[2], sealed;
    char why[200];
    struct secret plain = {0};
    struct crypt *c = two_workspaces(wrapped);
    sealed = sealed_in(c, 1, here, "sk-planted-secret");
    assert_int_equal(buf_size(&sealed), strlen("sk-planted-secret") + CRYPT_OVERHEAD);
    assert_null(memmem(buf_str(&sealed).p, buf_size(&sealed), "planted", 7));
    assert_int_equal(crypt_open(c, 1, here, buf_str(&sealed), &plain), ERR_OK);
    assert_true(str_eq(secret_reveal(&plain), STR("sk-planted-secret")));
    secret_wipe(&plain);

    /* In another process, with the same master key and the stored data keys. */
    struct crypt *later = crypt_with(KEY_A);
    for (int i = 0; i < 2; i++)
        assert_int_equal(crypt_add_key(later, 10 * (i + 1), i + 1, buf_str(&wrapped[i]), why, sizeof why), ERR_OK);
    assert_int_equal(crypt_open(later, 1, here, buf_str(&sealed), &plain), ERR_OK);
    assert_true(str_eq(secret_reveal(&plain), STR("sk-planted-secret")));
    secret_wipe(&plain);

    struct buf empty = sealed_in(later, 2, here, "");
    assert_int_equal(crypt_open(later, 2, here, buf_str(&empty), &plain), ERR_OK);
    assert_int_equal(plain.n, 0);
    secret_wipe(&plain);
    buf_free(&empty);
    buf_free(&sealed);
    buf_free(&wrapped[0]);
    buf_free(&wrapped[1]);
    crypt_free(c);
    crypt_free(later);
}

static void a_value_opens_only_in_its_place(void **state)
{
    (void)state;
    struct buf wrapped[2];
    struct crypt *c = two_workspaces(wrapped);
    struct buf sealed = sealed_in(c, 1, here, "sk-planted-secret");
    struct secret plain = {0};
    static const struct {
        int64_t workspace;
        struct crypt_place place;
    } rows[] = {
        {1, {"integration", 8, "sealed_key"}}, {1, {"integration", 7, "sealed_kez"}},
        {1, {"integratiom", 7, "sealed_key"}}, {2, {"integration", 7, "sealed_key"}},
        {0, {"integration", 7, "sealed_key"}}, {1, {"integrations", 7, "ealed_key"}},
        {1, {"integratio", 7, "nsealed_key"}}, {1, {"integration", -7, "sealed_key"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(crypt_open(c, rows[i].workspace, rows[i].place, buf_str(&sealed), &plain), ERR_CORRUPT);
    assert_null(plain.p);
    buf_free(&sealed);
    buf_free(&wrapped[0]);
    buf_free(&wrapped[1]);
    crypt_free(c);
}

static void every_changed_bit_and_every_cut_is_noticed(void **state)
{
    (void)state;
    struct buf wrapped[2];
    struct crypt *c = two_workspaces(wrapped);
    struct buf sealed = sealed_in(c, 1, here, "sk-planted-secret");
    struct secret plain = {0};
    for (size_t bit = 0; bit < buf_size(&sealed) * 8; bit++) {
        sealed.p[sealed.start + bit / 8] ^= (char)(1 << bit % 8);
        assert_int_equal(crypt_open(c, 1, here, buf_str(&sealed), &plain), ERR_CORRUPT);
        sealed.p[sealed.start + bit / 8] ^= (char)(1 << bit % 8);
    }
    for (size_t n = 0; n < buf_size(&sealed); n++)
        assert_int_equal(crypt_open(c, 1, here, str_head(buf_str(&sealed), n), &plain), ERR_CORRUPT);
    assert_int_equal(crypt_open(c, 1, here, buf_str(&sealed), &plain), ERR_OK);
    secret_wipe(&plain);

    char why[200];
    struct crypt *later = crypt_with(KEY_A);
    for (size_t bit = 0; bit < buf_size(&wrapped[0]) * 8; bit++) {
        wrapped[0].p[bit / 8] ^= (char)(1 << bit % 8);
        enum err e = crypt_add_key(later, 10, 1, buf_str(&wrapped[0]), why, sizeof why);
        bool in_master_id = bit / 8 >= 1 && bit / 8 < 9;
        assert_int_equal(e, in_master_id ? ERR_BAD_MASTER_KEY : ERR_CORRUPT);
        wrapped[0].p[bit / 8] ^= (char)(1 << bit % 8);
    }
    /* The data keys of two workspaces, changed for one another. */
    assert_int_equal(crypt_add_key(later, 10, 1, buf_str(&wrapped[1]), why, sizeof why), ERR_CORRUPT);
    assert_int_equal(crypt_add_key(later, 20, 1, buf_str(&wrapped[1]), why, sizeof why), ERR_CORRUPT);
    assert_int_equal(crypt_add_key(later, 20, 2, buf_str(&wrapped[1]), why, sizeof why), ERR_OK);
    buf_free(&sealed);
    buf_free(&wrapped[0]);
    buf_free(&wrapped[1]);
    crypt_free(c);
    crypt_free(later);
}

static void another_master_key_is_named(void **state)
{
    (void)state;
    struct buf wrapped[2];
    char why[200];
    struct crypt *a = two_workspaces(wrapped), *b = crypt_with(KEY_B);
    assert_string_not_equal(crypt_master_id(a), crypt_master_id(b));
    assert_int_equal(crypt_add_key(b, 10, 1, buf_str(&wrapped[0]), why, sizeof why), ERR_BAD_MASTER_KEY);
    assert_non_null(strstr(why, crypt_master_id(a)));
    assert_non_null(strstr(why, crypt_master_id(b)));
    buf_free(&wrapped[0]);
    buf_free(&wrapped[1]);
    crypt_free(a);
    crypt_free(b);
}

static void keys_of_a_change_that_failed_are_forgotten(void **state)
{
    (void)state;
    struct buf wrapped[2], again;
    struct crypt *c = two_workspaces(wrapped);
    buf_init(&again, CRYPT_WRAPPED_BYTES);
    crypt_forget_from(c, 20);
    assert_true(crypt_has_key(c, 1));
    assert_false(crypt_has_key(c, 2));
    crypt_make_key(c, 20, 2, &again); /* the same id, as the database would give it again */
    assert_true(crypt_has_key(c, 2));
    buf_free(&again);
    buf_free(&wrapped[0]);
    buf_free(&wrapped[1]);
    crypt_free(c);
}

static int by_nonce(const void *a, const void *b)
{
    return memcmp(a, b, 12);
}

static void a_million_seals_repeat_no_nonce(void **state)
{
    (void)state;
    enum { COUNT = 1000000 };
    struct buf wrapped[2], out;
    struct crypt *c = two_workspaces(wrapped);
    unsigned char(*nonces)[12] = malloc(COUNT * sizeof *nonces);
    assert_non_null(nonces);
    buf_init(&out, 1024);
    for (int i = 0; i < COUNT; i++) {
        buf_reset(&out);
        crypt_seal(c, 1, here, STR("x"), &out);
        memcpy(nonces[i], buf_str(&out).p + 9, sizeof nonces[i]);
    }
    qsort(nonces, COUNT, sizeof *nonces, by_nonce);
    for (int i = 1; i < COUNT; i++)
        assert_memory_not_equal(nonces[i - 1], nonces[i], sizeof nonces[i]);
    free(nonces);
    buf_free(&out);
    buf_free(&wrapped[0]);
    buf_free(&wrapped[1]);
    crypt_free(c);
}

/* RFC 5869 gives vectors for other inputs only; these pin our use of it, so that stored data stays readable. */
static void derived_values_never_change(void **state)
{
    (void)state;
    struct master_key k = {0};
    char why[200];
    assert_int_equal(master_key_from_text(&k, STR(KEY_A), why, sizeof why), ERR_OK);
    assert_string_equal(k.id, "mk-ec129dc3c3fbc65a");
    master_key_wipe(&k);
}

static void master_keys_are_32_random_bytes_or_refused(void **state)
{
    (void)state;
    static const char *const good[] = {
        KEY_A,
        "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
    };
    static const char *const bad[] = {
        "",
        " ",
        "password",
        "correct horse battery staple correct horse battery staple 1234567",
        "0001020304050607",
        KEY_A "00",
        " " KEY_A,
        KEY_A "\n",
        "0x" KEY_A,
        "0000000000000000000000000000000000000000000000000000000000000000",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "0123456701234567012345670123456701234567012345670123456701234567",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==",
    };
    char why[200], first[MASTER_KEY_ID_MAX] = "";
    struct master_key k = {0};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(master_key_from_text(&k, str_c(good[i]), why, sizeof why), ERR_OK);
        if (i == 0)
            memcpy(first, k.id, sizeof first);
        assert_string_equal(k.id, first); /* four spellings of one key */
        master_key_wipe(&k);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (master_key_from_text(&k, str_c(bad[i]), why, sizeof why) != ERR_BAD_MASTER_KEY)
            fail_msg("'%s' was taken", bad[i]);
        assert_true(bad[i][0] == '\0' || bad[i][0] == ' ' || !strstr(why, bad[i]));
        assert_null(k.bytes.p);
    }
}

static char dir[] = "/tmp/tg-test-crypt-XXXXXX";

static void path_in_dir(char out[128], const char *name)
{
    snprintf(out, 128, "%s/%s", dir, name);
}

static void put_file(const char *name, const char *text, mode_t mode)
{
    char path[128];
    path_in_dir(path, name);
    unlink(path);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    assert_int_equal(chmod(path, mode), 0);
}

static void master_key_files_are_read_and_made(void **state)
{
    (void)state;
    char path[128], why[300], id[MASTER_KEY_ID_MAX];
    struct master_key k = {0};
    struct stat st;
    assert_int_equal(master_key_from_own_file(&k, dir, "m.key", false, why, sizeof why), ERR_NOT_FOUND);
    assert_int_equal(master_key_from_own_file(&k, dir, "m.key", true, why, sizeof why), ERR_OK);
    memcpy(id, k.id, sizeof id);
    master_key_wipe(&k);
    path_in_dir(path, "m.key");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_size, 65);
    assert_int_equal(master_key_from_own_file(&k, dir, "m.key", true, why, sizeof why), ERR_OK);
    assert_string_equal(k.id, id);
    master_key_wipe(&k);

    /* Readable by others: ours is refused, a mounted one is not. */
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(master_key_from_own_file(&k, dir, "m.key", true, why, sizeof why), ERR_FILE_FAILED);
    assert_non_null(strstr(why, "m.key"));
    assert_int_equal(master_key_from_file(&k, path, why, sizeof why), ERR_OK);
    assert_string_equal(k.id, id);
    master_key_wipe(&k);

    put_file("bad.key", "not a key\n", 0600);
    path_in_dir(path, "bad.key");
    assert_int_equal(master_key_from_file(&k, path, why, sizeof why), ERR_BAD_MASTER_KEY);
    assert_non_null(strstr(why, path));
    put_file("crlf.key", KEY_A "\r\n", 0600);
    path_in_dir(path, "crlf.key");
    assert_int_equal(master_key_from_file(&k, path, why, sizeof why), ERR_OK);
    master_key_wipe(&k);
    put_file("two.key", KEY_A "\n\n", 0600);
    path_in_dir(path, "two.key");
    assert_int_equal(master_key_from_file(&k, path, why, sizeof why), ERR_BAD_MASTER_KEY);
    path_in_dir(path, "absent.key");
    assert_int_equal(master_key_from_file(&k, path, why, sizeof why), ERR_FILE_FAILED);
    assert_int_equal(master_key_from_file(&k, dir, why, sizeof why), ERR_FILE_FAILED);
    assert_int_equal(master_key_from_file(&k, "/dev/zero", why, sizeof why), ERR_FILE_FAILED);
}

static void key_files_are_bounded_and_replaced_whole(void **state)
{
    (void)state;
    char path[128], why[300], big[KEY_FILE_MAX + 3];
    struct secret text = {0};
    struct stat st;
    path_in_dir(path, "one.key");
    put_file("one.key.new", "left over by a crash", 0666);
    assert_int_equal(key_file_make(dir, "one.key", STR("first"), why, sizeof why), ERR_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(key_file_make(dir, "one.key", STR("second"), why, sizeof why), ERR_OK);
    assert_int_equal(key_file_read(path, true, &text, why, sizeof why), ERR_OK);
    assert_true(str_eq(secret_reveal(&text), STR("second")));
    assert_int_equal(key_file_remove(dir, "one.key", why, sizeof why), ERR_OK);
    assert_int_equal(key_file_remove(dir, "one.key", why, sizeof why), ERR_OK);
    assert_int_equal(key_file_read(path, true, &text, why, sizeof why), ERR_NOT_FOUND);
    assert_true(str_eq(secret_reveal(&text), STR("second"))); /* untouched */
    secret_wipe(&text);
    memset(big, 'x', sizeof big);
    big[KEY_FILE_MAX + 1] = '\0';
    put_file("big.key", big, 0600);
    path_in_dir(path, "big.key");
    assert_int_equal(key_file_read(path, true, &text, why, sizeof why), ERR_FILE_FAILED);
    assert_int_equal(key_file_make("/nonexistent", "one.key", STR("x"), why, sizeof why), ERR_FILE_FAILED);
}

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    char command[160];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_sealed_opens_again),
        cmocka_unit_test(a_value_opens_only_in_its_place),
        cmocka_unit_test(every_changed_bit_and_every_cut_is_noticed),
        cmocka_unit_test(another_master_key_is_named),
        cmocka_unit_test(keys_of_a_change_that_failed_are_forgotten),
        cmocka_unit_test(a_million_seals_repeat_no_nonce),
        cmocka_unit_test(derived_values_never_change),
        cmocka_unit_test(master_keys_are_32_random_bytes_or_refused),
        cmocka_unit_test(master_key_files_are_read_and_made),
        cmocka_unit_test(key_files_are_bounded_and_replaced_whole),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
