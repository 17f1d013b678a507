/* SPDX-License-Identifier: Apache-2.0 */
/* Kept answers in the form a client asked for, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json/jdoc.h"
#include "base/json_text.h"
#include "base/mem.h"
#include "gateway/cache/cache.h"
#include "gateway/cache/render.h"

static struct buf out;

static bool render_as(const char *path, struct str body, bool stored_stream, bool stream, bool usage)
{
    struct cache_answer a = {.body = body,
                             .content_type =
                                 stored_stream ? STR("text/event-stream; charset=utf-8") : STR("application/json"),
                             .stream = stored_stream};
    struct cache_replay how = {endpoint_find(STR("POST"), str_c(path)), stream, usage};
    struct str type = STR("");
    buf_reset(&out);
    if (!cache_render(&a, &how, &out, &type)) {
        assert_int_equal(buf_size(&out), 0);
        assert_int_equal(type.n, 0);
        return false;
    }
    assert_true(str_starts(type, stream ? STR("text/event-stream") : STR("application/json")));
    return true;
}

/* `want` as C text; single quotes stand for double ones. */
static void expect(const char *want)
{
    struct str got = buf_str(&out);
    size_t n = strlen(want);
    char *text = mem_strdup(want);
    for (size_t i = 0; i < n; i++)
        text[i] = text[i] == '\'' ? '"' : text[i];
    if (got.n != n || memcmp(got.p, text, n) != 0)
        print_error("got:\n%.*s\nwanted:\n%s\n", (int)got.n, got.p, text);
    assert_int_equal(got.n, n);
    assert_memory_equal(got.p, text, n);
    mem_free(text);
}

static bool render(const char *path, const char *body, bool stored_stream, bool stream, bool usage)
{
    char *text = mem_strdup(body);
    for (char *p = text; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    bool ok = render_as(path, str_c(text), stored_stream, stream, usage);
    mem_free(text);
    return ok;
}

#define CHAT "/chat/completions"
#define HEAD "'id':'chatcmpl-1','created':1800000000,'model':'gpt-4o-2024-08-06','system_fingerprint':null"
#define CHUNK "data: {'object':'chat.completion.chunk'," HEAD ",'choices':["
#define USAGE "{'prompt_tokens':9,'completion_tokens':3,'total_tokens':12}"
#define CHAT_HEAD "{'object':'chat.completion'," HEAD ",'choices':["

static void a_json_answer_stays_as_it_is(void **state)
{
    (void)state;
    const char *odd = "{ 'choices' : [ ] ,\n 'x':1e5}";
    assert_true(render(CHAT, odd, false, false, false));
    expect(odd);
    assert_true(render("/embeddings", odd, false, false, false));
    expect(odd);
}

static void chat_events_have_the_order_of_openai(void **state)
{
    (void)state;
    assert_true(render(CHAT,
                       CHAT_HEAD "{'index':0,'message':{'role':'assistant','content':'Hi you!','refusal':null,"
                                 "'annotations':[]},'logprobs':null,'finish_reason':'stop'}],'usage':" USAGE "}",
                       false, true, true));
    expect(CHUNK
           "{'index':0,'delta':{'role':'assistant','content':'','refusal':null},'logprobs':null,"
           "'finish_reason':null}],'usage':null}\n\n" CHUNK
           "{'index':0,'delta':{'content':'Hi you!'},'logprobs':null,'finish_reason':null}],'usage':null}\n\n" CHUNK
           "{'index':0,'delta':{},'logprobs':null,'finish_reason':'stop'}],'usage':null}\n\n" CHUNK "],'usage':" USAGE
           "}\n\n"
           "data: [DONE]\n\n");
}

static void usage_is_told_only_when_asked_for(void **state)
{
    (void)state;
    assert_true(render(CHAT,
                       CHAT_HEAD "{'index':0,'message':{'role':'assistant','content':'Hi','refusal':null},"
                                 "'logprobs':null,'finish_reason':'length'}],'usage':" USAGE "}",
                       false, true, false));
    expect(CHUNK "{'index':0,'delta':{'role':'assistant','content':'','refusal':null},'logprobs':null,"
                 "'finish_reason':null}]}\n\n" CHUNK
                 "{'index':0,'delta':{'content':'Hi'},'logprobs':null,'finish_reason':null}]}\n\n" CHUNK
                 "{'index':0,'delta':{},'logprobs':null,'finish_reason':'length'}]}\n\n"
                 "data: [DONE]\n\n");
}

static void tool_calls_go_whole_with_their_index(void **state)
{
    (void)state;
    assert_true(render(CHAT,
                       CHAT_HEAD
                       "{'index':0,'message':{'role':'assistant','content':null,'tool_calls':[{'id':'call_1','type':"
                       "'function','function':{'name':'f','arguments':'{}'}},{'id':'call_2','type':'custom','custom':"
                       "{'name':'g','input':'x'}}]},'finish_reason':'tool_calls'}],'usage':" USAGE "}",
                       false, true, false));
    expect(CHUNK "{'index':0,'delta':{'role':'assistant','content':null,'refusal':null},'logprobs':null,"
                 "'finish_reason':null}]}\n\n" CHUNK
                 "{'index':0,'delta':{'tool_calls':[{'index':0,'id':'call_1','type':'function','function':{'name':'f',"
                 "'arguments':'{}'}}]},'logprobs':null,'finish_reason':null}]}\n\n" CHUNK
                 "{'index':0,'delta':{'tool_calls':[{'index':1,'id':'call_2','type':'custom','custom':{'name':'g',"
                 "'input':'x'}}]},'logprobs':null,'finish_reason':null}]}\n\n" CHUNK
                 "{'index':0,'delta':{},'logprobs':null,'finish_reason':'tool_calls'}]}\n\n"
                 "data: [DONE]\n\n");
}

static void refusals_choices_and_strange_members_are_told(void **state)
{
    (void)state;
    assert_true(render(
        CHAT,
        CHAT_HEAD "{'index':0,'message':{'role':'assistant','content':null,'refusal':'No.'},'logprobs':{'content':null,"
                  "'refusal':[{'token':'No.'}]},'finish_reason':'stop','content_filter_results':{}},"
                  "{'index':1,'message':{'role':'assistant','content':'','reasoning_content':'Hm'},"
                  "'finish_reason':'stop'}],'prompt_filter_results':[{}]}",
        false, true, false));
    expect("data: {'object':'chat.completion.chunk'," HEAD ",'prompt_filter_results':[{}],'choices':["
           "{'index':0,'delta':{'role':'assistant','content':null,'refusal':null},'logprobs':null,"
           "'finish_reason':null}]}\n\n" CHUNK
           "{'index':0,'delta':{'refusal':'No.'},'logprobs':{'content':null,'refusal':[{'token':'No.'}]},"
           "'finish_reason':null}]}\n\n" CHUNK
           "{'index':0,'delta':{},'logprobs':null,'finish_reason':'stop','content_filter_results':{}}]}\n\n" CHUNK
           "{'index':1,'delta':{'role':'assistant','content':'','refusal':null},'logprobs':null,"
           "'finish_reason':null}]}\n\n" CHUNK
           "{'index':1,'delta':{'reasoning_content':'Hm'},'logprobs':null,'finish_reason':null}]}\n\n" CHUNK
           "{'index':1,'delta':{},'logprobs':null,'finish_reason':'stop'}]}\n\n"
           "data: [DONE]\n\n");
}

static void a_completion_becomes_a_stream(void **state)
{
    (void)state;
    assert_true(render("/completions",
                       "{'id':'cmpl-1','object':'text_completion','created':1,'model':'m','choices':[{'text':'yes',"
                       "'index':0,'logprobs':{'tokens':['yes']},'finish_reason':'stop'}],'usage':" USAGE "}",
                       false, true, true));
#define TEXT "data: {'object':'text_completion','id':'cmpl-1','created':1,'model':'m','choices':["
    expect(TEXT "{'text':'yes','index':0,'logprobs':{'tokens':['yes']},'finish_reason':null}],'usage':null}\n\n" TEXT
                "{'index':0,'text':'','logprobs':null,'finish_reason':'stop'}],'usage':null}\n\n" TEXT
                "],'usage':" USAGE "}\n\ndata: [DONE]\n\n");
}

/* --- pieces ---------------------------------------------------------------------------------- */

static void pieces_are_cut_between_characters(void **state)
{
    (void)state;
    static const char *const units[] = {
        "a",    "\\n", "\\u00e9", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\\ud83d\\ude00", "\\uD83D\\uDE00",
        "\\\\", "\\\""};
    struct buf text;
    buf_init(&text, 1 << 20);
    for (size_t u = 0; u < sizeof units / sizeof units[0]; u++) {
        for (unsigned count = 0; count < 1300; count += 33) {
            buf_reset(&text);
            assert_true(u == 0 || buf_add_byte(&text, 'x')); /* so that borders move */
            for (unsigned i = 0; i < count; i++)
                assert_true(buf_add_str(&text, str_c(units[u])));
            struct str rest = buf_str(&text);
            size_t total = 0;
            while (rest.n) {
                const char *at = rest.p;
                struct str piece = render_cut(&rest);
                assert_ptr_equal(piece.p, at);
                uint64_t points = json_code_points(piece);
                assert_true(points == RENDER_PIECE || (rest.n == 0 && points > 0 && points < RENDER_PIECE));
                total += piece.n;
            }
            assert_int_equal(total, buf_size(&text));
        }
    }
    buf_free(&text);
}

/* OpenAI's own answers stand in many lines; a line is the end of an event's data. */
static void an_answer_in_many_lines_is_told_in_one(void **state)
{
    (void)state;
    assert_true(render(CHAT,
                       "{\n  'id': 'a b',\r\n  'choices': [\n    {\n      'index': 0,\n      'message': {\n"
                       "        'content': ' x ',\n        'tool_calls': [\n          {\n            'id': 'c',\n"
                       "            'function': { 'arguments': '\\n' }\n          }\n        ]\n      },\n"
                       "      'finish_reason': 'stop'\n    }\n  ],\n  'usage': {\n    'total_tokens': 1\n  }\n}\n",
                       false, true, true));
#define ONE "data: {'object':'chat.completion.chunk','id':'a b','choices':["
    expect(ONE
           "{'index':0,'delta':{'role':'assistant','content':'','refusal':null},'logprobs':null,"
           "'finish_reason':null}],'usage':null}\n\n" ONE
           "{'index':0,'delta':{'content':' x '},'logprobs':null,'finish_reason':null}],'usage':null}\n\n" ONE
           "{'index':0,'delta':{'tool_calls':[{'index':0,'id':'c','function':{ 'arguments': '\\n' }}]},'logprobs':null,"
           "'finish_reason':null}],'usage':null}\n\n" ONE
           "{'index':0,'delta':{},'logprobs':null,'finish_reason':'stop'}],'usage':null}\n\n" ONE
           "],'usage':{'total_tokens': 1}}\n\ndata: [DONE]\n\n");
    assert_true(render("/responses",
                       "{\n 'status': 'completed',\n 'output': [\n  {\n   'type': 'message',\n   'content': [\n    {\n"
                       "     'type': 'output_text',\n     'text': 'x'\n    }\n   ]\n  }\n ]\n}",
                       false, true, false));
    for (struct str rest = buf_str(&out); rest.n;) {
        struct str event = render_event(&rest);
        assert_true(str_ends(event, STR("}\n\n")));
        unsigned lines = 0;
        for (size_t i = 0; i < event.n; i++)
            lines += event.p[i] == '\n';
        assert_int_equal(lines, 3);
    }
}

static void a_broken_escape_at_the_end_stays_within_the_text(void **state)
{
    (void)state;
    static const char *const ends[] = {"\\", "\\u", "\\ud8", "\\ud83d", "\\ud83d\\", "\\ud83d\\u12", "\xf0\x9f"};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        size_t n = strlen(ends[i]);
        char *exact = mem_alloc(n);
        memcpy(exact, ends[i], n);
        struct str rest = str_of(exact, n);
        assert_int_equal(render_cut(&rest).n, n);
        assert_int_equal(rest.n, 0);
        mem_free(exact);
    }
}

static void long_content_comes_in_pieces(void **state)
{
    (void)state;
    struct buf body;
    buf_init(&body, 1 << 20);
    assert_true(buf_add_str(&body, STR("{\"id\":\"1\",\"choices\":[{\"index\":0,\"message\":{\"content\":\"")));
    for (int i = 0; i < 1201; i++)
        assert_true(buf_add_str(&body, STR("\xc3\xa9")));
    assert_true(buf_add_str(&body, STR("\"},\"finish_reason\":\"stop\"}]}")));
    assert_true(render_as(CHAT, buf_str(&body), false, true, false));
    unsigned events = 0, pieces[8] = {0}, n = 0;
    struct str rest = buf_str(&out);
    while (rest.n) {
        struct str event = render_event(&rest);
        ptrdiff_t at = str_search(event, STR("\"delta\":{\"content\":\""));
        events++;
        if (at >= 0)
            pieces[n++] = (unsigned)(str_find(str_from(event, (size_t)at + 20), '"') / 2);
    }
    assert_int_equal(events, 1 + 3 + 1 + 1);
    assert_int_equal(n, 3);
    assert_int_equal(pieces[0], 500);
    assert_int_equal(pieces[1], 500);
    assert_int_equal(pieces[2], 201);
    buf_free(&body);
}

/* --- streams --------------------------------------------------------------------------------- */

#define C(delta, finish) \
    CHUNK "{'index':0,'delta':" delta ",'logprobs':null,'finish_reason':" finish "}],'usage':null}\n\n"
#define STREAM                                                    \
    C("{'role':'assistant','content':'','refusal':null}", "null") \
    C("{'content':'Hel'}", "null")                                \
    C("{'content':'lo \\u00e9'}", "null") C("{}", "'stop'") CHUNK "],'usage':" USAGE "}\n\ndata: [DONE]\n\n"

static void a_stream_goes_again_as_it_came(void **state)
{
    (void)state;
    assert_true(render(CHAT, STREAM, true, true, true));
    expect(STREAM);
    const char *odd = ": hello\n\nevent: x\ndata: {'choices':[]}\r\n\r\nid: 4\n\n";
    assert_true(render("/images/generations", odd, true, true, false));
    expect(odd);
}

static void its_usage_chunk_is_hidden_from_who_did_not_ask(void **state)
{
    (void)state;
    assert_true(render(CHAT, STREAM, true, true, false));
#define D(delta, finish) CHUNK "{'index':0,'delta':" delta ",'logprobs':null,'finish_reason':" finish "}]}\n\n"
    expect(D("{'role':'assistant','content':'','refusal':null}", "null") D("{'content':'Hel'}", "null")
               D("{'content':'lo \\u00e9'}", "null") D("{}", "'stop'") "data: [DONE]\n\n");
}

static void a_stream_is_joined_to_one_object(void **state)
{
    (void)state;
    assert_true(render(CHAT, STREAM, true, false, false));
    expect(CHAT_HEAD "{'index':0,'message':{'role':'assistant','content':'Hello \\u00e9','refusal':null},"
                     "'logprobs':null,'finish_reason':'stop'}],'usage':" USAGE "}");
}

static void tool_calls_are_joined_by_their_index(void **state)
{
    (void)state;
    assert_true(render(
        CHAT,
        C("{'role':'assistant','content':null,'tool_calls':[{'index':0,'id':'call_1','type':'function','function':"
          "{'name':'f','arguments':''}}]}",
          "null") C("{'tool_calls':[{'index':0,'function':{'arguments':'{\\u0022a'}}]}", "null")
            C("{'tool_calls':[{'index':1,'id':'call_2','type':'function','function':{'name':'g','arguments':'1'}}]}",
              "null") C("{'tool_calls':[{'index':0,'function':{'arguments':'\\u0022:1}'}}]}", "null")
                C("{}", "'tool_calls'") "data: [DONE]\n\n",
        true, false, false));
    expect(CHAT_HEAD
           "{'index':0,'message':{'refusal':null,'role':'assistant','content':null,'tool_calls':[{'id':'call_1',"
           "'type':'function','function':{'name':'f','arguments':'{\\u0022a\\u0022:1}'}},{'id':'call_2',"
           "'type':'function','function':{'name':'g','arguments':'1'}}]},'logprobs':null,"
           "'finish_reason':'tool_calls'}]}");
}

static void several_choices_and_logprobs_are_joined(void **state)
{
    (void)state;
#define E(index, delta, logprobs, finish) \
    CHUNK "{'index':" index ",'delta':" delta ",'logprobs':" logprobs ",'finish_reason':" finish "}]}\n\n"
    assert_true(render(CHAT,
                       "data: {'id':'','choices':[],'prompt_filter_results':[{}]}\n\n" E(
                           "1", "{'role':'assistant','content':'B'}", "{'content':[{'token':'B'}],'refusal':null}",
                           "null") E("0", "{'role':'assistant','content':'A'}", "null", "null")
                           E("1", "{'role':'assistant','content':'b'}", "{'content':[{'token':'b'}],'refusal':null}",
                             "null") E("0", "{}", "null", "'length'") E("1", "{}", "null", "'stop'") "data: [DONE]\n\n",
                       true, false, false));
    expect(
        CHAT_HEAD
        "{'index':0,'message':{'refusal':null,'role':"
        "'assistant','content':'A'},'logprobs':null,'finish_reason':'length'},{'index':1,'message':{'refusal':null,'role':'assistant','content':'Bb'},'logprobs':{'content':[{'token':'B'},"
        "{'token':'b'}],'refusal':null},'finish_reason':'stop'}]}");
}

static void a_completions_stream_is_joined(void **state)
{
    (void)state;
#define T(text, finish) TEXT "{'text':'" text "','index':0,'logprobs':null,'finish_reason':" finish "}]}\n\n"
    assert_true(
        render("/completions", T("ye", "null") T("s", "null") T("", "'stop'") "data: [DONE]\n\n", true, false, false));
    expect("{'object':'text_completion','id':'cmpl-1','created':1,'model':'m','choices':[{'index':0,'text':'yes',"
           "'logprobs':null,'finish_reason':'stop'}]}");
}

static void what_is_not_whole_is_no_hit(void **state)
{
    (void)state;
    static const char *const streams[] = {
        "",
        "data: [DONE]\n\n",
        "data: {}\n\n",
        "data: not json\n\n",
        C("{'role':'assistant','content':'a'}", "null"),                                 /* no end */
        C("{'content':'a'}", "'stop'") "data: {'error':{'message':'x'}}\n\n",            /* broke */
        CHUNK "{'delta':{},'finish_reason':'stop'}]}\n\n",                               /* whose? */
        C("{'audio':{'data':'AA=='}}", "'stop'"),                                        /* pieces of base64 */
        C("{'content':'a'}", "null") C("{'content':['b']}", "'stop'"),                   /* of two kinds */
        "data: {'choices':[{'index':0,\ndata: 'delta':{},'finish_reason':'stop'}]}\n\n", /* in lines */
    };
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++)
        assert_false(render(CHAT, streams[i], true, false, false));
    static const char *const objects[] = {
        "",
        "[]",
        "{}",
        "{'choices':[]}",
        "{'choices':[{'index':0,'finish_reason':'stop'}]}",
        "{'choices':[{'index':0,'message':{'content':[{'type':'text'}]}}]}",
        "{'choices':[{'index':0,'message':{'content':null,'audio':{'data':'AAAA'}}}]}",
        "{'choices':[{'index':0,'text':'x'}]}",
        "{'choices':[{'index':0,'message':{'content':'a'}},{'index':0,'message':{'content':'b'}}]}",
        "{'choices':[{'index':1,'message':{'content':'a'}},{'index':0,'message':{'content':'b'}}]}",
    };
    for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++)
        assert_false(render(CHAT, objects[i], false, true, false));
    assert_false(render("/completions", "{'choices':[{'index':0,'message':{}}]}", false, true, false));
    assert_false(render("/embeddings", "{'data':[]}", false, true, false));
    assert_false(render("/images/generations", "data: {}\n\n", true, false, false));
}

static void a_full_buffer_is_no_hit(void **state)
{
    (void)state;
    struct cache_answer a = {.body = STR("{\"choices\":[{\"index\":0,\"text\":\"0123456789\"}]}")};
    struct str type;
    for (size_t max = 4; max < 300; max++) {
        struct buf small;
        struct cache_replay how = {endpoint_find(STR("POST"), STR("/completions")), true, true};
        buf_init(&small, max);
        assert_true(buf_add_str(&small, STR("kept")));
        bool ok = cache_render(&a, &how, &small, &type);
        assert_true(str_starts(buf_str(&small), STR("kept")));
        assert_true(ok || buf_size(&small) == 4);
        buf_free(&small);
    }
}

static void there_and_back_again_is_the_same(void **state)
{
    (void)state;
    const char *answer = CHAT_HEAD
        "{'index':0,'message':{'role':'assistant','content':'one \\ud83d\\ude00 two','refusal':null},'logprobs':"
        "{'content':[{'token':'one'}],'refusal':null},'finish_reason':'stop'},{'index':1,'message':{'role':'assistant',"
        "'content':null,'refusal':null,'tool_calls':[{'id':'c','type':'function','function':{'name':'f','arguments':"
        "'{}'}}]},'logprobs':null,'finish_reason':'tool_calls'}],'usage':" USAGE "}";
    assert_true(render(CHAT, answer, false, true, true));
    struct str stream = buf_str(&out);
    char *copy = mem_strndup(stream.p, stream.n);
    assert_true(render_as(CHAT, str_c(copy), true, false, false));
    expect(answer);
    mem_free(copy);
}

/* --- responses ------------------------------------------------------------------------------- */

#define RESPONSE(status, output, usage) \
    "{'id':'resp_1','object':'response','created_at':1,'status':'" status "','output':[" output "],'usage':" usage "}"
#define EVENT(name, number, rest) "event: " name "\ndata: {'type':'" name "','sequence_number':" number "," rest "}\n\n"
#define MESSAGE(status, content) \
    "{'type':'message','id':'msg_1','status':'" status "','role':'assistant','content':[" content "]}"
#define PART(text, notes) "{'type':'output_text','text':'" text "','annotations':[" notes "]}"

static void a_response_becomes_its_events(void **state)
{
    (void)state;
    const char *answer = RESPONSE("completed", MESSAGE("completed", PART("Hi", "")), "{'input_tokens':1}");
    assert_true(render("/responses", answer, false, true, false));
    expect(EVENT("response.created", "0", "'response':" RESPONSE("in_progress", "", "null"))
               EVENT("response.in_progress", "1", "'response':" RESPONSE("in_progress", "", "null")) EVENT(
                   "response.output_item.added", "2", "'output_index':0,'item':" MESSAGE("in_progress", ""))
                   EVENT("response.content_part.added", "3",
                         "'item_id':'msg_1','output_index':0,'content_index':0,'part':" PART("", ""))
                       EVENT("response.output_text.delta", "4",
                             "'item_id':'msg_1','output_index':0,'content_index':0,'delta':'Hi','logprobs':[]")
                           EVENT("response.output_text.done", "5",
                                 "'item_id':'msg_1','output_index':0,'content_index':0,'text':'Hi','logprobs':[]")
                               EVENT("response.content_part.done", "6",
                                     "'item_id':'msg_1','output_index':0,'content_index':0,'part':" PART("Hi", ""))
                                   EVENT("response.output_item.done", "7",
                                         "'output_index':0,'item':" MESSAGE("completed", PART("Hi", "")))
                                       EVENT("response.completed", "8",
                                             "'response':" RESPONSE("completed", MESSAGE("completed", PART("Hi", "")),
                                                                    "{'input_tokens':1}")));
}

#define CALL(status, arguments)                                                                                       \
    "{'type':'function_call','id':'fc_1','status':'" status "','call_id':'call_1','name':'f','arguments':'" arguments \
    "'}"

static void calls_and_reasoning_are_told(void **state)
{
    (void)state;
    assert_true(
        render("/responses",
               RESPONSE("completed",
                        "{'type':'reasoning','id':'rs_1','summary':[{'type':'summary_text','text':'Hm'}]}," CALL(
                            "completed", "{}"),
                        "null"),
               false, true, false));
    static const char *const names[] = {"response.created",
                                        "response.in_progress",
                                        "response.output_item.added",
                                        "response.reasoning_summary_part.added",
                                        "response.reasoning_summary_text.delta",
                                        "response.reasoning_summary_text.done",
                                        "response.reasoning_summary_part.done",
                                        "response.output_item.done",
                                        "response.output_item.added",
                                        "response.function_call_arguments.delta",
                                        "response.function_call_arguments.done",
                                        "response.output_item.done",
                                        "response.completed"};
    struct str rest = buf_str(&out);
    char want[200];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct str event = render_event(&rest);
        int n = snprintf(want, sizeof want, "event: %s\ndata: {\"type\":\"%s\",\"sequence_number\":%zu,", names[i],
                         names[i], i);
        assert_true(str_starts(event, str_of(want, (size_t)n)));
        struct jdoc doc;
        jdoc_init(&doc);
        struct str json = str_from(event, (size_t)str_find(event, '{'));
        assert_true(jdoc_parse(&doc, str_head(json, json.n - 2)));
        jdoc_free(&doc);
    }
    assert_int_equal(rest.n, 0);
}

static void every_kind_of_item_has_a_story_or_none(void **state)
{
    (void)state;
    static const struct {
        const char *item;
        unsigned events; /* 0: can not be told */
    } cases[] = {
        {"{'type':'web_search_call','id':'w','status':'completed'}", 5},
        {"{'type':'file_search_call','id':'w','status':'completed','results':null}", 5},
        {"{'type':'code_interpreter_call','id':'w','status':'completed','code':'1','outputs':[]}", 7},
        {"{'type':'image_generation_call','id':'w','status':'completed','result':'AAAA'}", 5},
        {"{'type':'mcp_list_tools','id':'w','tools':[]}", 4},
        {"{'type':'mcp_call','id':'w','arguments':'{}','output':'x','error':null}", 6},
        {"{'type':'mcp_call','id':'w','arguments':'{}','output':null,'error':'x'}", 0},
        {"{'type':'custom_tool_call','id':'w','call_id':'c','name':'n','input':'abc'}", 4},
        {"{'type':'function_call','id':'w','name':'n','arguments':''}", 3},
        {"{'type':'reasoning','id':'w','summary':[]}", 2},
        {MESSAGE("completed", ""), 2},
        {MESSAGE("completed", "{'type':'refusal','refusal':'No.'}"), 6},
        {MESSAGE("completed", PART("x", "{'type':'url_citation'}")), 7},
        {MESSAGE("completed", "{'type':'output_audio','data':'AA=='}"), 0},
        {"{'type':'computer_call','id':'w'}", 0},
        {"{}", 0},
        {"1", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char answer[512];
        snprintf(answer, sizeof answer, RESPONSE("completed", "%s", "null"), cases[i].item);
        bool ok = render("/responses", answer, false, true, false);
        assert_int_equal(ok, cases[i].events > 0);
        unsigned events = 0;
        for (struct str rest = buf_str(&out); rest.n; events++)
            (void)render_event(&rest);
        assert_int_equal(events, cases[i].events ? cases[i].events + 3 : 0);
    }
}

static void a_responses_stream_ends_in_its_object(void **state)
{
    (void)state;
    const char *stream = EVENT("response.created", "0", "'response':" RESPONSE("in_progress", "", "null"))
        EVENT("response.output_text.delta", "1", "'delta':'response.completed'")
            EVENT("response.completed", "2", "'response':" RESPONSE("completed", "", "{'input_tokens':1}"));
    assert_true(render("/responses", stream, true, false, false));
    expect(RESPONSE("completed", "", "{'input_tokens':1}"));
    assert_true(render("/responses", stream, true, true, false));
    expect(stream);
    assert_false(render("/responses", EVENT("response.failed", "1", "'response':" RESPONSE("failed", "", "null")), true,
                        false, false));
}

static void a_response_that_runs_or_converses_is_no_hit(void **state)
{
    (void)state;
    for (int stream = 0; stream < 2; stream++) {
        assert_true(render("/responses", RESPONSE("incomplete", "", "null"), false, stream, false));
        assert_false(render("/responses", RESPONSE("queued", "", "null"), false, stream, false));
        assert_false(render("/responses", RESPONSE("in_progress", "", "null"), false, stream, false));
        assert_false(render("/responses", "{'status':'completed','output':[],'conversation':{'id':'conv_1'}}", false,
                            stream, false));
        assert_false(render("/responses",
                            EVENT("response.completed", "1",
                                  "'response':{'status':'completed','output':[],'conversation':{'id':'conv_1'}}"),
                            true, stream, false));
        assert_false(render("/responses", EVENT("response.queued", "1", "'response':" RESPONSE("queued", "", "null")),
                            true, stream, false));
    }
}

static int begin(void **state)
{
    (void)state;
    buf_init(&out, 16 << 20);
    return 0;
}

static int end(void **state)
{
    (void)state;
    buf_free(&out);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_json_answer_stays_as_it_is),
        cmocka_unit_test(chat_events_have_the_order_of_openai),
        cmocka_unit_test(usage_is_told_only_when_asked_for),
        cmocka_unit_test(tool_calls_go_whole_with_their_index),
        cmocka_unit_test(refusals_choices_and_strange_members_are_told),
        cmocka_unit_test(a_completion_becomes_a_stream),
        cmocka_unit_test(pieces_are_cut_between_characters),
        cmocka_unit_test(an_answer_in_many_lines_is_told_in_one),
        cmocka_unit_test(a_broken_escape_at_the_end_stays_within_the_text),
        cmocka_unit_test(long_content_comes_in_pieces),
        cmocka_unit_test(a_stream_goes_again_as_it_came),
        cmocka_unit_test(its_usage_chunk_is_hidden_from_who_did_not_ask),
        cmocka_unit_test(a_stream_is_joined_to_one_object),
        cmocka_unit_test(tool_calls_are_joined_by_their_index),
        cmocka_unit_test(several_choices_and_logprobs_are_joined),
        cmocka_unit_test(a_completions_stream_is_joined),
        cmocka_unit_test(what_is_not_whole_is_no_hit),
        cmocka_unit_test(a_full_buffer_is_no_hit),
        cmocka_unit_test(there_and_back_again_is_the_same),
        cmocka_unit_test(a_response_becomes_its_events),
        cmocka_unit_test(calls_and_reasoning_are_told),
        cmocka_unit_test(every_kind_of_item_has_a_story_or_none),
        cmocka_unit_test(a_responses_stream_ends_in_its_object),
        cmocka_unit_test(a_response_that_runs_or_converses_is_no_hit),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
