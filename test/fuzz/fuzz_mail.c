/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What mail servers say and what people call themselves, from any bytes. An address that is taken can stand in an
 * envelope; whatever subject and text are, a mail has one header, and lines that end where we end them; a reply
 * is read the same however much follows it.
 */
#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "report/notify/mail.h"
#include "report/notify/smtp.h"
#include "report/notify/smtp_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void reply(struct str text)
{
    struct smtp_reply r, again;
    struct smtp_offers offers;
    char said[SMTP_REPLY_SAID_MAX];
    if (smtp_reply_read(text, &r) != SMTP_REPLY_WHOLE)
        return;
    must(r.size <= text.n);
    must(r.code >= 200);
    must(r.code <= 599);
    must(smtp_reply_read(str_head(text, r.size), &again) == SMTP_REPLY_WHOLE);
    must(again.size == r.size);
    must(smtp_reply_read(str_head(text, r.size - 1), &again) == SMTP_REPLY_PARTIAL);
    smtp_reply_offers(&r, &offers);
    smtp_reply_said(&r, said);
    for (const char *c = said; *c; c++)
        must(*c >= ' ' && *c <= '~');
}

static void lines_are_ours(struct str mail)
{
    struct str line;
    unsigned empty = 0;
    ptrdiff_t text = str_search(mail, STR("\r\n\r\n"));
    must(text > 0);
    struct str head = str_head(mail, (size_t)text);
    while (str_split(&mail, '\n', &line)) {
        if (!mail.p && !line.n)
            break;
        must(line.n > 0);
        must(line.p[line.n - 1] == '\r');
        must(line.n < 400); /* the receiver's line, at most */
        must(!memchr(line.p, '\r', line.n - 1));
        must(!memchr(line.p, '\0', line.n));
        empty += line.n == 1;
    }
    must(empty > 0);
    must(str_search(head, STR("\r\nBcc")) < 0);
    must(str_search(head, STR("\r\nCc")) < 0);
}

static void mail(struct str first, struct str second)
{
    struct mail_from from = {.address = "a@example.com"};
    struct buf out;
    struct mail m = {.from = &from, .to = STR("b@example.com"), .id = STR("x"), .kind = "test", .time_us = 1};
    if (mail_address_ok(second))
        m.to = second;
    if (mail_from_read(first, &from) == NULL)
        must(mail_address_ok(str_c(from.address)));
    m.subject = str_head(first, 300);
    m.text = second;
    buf_init(&out, MAIL_MAX);
    if (mail_write(&m, &out))
        lines_are_ours(buf_str(&out));
    else
        must(second.n > MAIL_MAX / 4);
    buf_free(&out);
}

static void address(struct str text)
{
    if (!mail_address_ok(text))
        return;
    must(text.n <= MAIL_ADDRESS_MAX);
    for (size_t i = 0; i < text.n; i++)
        must(text.p[i] > ' ' && text.p[i] <= '~' && !memchr("<>\",;()\\", text.p[i], 8));
    must(mail_domain(text).n > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct str all = {(const char *)p, n};
    ptrdiff_t at = str_find(all, '\0');
    struct str first = str_head(all, at < 0 ? n : (size_t)at), second = at < 0 ? all : str_from(all, (size_t)at + 1);
    struct smtp_server server;
    reply(all);
    address(first);
    address(second);
    mail(first, second);
    for (int plain = 0; plain < 2; plain++)
        if (smtp_server_read(first, plain != 0, &server) == NULL) {
            must(server.port > 0);
            must(strlen(server.host) > 0);
            must(!strpbrk(server.user, "\r\n"));
        }
    return 0;
}
