/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Message heads. First the end of the head is found (CRLF CRLF), then it is cut into lines, each
 * line into name and value, then the framing fields are weighed against each other. Character
 * classes are one table of flags.
 */
#include "net/http1_head.h"

#include "base/must.h"

enum { TOKEN = 1, TARGET = 2, VALUE = 4 };

/* Flags by byte: token characters (RFC 9110 5.6.2), request-target characters, field-value characters. */
static unsigned char class_of[256];

__attribute__((constructor)) static void class_fill(void)
{
    for (int c = 0; c < 256; c++) {
        unsigned char flags = 0;
        bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (alnum || (c && strchr("!#$%&'*+-.^_`|~", c)))
            flags |= TOKEN;
        if (c > ' ' && c < 0x7f && c != '#' && c != '\\')
            flags |= TARGET; /* no URI has a backslash, and some servers take it for a slash */
        if (c == '\t' || (c >= ' ' && c != 0x7f))
            flags |= VALUE;
        class_of[c] = flags;
    }
}

#define EACH_BYTE UINT64_C(0x0101010101010101)

/* Eight bytes from U+0020 on without DEL: a value's, but for the rare tab. */
static bool plain_word(const char *p)
{
    uint64_t w, del;
    memcpy(&w, p, 8);
    del = w ^ EACH_BYTE * 0x7f;
    uint64_t below = (w - EACH_BYTE * 0x20) & ~w, is_del = (del - EACH_BYTE) & ~del;
    return ((below | is_del) & EACH_BYTE * 0x80) == 0;
}

static bool all_of(struct str s, unsigned char flag)
{
    unsigned char common = flag;
    size_t i = 0;
    while (flag == VALUE && i + 8 <= s.n && plain_word(s.p + i))
        i += 8;
    for (; i < s.n; i++)
        common &= class_of[(unsigned char)s.p[i]];
    return common == flag;
}

bool http1_value_valid(struct str value)
{
    return all_of(value, VALUE);
}

bool http1_token_byte(unsigned char c)
{
    return class_of[c] & TOKEN;
}

static const struct {
    struct str text;
    bool hop;
} known[] = {
#define X(name, text, hop) {{text, sizeof(text) - 1}, hop},
    HTTP1_FIELD_TABLE(X)
#undef X
};

/* Ids by length of the name, so that a lookup compares with a handful of candidates only. */
#define NAME_MAX_KNOWN 24
static unsigned char by_length[NAME_MAX_KNOWN + 1][8];

__attribute__((constructor)) static void by_length_fill(void)
{
    for (unsigned id = 1; id < HTTP1_FIELD_COUNT; id++) {
        size_t n = known[id].text.n;
        must(n <= NAME_MAX_KNOWN);
        unsigned slot = 0;
        while (by_length[n][slot])
            slot++;
        must(slot < 7);
        by_length[n][slot] = (unsigned char)id;
    }
}

/* Whether it is the known name but for the case of its letters, which alone have bit 6. */
static bool is_known(struct str name, struct str lower)
{
    size_t i = 0;
    for (; i + 8 <= name.n; i += 8) {
        uint64_t a, b;
        memcpy(&a, name.p + i, 8);
        memcpy(&b, lower.p + i, 8);
        if ((a ^ b) & ~((b & EACH_BYTE * 0x40) >> 1))
            return false;
    }
    for (; i < name.n; i++)
        if ((name.p[i] ^ lower.p[i]) & ~((lower.p[i] & 0x40) >> 1))
            return false;
    return true;
}

enum http1_field_id http1_field_id_of(struct str name)
{
    if (name.n > NAME_MAX_KNOWN)
        return HTTP1_OTHER;
    for (const unsigned char *id = by_length[name.n]; *id; id++)
        if ((name.p[0] | 0x20) == known[*id].text.p[0] && is_known(name, known[*id].text))
            return (enum http1_field_id) * id;
    return HTTP1_OTHER;
}

bool http1_has_token(struct str value, struct str token)
{
    struct str part;
    while (str_split(&value, ',', &part))
        if (str_eq_nocase(str_trim(part), token))
            return true;
    return false;
}

static bool connection_has(const struct http1_head *head, struct str token)
{
    unsigned left = head->connections;
    for (const struct http1_field *f = head->fields; left; f++) {
        if (f->id != HTTP1_CONNECTION || !f->value.n)
            continue;
        left--;
        if (http1_has_token(f->value, token))
            return true;
    }
    return false;
}

bool http1_hop_by_hop(const struct http1_head *head, const struct http1_field *field)
{
    return known[field->id].hop || connection_has(head, field->name);
}

const struct http1_field *http1_find(const struct http1_head *head, struct str name)
{
    for (unsigned i = 0; i < head->field_count; i++)
        if (str_eq_nocase(head->fields[i].name, name))
            return &head->fields[i];
    return NULL;
}

const struct http1_field *http1_find_id(const struct http1_head *head, enum http1_field_id id)
{
    for (unsigned i = 0; i < head->field_count; i++)
        if (head->fields[i].id == id)
            return &head->fields[i];
    return NULL;
}

/* What the framing fields said, gathered while reading the fields. */
struct framing_facts {
    bool request;
    bool content_type, credential[3]; /* seen once */
    unsigned lengths, codings, hosts;
    bool chunked; /* the coding is exactly "chunked" */
    bool close, keep;
    uint64_t length;
};

/* Two of these in a request: one server would go by the first, another by the last. */
static enum err note_single(struct framing_facts *facts, bool *seen)
{
    bool twice = *seen;
    *seen = true;
    return twice && facts->request ? ERR_BAD_HTTP : ERR_OK;
}

/* A name that some servers fold into a framing field by reading '_' as '-'. */
static bool disguised_framing(struct str name)
{
    if (!memchr(name.p, '_', name.n) || name.n > NAME_MAX_KNOWN)
        return false;
    char folded[NAME_MAX_KNOWN];
    for (size_t i = 0; i < name.n; i++)
        folded[i] = name.p[i] == '_' ? '-' : name.p[i];
    enum http1_field_id id = http1_field_id_of(str_of(folded, name.n));
    return id == HTTP1_CONTENT_LENGTH || id == HTTP1_TRANSFER_ENCODING || id == HTTP1_HOST;
}

static enum err note_field(struct http1_head *h, const struct http1_field *f, struct framing_facts *facts)
{
    switch (f->id) {
    case HTTP1_CONTENT_LENGTH:
        facts->lengths++;
        if (!str_to_u64(f->value, &facts->length) || facts->length > INT64_MAX)
            return ERR_AMBIGUOUS_FRAMING;
        break;
    case HTTP1_TRANSFER_ENCODING:
        facts->codings++;
        facts->chunked = str_eq_nocase(f->value, STR("chunked"));
        break;
    case HTTP1_HOST:
        facts->hosts++;
        h->host = f->value;
        break;
    case HTTP1_CONNECTION:
        h->connections += f->value.n > 0;
        facts->close |= http1_has_token(f->value, STR("close"));
        facts->keep |= http1_has_token(f->value, STR("keep-alive"));
        break;
    case HTTP1_CONTENT_TYPE:
        return note_single(facts, &facts->content_type);
    case HTTP1_AUTHORIZATION:
        return note_single(facts, &facts->credential[0]);
    case HTTP1_API_KEY:
        return note_single(facts, &facts->credential[1]);
    case HTTP1_X_API_KEY:
        return note_single(facts, &facts->credential[2]);
    case HTTP1_EXPECT:
        if (!facts->request)
            break;
        if (!str_eq_nocase(f->value, STR("100-continue")))
            return ERR_EXPECTATION_FAILED;
        h->expect_continue = true;
        break;
    case HTTP1_UPGRADE:
        h->upgrade_websocket = str_eq_nocase(f->value, STR("websocket"));
        break;
    default:
        if (disguised_framing(f->name))
            return ERR_AMBIGUOUS_FRAMING;
    }
    return ERR_OK;
}

/* Takes the next CRLF-ended line; false when a bare CR, bare LF or NUL makes the head ambiguous. */
static bool take_line(struct str *rest, struct str *ret_line)
{
    const char *lf = memchr(rest->p, '\n', rest->n);
    if (!lf || lf == rest->p || lf[-1] != '\r')
        return false;
    *ret_line = str_of(rest->p, (size_t)(lf - rest->p) - 1);
    *rest = str_from(*rest, (size_t)(lf - rest->p) + 1);
    return true;
}

static enum err read_fields(struct http1_head *h, struct str rest, struct framing_facts *facts)
{
    for (;;) {
        struct str line;
        if (!take_line(&rest, &line))
            return ERR_BAD_HTTP;
        if (!line.n)
            return rest.n ? ERR_BAD_HTTP : ERR_OK;
        if (h->field_count == HTTP1_FIELDS_MAX)
            return ERR_HEAD_TOO_LARGE;
        ptrdiff_t colon = str_find(line, ':');
        if (colon <= 0)
            return ERR_BAD_HTTP;
        struct http1_field *f = &h->fields[h->field_count++];
        f->name = str_head(line, (size_t)colon);
        f->value = str_trim(str_from(line, (size_t)colon + 1));
        f->id = http1_field_id_of(f->name);
        if ((f->id == HTTP1_OTHER && !all_of(f->name, TOKEN)) || !all_of(f->value, VALUE))
            return ERR_BAD_HTTP;
        enum err e = note_field(h, f, facts);
        if (e)
            return e;
    }
}

/* "HTTP/1.0" or "HTTP/1.1" and nothing else. */
static enum err read_version(struct str v, int *ret_minor)
{
    if (v.n != 8 || memcmp(v.p, "HTTP/", 5) != 0 || v.p[6] != '.')
        return ERR_BAD_HTTP;
    if (v.p[5] != '1' || (v.p[7] != '0' && v.p[7] != '1'))
        return v.p[5] >= '0' && v.p[5] <= '9' && v.p[7] >= '0' && v.p[7] <= '9' ? ERR_HTTP_VERSION : ERR_BAD_HTTP;
    *ret_minor = v.p[7] - '0';
    return ERR_OK;
}

/* Takes one byte of a path, with %2e read as a dot. */
static char take_dot(struct str *s)
{
    bool coded = s->n >= 3 && s->p[0] == '%' && s->p[1] == '2' && (s->p[2] | 0x20) == 'e';
    char c = coded ? '.' : s->p[0];
    *s = str_from(*s, coded ? 3 : 1);
    return c;
}

/* "." or "..", coded or not, with parameters or not: what some servers take away and others keep. */
static bool dot_segment(struct str segment)
{
    unsigned dots = 0;
    while (segment.n) {
        char c = take_dot(&segment);
        if (c == ';' && dots)
            return true;
        if (c != '.' || ++dots > 2)
            return false;
    }
    return dots > 0;
}

static bool path_plain(struct str path)
{
    struct str segment;
    if (!memchr(path.p, '.', path.n) && !memchr(path.p, '%', path.n))
        return true;
    while (str_split(&path, '/', &segment))
        if (dot_segment(segment))
            return false;
    return true;
}

/* Reduces absolute form to origin form; the authority then outranks Host (RFC 9112 3.2.2). */
static enum err read_target(struct http1_head *h, struct str target, struct str *ret_authority)
{
    *ret_authority = str_of(NULL, 0);
    if (!target.n || target.n > HTTP1_TARGET_MAX || !all_of(target, TARGET))
        return ERR_BAD_HTTP;
    if (str_starts_nocase(target, STR("http://")) || str_starts_nocase(target, STR("https://"))) {
        struct str rest = str_from(target, (size_t)str_find(target, ':') + 3);
        ptrdiff_t slash = str_find(rest, '/');
        if (slash <= 0)
            return ERR_BAD_HTTP;
        *ret_authority = str_head(rest, (size_t)slash);
        target = str_from(rest, (size_t)slash);
    }
    bool asterisk = str_eq(target, STR("*")) && str_eq(h->method, STR("OPTIONS"));
    if (target.p[0] != '/' && !asterisk)
        return ERR_BAD_HTTP;
    h->target = target;
    ptrdiff_t mark = str_find(target, '?');
    h->path = mark < 0 ? target : str_head(target, (size_t)mark);
    h->query = mark < 0 ? str_of("", 0) : str_from(target, (size_t)mark + 1);
    return path_plain(h->path) ? ERR_OK : ERR_BAD_HTTP;
}

/* A tunnel is not what we are, and an echo would show upstream's credential to the client. */
static bool method_refused(struct str method)
{
    return str_eq_nocase(method, STR("CONNECT")) || str_eq_nocase(method, STR("TRACE")) ||
           str_eq_nocase(method, STR("TRACK"));
}

static enum err read_request_line(struct http1_head *h, struct str line, struct str *ret_authority)
{
    ptrdiff_t space = str_find(line, ' ');
    if (space <= 0)
        return ERR_BAD_HTTP;
    h->method = str_head(line, (size_t)space);
    struct str rest = str_from(line, (size_t)space + 1);
    space = str_find(rest, ' ');
    if (h->method.n > 32 || !all_of(h->method, TOKEN) || space <= 0)
        return ERR_BAD_HTTP;
    enum err e = read_version(str_from(rest, (size_t)space + 1), &h->minor);
    if (!e && method_refused(h->method))
        e = ERR_METHOD_NOT_ALLOWED;
    return e ? e : read_target(h, str_head(rest, (size_t)space), ret_authority);
}

/* RFC 9112 6.1-6.3: one framing, or none. */
static enum err weigh_framing(struct http1_head *h, const struct framing_facts *f)
{
    if (f->lengths > 1 || f->codings > 1 || (f->lengths && f->codings))
        return ERR_AMBIGUOUS_FRAMING;
    if (f->codings && (!f->chunked || h->minor == 0))
        return ERR_AMBIGUOUS_FRAMING;
    if (f->codings) {
        h->framing = HTTP1_CHUNKED;
    } else if (f->lengths) {
        h->framing = HTTP1_LENGTH;
        h->content_length = f->length;
    }
    h->keep_alive = !f->close && (h->minor == 1 || f->keep);
    return ERR_OK;
}

/* Where the empty line begins, with the end of the line before; -1 when it is not there yet. */
static ptrdiff_t find_blank(struct str s)
{
    const char *end = s.p + s.n, *lf = s.p;
    while (lf < end && (lf = memchr(lf, '\n', (size_t)(end - lf)))) {
        if (lf - s.p >= 3 && memcmp(lf - 3, "\r\n\r", 3) == 0)
            return lf - s.p - 3;
        lf++;
    }
    return -1;
}

/*
 * Finds the end of the head. COMPLETE sets *ret_size to its length with the blank line. A head that
 * already holds a forbidden byte is refused at once rather than after its sender's pleasure.
 */
static enum http1_parse find_end(struct str bytes, size_t seen, size_t *ret_size, enum err *ret_err)
{
    size_t from = seen > 3 ? seen - 3 : 0;
    size_t limit = bytes.n < HTTP1_HEAD_MAX ? bytes.n : HTTP1_HEAD_MAX;
    ptrdiff_t at = limit > from ? find_blank(str_of(bytes.p + from, limit - from)) : -1;
    size_t end = at < 0 ? limit : from + (size_t)at;
    if (end > seen && memchr(bytes.p + seen, '\0', end - seen)) {
        *ret_err = ERR_BAD_HTTP;
        return HTTP1_REFUSED;
    }
    if (at >= 0) {
        *ret_size = from + (size_t)at + 4;
        return HTTP1_COMPLETE;
    }
    /* A bare LF can never become part of a valid head. */
    for (size_t i = from; i < limit; i++) {
        if (bytes.p[i] == '\n' && (i == 0 || bytes.p[i - 1] != '\r')) {
            *ret_err = ERR_BAD_HTTP;
            return HTTP1_REFUSED;
        }
    }
    if (bytes.n >= HTTP1_HEAD_MAX) {
        *ret_err = ERR_HEAD_TOO_LARGE;
        return HTTP1_REFUSED;
    }
    return HTTP1_PARTIAL;
}

static enum http1_parse refuse(enum err e, enum err *ret_err)
{
    *ret_err = e;
    return HTTP1_REFUSED;
}

/* Letters, digits and what else a host, a literal address and a port are made of (RFC 3986 3.2.2). */
static bool host_plain(struct str host)
{
    for (size_t i = 0; i < host.n; i++) {
        unsigned char c = (unsigned char)host.p[i];
        bool alnum = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (!alnum && (!c || !strchr("-._~%!$&'()*+;=:[]", c)))
            return false;
    }
    return true;
}

static enum err finish_request(struct http1_head *h, const struct framing_facts *facts, struct str authority)
{
    enum err e = weigh_framing(h, facts);
    if (e)
        return e;
    if (facts->hosts > 1 || (facts->hosts == 0 && h->minor == 1))
        return ERR_BAD_HTTP;
    if (authority.p) {
        if (facts->hosts && !str_eq_nocase(authority, h->host))
            return ERR_BAD_HTTP;
        h->host = authority;
    }
    if (!host_plain(h->host))
        return ERR_BAD_HTTP;
    h->upgrade_websocket = h->upgrade_websocket && connection_has(h, STR("upgrade")) && h->minor == 1 &&
                           h->framing == HTTP1_NO_BODY && str_eq(h->method, STR("GET"));
    return ERR_OK;
}

enum http1_parse http1_parse_request(struct str bytes, size_t seen, struct http1_field *fields,
                                     struct http1_head *ret_head, enum err *ret_err)
{
    struct http1_head h = {.fields = fields};
    struct framing_facts facts = {.request = true};
    struct str line, authority, rest;
    enum http1_parse found = find_end(bytes, seen, &h.size, ret_err);
    if (found != HTTP1_COMPLETE)
        return found;
    rest = str_head(bytes, h.size);
    if (!take_line(&rest, &line))
        return refuse(ERR_BAD_HTTP, ret_err);
    enum err e = read_request_line(&h, line, &authority);
    if (!e)
        e = read_fields(&h, rest, &facts);
    if (!e)
        e = finish_request(&h, &facts, authority);
    if (e)
        return refuse(e, ret_err);
    *ret_head = h;
    return HTTP1_COMPLETE;
}

static enum err read_status_line(struct http1_head *h, struct str line)
{
    uint64_t status;
    if (line.n < 12 || line.p[8] != ' ' || read_version(str_head(line, 8), &h->minor) != ERR_OK)
        return ERR_UPSTREAM_BAD_HTTP;
    if (!str_to_u64(str_of(line.p + 9, 3), &status) || status < 100 || (line.n > 12 && line.p[12] != ' '))
        return ERR_UPSTREAM_BAD_HTTP;
    h->status = (int)status;
    h->reason = str_from(line, 13);
    return all_of(h->reason, VALUE) ? ERR_OK : ERR_UPSTREAM_BAD_HTTP;
}

enum http1_parse http1_parse_response(struct str bytes, size_t seen, bool to_head, struct http1_field *fields,
                                      struct http1_head *ret_head, enum err *ret_err)
{
    struct http1_head h = {.fields = fields};
    struct framing_facts facts = {0};
    struct str line, rest;
    enum http1_parse found = find_end(bytes, seen, &h.size, ret_err);
    if (found == HTTP1_REFUSED)
        return refuse(ERR_UPSTREAM_BAD_HTTP, ret_err);
    if (found == HTTP1_PARTIAL)
        return found;
    rest = str_head(bytes, h.size);
    if (!take_line(&rest, &line) || read_status_line(&h, line) != ERR_OK || read_fields(&h, rest, &facts) != ERR_OK ||
        weigh_framing(&h, &facts) != ERR_OK)
        return refuse(ERR_UPSTREAM_BAD_HTTP, ret_err);
    bool bodiless = to_head || h.status < 200 || h.status == 204 || h.status == 304;
    if (bodiless) {
        /* What announces a body where none may be could send one all the same. */
        if (h.framing != HTTP1_NO_BODY && !to_head && h.status != 304)
            h.keep_alive = false;
        h.framing = HTTP1_NO_BODY;
    } else if (h.framing == HTTP1_NO_BODY) {
        h.framing = HTTP1_UNTIL_CLOSE;
        h.keep_alive = false;
    }
    *ret_head = h;
    return HTTP1_COMPLETE;
}

const char *http1_reason(int status)
{
    static const struct {
        int status;
        const char *text;
    } reasons[] = {
        {100, "Continue"},
        {101, "Switching Protocols"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {205, "Reset Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {402, "Payment Required"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Content"},
        {423, "Locked"},
        {424, "Failed Dependency"},
        {425, "Too Early"},
        {426, "Upgrade Required"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {451, "Unavailable For Legal Reasons"},
        {499, "Client Closed Request"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].status == status)
            return reasons[i].text;
    return "";
}
