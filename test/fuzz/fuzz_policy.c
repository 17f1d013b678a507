/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The input is conditions, a newline, group_by, a newline, metadata. Whatever compiles is asked about a
 * request with that metadata; a group's text stays within its room and has as many values as groups.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/json/jdoc.h"
#include "base/must.h"
#include "control/limit/policy.h"

static void ask(const struct policy *p, struct str metadata)
{
    struct jdoc doc;
    char text[POLICY_GROUP_TEXT_MAX];
    size_t n = 0, separators = 0;
    const struct policy_facts facts = {.api_key = STR("AbCd1234"),
                                       .api_key_name = STR("ci"),
                                       .workspace = STR("default"),
                                       .integration = STR("openai"),
                                       .provider = STR("openai"),
                                       .config = STR("pc-one"),
                                       .prompt = STR("pp-one"),
                                       .model = STR("gpt-4o"),
                                       .metadata = metadata};
    jdoc_init(&doc);
    bool valid = jdoc_parse(&doc, metadata) && jdoc_kind(jdoc_root(&doc)) == JDOC_OBJECT;
    jdoc_free(&doc);
    if (!valid)
        return;
    policy_matches(p, &facts);
    if (!policy_group_text(p, &facts, text, &n))
        return;
    must(n <= sizeof text);
    for (size_t i = 0; i < n; i++)
        separators += text[i] == POLICY_SEPARATOR;
    must(separators == (p->group_count ? p->group_count - 1 : 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct str rest = str_of((const char *)bytes, size), conditions = STR(""), group_by = STR("");
    struct policy p;
    const char *param = NULL;
    str_split(&rest, '\n', &conditions);
    if (rest.p)
        str_split(&rest, '\n', &group_by);
    struct arena *a = arena_new(4096, (size_t)1 << 20);
    const char *bad = policy_compile(conditions, group_by, a, &p, &param);
    if (bad)
        must(param[0] != '\0');
    else
        ask(&p, rest.p ? rest : STR(""));
    arena_free(a);
    return 0;
}
