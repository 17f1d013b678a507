/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tollgate export focus: a month as a FOCUS file, and its description beside it. The server is asked day by day, for so
 * many rows at a time, so neither side ever holds more than such a part. The file has its name only when
 * it is whole.
 */
#include <fcntl.h>
#include <stdio.h>
#include <zstd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/must.h"
#include "cli/api.h"

#define PART_ROWS 20000
#define PATH_MAX_BYTES 4096
#define METADATA "focus-metadata.json"
#define DAY_US (INT64_C(86400) * 1000000)
#define LEVEL 6

#define X(name, kind, fallback, env, min, max, metavar, text) \
    {name, OPTION_##kind, fallback, env, min, max, metavar, text},
static const struct option options[] = {
    {"month", OPTION_TEXT, NULL, NULL, 0, 0, "YYYY-MM", "Which month. Required."},
    {"output", OPTION_TEXT, NULL, NULL, 0, 0, "FILE",
     "Where to. Required. " METADATA " is written into the same folder; '-' prints the rows alone."},
    {"version", OPTION_TEXT, "1.3", NULL, 0, 0, "V", "Of the specification: 1.2, 1.3 or 1.4."},
    {"ledger", OPTION_TEXT, "billed", NULL, 0, 0, "L",
     "billed: what is on the bill. metered: what the gateway counted; never in one dataset with the former."},
    {"filter", OPTION_TEXT, NULL, NULL, 0, 0, "VQL", "Only these costs; docs/COST_QUERIES.md."},
    {"zstd", OPTION_FLAG, NULL, NULL, 0, 0, NULL, "Compress with Zstandard."},
    API_OPTIONS(X)};
#undef X

/* The file that is being written. */
struct writing {
    const struct command *command;
    char path[PATH_MAX_BYTES], part[PATH_MAX_BYTES + 8];
    int fd; /* -1: to stdout */
    uint64_t size, rows;
    ZSTD_CCtx *zip; /* NULL: plain */
    bool quoted;    /* within a cell in quotes */
};

static int failed(const struct writing *w)
{
    fprintf(stderr, "tollgate %s: cannot write %s: %s\n", w->command->name, w->part, file_failure());
    return EXIT_FAILED;
}

static enum err put(struct writing *w, const void *bytes, size_t n)
{
    enum err e = ERR_OK;
    if (n && w->fd < 0)
        e = fwrite(bytes, 1, n, stdout) == n ? ERR_OK : ERR_FILE_FAILED;
    else if (n)
        e = file_write_at(w->fd, bytes, n, w->size);
    w->size += e == ERR_OK ? n : 0;
    return e;
}

/* Adds bytes, compressed where wanted; `last` ends the stream. */
static enum err add(struct writing *w, struct str bytes, bool last)
{
    static char out[1 << 16];
    ZSTD_inBuffer in = {bytes.p, bytes.n, 0};
    enum err e = ERR_OK;
    size_t left = 1;
    for (size_t i = 0; i < bytes.n; i++) {
        w->quoted ^= bytes.p[i] == '"';
        w->rows += bytes.p[i] == '\n' && !w->quoted;
    }
    if (!w->zip)
        return put(w, bytes.p, bytes.n);
    while (e == ERR_OK && (last ? left != 0 : in.pos < in.size)) {
        ZSTD_outBuffer to = {out, sizeof out, 0};
        left = ZSTD_compressStream2(w->zip, &to, &in, last ? ZSTD_e_end : ZSTD_e_continue);
        must(!ZSTD_isError(left));
        e = put(w, out, to.pos);
    }
    return e;
}

/* --- asking ---------------------------------------------------------------------------------- */

static void add_day(struct buf *path, const char *name, int64_t us)
{
    char text[CLOCK_TEXT_MAX];
    clock_format(us, 0, text);
    api_add_param(path, name, str_of(text, 10));
}

/* One part of a day; *ret_more tells whether there is another. */
static int ask(struct writing *w, const struct option_value *values, int64_t day_us, uint64_t skip, bool names,
               bool *ret_more)
{
    static const char *const given[] = {"version", "ledger", "filter"};
    struct api_answer answer;
    struct buf path;
    char number[24];
    buf_init(&path, API_TEXT_MAX);
    bool ok = buf_add_str(&path, STR("/tollgate/v1/focus"));
    must(ok);
    add_day(&path, "since", day_us);
    add_day(&path, "until", day_us + DAY_US);
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++)
        api_add_param(&path, given[i], option_get(w->command, values, given[i])->text);
    api_add_param(&path, "limit", str_of(number, (size_t)snprintf(number, sizeof number, "%d", PART_ROWS)));
    api_add_param(&path, "skip",
                  str_of(number, (size_t)snprintf(number, sizeof number, "%llu", (unsigned long long)skip)));
    api_add_param(&path, "names", names ? STR("true") : STR("false"));
    int status = api_call(w->command, values, "GET", buf_str(&path), STR(""), &answer);
    if (status == EXIT_DONE) {
        enum err e = add(w, buf_str(&answer.body), false);
        *ret_more = answer.status == 206;
        status = e == ERR_OK ? EXIT_DONE : failed(w);
    }
    api_answer_free(&answer);
    buf_free(&path);
    return status;
}

static int ask_days(struct writing *w, const struct option_value *values, int64_t from_us, int64_t until_us)
{
    int status = EXIT_DONE;
    bool names = true;
    for (int64_t day = from_us; status == EXIT_DONE && day < until_us; day += DAY_US) {
        bool more = true;
        for (uint64_t skip = 0; status == EXIT_DONE && more; skip += PART_ROWS) {
            status = ask(w, values, day, skip, names, &more);
            names = false;
        }
    }
    return status;
}

/* --- files ----------------------------------------------------------------------------------- */

static int write_metadata(struct writing *w, const struct option_value *values)
{
    struct api_answer answer;
    struct buf path;
    char name[PATH_MAX_BYTES + sizeof METADATA];
    const char *slash = strrchr(w->path, '/');
    int fd = -1;
    snprintf(name, sizeof name, "%.*s%s", slash ? (int)(slash - w->path) + 1 : 0, w->path, METADATA);
    buf_init(&path, API_TEXT_MAX);
    bool ok = buf_add_str(&path, STR("/tollgate/v1/focus/metadata"));
    must(ok);
    api_add_param(&path, "version", option_get(w->command, values, "version")->text);
    api_add_param(&path, "ledger", option_get(w->command, values, "ledger")->text);
    int status = api_call(w->command, values, "GET", buf_str(&path), STR(""), &answer);
    if (status == EXIT_DONE) {
        enum err e = file_open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644, &fd);
        if (e == ERR_OK)
            e = file_write_at(fd, buf_str(&answer.body).p, buf_size(&answer.body), 0);
        file_close(fd);
        str_copy(w->part, sizeof w->part, str_c(name));
        status = e == ERR_OK ? EXIT_DONE : failed(w);
    }
    api_answer_free(&answer);
    buf_free(&path);
    return status;
}

static int finish(struct writing *w)
{
    enum err e = w->zip ? add(w, STR(""), true) : ERR_OK;
    if (w->fd < 0)
        return e == ERR_OK && fflush(stdout) == 0 ? EXIT_DONE : failed(w);
    if (e == ERR_OK)
        e = file_sync(w->fd);
    if (e == ERR_OK)
        e = file_rename(w->part, w->path);
    return e == ERR_OK ? EXIT_DONE : failed(w);
}

static int write_month(struct writing *w, const struct option_value *values, int64_t from_us, int64_t until_us)
{
    bool print = strcmp(w->path, "-") == 0;
    enum err e = print ? ERR_OK : file_open(w->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644, &w->fd);
    if (e != ERR_OK)
        return failed(w);
    if (option_get(w->command, values, "zstd")->given) {
        w->zip = ZSTD_createCCtx();
        must(w->zip != NULL);
        ZSTD_CCtx_setParameter(w->zip, ZSTD_c_compressionLevel, LEVEL);
        ZSTD_CCtx_setParameter(w->zip, ZSTD_c_checksumFlag, 1);
    }
    int status = ask_days(w, values, from_us, until_us);
    if (status == EXIT_DONE)
        status = finish(w);
    ZSTD_freeCCtx(w->zip);
    if (print)
        return status;
    file_close(w->fd);
    if (status != EXIT_DONE)
        (void)!file_unlink(w->part);
    return status == EXIT_DONE ? write_metadata(w, values) : status;
}

/* --- the command ----------------------------------------------------------------------------- */

/* "2026-03", as the times it goes from and to; not beyond tomorrow. */
static bool read_month(struct str text, int64_t *ret_from_us, int64_t *ret_until_us)
{
    char day[16];
    int64_t tomorrow_us = clock_wall_us() / DAY_US * DAY_US + DAY_US;
    if (text.n != 7)
        return false;
    snprintf(day, sizeof day, "%.7s-01", text.p);
    if (!clock_parse(str_c(day), ret_from_us))
        return false;
    struct clock_utc t = clock_utc_of(*ret_from_us);
    t.month = t.month % 12 + 1;
    t.year += t.month == 1;
    *ret_until_us = clock_wall_of(t);
    if (*ret_until_us > tomorrow_us)
        *ret_until_us = tomorrow_us > *ret_from_us ? tomorrow_us : *ret_from_us + DAY_US;
    return true;
}

static int run(const struct command *self, struct option_value *values, int operand_count, char **operands)
{
    struct str month = option_get(self, values, "month")->text, output = option_get(self, values, "output")->text;
    struct writing w = {.command = self, .fd = -1};
    int64_t from_us, until_us;
    (void)operand_count;
    (void)operands;
    if (!read_month(month, &from_us, &until_us) || !output.n || output.n >= sizeof w.path) {
        fprintf(stderr, "tollgate %s: %s\n", self->name,
                output.n ? "--month takes a month, such as 2026-03" : "--output names the file");
        return EXIT_USAGE;
    }
    bool print = str_eq(output, STR("-"));
    str_copy(w.path, sizeof w.path, output);
    snprintf(w.part, sizeof w.part, "%s%s", print ? "stdout" : w.path, print ? "" : ".part");
    int status = write_month(&w, values, from_us, until_us);
    if (status == EXIT_DONE && !print)
        printf("%s: %llu rows, %llu bytes\n", w.path, (unsigned long long)(w.rows ? w.rows - 1 : 0),
               (unsigned long long)w.size);
    if (status == EXIT_DONE && w.rows <= 1)
        fprintf(stderr,
                "tollgate %s: no costs of this month are here; 'tollgate import status' shows which bills are\n",
                self->name);
    return status;
}

const struct command command_export_focus = {
    "export focus", "", "Write a month of costs as a FOCUS file.", options, sizeof options / sizeof options[0], run};
