/* SPDX-License-Identifier: Apache-2.0 */
/* A line is "250-text" or "250 text" or "250"; nothing else is taken for one. */
#include "report/notify/smtp_reply.h"

#include <stdio.h>

#define LINE_MAX 2048

static bool is_digit(char c, char from, char to)
{
    return c >= from && c <= to;
}

/* Code of a line without its end, and whether more follow; 0 when it is none. */
static int read_line(struct str line, bool *ret_more)
{
    if (line.n < 3 || !is_digit(line.p[0], '2', '5') || !is_digit(line.p[1], '0', '9') ||
        !is_digit(line.p[2], '0', '9'))
        return 0;
    if (line.n > 3 && line.p[3] != ' ' && line.p[3] != '-')
        return 0;
    *ret_more = line.n > 3 && line.p[3] == '-';
    return (line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 + (line.p[2] - '0');
}

enum smtp_reply_state smtp_reply_read(struct str bytes, struct smtp_reply *ret)
{
    size_t at = 0;
    int code = 0;
    bool more = true;
    while (more) {
        struct str rest = str_from(bytes, at);
        ptrdiff_t end = str_find(rest, '\n');
        if (end < 0)
            return rest.n > LINE_MAX || bytes.n > SMTP_REPLY_MAX ? SMTP_REPLY_BAD : SMTP_REPLY_PARTIAL;
        if (end < 1 || rest.p[end - 1] != '\r' || end > LINE_MAX || at + (size_t)end >= SMTP_REPLY_MAX)
            return SMTP_REPLY_BAD;
        int said = read_line(str_head(rest, (size_t)end - 1), &more);
        if (!said || (code && said != code))
            return SMTP_REPLY_BAD;
        code = said;
        at += (size_t)end + 1;
    }
    *ret = (struct smtp_reply){code, at, str_head(bytes, at)};
    return SMTP_REPLY_WHOLE;
}

bool smtp_reply_line(const struct smtp_reply *r, size_t *at, struct str *ret)
{
    struct str rest = str_from(r->text, *at);
    ptrdiff_t end = str_find(rest, '\n');
    if (end < 1)
        return false;
    *at += (size_t)end + 1;
    *ret = str_from(str_head(rest, (size_t)end - 1), 4);
    return true;
}

static void read_mechanisms(struct str words, struct smtp_offers *o)
{
    struct str word;
    while (str_split(&words, ' ', &word)) {
        o->plain |= str_eq_nocase(word, STR("PLAIN"));
        o->login |= str_eq_nocase(word, STR("LOGIN"));
    }
}

void smtp_reply_offers(const struct smtp_reply *r, struct smtp_offers *ret)
{
    size_t at = 0;
    struct str line;
    *ret = (struct smtp_offers){.starttls = false};
    while (smtp_reply_line(r, &at, &line)) {
        if (str_eq_nocase(line, STR("STARTTLS")))
            ret->starttls = true;
        else if (str_starts_nocase(line, STR("AUTH ")) || str_starts_nocase(line, STR("AUTH="))) /* an old spelling */
            read_mechanisms(str_from(line, 5), ret);
        else if (str_starts_nocase(line, STR("SIZE ")) && !str_to_u64(str_from(line, 5), &ret->size_max))
            ret->size_max = 0;
    }
}

void smtp_reply_said(const struct smtp_reply *r, char out[SMTP_REPLY_SAID_MAX])
{
    size_t at = 0;
    struct str line = STR("");
    bool there = smtp_reply_line(r, &at, &line);
    size_t n = (size_t)snprintf(out, SMTP_REPLY_SAID_MAX, "%d%s", r->code, there && line.n ? " " : "");
    for (size_t i = 0; i < line.n && n + 1 < SMTP_REPLY_SAID_MAX; i++)
        out[n++] = line.p[i] >= ' ' && line.p[i] <= '~' ? line.p[i] : '?';
    out[n] = '\0';
}
