/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines and fields of the catalogue files. Everything is bounded: the text, a line, the fields of a
 * line. Bytes below space are refused (a file with them was damaged or is no catalogue at all).
 */
#include "openai/price_csv.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/must.h"

void price_csv_init(struct price_csv *c, const char *file, char *text, size_t n, struct price_fault *fault)
{
    c->p = text;
    c->end = text + n;
    c->line = 0;
    c->fault = fault;
    fault->file = file;
    fault->line = 0;
    fault->reason[0] = '\0';
}

bool price_csv_fail(struct price_csv *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(c->fault->reason, sizeof c->fault->reason, format, args);
    va_end(args);
    c->fault->line = c->line;
    /* A file's bytes are quoted in the reason; they must not reach a terminal or a log raw. */
    for (char *z = c->fault->reason; *z; z++)
        if ((unsigned char)*z < ' ' || (unsigned char)*z >= 0x7f)
            *z = '?';
    return false;
}

/* Cuts the next line off; false at the end of the text. */
static bool next_line(struct price_csv *c, char **ret_line, size_t *ret_n)
{
    if (c->p >= c->end)
        return false;
    size_t left = (size_t)(c->end - c->p);
    char *newline = memchr(c->p, '\n', left);
    size_t n = newline ? (size_t)(newline - c->p) : left;
    *ret_line = c->p;
    c->p += newline ? n + 1 : n;
    c->line++;
    if (n && (*ret_line)[n - 1] == '\r')
        n--;
    *ret_n = n;
    return true;
}

static bool check_line(struct price_csv *c, const char *line, size_t n)
{
    if (n > PRICE_CSV_LINE_MAX)
        return price_csv_fail(c, "the line is longer than %d bytes", PRICE_CSV_LINE_MAX);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            return price_csv_fail(c, "byte %zu is a control character", i + 1);
    return true;
}

/* Reads a quoted field that begins behind its opening quote; *at moves behind the closing one. */
static bool quoted(struct price_csv *c, char *line, size_t n, size_t *at, struct str *ret_field)
{
    size_t in = *at, out = *at;
    for (; in < n; in++) {
        if (line[in] == '"') {
            if (in + 1 >= n || line[in + 1] != '"')
                break;
            in++;
        }
        line[out++] = line[in];
    }
    if (in >= n)
        return price_csv_fail(c, "a quoted field is not closed");
    *ret_field = str_of(line + *at, out - *at);
    *at = in + 1;
    if (*at < n && line[*at] != ',')
        return price_csv_fail(c, "a quoted field is followed by something else than a comma");
    return true;
}

/* Splits into at most PRICE_CSV_FIELDS_MAX fields; 0 on a fault. */
static unsigned split(struct price_csv *c, char *line, size_t n, struct str *fields)
{
    unsigned count = 0;
    size_t at = 0;
    for (;;) {
        if (count == PRICE_CSV_FIELDS_MAX) {
            price_csv_fail(c, "more than %d fields", PRICE_CSV_FIELDS_MAX);
            return 0;
        }
        if (at < n && line[at] == '"') {
            at++;
            if (!quoted(c, line, n, &at, &fields[count]))
                return 0;
        } else {
            const char *comma = memchr(line + at, ',', n - at);
            size_t size = comma ? (size_t)(comma - (line + at)) : n - at;
            fields[count] = str_of(line + at, size);
            if (memchr(line + at, '"', size)) {
                price_csv_fail(c, "field %u has a quote inside but does not begin with one", count + 1);
                return 0;
            }
            at += size;
        }
        count++;
        if (at >= n)
            return count;
        at++;
    }
}

int price_csv_next(struct price_csv *c, struct str *ret_fields, unsigned count)
{
    char *line;
    size_t n;
    must(count <= PRICE_CSV_FIELDS_MAX);
    while (next_line(c, &line, &n)) {
        if (!check_line(c, line, n))
            return -1;
        if (n == 0 || line[0] == '#')
            continue;
        struct str fields[PRICE_CSV_FIELDS_MAX];
        unsigned found = split(c, line, n, fields);
        if (!found)
            return -1;
        if (found != count) {
            price_csv_fail(c, "the line has %u fields, not %u", found, count);
            return -1;
        }
        memcpy(ret_fields, fields, count * sizeof *fields);
        return 1;
    }
    return 0;
}

bool price_csv_header(struct price_csv *c, const char *columns)
{
    char *line;
    size_t n;
    while (next_line(c, &line, &n)) {
        if (!check_line(c, line, n))
            return false;
        if (n == 0 || line[0] == '#')
            continue;
        if (str_eq(str_of(line, n), str_c(columns)))
            return true;
        return price_csv_fail(c, "the column names are not '%s'", columns);
    }
    return price_csv_fail(c, "the column names are missing");
}

/* "2026-11-22.01" as 2026112201. */
static bool version_number(struct str text, uint32_t *ret_version)
{
    uint64_t serial;
    int64_t day_us;
    struct str day = str_head(text, 10), rest = str_from(text, 10);
    if (day.n != 10 || !clock_parse(day, &day_us) || rest.n < 2 || rest.n > 3 || rest.p[0] != '.')
        return false;
    if (!str_to_u64(str_from(rest, 1), &serial))
        return false;
    struct clock_utc t = clock_utc_of(day_us);
    if (t.year < 2000 || t.year > 2099)
        return false;
    *ret_version = (uint32_t)(t.year * 1000000 + t.month * 10000 + t.day * 100) + (uint32_t)serial;
    return true;
}

bool price_csv_version(struct price_csv *c, const char *what, bool required, uint32_t *ret_version)
{
    char begin[40];
    int begin_n = snprintf(begin, sizeof begin, "# tollgate %s ", what);
    must(begin_n > 0 && (size_t)begin_n < sizeof begin);
    struct price_csv ahead = *c;
    char *line;
    size_t n;
    *ret_version = 0;
    if (next_line(&ahead, &line, &n) && str_starts(str_of(line, n), str_of(begin, (size_t)begin_n))) {
        *c = ahead;
        struct str text = str_of(line + begin_n, n - (size_t)begin_n);
        if (!version_number(text, ret_version))
            return price_csv_fail(c, "the version '%.*s' is not of the form 2026-11-22.01",
                                  STR_ARG(str_head(text, 40)));
        return true;
    }
    if (!required)
        return true;
    c->line = 1;
    return price_csv_fail(c, "the first line is not '%s<date>.<serial>'", begin);
}
