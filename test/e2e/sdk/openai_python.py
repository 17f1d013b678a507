# SPDX-License-Identifier: Apache-2.0
"""
Every operation of the Python SDK against BASE_URL with API_KEY, and ADMIN_KEY for administration.

    BASE_URL=http://127.0.0.1:8788/v1 API_KEY=sk-… python3 openai_python.py [FILTER]
"""

import asyncio
import io
import struct
import time

import openai
import pydantic

import harness
from harness import check_usage, equal, main, make_async_client, make_client, op, refused

CHAT, THINKER = "gpt-4o", "gpt-5.4-mini"
MESSAGES = [{"role": "system", "content": 'You are a tollgate. "Ünïcödé" \\ \U0001F6A7'},
            {"role": "user", "content": "What does it cost to pass?"}]
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
              "additionalProperties": False}
WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}


def text_file(text, name="a.txt"):
    return (name, text.encode(), "text/plain")


def wav(seconds):
    data = bytes(16000 * seconds)
    head = b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt "
    head += struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16) + b"data" + struct.pack("<I", len(data))
    return ("a.wav", head + data, "audio/wav")


def listed(pages, made):
    assert any(x.id == made.id for x in pages), f"{made.id} is not listed"


# --- chat, completions, embeddings, moderations ---------------------------------------------------


@op("chat.completions.create")
def _(c):
    r = c.chat.completions.create(model=CHAT, messages=MESSAGES, n=2, logprobs=True, top_logprobs=1)
    equal([k.finish_reason for k in r.choices], ["stop", "stop"])
    equal("".join(t.token for t in r.choices[1].logprobs.content), r.choices[1].message.content)
    return check_usage(r.usage, "prompt_tokens", "completion_tokens")


@op("chat.completions.create stream")
def _(c):
    chunks = list(c.chat.completions.create(model=CHAT, messages=MESSAGES, stream=True,
                                            stream_options={"include_usage": True}))
    assert all(k.usage is None for k in chunks[:-1]) and chunks[-1].choices == []
    assert "".join(k.choices[0].delta.content or "" for k in chunks[:-1])
    return check_usage(chunks[-1].usage, "prompt_tokens", "completion_tokens")


@op("chat.completions.create tools stream")
def _(c):
    with c.chat.completions.stream(model=CHAT, messages=MESSAGES, tools=[WEATHER],
                                   stream_options={"include_usage": True}) as stream:
        final = stream.get_final_completion()
    equal(final.choices[0].message.tool_calls[0].function.name, "get_weather")
    return check_usage(final.usage, "prompt_tokens", "completion_tokens")


@op("chat.completions.parse")
def _(c):
    class Answer(pydantic.BaseModel):
        toll: int
        coins: list[str]

    r = c.chat.completions.parse(model=CHAT, messages=MESSAGES, response_format=Answer)
    assert isinstance(r.choices[0].message.parsed, Answer)
    return check_usage(r.usage, "prompt_tokens", "completion_tokens")


@op("chat.completions.create audio")
def _(c):
    r = c.chat.completions.create(model="gpt-audio", messages=MESSAGES, modalities=["text", "audio"],
                                  audio={"voice": "alloy", "format": "wav"})
    assert r.choices[0].message.audio.transcript and r.usage.completion_tokens_details.audio_tokens
    return check_usage(r.usage, "prompt_tokens", "completion_tokens")


@op("chat.completions async")
def _(_c):
    async def run():
        async with make_async_client() as c:
            whole = await c.chat.completions.create(model=THINKER, messages=MESSAGES, reasoning_effort="low")
            stream = await c.chat.completions.create(model=CHAT, messages=MESSAGES, stream=True)
            text = "".join([k.choices[0].delta.content or "" async for k in stream])
            assert text and whole.usage.completion_tokens_details.reasoning_tokens
            return whole.usage
    return check_usage(asyncio.run(run()), "prompt_tokens", "completion_tokens")


# The SDK's types know only the assistant's messages, whole choices of streams, and vectors of numbers.
def lenient():
    return make_client(_strict_response_validation=False)


@op("chat.completions stored")
def _(c):
    made = c.chat.completions.create(model=CHAT, messages=MESSAGES, store=True, metadata={"a": "1"})
    equal(c.chat.completions.update(made.id, metadata={"a": "2"}).to_dict()["metadata"], {"a": "2"})
    listed(c.chat.completions.list(), made)
    equal([m.content for m in lenient().chat.completions.messages.list(made.id)], [m["content"] for m in MESSAGES])
    assert c.chat.completions.delete(made.id).deleted
    refused(lambda: c.chat.completions.retrieve(made.id), 404)
    return made.usage


@op("chat.completions errors")
def _(c):
    refused(lambda: c.chat.completions.create(model=CHAT, messages=[]), 400, "empty_array")
    e = refused(lambda: c.chat.completions.create(model="no-such-model", messages=MESSAGES), 404, "model_not_found")
    assert isinstance(e, openai.NotFoundError)
    limited = refused(lambda: c.chat.completions.create(model=CHAT, messages=MESSAGES,
                                                        extra_headers={"x-sim-error": "insufficient_quota"}), 429)
    equal((limited.code, "retry-after" in limited.response.headers), ("insufficient_quota", False))
    try:
        list(c.chat.completions.create(model=CHAT, messages=MESSAGES, stream=True,
                                       extra_headers={"x-sim-fail-after-events": "3"}))
    except openai.APIError as error:
        equal(error.type, "server_error")
    else:
        raise AssertionError("the error event was not raised")


@op("completions.create")
def _(c):
    r = c.completions.create(model="gpt-3.5-turbo-instruct", prompt=["a", "b"], max_tokens=4, best_of=2, logprobs=1)
    equal([k.index for k in r.choices], [0, 1])
    equal(r.usage.completion_tokens, 16, "best_of is paid too")
    chunks = list(lenient().completions.create(model="davinci-002", prompt="a", stream=True,
                                               stream_options={"include_usage": True}))
    check_usage(chunks[-1].usage, "prompt_tokens", "completion_tokens")
    return check_usage(r.usage, "prompt_tokens", "completion_tokens")


@op("embeddings.create")
def _(c):
    r = lenient().embeddings.create(model="text-embedding-3-small", input=["a", "b"], dimensions=8)
    f = c.embeddings.create(model="text-embedding-3-small", input="a", dimensions=8, encoding_format="float")
    assert all(abs(x - y) < 1e-6 for x, y in zip(r.data[0].embedding, f.data[0].embedding))
    return check_usage(r.usage, "prompt_tokens")


@op("moderations.create")
def _(c):
    equal([r.flagged for r in c.moderations.create(input=["a", "attack"]).results], [False, True])
    c.moderations.create(model="omni-moderation-latest", input=[{"type": "text", "text": "a"}])


# --- responses ------------------------------------------------------------------------------------


@op("responses.create")
def _(c):
    r = c.responses.create(model=THINKER, input="Who?", include=["reasoning.encrypted_content"])
    assert r.output_text and r.output[0].encrypted_content
    return check_usage(r.usage, "input_tokens", "output_tokens")


@op("responses.create stream")
def _(c):
    tools = [{"type": "web_search"}, {"type": "code_interpreter", "container": {"type": "auto"}},
             {"type": "image_generation", "partial_images": 1}, {"type": "file_search", "vector_store_ids": ["vs_1"]},
             {"type": "mcp", "server_label": "s", "server_url": "https://example.com", "require_approval": "never"}]
    events = list(c.responses.create(model=THINKER, input="Who?", stream=True, tools=tools,
                                     reasoning={"summary": "auto"}))
    equal([e.sequence_number for e in events], list(range(len(events))))
    final = events[-1].response
    equal("".join(e.delta for e in events if e.type == "response.output_text.delta"), final.output_text)
    return check_usage(final.usage, "input_tokens", "output_tokens")


@op("responses.stream")
def _(c):
    tools = [{"type": "function", "name": "get_weather", "parameters": PARAMETERS, "strict": True}]
    with c.responses.stream(model=CHAT, input="Weather?", tools=tools) as stream:
        final = stream.get_final_response()
    equal(final.output[0].name, "get_weather")
    return check_usage(final.usage, "input_tokens", "output_tokens")


@op("responses.parse")
def _(c):
    class Answer(pydantic.BaseModel):
        yes: bool

    r = c.responses.parse(model=CHAT, input="Yes?", text_format=Answer)
    assert isinstance(r.output_parsed, Answer)
    return r.usage


@op("responses background")
def _(c):
    made = c.responses.create(model=CHAT, input="Later.", background=True)
    equal(made.status, "queued")
    got = c.responses.retrieve(made.id)
    equal(got.status, "completed")
    events = list(c.responses.retrieve(made.id, stream=True, starting_after=2))
    equal(events[0].sequence_number, 3)
    other = c.responses.create(model=CHAT, input="x", background=True, extra_headers={"x-sim-work-ms": "60000"})
    equal(c.responses.cancel(other.id).status, "cancelled")
    return got.usage


@op("responses stored")
def _(c):
    made = c.responses.create(model=CHAT, input=[{"role": "user", "content": "Keep."}])
    equal([i.content[0].text for i in c.responses.input_items.list(made.id)], ["Keep."])
    counted = c.responses.input_tokens.count(model=CHAT, input=[{"role": "user", "content": "Keep."}])
    equal(counted.input_tokens, made.usage.input_tokens)
    check_usage(c.responses.compact(model=CHAT, input="x").usage, "input_tokens", "output_tokens")
    c.responses.delete(made.id)
    refused(lambda: c.responses.retrieve(made.id), 404)
    return made.usage


@op("responses.connect")
def _(c):
    with c.responses.connect() as connection:
        connection.response.create(model=CHAT, input="Over a socket.")
        events = []
        for event in connection:
            events.append(event)
            if event.type == "response.completed":
                break
    return check_usage(events[-1].response.usage, "input_tokens", "output_tokens").to_dict() and None


@op("decisions.create")
def _(c):
    r = c.decisions.create(model="gpt-6-luna", input="x", questions=[{"type": "predicate", "instructions": "safe?"}])
    equal(r.answers[0].type, "predicate")
    return check_usage(r.usage, "input_tokens", "output_tokens")


# --- images, audio, video -------------------------------------------------------------------------


@op("images")
def _(c):
    r = c.images.generate(model="gpt-image-1", prompt="a gate", quality="high")
    edited = c.images.edit(model="gpt-image-1", prompt="x", image=[("a.png", b"png"), ("b.png", b"png")])
    assert edited.usage.input_tokens_details.image_tokens
    equal(len(c.images.create_variation(image=("a.png", b"png"), n=2).data), 2)
    events = list(c.images.generate(model="gpt-image-1", prompt="a", stream=True, partial_images=1))
    check_usage(events[-1].usage, "input_tokens", "output_tokens")
    return check_usage(r.usage, "input_tokens", "output_tokens")


@op("audio.speech.create")
def _(c):
    for kind, magic in (("mp3", b"ID3"), ("wav", b"RIFF"), ("flac", b"fLaC")):
        sound = c.audio.speech.create(model="tts-1", voice="alloy", input="Hello", response_format=kind)
        assert sound.read().startswith(magic), kind
    with c.audio.speech.with_streaming_response.create(model="gpt-4o-mini-tts", voice="alloy", input="Hi") as r:
        assert sum(len(b) for b in r.iter_bytes()) > 0


@op("audio.transcriptions.create")
def _(c):
    make = c.audio.transcriptions.create
    r = make(model="gpt-4o-transcribe", file=wav(2))
    equal(make(model="whisper-1", file=wav(2)).usage.seconds, 2)
    verbose = make(model="whisper-1", file=wav(9), response_format="verbose_json")
    equal((float(verbose.duration), len(verbose.segments)), (9.0, 3))
    assert make(model="whisper-1", file=wav(2), response_format="srt").startswith("1\n")
    assert make(model="gpt-4o-transcribe-diarize", file=wav(2), response_format="diarized_json").segments
    events = list(make(model="gpt-4o-transcribe", file=wav(2), stream=True))
    check_usage(events[-1].usage, "input_tokens", "output_tokens")
    assert c.audio.translations.create(model="whisper-1", file=wav(2)).text
    return check_usage(r.usage, "input_tokens", "output_tokens")


@op("audio.voices")
def _(c):
    consent = c.audio.voice_consents.create(name="n", language="en", recording=wav(1))
    listed(c.audio.voice_consents.list(), consent)
    equal(c.audio.voice_consents.update(consent.id, name="m").name, "m")
    voice = c.audio.voices.create(name="v", audio_sample=wav(1), consent=consent.id)
    assert c.audio.voices.delete(voice.id).deleted and c.audio.voice_consents.delete(consent.id).deleted


@op("videos")
def _(c):
    made = c.videos.create_and_poll(model="sora-2", prompt="a gate", seconds="4", poll_interval_ms=10)
    equal(made.status, "completed")
    equal(c.videos.download_content(made.id).read()[4:8], b"ftyp")
    equal(c.videos.remix(made.id, prompt="x").remixed_from_video_id, made.id)
    listed(c.videos.list(), made)
    assert c.videos.delete(made.id).deleted


# --- what is kept ---------------------------------------------------------------------------------


@op("models")
def _(c):
    assert len(list(c.models.list())) > 50
    equal(c.models.retrieve("gpt-4o").id, "gpt-4o")


@op("files")
def _(c):
    data = bytes(range(256)) * 1000
    made = c.files.create(file=("nöise.bin", data), purpose="user_data")
    equal((made.bytes, made.filename), (len(data), "nöise.bin"))
    equal(c.files.content(made.id).read(), data)
    listed(c.files.list(purpose="user_data"), made)
    equal(c.files.wait_for_processing(made.id).status, "processed")
    assert c.files.delete(made.id).deleted
    refused(lambda: c.files.content(made.id), 404)


@op("uploads")
def _(c):
    done = c.uploads.upload_file_chunked(file=b"x" * 150, filename="u.txt", bytes=150, mime_type="text/plain",
                                         purpose="assistants", part_size=64)
    equal((done.status, done.file.bytes), ("completed", 150))
    other = c.uploads.create(bytes=1, filename="c", mime_type="text/plain", purpose="assistants")
    equal(c.uploads.cancel(other.id).status, "cancelled")


@op("batches")
def _(c):
    line = '{"custom_id":"%d","method":"POST","url":"/v1/embeddings","body":{"model":"text-embedding-3-small","input":"%d"}}'
    body = "\n".join(line % (i, i) for i in range(70))
    source = c.files.create(file=text_file(body, "in.jsonl"), purpose="batch")
    made = c.batches.create(input_file_id=source.id, endpoint="/v1/embeddings", completion_window="24h")
    while made.status not in ("completed", "failed"):
        time.sleep(0.02)
        made = c.batches.retrieve(made.id)
    equal((made.status, made.request_counts.completed), ("completed", 70))
    equal(len(c.files.content(made.output_file_id).text.strip().split("\n")), 70)
    listed(c.batches.list(), made)
    other = c.batches.create(input_file_id=source.id, endpoint="/v1/embeddings", completion_window="24h",
                             extra_headers={"x-sim-work-ms": "60000"})
    equal(c.batches.cancel(other.id).status, "cancelling")
    return made.usage


@op("fine_tuning")
def _(c):
    source = c.files.create(file=text_file('{"messages":[]}\n'), purpose="fine-tune")
    made = c.fine_tuning.jobs.create(model="gpt-4o-mini-2024-07-18", training_file=source.id)
    done = c.fine_tuning.jobs.retrieve(made.id)
    equal(done.status, "succeeded")
    assert list(c.fine_tuning.jobs.list_events(made.id)) and list(c.fine_tuning.jobs.checkpoints.list(made.id))
    listed(c.fine_tuning.jobs.list(), made)
    grader = {"type": "string_check", "name": "g", "input": "a", "reference": "a", "operation": "eq"}
    equal(c.fine_tuning.alpha.graders.run(grader=grader, model_sample="a").reward, 1.0)
    c.fine_tuning.alpha.graders.validate(grader=grader)
    assert c.models.delete(done.fine_tuned_model).deleted


@op("vector_stores")
def _(c):
    store = c.vector_stores.create(name="s")
    equal(c.vector_stores.update(store.id, name="t").name, "t")
    file = c.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=text_file("two coins"))
    equal(file.status, "completed")
    equal([f.score for f in c.vector_stores.search(store.id, query="coins")], [1.0])
    equal([p.text for p in c.vector_stores.files.content(file.id, vector_store_id=store.id)], ["two coins"])
    batch = c.vector_stores.file_batches.upload_and_poll(store.id, files=[text_file("a"), text_file("b")])
    equal(batch.file_counts.completed, 2)
    listed(c.vector_stores.files.list(store.id), file)
    assert c.vector_stores.files.delete(file.id, vector_store_id=store.id).deleted
    listed(c.vector_stores.list(), store)
    assert c.vector_stores.delete(store.id).deleted


@op("containers")
def _(c):
    box = c.containers.create(name="box")
    file = c.containers.files.create(box.id, file=text_file("inside"))
    equal(c.containers.files.content.retrieve(file.id, container_id=box.id).read(), b"inside")
    listed(c.containers.files.list(box.id), file)
    c.containers.files.delete(file.id, container_id=box.id)
    c.containers.delete(box.id)


@op("evals")
def _(c):
    made = c.evals.create(name="e", data_source_config={"type": "custom", "item_schema": {}}, testing_criteria=[])
    source = {"type": "jsonl", "source": {"type": "file_id", "id": "file-1"}}
    run = c.evals.runs.create(made.id, name="r", data_source=source)
    items = list(c.evals.runs.output_items.list(run.id, eval_id=made.id))
    c.evals.runs.output_items.retrieve(items[0].id, eval_id=made.id, run_id=run.id)
    c.evals.runs.cancel(run.id, eval_id=made.id)
    assert c.evals.runs.delete(run.id, eval_id=made.id).deleted and c.evals.delete(made.id).deleted


@op("assistants")
def _(c):
    assistant = c.beta.assistants.create(model=CHAT, instructions="Be kind.")
    thread = c.beta.threads.create(messages=[{"role": "user", "content": "hello"}])
    run = c.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id, poll_interval_ms=10)
    equal(run.status, "completed")
    with c.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
        stream.until_done()
        equal(stream.get_final_run().status, "completed")
    equal(len(list(c.beta.threads.messages.list(thread.id))), 3)
    assert list(c.beta.threads.runs.steps.list(run.id, thread_id=thread.id))
    assert c.beta.threads.delete(thread.id).deleted and c.beta.assistants.delete(assistant.id).deleted
    return check_usage(run.usage, "prompt_tokens", "completion_tokens")


@op("conversations")
def _(c):
    made = c.conversations.create(items=[{"type": "message", "role": "user", "content": "hello"}])
    r = c.responses.create(model=CHAT, conversation=made.id, input="more")
    items = list(c.conversations.items.list(made.id, order="asc"))
    equal([i.content[0].text for i in items], ["hello", "more", r.output_text])
    c.conversations.items.delete(items[0].id, conversation_id=made.id)
    assert c.conversations.delete(made.id).deleted
    return r.usage


@op("skills and webhooks")
def _(c):
    skill = c.skills.create(files=[text_file("# S", "SKILL.md")])
    version = c.skills.versions.create(skill.id, files=[text_file("# T", "SKILL.md")])
    equal(c.skills.versions.content.retrieve(version.version, skill_id=skill.id).read(), b"# T")
    assert c.skills.delete(skill.id).deleted
    hook = c.webhooks.create(name="w", url="https://example.com", event_types=["batch.completed"])
    assert c.webhooks.test(hook.id, event_type="batch.completed").success
    assert c.webhooks.delete(hook.id).deleted


# --- realtime -------------------------------------------------------------------------------------


def until(connection, kind):
    seen = []
    for event in connection:
        seen.append(event)
        if event.type == kind:
            return seen
    raise AssertionError(f"no {kind} came")


@op("realtime.connect")
def _(c):
    with c.realtime.connect(model="gpt-realtime") as connection:
        equal(next(iter(connection)).type, "session.created")
        connection.session.update(session={"type": "realtime", "output_modalities": ["text"]})
        until(connection, "session.updated")
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Who goes there?"}]}
        connection.conversation.item.create(item=item)
        connection.response.create()
        seen = until(connection, "response.done")
        text = "".join(e.delta for e in seen if e.type == "response.output_text.delta")
        equal(seen[-1].response.output[0].content[0].text, text)
        usage = seen[-1].response.usage
        equal(usage.total_tokens, usage.input_tokens + usage.output_tokens)


@op("realtime over HTTP")
def _(c):
    assert c.realtime.client_secrets.create(session={"type": "realtime", "model": "gpt-realtime"}).value


# --- administration -------------------------------------------------------------------------------


@op("admin usage and costs")
def _(c):
    day = int(time.time()) // 86400 * 86400
    usage = c.admin.organization.usage
    for kind in ("completions", "embeddings", "moderations", "images", "audio_speeches", "audio_transcriptions",
                 "vector_stores", "code_interpreter_sessions", "file_search_calls", "web_search_calls", "decisions"):
        equal(len(getattr(usage, kind)(start_time=day).data), 1, kind)
    by_hour = usage.completions(start_time=day, bucket_width="1h", group_by=["model", "batch"], limit=168)
    by_day = usage.completions(start_time=day)
    equal(sum(r.input_tokens for b in by_hour.data for r in b.results), by_day.data[0].results[0].input_tokens)
    costs = usage.costs(start_time=day, group_by=["line_item"])
    assert all(r.amount.currency == "usd" for b in costs.data for r in b.results)


@op("admin projects and keys")
def _(c):
    org = c.admin.organization
    project = org.projects.create(name="p")
    account = org.projects.service_accounts.create(project.id, name="s")
    make_client(api_key=account.api_key.value).models.retrieve("gpt-4o")
    keys = list(org.projects.api_keys.list(project.id))
    equal([k.id for k in keys], [account.api_key.id])
    listed(org.projects.list(), project)
    assert list(org.users.list()) and list(org.audit_logs.list())
    equal(org.projects.archive(project.id).status, "archived")


if __name__ == "__main__":
    if not harness.ADMIN_KEY:
        harness.operations[:] = [o for o in harness.operations if not o[0].startswith("admin")]
    main()
