/* SPDX-License-Identifier: Apache-2.0 */
/* Which addresses may be connected to: literals, kinds, allow lists, and what a resolver makes of odd spellings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>

#include "base/rng.h"
#include "net/address.h"

static const struct sockaddr *parse(const char *text)
{
    static struct sockaddr_storage sa;
    socklen_t len;
    if (!address_parse(str_c(text), 443, &sa, &len))
        fail_msg("%s is no literal", text);
    return (const struct sockaddr *)&sa;
}

static void kinds_follow_the_registries(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum address_kind kind;
    } rows[] = {
        {"0.0.0.0", ADDRESS_UNSPECIFIED},
        {"0.255.255.255", ADDRESS_UNSPECIFIED},
        {"1.0.0.0", ADDRESS_PUBLIC},
        {"9.255.255.255", ADDRESS_PUBLIC},
        {"10.0.0.0", ADDRESS_PRIVATE},
        {"10.255.255.255", ADDRESS_PRIVATE},
        {"11.0.0.0", ADDRESS_PUBLIC},
        {"100.63.255.255", ADDRESS_PUBLIC},
        {"100.64.0.0", ADDRESS_SHARED},
        {"100.100.100.200", ADDRESS_METADATA},
        {"100.127.255.255", ADDRESS_SHARED},
        {"100.128.0.0", ADDRESS_PUBLIC},
        {"126.255.255.255", ADDRESS_PUBLIC},
        {"127.0.0.1", ADDRESS_LOOPBACK},
        {"127.255.255.255", ADDRESS_LOOPBACK},
        {"128.0.0.0", ADDRESS_PUBLIC},
        {"168.63.129.16", ADDRESS_METADATA},
        {"169.253.255.255", ADDRESS_PUBLIC},
        {"169.254.0.0", ADDRESS_LINK_LOCAL},
        {"169.254.169.253", ADDRESS_LINK_LOCAL},
        {"169.254.169.254", ADDRESS_METADATA},
        {"169.254.170.2", ADDRESS_METADATA},
        {"169.254.255.255", ADDRESS_LINK_LOCAL},
        {"169.255.0.0", ADDRESS_PUBLIC},
        {"172.15.255.255", ADDRESS_PUBLIC},
        {"172.16.0.0", ADDRESS_PRIVATE},
        {"172.31.255.255", ADDRESS_PRIVATE},
        {"172.32.0.0", ADDRESS_PUBLIC},
        {"192.0.0.1", ADDRESS_RESERVED},
        {"192.0.0.192", ADDRESS_METADATA},
        {"192.0.1.0", ADDRESS_PUBLIC},
        {"192.0.2.1", ADDRESS_DOCUMENTATION},
        {"192.88.99.1", ADDRESS_RESERVED},
        {"192.167.255.255", ADDRESS_PUBLIC},
        {"192.168.0.0", ADDRESS_PRIVATE},
        {"192.168.255.255", ADDRESS_PRIVATE},
        {"192.169.0.0", ADDRESS_PUBLIC},
        {"198.17.255.255", ADDRESS_PUBLIC},
        {"198.18.0.0", ADDRESS_RESERVED},
        {"198.19.255.255", ADDRESS_RESERVED},
        {"198.51.100.7", ADDRESS_DOCUMENTATION},
        {"203.0.113.255", ADDRESS_DOCUMENTATION},
        {"223.255.255.255", ADDRESS_PUBLIC},
        {"224.0.0.1", ADDRESS_MULTICAST},
        {"239.255.255.255", ADDRESS_MULTICAST},
        {"240.0.0.1", ADDRESS_RESERVED},
        {"255.255.255.254", ADDRESS_RESERVED},
        {"255.255.255.255", ADDRESS_BROADCAST},
        {"8.8.8.8", ADDRESS_PUBLIC},
        {"104.18.6.192", ADDRESS_PUBLIC},

        {"::", ADDRESS_UNSPECIFIED},
        {"::1", ADDRESS_LOOPBACK},
        {"::2", ADDRESS_UNSPECIFIED},      /* compatible form of 0.0.0.2 */
        {"::127.0.0.1", ADDRESS_LOOPBACK}, /* compatible form */
        {"::8.8.8.8", ADDRESS_RESERVED},
        {"::ffff:127.0.0.1", ADDRESS_LOOPBACK},
        {"::ffff:7f00:1", ADDRESS_LOOPBACK},
        {"::ffff:0:127.0.0.1", ADDRESS_LOOPBACK}, /* translated */
        {"::ffff:0:8.8.8.8", ADDRESS_RESERVED},
        {"::ffff:10.1.2.3", ADDRESS_PRIVATE},
        {"::ffff:169.254.169.254", ADDRESS_METADATA},
        {"::ffff:0.0.0.0", ADDRESS_UNSPECIFIED},
        {"::ffff:8.8.8.8", ADDRESS_PUBLIC},
        {"64:ff9b::127.0.0.1", ADDRESS_LOOPBACK},
        {"64:ff9b::a9fe:a9fe", ADDRESS_METADATA},
        {"64:ff9b::192.168.1.1", ADDRESS_PRIVATE},
        {"64:ff9b::8.8.8.8", ADDRESS_PUBLIC},
        {"64:ff9b:1::8.8.8.8", ADDRESS_PRIVATE},
        {"64:ff9b:2::8.8.8.8", ADDRESS_RESERVED},
        {"2002:7f00:1::", ADDRESS_LOOPBACK},
        {"2002:a9fe:a9fe::1", ADDRESS_METADATA},
        {"2002:0a00:1::1", ADDRESS_PRIVATE},
        {"2002:0808:0808::1", ADDRESS_RESERVED},
        {"2001::1", ADDRESS_RESERVED},                              /* Teredo */
        {"2001:0:4136:e378:8000:63bf:3fff:fdd2", ADDRESS_RESERVED}, /* Teredo with a client */
        {"2001:2::1", ADDRESS_RESERVED},
        {"2001:10::1", ADDRESS_RESERVED},
        {"2001:1ff:ffff::1", ADDRESS_RESERVED},
        {"2001:200::1", ADDRESS_PUBLIC},
        {"2001:db8::1", ADDRESS_DOCUMENTATION},
        {"2001:db9::1", ADDRESS_PUBLIC},
        {"2606:4700::6812:6c0", ADDRESS_PUBLIC},
        {"2a00:1450:4001::1", ADDRESS_PUBLIC},
        {"3fff::1", ADDRESS_DOCUMENTATION},
        {"3fff:fff::1", ADDRESS_DOCUMENTATION},
        {"3fff:1000::1", ADDRESS_PUBLIC},
        {"4000::1", ADDRESS_RESERVED},
        {"100::1", ADDRESS_RESERVED}, /* discard-only */
        {"5f00::1", ADDRESS_RESERVED},
        {"fc00::1", ADDRESS_PRIVATE},
        {"fd00:ec2::254", ADDRESS_METADATA},
        {"fd00:ec2::253", ADDRESS_PRIVATE},
        {"fd20:ce::254", ADDRESS_METADATA},
        {"fdff:ffff::1", ADDRESS_PRIVATE},
        {"fe80::1", ADDRESS_LINK_LOCAL},
        {"fe80::5efe:127.0.0.1", ADDRESS_LINK_LOCAL},
        {"febf::1", ADDRESS_LINK_LOCAL},
        {"fec0::1", ADDRESS_PRIVATE},
        {"ff02::1", ADDRESS_MULTICAST},
        {"ff0e::1", ADDRESS_MULTICAST},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum address_kind got = address_kind_of(parse(rows[i].text));
        if (got != rows[i].kind)
            fail_msg("%s: %s, expected %s", rows[i].text, address_kind_text(got), address_kind_text(rows[i].kind));
        char why[200];
        enum err want = rows[i].kind == ADDRESS_PUBLIC ? ERR_OK : ERR_UPSTREAM_REFUSED_ADDRESS;
        assert_int_equal(address_check(parse(rows[i].text), NULL, why, sizeof why), want);
    }
}

static void other_families_are_refused(void **state)
{
    (void)state;
    char why[200];
    struct sockaddr_storage sa = {.ss_family = AF_UNIX};
    struct address_set *all = address_set_new();
    assert_int_equal(address_set_add(all, STR("0.0.0.0/0"), why, sizeof why), ERR_OK);
    assert_int_equal(address_set_add(all, STR("::/0"), why, sizeof why), ERR_OK);
    assert_int_equal(address_kind_of((struct sockaddr *)&sa), ADDRESS_UNKNOWN);
    assert_int_equal(address_check((struct sockaddr *)&sa, all, why, sizeof why), ERR_UPSTREAM_REFUSED_ADDRESS);
    address_set_free(all);
}

/* Old spellings are no literals for us; whatever a resolver makes of them is caught by the kind of the result. */
static void odd_spellings_are_no_literals_and_resolve_to_refused_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool resolves; /* getaddrinfo takes it for an address */
    } rows[] = {
        {"127.1", true},
        {"127.0.1", true},
        {"2130706433", true},
        {"0x7f000001", true},
        {"0x7f.0.0.1", true},
        {"0177.0.0.1", true},
        {"017700000001", true},
        {"0x7F.0x0.0x0.0x1", true},
        {"127.0.0.01", true},
        {"0000177.0.0.1", true},
        {"0", true},
        {"0x0", true},
        {"10.1", true},
        {"0xa9fea9fe", true},
        {"2852039166", true},
        {"169.254.43518", true},
        {"127.0.0.1.", false},
        {"127.0.0.256", false},
        {"127.0.0", true},
        {"127..0.1", false},
        {"1.2.3.4.5", false},
        {"[::1]", false},
        {"::1%lo", true},
        {"fe80::1%1", true},
        {"::ffff:127.0.0.1.", false},
        {"::g", false},
        {":::", false},
        {"1::2::3", false},
        {"", false},
        {" 127.0.0.1", false},
        {"127.0.0.1 ", false},
        {"127.0.0.1\n", false},
        {"127.0.0.1/8", false},
        {"localhost", false},
        {"\xef\xbc\x91", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sockaddr_storage sa;
        socklen_t len;
        if (address_parse(str_c(rows[i].text), 0, &sa, &len))
            fail_msg("'%s' passed as a literal", rows[i].text);
        struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM}, *found = NULL;
        if (getaddrinfo(rows[i].text, "443", &hints, &found) != 0)
            continue;
        assert_true(rows[i].resolves);
        for (struct addrinfo *f = found; f; f = f->ai_next)
            if (address_kind_of(f->ai_addr) == ADDRESS_PUBLIC)
                fail_msg("'%s' led to a public address", rows[i].text);
        freeaddrinfo(found);
    }
    struct sockaddr_storage sa;
    socklen_t len;
    assert_false(address_parse(str_of("127.0.0.1\0", 10), 0, &sa, &len));
    assert_false(address_parse(str_of("8.8.8.8\0.evil", 13), 0, &sa, &len));
}

static void addresses_are_written_as_they_are_read(void **state)
{
    (void)state;
    char text[ADDRESS_TEXT_MAX];
    struct sockaddr_storage sa;
    socklen_t len;
    assert_true(address_parse(STR("192.0.2.1"), 443, &sa, &len));
    assert_int_equal(len, sizeof(struct sockaddr_in));
    assert_int_equal(address_format((struct sockaddr *)&sa, text), 13);
    assert_string_equal(text, "192.0.2.1:443");
    assert_true(address_parse(STR("2001:DB8:0::0:1"), 65535, &sa, &len));
    assert_int_equal(len, sizeof(struct sockaddr_in6));
    address_format((struct sockaddr *)&sa, text);
    assert_string_equal(text, "[2001:db8::1]:65535");
    assert_true(address_parse(STR("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255"), 0, &sa, &len));
    address_format((struct sockaddr *)&sa, text);
    assert_string_equal(text, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
}

static void allow_lists_permit_what_they_name(void **state)
{
    (void)state;
    static const struct {
        const char *cidr, *yes, *no;
    } rows[] = {
        {"127.0.0.0/8", "127.9.9.9", "10.0.0.1"},
        {"127.0.0.1/8", "127.9.9.9", "10.0.0.1"}, /* host bits are ignored */
        {"127.0.0.1", "127.0.0.1", "127.0.0.2"},
        {"127.0.0.1/32", "::ffff:127.0.0.1", "::1"}, /* the same destination */
        {"::ffff:127.0.0.1", "127.0.0.1", "127.0.0.2"},
        {"::ffff:10.0.0.0/104", "10.255.0.1", "127.0.0.1"},
        {"10.32.0.0/11", "10.63.255.255", "10.64.0.0"},
        {"0.0.0.0/0", "192.168.1.1", "fd00::1"},
        {"::/0", "fd00::1", "127.0.0.1"}, /* says nothing about IPv4 */
        {"::/0", "::1", "::ffff:127.0.0.1"},
        {"fd00::/8", "fd12:3456::1", "fc00::1"},
        {"::1/128", "::1", "::2"},
        {"10.0.0.0/8", "10.0.0.1", "64:ff9b::10.0.0.1"}, /* another destination */
        {"64:ff9b::/96", "64:ff9b::10.0.0.1", "10.0.0.1"},
        {"100.64.0.0/10", "100.64.0.1", "100.100.100.200"},   /* metadata: not by a range */
        {"169.254.0.0/16", "169.254.1.1", "169.254.169.254"}, /* metadata: not by a range */
        {"0.0.0.0/0", "127.0.0.1", "169.254.169.254"},
        {"169.254.169.254", "169.254.169.254", "169.254.170.2"},
        {"::/0", "fd00:ec2::1", "fd00:ec2::254"},
        {"fd00:ec2::254", "fd00:ec2::254", "fd00:ec2::1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char why[200];
        struct address_set *set = address_set_new();
        assert_int_equal(address_set_add(set, str_c(rows[i].cidr), why, sizeof why), ERR_OK);
        if (address_check(parse(rows[i].yes), set, why, sizeof why) != ERR_OK)
            fail_msg("%s does not allow %s", rows[i].cidr, rows[i].yes);
        if (address_check(parse(rows[i].no), set, why, sizeof why) != ERR_UPSTREAM_REFUSED_ADDRESS)
            fail_msg("%s allows %s", rows[i].cidr, rows[i].no);
        assert_int_equal(address_check(parse("8.8.8.8"), set, why, sizeof why), ERR_OK);
        address_set_free(set);
    }
}

static void malformed_ranges_are_refused_with_a_sentence(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "/8",
                                      "10.0.0.0/",
                                      "10.0.0.0/33",
                                      "10.0.0.0/-1",
                                      "10.0.0.0/ 8",
                                      "10.0.0.0/8 ",
                                      "10.0.0.0/8/8",
                                      "10/8",
                                      "::/129",
                                      "localhost",
                                      "10.0.0.0/0x8",
                                      "*",
                                      "300.0.0.0/8",
                                      "[::1]/128",
                                      "10.0.0.0/99999999999999999999"};
    struct address_set *set = address_set_new();
    char why[200];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        why[0] = '\0';
        if (address_set_add(set, str_c(bad[i]), why, sizeof why) != ERR_BAD_OPTION)
            fail_msg("'%s' was taken", bad[i]);
        assert_true(strlen(why) > 10);
    }
    for (int i = 0; i < ADDRESS_SET_MAX; i++)
        assert_int_equal(address_set_add(set, STR("10.0.0.0/8"), why, sizeof why), ERR_OK);
    assert_int_equal(address_set_add(set, STR("10.0.0.0/8"), why, sizeof why), ERR_BAD_OPTION);
    address_set_free(set);
}

static void refusals_say_which_address_and_why(void **state)
{
    (void)state;
    char why[200];
    assert_int_equal(address_check(parse("169.254.169.254"), NULL, why, sizeof why), ERR_UPSTREAM_REFUSED_ADDRESS);
    assert_non_null(strstr(why, "169.254.169.254:443"));
    assert_non_null(strstr(why, "metadata"));
    assert_non_null(strstr(why, "--allow-upstream"));
}

/* Against a second, slower description: whatever embeds a refused IPv4 address is refused. */
static void embedding_never_turns_refused_into_public(void **state)
{
    (void)state;
    struct rng_seeded g = {11};
    static const char *const prefixes[] = {"::ffff:", "64:ff9b::", "::", "::ffff:0:"};
    for (int i = 0; i < 200000; i++) {
        uint64_t v = rng_seeded_u64(&g);
        unsigned a = v & 255, b = v >> 8 & 255, c = v >> 16 & 255, d = v >> 24 & 255;
        char four[40], six[64];
        snprintf(four, sizeof four, "%u.%u.%u.%u", a, b, c, d);
        enum address_kind kind = address_kind_of(parse(four));
        if (v >> 63)
            snprintf(six, sizeof six, "2002:%x:%x::1", a << 8 | b, c << 8 | d);
        else
            snprintf(six, sizeof six, "%s%s", prefixes[v >> 60 & 3], four);
        enum address_kind outer = address_kind_of(parse(six));
        if (kind != ADDRESS_PUBLIC && outer == ADDRESS_PUBLIC)
            fail_msg("%s is public", six);
        if (kind != ADDRESS_PUBLIC)
            assert_int_equal(outer, kind);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_follow_the_registries),
        cmocka_unit_test(other_families_are_refused),
        cmocka_unit_test(odd_spellings_are_no_literals_and_resolve_to_refused_kinds),
        cmocka_unit_test(addresses_are_written_as_they_are_read),
        cmocka_unit_test(allow_lists_permit_what_they_name),
        cmocka_unit_test(malformed_ranges_are_refused_with_a_sentence),
        cmocka_unit_test(refusals_say_which_address_and_why),
        cmocka_unit_test(embedding_never_turns_refused_into_public),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
