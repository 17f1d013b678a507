/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forms in passing. The body is treated as if CR LF stood before it, so that the first boundary
 * looks like all others. Outside part headers the only question is where the next delimiter is;
 * a delimiter begins with the only CR in it, so after a mismatch matching can start afresh at the
 * byte that mismatched.
 */
#include "openai/multipart.h"

#include "base/must.h"

enum { PREAMBLE, AFTER_DELIMITER, HEADER, CONTENT, END };

#define FIELDS_MAX 64

/* Reads parameter `name` of a header value: token or quoted string; false when absent. */
static bool parameter(struct str value, struct str name, struct str *ret)
{
    struct str part;
    (void)str_split(&value, ';', &part);
    while (str_split(&value, ';', &part)) {
        part = str_trim(part);
        if (part.n <= name.n || !str_starts_nocase(part, name) || part.p[name.n] != '=')
            continue;
        struct str v = str_trim(str_from(part, name.n + 1));
        if (v.n >= 2 && v.p[0] == '"' && v.p[v.n - 1] == '"')
            v = str_of(v.p + 1, v.n - 2);
        *ret = v;
        return true;
    }
    return false;
}

void multipart_init(struct multipart *m, struct str content_type, multipart_field_fn *field, void *arg)
{
    struct str boundary;
    *m = (struct multipart){.field = field, .arg = arg};
    if (!str_starts_nocase(content_type, STR("multipart/form-data")) ||
        !parameter(content_type, STR("boundary"), &boundary) || !boundary.n || boundary.n > MULTIPART_BOUNDARY_MAX)
        return;
    memcpy(m->delimiter, "\r\n--", 4);
    memcpy(m->delimiter + 4, boundary.p, boundary.n);
    m->delimiter_n = boundary.n + 4;
    m->matched = 2;
}

static void header_line(struct multipart *m)
{
    struct str line = str_of(m->line, m->line_n), v;
    if (!str_starts_nocase(line, STR("content-disposition:")))
        return;
    m->is_file = parameter(line, STR("filename"), &v) || parameter(line, STR("filename*"), &v);
    if (parameter(line, STR("name"), &v))
        str_copy(m->name, sizeof m->name, v);
}

static void value_add(struct multipart *m, const char *p, size_t n)
{
    if (m->is_file || m->too_long)
        return;
    if (n > sizeof m->value - m->value_n) {
        m->too_long = true;
        return;
    }
    memcpy(m->value + m->value_n, p, n);
    m->value_n += n;
}

static void part_end(struct multipart *m)
{
    if (m->state == CONTENT && !m->is_file && !m->too_long && m->name[0] && m->fields < FIELDS_MAX) {
        m->fields++;
        m->field(m->arg, str_c(m->name), str_of(m->value, m->value_n));
    }
    m->state = AFTER_DELIMITER;
    m->line_n = 0;
}

/* Content: skips to the next CR quickly, then matches the delimiter byte by byte. */
static size_t content_bytes(struct multipart *m, struct str bytes)
{
    if (m->matched == 0) {
        const char *cr = memchr(bytes.p, '\r', bytes.n);
        size_t plain = cr ? (size_t)(cr - bytes.p) : bytes.n;
        if (plain) {
            if (m->state == CONTENT)
                value_add(m, bytes.p, plain);
            return plain;
        }
    }
    if (bytes.p[0] == m->delimiter[m->matched]) {
        if (++m->matched == m->delimiter_n) {
            m->matched = 0;
            part_end(m);
        }
        return 1;
    }
    if (m->matched == 0) { /* cannot be: the delimiter begins with the CR that was found */
        value_add(m, bytes.p, 1);
        return 1;
    }
    if (m->state == CONTENT)
        value_add(m, m->delimiter, m->matched);
    m->matched = 0;
    return 0;
}

static void line_byte(struct multipart *m, char c)
{
    if (c != '\n') {
        if (m->line_n < sizeof m->line)
            m->line[m->line_n++] = c;
        return;
    }
    if (m->line_n && m->line[m->line_n - 1] == '\r')
        m->line_n--;
    if (m->state == AFTER_DELIMITER) {
        bool last = m->line_n >= 2 && m->line[0] == '-' && m->line[1] == '-';
        m->state = last ? END : HEADER;
        m->name[0] = '\0';
        m->is_file = m->too_long = false;
        m->value_n = 0;
    } else if (m->line_n == 0) {
        m->state = CONTENT;
        m->matched = 0;
    } else {
        header_line(m);
    }
    m->line_n = 0;
}

void multipart_feed(struct multipart *m, struct str bytes)
{
    if (!m->delimiter_n)
        return;
    while (bytes.n && m->state != END) {
        size_t used = 1;
        if (m->state == AFTER_DELIMITER || m->state == HEADER) {
            /* "--" right behind the last delimiter may not be followed by a line end. */
            line_byte(m, bytes.p[0]);
            if (m->state == AFTER_DELIMITER && m->line_n == 2 && m->line[0] == '-' && m->line[1] == '-')
                m->state = END;
        } else {
            used = content_bytes(m, bytes);
        }
        bytes = str_from(bytes, used);
    }
}
