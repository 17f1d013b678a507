/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of model APIs, and the envelope their errors come in. */
#include "gateway/target/model_path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "gateway/envelope.h"

static void addresses_of_every_form_are_read(void **state)
{
    static const struct {
        const char *path, *workspace, *model, *rest;
    } cases[] = {
        {"/run/acme/models/gpt/v1/chat/completions", "acme", "gpt", "/chat/completions"},
        {"/acme/models/gpt/v1/chat/completions", "acme", "gpt", "/chat/completions"},
        {"/acme/models/gpt/chat/completions", "acme", "gpt", "/chat/completions"},
        {"/acme/models/gpt/v1/v1/embeddings", "acme", "gpt", "/embeddings"},
        {"/acme/models/gpt", "acme", "gpt", ""},
        {"/acme/models/gpt/", "acme", "gpt", ""},
        {"/run/acme/models/gpt/v1", "acme", "gpt", ""},
        {"/run/v0/models/gpt/v1/responses", "v0", "gpt", "/responses"},
        {"/models/models/models/v1/responses/r_1", "models", "models", "/responses/r_1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct model_path p;
        assert_true(model_path_read(str_c(cases[i].path), &p));
        assert_true(str_eq(p.workspace, str_c(cases[i].workspace)));
        assert_true(str_eq(p.model, str_c(cases[i].model)));
        assert_true(str_eq(p.rest, str_c(cases[i].rest)));
    }
}

static void other_interfaces_have_no_models_of_workspaces(void **state)
{
    static const char *const paths[] = {
        "/v0/models/gpt",
        "/api/models/gpt",
        "/v1/models/gpt",
        "/v2/models/x",
        "/tollgate/models/x",
        "/console/models/x",
        "/acme/models",
        "/acme/models/",
        "/acme/agents/x/v1/run",
        "//models/gpt",
        "/run//models/gpt",
        "/run/acme/models/",
        "/",
        "",
        "acme/models/gpt",
    };
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct model_path p;
        assert_false(model_path_read(str_c(paths[i]), &p));
    }
}

static void an_envelope_speaks_to_both_readers(void **state)
{
    struct buf out;
    int status;
    (void)state;
    buf_init(&out, 4096);
    assert_true(envelope_json(&out, ENVELOPE_WORKLOAD_NOT_FOUND, 400, STR("No \"such\" model."),
                              STR("invalid_request_error"), STR("model"), INT64_C(1700000000000000), &status));
    assert_int_equal(status, 404);
    json_t *root = json_loadb(buf_str(&out).p, buf_size(&out), 0, NULL);
    json_t *error = json_object_get(root, "error");
    assert_string_equal(json_string_value(json_object_get(error, "code")), "WORKLOAD_NOT_FOUND");
    assert_string_equal(json_string_value(json_object_get(error, "message")), "No \"such\" model.");
    assert_string_equal(json_string_value(json_object_get(error, "origin")), "platform");
    assert_string_equal(json_string_value(json_object_get(error, "timestamp")), "2023-11-14T22:13:20Z");
    assert_string_equal(json_string_value(json_object_get(error, "param")), "model");
    assert_int_equal(json_integer_value(json_object_get(error, "status")), 404);
    json_decref(root);
    buf_reset(&out);
    assert_true(envelope_lines(&out, ENVELOPE_POLICY_VIOLATION));
    assert_true(str_eq(buf_str(&out), STR("X-Blaxel-Source: platform\r\nX-Blaxel-Error-Code: POLICY_VIOLATION\r\n")));
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_of_every_form_are_read),
        cmocka_unit_test(other_interfaces_have_no_models_of_workspaces),
        cmocka_unit_test(an_envelope_speaks_to_both_readers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
