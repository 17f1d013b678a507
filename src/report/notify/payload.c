/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forms: api.slack.com "Sending messages using incoming webhooks" and "Escaping text"; Teams' workflow trigger "When a
 * Teams webhook request is received", which takes a message with attachments; standardwebhooks.com 1.0.
 */
#include "report/notify/payload.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/json_write.h"
#include "base/mem.h"

#define KEY_PREFIX "whsec_"
#define KEY_MAX 64
#define MAC_BYTES 32
#define TEXT_MAX (8u * NOTIFY_TEXT_MAX)

/* --- Slack ----------------------------------------------------------------------------------- */

static bool add_escaped(struct buf *out, struct str text)
{
    bool ok = true;
    for (size_t i = 0; ok && i < text.n; i++) {
        char c = text.p[i];
        ok = c == '&'   ? buf_add_str(out, STR("&amp;"))
             : c == '<' ? buf_add_str(out, STR("&lt;"))
             : c == '>' ? buf_add_str(out, STR("&gt;"))
                        : buf_add_byte(out, c);
    }
    return ok;
}

static bool write_slack(const struct notify_message *m, struct str link, struct buf *out)
{
    struct buf text;
    struct json_write w;
    buf_init(&text, TEXT_MAX);
    bool ok = buf_add_byte(&text, '*') && add_escaped(&text, m->subject) && buf_add_str(&text, STR("*\n")) &&
              add_escaped(&text, m->text);
    if (ok && link.n)
        ok = buf_add_str(&text, STR("\n<")) && add_escaped(&text, link) && buf_add_str(&text, STR("|Open>"));
    json_write_init(&w, out);
    json_write_object(&w);
    json_write_member_string(&w, "text", buf_str(&text));
    json_write_object_end(&w);
    buf_free(&text);
    return json_write_done(&w) && ok;
}

/* --- Teams ----------------------------------------------------------------------------------- */

/* A TextBlock reads Markdown, so that a group's name could be a link; runs of text are what they are. */
static void write_block(struct json_write *w, struct str text, bool headline)
{
    json_write_object(w);
    json_write_member_string(w, "type", STR("RichTextBlock"));
    json_write_key(w, STR("inlines"));
    json_write_array(w);
    json_write_object(w);
    json_write_member_string(w, "type", STR("TextRun"));
    json_write_member_string(w, "text", text);
    if (headline) {
        json_write_member_string(w, "weight", STR("Bolder"));
        json_write_member_string(w, "size", STR("Medium"));
    }
    json_write_object_end(w);
    json_write_array_end(w);
    json_write_object_end(w);
}

/* Each line is a block of its own. */
static void write_card(struct json_write *w, const struct notify_message *m, struct str link)
{
    struct str line, rest = m->text;
    json_write_member_string(w, "type", STR("AdaptiveCard"));
    json_write_member_string(w, "$schema", STR("http://adaptivecards.io/schemas/adaptive-card.json"));
    json_write_member_string(w, "version", STR("1.4"));
    json_write_key(w, STR("body"));
    json_write_array(w);
    write_block(w, m->subject, true);
    while (str_split(&rest, '\n', &line))
        if (str_trim(line).n)
            write_block(w, line, false);
    json_write_array_end(w);
    if (!link.n)
        return;
    json_write_key(w, STR("actions"));
    json_write_array(w);
    json_write_object(w);
    json_write_member_string(w, "type", STR("Action.OpenUrl"));
    json_write_member_string(w, "title", STR("Open"));
    json_write_member_string(w, "url", link);
    json_write_object_end(w);
    json_write_array_end(w);
}

static bool write_teams(const struct notify_message *m, struct str link, struct buf *out)
{
    struct json_write w;
    json_write_init(&w, out);
    json_write_object(&w);
    json_write_member_string(&w, "type", STR("message"));
    json_write_key(&w, STR("attachments"));
    json_write_array(&w);
    json_write_object(&w);
    json_write_member_string(&w, "contentType", STR("application/vnd.microsoft.card.adaptive"));
    json_write_member_null(&w, "contentUrl");
    json_write_key(&w, STR("content"));
    json_write_object(&w);
    write_card(&w, m, link);
    json_write_object_end(&w);
    json_write_object_end(&w);
    json_write_array_end(&w);
    json_write_object_end(&w);
    return json_write_done(&w);
}

/* --- webhook --------------------------------------------------------------------------------- */

static bool write_webhook(const struct notify_message *m, struct str link, int64_t created_us, struct buf *out)
{
    struct json_write w;
    char time[CLOCK_TEXT_MAX];
    json_write_init(&w, out);
    json_write_object(&w);
    json_write_member_string(&w, "id", m->id);
    json_write_member_string(&w, "type", str_c(m->kind));
    json_write_member_string(&w, "timestamp", str_of(time, clock_format(created_us, 0, time)));
    json_write_member_int(&w, "workspace_id", m->workspace_id);
    json_write_member_string(&w, "subject", m->subject);
    json_write_member_string(&w, "text", m->text);
    json_write_member_text(&w, "link", link);
    json_write_member_raw(&w, "data", m->json.n ? m->json : STR("{}"));
    json_write_object_end(&w);
    return json_write_done(&w);
}

bool payload_write(const struct notify_message *m, struct str link, int64_t created_us, struct buf *out)
{
    if (m->channel == NOTIFY_SLACK)
        return write_slack(m, link, out);
    if (m->channel == NOTIFY_TEAMS)
        return write_teams(m, link, out);
    return write_webhook(m, link, created_us, out);
}

static bool add_mac(struct buf *out, struct str key, struct str signed_text)
{
    unsigned char bytes[KEY_MAX], tag[MAC_BYTES];
    char base64[ENCODE_BASE64_MAX(MAC_BYTES)];
    size_t n;
    unsigned tag_n = 0;
    if (!str_starts(key, STR(KEY_PREFIX)) ||
        !encode_unbase64(str_from(key, sizeof KEY_PREFIX - 1), bytes, sizeof bytes, &n))
        return false;
    bool ok = HMAC(EVP_sha256(), bytes, (int)n, (const unsigned char *)signed_text.p, signed_text.n, tag, &tag_n);
    mem_wipe(bytes, sizeof bytes);
    encode_base64(tag, sizeof tag, base64);
    return ok && tag_n == MAC_BYTES && buf_printf(out, "webhook-signature: v1,%s\r\n", base64);
}

bool payload_sign(struct str key, struct str id, int64_t now_s, struct str body, char out[PAYLOAD_SIGNED_MAX])
{
    struct buf lines, text;
    buf_init(&lines, PAYLOAD_SIGNED_MAX - 1);
    buf_init(&text, PAYLOAD_MAX + 512);
    bool ok = buf_printf(&lines, "Idempotency-Key: %.*s\r\nwebhook-id: %.*s\r\nwebhook-timestamp: %lld\r\n",
                         STR_ARG(id), STR_ARG(id), (long long)now_s);
    if (ok && key.n)
        ok = buf_printf(&text, "%.*s.%lld.", STR_ARG(id), (long long)now_s) && buf_add_str(&text, body) &&
             add_mac(&lines, key, buf_str(&text));
    if (ok)
        str_copy(out, PAYLOAD_SIGNED_MAX, buf_str(&lines));
    buf_free(&lines);
    buf_free(&text);
    return ok;
}
