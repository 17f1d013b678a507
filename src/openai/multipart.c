/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forms in passing. The body is treated as if CR LF stood before it, so that the first boundary
 * looks like all others. Outside part headers the only question is where the next delimiter is;
 * a delimiter begins with the only CR in it, so after a mismatch matching can start afresh at the
 * byte that mismatched. Behind the boundary only white space may stand before the line's end, or "--"
 * (RFC 2046 5.1.1); otherwise it was content that happened to begin like a delimiter.
 */
#include "openai/multipart.h"

#include "base/must.h"

enum { PREAMBLE, AFTER_DELIMITER, HEADER, CONTENT, END };

#define FIELDS_MAX 64

enum found { ABSENT, FOUND, DOUBTFUL };

static struct str skip_space(struct str s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
        s = str_from(s, 1);
    return s;
}

/* Takes a quoted string, without its quotes, from the front; false when it has no end. */
static bool take_quoted(struct str *rest, struct str *ret)
{
    for (size_t i = 1; i < rest->n; i++) {
        if (rest->p[i] == '\\') {
            i++;
        } else if (rest->p[i] == '"') {
            *ret = str_of(rest->p + 1, i - 1);
            *rest = skip_space(str_from(*rest, i + 1));
            return true;
        }
    }
    return false;
}

/* Takes "; name=value" from the front of *rest; false when that is not what stands there. */
static bool take_parameter(struct str *rest, struct str *ret_name, struct str *ret_value)
{
    size_t n = 0;
    *rest = skip_space(str_from(*rest, 1));
    while (n < rest->n && rest->p[n] != '=' && rest->p[n] != ';')
        n++;
    *ret_name = str_trim(str_head(*rest, n));
    *ret_value = str_of("", 0);
    *rest = str_from(*rest, n);
    if (!rest->n || rest->p[0] == ';')
        return ret_name->n == 0; /* an empty parameter, as some leave at the end */
    *rest = skip_space(str_from(*rest, 1));
    if (rest->n && rest->p[0] == '"')
        return take_quoted(rest, ret_value) && (!rest->n || rest->p[0] == ';');
    n = 0;
    while (n < rest->n && rest->p[n] != ';')
        n++;
    *ret_value = str_trim(str_head(*rest, n));
    *rest = str_from(*rest, n);
    return ret_value->n && str_find(*ret_value, '"') < 0 && str_find(*ret_value, ' ') < 0;
}

/* Reads parameter `name` of a header value: token or quoted string. */
static enum found parameter(struct str value, struct str name, struct str *ret)
{
    enum found found = ABSENT;
    ptrdiff_t at = str_find(value, ';');
    struct str rest = at < 0 ? str_of("", 0) : str_from(value, (size_t)at), one_name, one_value;
    while (rest.n) {
        if (!take_parameter(&rest, &one_name, &one_value))
            return DOUBTFUL;
        if (!one_name.n || !str_eq_nocase(one_name, name))
            continue;
        if (found != ABSENT)
            return DOUBTFUL;
        found = FOUND;
        *ret = one_value;
    }
    return found;
}

void multipart_init(struct multipart *m, struct str content_type, multipart_field_fn *field, void *arg)
{
    struct str boundary;
    *m = (struct multipart){.field = field, .arg = arg};
    if (!str_starts_nocase(content_type, STR("multipart/form-data")) ||
        parameter(content_type, STR("boundary"), &boundary) != FOUND || !boundary.n ||
        boundary.n > MULTIPART_BOUNDARY_MAX || str_find(boundary, '\\') >= 0 || str_find(boundary, '\r') >= 0)
        return;
    memcpy(m->delimiter, "\r\n--", 4);
    memcpy(m->delimiter + 4, boundary.p, boundary.n);
    m->delimiter_n = boundary.n + 4;
    m->matched = 2;
}

/* The part's name, from its Content-Disposition. Files are skipped, and so is what is doubtful. */
static void read_name(struct multipart *m, struct str line)
{
    struct str v, name;
    bool file = parameter(line, STR("filename"), &v) != ABSENT || parameter(line, STR("filename*"), &v) != ABSENT;
    bool plain = parameter(line, STR("name"), &name) == FOUND && parameter(line, STR("name*"), &v) == ABSENT &&
                 name.n < sizeof m->name && str_find(name, '\\') < 0 && str_find(name, '\0') < 0;
    if (file || !plain || m->named || m->line_n == sizeof m->line)
        m->skipped = true;
    else
        str_copy(m->name, sizeof m->name, name);
    m->named = true;
}

static void header_line(struct multipart *m, struct str line)
{
    bool folded = line.p[0] == ' ' || line.p[0] == '\t';
    if (folded || str_find(line, '\r') >= 0 || str_find(line, '\n') >= 0)
        m->skipped = true;
    else if (str_starts_nocase(line, STR("content-disposition:")))
        read_name(m, line);
}

static void value_add(struct multipart *m, const char *p, size_t n)
{
    if (m->state != CONTENT || m->skipped)
        return;
    if (n > sizeof m->value - m->value_n) {
        m->skipped = true;
        return;
    }
    memcpy(m->value + m->value_n, p, n);
    m->value_n += n;
}

static void part_end(struct multipart *m)
{
    if (m->before == CONTENT && !m->skipped && m->name[0] && m->fields < FIELDS_MAX) {
        m->fields++;
        m->field(m->arg, str_c(m->name), str_of(m->value, m->value_n));
    }
    m->name[0] = '\0';
    m->named = m->skipped = false;
    m->value_n = 0;
    m->line_n = 0;
}

/* Content: skips to the next CR quickly, then matches the delimiter byte by byte. Returns the bytes used. */
static size_t content_bytes(struct multipart *m, struct str bytes)
{
    if (m->matched == 0) {
        const char *cr = memchr(bytes.p, '\r', bytes.n);
        size_t plain = cr ? (size_t)(cr - bytes.p) : bytes.n;
        if (plain) {
            value_add(m, bytes.p, plain);
            return plain;
        }
    }
    if (bytes.p[0] == m->delimiter[m->matched]) {
        if (++m->matched == m->delimiter_n) {
            m->matched = 0;
            m->before = m->state;
            m->state = AFTER_DELIMITER;
            m->line_n = 0;
        }
        return 1;
    }
    must(m->matched > 0); /* the delimiter begins with the CR that was found */
    value_add(m, m->delimiter, m->matched);
    m->matched = 0;
    return 0;
}

/* Behind a boundary: "--", or white space and CR LF. Returns the bytes used. */
static size_t after_delimiter(struct multipart *m, char c)
{
    char last = m->line_n ? m->line[m->line_n - 1] : '\0';
    bool fits = m->line_n == 0 ? c == '-' || c == ' ' || c == '\t' || c == '\r'
                : last == '-'  ? c == '-'
                : last == '\r' ? c == '\n'
                               : c == ' ' || c == '\t' || c == '\r';
    if (!fits || m->line_n == sizeof m->line) {
        m->state = m->before;
        value_add(m, m->delimiter, m->delimiter_n);
        value_add(m, m->line, m->line_n);
        return 0;
    }
    m->line[m->line_n++] = c;
    if (c == '\n' || (c == '-' && last == '-')) {
        part_end(m);
        m->state = c == '\n' ? HEADER : END;
    }
    return 1;
}

static void header_byte(struct multipart *m, char c)
{
    char last = m->line_n ? m->line[m->line_n - 1] : '\0';
    if (c != '\n' || last != '\r') {
        if (m->line_n < sizeof m->line)
            m->line[m->line_n++] = c;
        else
            m->line[sizeof m->line - 1] = c; /* so that the line's end is seen */
        return;
    }
    struct str line = str_of(m->line, m->line_n - 1);
    if (line.n)
        header_line(m, line);
    else
        m->state = CONTENT;
    m->value_at = m->offset + 1;
    m->line_n = 0;
    m->matched = 0;
}

void multipart_feed(struct multipart *m, struct str bytes)
{
    if (!m->delimiter_n)
        return;
    while (bytes.n && m->state != END) {
        size_t used = 1;
        if (m->state == HEADER)
            header_byte(m, bytes.p[0]);
        else if (m->state == AFTER_DELIMITER)
            used = after_delimiter(m, bytes.p[0]);
        else
            used = content_bytes(m, bytes);
        bytes = str_from(bytes, used);
        m->offset += used;
    }
}

struct finder {
    const struct multipart *form;
    struct str name, body, value;
    unsigned count;
};

static void on_field(void *arg, struct str name, struct str value)
{
    struct finder *f = arg;
    if (!str_eq(name, f->name))
        return;
    f->count++;
    f->value = str_head(str_from(f->body, f->form->value_at), value.n);
}

bool multipart_find(struct str content_type, struct str body, struct str name, struct str *ret_value)
{
    struct multipart form;
    struct finder f = {.form = &form, .name = name, .body = body};
    multipart_init(&form, content_type, on_field, &f);
    multipart_feed(&form, body);
    *ret_value = f.value;
    return f.count == 1;
}
