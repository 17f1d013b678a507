/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encoded words hold whole UTF-8 characters and at most 45 bytes each, so a line of one is at most
 * 75 bytes (RFC 2047 §2). The text is quoted-printable always: plain English stays readable in it, and every
 * server takes it.
 */
#include "report/notify/mail.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/utf8.h"
#include "net/url.h"

#define LOCAL_MAX 64
#define LINE_MAX 76      /* of quoted-printable, with a final '=' */
#define WORD_BYTES 42    /* of an encoded word, before it is encoded */
#define PLAIN_SUBJECT 60 /* bytes up to which a plain subject needs no folding */
#define ID_BYTES 20

/* --- addresses ------------------------------------------------------------------------------- */

static bool is_atom_byte(char c)
{
    static const char other[] = "!#$%&'*+-/=?^_`{|}~";
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return plain || (c != 0 && memchr(other, c, sizeof other - 1));
}

static bool is_local(struct str s)
{
    struct str atom;
    if (!s.n || s.n > LOCAL_MAX)
        return false;
    while (str_split(&s, '.', &atom)) {
        if (!atom.n)
            return false;
        for (size_t i = 0; i < atom.n; i++)
            if (!is_atom_byte(atom.p[i]))
                return false;
    }
    return true;
}

static bool is_domain(struct str s)
{
    char host[URL_HOST_MAX + 1];
    if (s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']') {
        struct str inside = str_of(s.p + 1, s.n - 2);
        bool six = str_starts_nocase(inside, STR("IPv6:"));
        return url_host(six ? str_from(inside, 5) : inside, host) && url_host_is_address(host) &&
               six == (strchr(host, ':') != NULL);
    }
    return s.n && s.p[s.n - 1] != '.' && url_host(s, host) && !url_host_is_address(host);
}

bool mail_address_ok(struct str address)
{
    const char *at = address.n && address.n <= MAIL_ADDRESS_MAX ? memrchr(address.p, '@', address.n) : NULL;
    return at && is_local(str_of(address.p, (size_t)(at - address.p))) && is_domain(mail_domain(address));
}

struct str mail_domain(struct str address)
{
    const char *at = address.n ? memrchr(address.p, '@', address.n) : NULL;
    return at ? str_from(address, (size_t)(at - address.p) + 1) : STR("");
}

/* "A \"b\" c" without its quotes. False when they are not closed, or more follows. */
static bool unquote(struct str s, char out[MAIL_NAME_MAX + 1])
{
    size_t n = 0, i = 1;
    for (; i < s.n && s.p[i] != '"'; i++) {
        if (s.p[i] == '\\' && ++i == s.n)
            return false;
        if (n == MAIL_NAME_MAX)
            return false;
        out[n++] = s.p[i];
    }
    out[n] = '\0';
    return i + 1 == s.n;
}

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return true;
    return false;
}

const char *mail_from_read(struct str text, struct mail_from *ret)
{
    struct mail_from from = {.name = ""};
    struct str address = str_trim(text), name = STR("");
    if (has_control(text) || !utf8_valid(text))
        return "the sender has a character that cannot be sent";
    if (str_ends(address, STR(">"))) {
        ptrdiff_t open = str_find(address, '<');
        if (open < 0)
            return "the sender is an address, or a name and an address: Tollgate <tollgate@example.com>";
        name = str_trim(str_head(address, (size_t)open));
        address = str_of(address.p + open + 1, address.n - (size_t)open - 2);
    }
    if (!mail_address_ok(address))
        return "the sender's address is not one, such as tollgate@example.com";
    if (name.n > MAIL_NAME_MAX)
        return "the sender's name is too long";
    if (name.n && name.p[0] == '"') {
        if (!unquote(name, from.name))
            return "the sender's name has a quotation mark that is not closed";
    } else {
        str_copy(from.name, sizeof from.name, name);
    }
    str_copy(from.address, sizeof from.address, address);
    *ret = from;
    return NULL;
}

/* --- header fields --------------------------------------------------------------------------- */

void mail_date(int64_t time_us, char out[MAIL_DATE_MAX])
{
    static const char days[7][4] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int64_t us = time_us > 0 ? time_us : 0; /* 1970-01-01 was a Thursday */
    struct clock_utc t = clock_utc_of(us);
    snprintf(out, MAIL_DATE_MAX, "%s, %02d %s %04d %02d:%02d:%02d +0000", days[us / 86400000000 % 7], t.day,
             months[t.month - 1], t.year, t.hour, t.minute, t.second);
}

void mail_message_id(const struct mail *m, char out[MAIL_ID_MAX])
{
    unsigned char hash[SHA256_DIGEST_LENGTH];
    char hex[ENCODE_HEX_MAX(ID_BYTES)];
    SHA256((const unsigned char *)m->id.p, m->id.n, hash);
    encode_hex(hash, ID_BYTES, hex);
    snprintf(out, MAIL_ID_MAX, "<%s@%.*s>", hex, STR_ARG(mail_domain(str_c(m->from->address))));
}

static bool is_plain(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 0x20 || s.p[i] > '~')
            return false;
    /* What looks like an encoded word would be taken for one. */
    return str_search(s, STR("=?")) < 0;
}

/* Bytes of the character at `at`, 1 to 4; a stray byte is one. */
static size_t char_bytes(struct str s, size_t at)
{
    unsigned char c = (unsigned char)s.p[at];
    size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return at + n <= s.n && utf8_valid(str_of(s.p + at, n)) ? n : 1;
}

/* The character at `at` as it may be sent; moves on. */
static struct str clean_char(struct str s, size_t *at)
{
    size_t n = char_bytes(s, *at);
    struct str c = str_of(s.p + *at, n);
    *at += n;
    if (n == 1 && ((unsigned char)c.p[0] < 0x20 || c.p[0] == 0x7f))
        return STR(" ");
    if (n == 1 && (unsigned char)c.p[0] >= 0x80)
        return STR("\xef\xbf\xbd");
    return c;
}

static bool add_encoded(struct buf *out, struct str s)
{
    char word[WORD_BYTES + 4], base64[ENCODE_BASE64_MAX(WORD_BYTES + 4)];
    bool ok = true, first = true;
    for (size_t at = 0; ok && at < s.n;) {
        size_t n = 0;
        while (at < s.n && n + 3 <= WORD_BYTES) {
            struct str c = clean_char(s, &at);
            memcpy(word + n, c.p, c.n);
            n += c.n;
        }
        encode_base64(word, n, base64);
        ok = buf_printf(out, "%s=?UTF-8?B?%s?=", first ? "" : "\r\n ", base64);
        first = false;
    }
    return ok;
}

static bool add_subject(struct buf *out, struct str subject)
{
    if (!buf_add_str(out, STR("Subject: ")))
        return false;
    bool plain = is_plain(subject) && subject.n <= PLAIN_SUBJECT;
    return (plain ? buf_add_str(out, subject) : add_encoded(out, subject)) && buf_add_str(out, STR("\r\n"));
}

static bool add_from(struct buf *out, const struct mail_from *from)
{
    struct str name = str_c(from->name);
    bool ok = buf_add_str(out, STR("From: "));
    if (name.n && is_plain(name)) {
        ok = ok && buf_add_byte(out, '"');
        for (size_t i = 0; ok && i < name.n; i++)
            ok = ((name.p[i] != '"' && name.p[i] != '\\') || buf_add_byte(out, '\\')) && buf_add_byte(out, name.p[i]);
        ok = ok && buf_add_str(out, STR("\"\r\n "));
    } else if (name.n) {
        ok = ok && add_encoded(out, name) && buf_add_str(out, STR("\r\n "));
    }
    return ok && buf_printf(out, "<%s>\r\n", from->address);
}

/* --- text ------------------------------------------------------------------------------------ */

/* A space at the end of a line is encoded, or it would be lost. */
static bool is_literal(char c, bool at_end)
{
    return (c > ' ' && c <= '~' && c != '=') || ((c == ' ' || c == '\t') && !at_end);
}

static bool add_line(struct buf *out, struct str line)
{
    size_t column = 0;
    bool ok = true;
    for (size_t i = 0; ok && i < line.n; i++) {
        char c = line.p[i];
        bool literal = is_literal(c, i + 1 == line.n);
        size_t width = literal ? 1 : 3;
        if (column + width > LINE_MAX - 1) { /* room for the '=' of a soft break */
            ok = buf_add_str(out, STR("=\r\n"));
            column = 0;
        }
        ok = ok && (literal ? buf_add_byte(out, c) : buf_printf(out, "=%02X", (unsigned)(unsigned char)c));
        column += width;
    }
    return ok && buf_add_str(out, STR("\r\n"));
}

static bool add_text(struct buf *out, struct str text)
{
    struct str line;
    bool ok = true;
    while (ok && str_split(&text, '\n', &line)) {
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        if (text.p || line.n) /* what follows a final line end is no line */
            ok = add_line(out, line);
    }
    return ok;
}

bool mail_write(const struct mail *m, struct buf *out)
{
    char id[MAIL_ID_MAX], date[MAIL_DATE_MAX];
    mail_message_id(m, id);
    mail_date(m->time_us, date);
    return buf_printf(out, "Date: %s\r\n", date) && add_from(out, m->from) &&
           buf_printf(out, "To: <%.*s>\r\n", STR_ARG(m->to)) && add_subject(out, m->subject) &&
           buf_printf(out, "Message-ID: %s\r\n", id) && buf_printf(out, "X-Tollgate-Kind: %s\r\n", m->kind) &&
           buf_add_str(out, STR("Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
                                "Content-Type: text/plain; charset=utf-8\r\n"
                                "Content-Transfer-Encoding: quoted-printable\r\n\r\n")) &&
           add_text(out, m->text);
}
