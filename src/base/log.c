/* SPDX-License-Identifier: Apache-2.0 */
/* Structured lines to one descriptor; each line is one write(2), so lines of threads do not mix. */
#include "base/log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

#define LINE_MAX_BYTES 4096

static _Atomic int threshold = LOG_INFO;
static _Atomic int log_fd = STDERR_FILENO;
static const char *const names[] = {"debug", "info", "warn", "error", "off"};

void log_set_level(enum log_level level)
{
    threshold = (int)level;
}

void log_set_fd(int fd)
{
    log_fd = fd;
}

bool log_level_from(struct str name, enum log_level *ret_level)
{
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (str_eq(name, str_c(names[i]))) {
            *ret_level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

bool log_enabled(enum log_level level)
{
    return (int)level >= threshold;
}

struct line {
    char text[LINE_MAX_BYTES];
    size_t n;
};

static void put(struct line *l, const char *p, size_t n)
{
    size_t room = sizeof l->text - 1 - l->n;
    if (n > room)
        n = room;
    memcpy(l->text + l->n, p, n);
    l->n += n;
}

static bool plain(unsigned char c)
{
    return c > ' ' && c != '"' && c != '=' && c != '\\' && c != 0x7f;
}

static void put_value(struct line *l, struct str v)
{
    size_t i = 0;
    while (i < v.n && plain((unsigned char)v.p[i]))
        i++;
    if (v.n && i == v.n) {
        put(l, v.p, v.n);
        return;
    }
    put(l, "\"", 1);
    for (i = 0; i < v.n; i++) {
        unsigned char c = (unsigned char)v.p[i];
        char escaped[8];
        if (c == '"' || c == '\\')
            put(l, escaped, (size_t)snprintf(escaped, sizeof escaped, "\\%c", c));
        else if (c < ' ' || c == 0x7f)
            put(l, escaped, (size_t)snprintf(escaped, sizeof escaped, "\\x%02x", c));
        else
            put(l, v.p + i, 1);
    }
    put(l, "\"", 1);
}

void log_event(enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
    struct line l = {.n = 0};
    char time_text[CLOCK_TEXT_MAX];
    put(&l, time_text, clock_format(clock_wall_us(), 1, time_text));
    put(&l, " ", 1);
    put(&l, names[level], strlen(names[level]));
    put(&l, " ", 1);
    put(&l, event, strlen(event));
    for (size_t i = 0; i < count; i++) {
        char number[24];
        put(&l, " ", 1);
        put(&l, fields[i].key, strlen(fields[i].key));
        put(&l, "=", 1);
        if (fields[i].text.p)
            put_value(&l, fields[i].text);
        else
            put(&l, number, (size_t)snprintf(number, sizeof number, "%lld", (long long)fields[i].number));
    }
    l.text[l.n++] = '\n';
    if (write(log_fd, l.text, l.n) < 0)
        return; /* a log that cannot be written must not stop the program */
}
