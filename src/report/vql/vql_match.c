/* SPDX-License-Identifier: Apache-2.0 */
/* Texts against tests. Every loop is bounded by the product of the two lengths. */
#include "report/vql/vql.h"

#include "base/must.h"

/* Backs up to the last % only: what a % before it took can stay. */
bool vql_match_like(struct str pattern, struct str text)
{
    size_t p = 0, t = 0, star = SIZE_MAX, star_t = 0;
    while (t < text.n) {
        if (p < pattern.n && pattern.p[p] == '%') {
            star = p++;
            star_t = t;
        } else if (p < pattern.n && pattern.p[p] == text.p[t]) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++star_t;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '%')
        p++;
    return p == pattern.n;
}

/* Moves *i to the next byte that counts; its lower-case form, or -1 at the end. */
static int next_counting(struct str s, size_t *i)
{
    while (*i < s.n) {
        unsigned char c = (unsigned char)s.p[(*i)++];
        if (c >= 'A' && c <= 'Z')
            return c + ('a' - 'A');
        if (c >= 0x80 || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            return c;
    }
    return -1;
}

bool vql_match_flex(struct str a, struct str b)
{
    size_t i = 0, j = 0;
    int x;
    do {
        x = next_counting(a, &i);
        if (x != next_counting(b, &j))
            return false;
    } while (x >= 0);
    return true;
}

bool vql_match(const struct vql_node *test, struct str text)
{
    must(test->kind == VQL_TEST);
    if (test->op == VQL_NULL)
        return text.n == 0;
    for (size_t i = 0; i < test->value_count; i++) {
        struct str v = test->values[i];
        bool same = test->op == VQL_LIKE   ? vql_match_like(v, text)
                    : test->op == VQL_FLEX ? vql_match_flex(v, text)
                                           : str_eq(v, text);
        if (same)
            return true;
    }
    return false;
}
