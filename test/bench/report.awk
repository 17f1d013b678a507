# SPDX-License-Identifier: Apache-2.0
#
# Reads the raw lines of run.sh ("round=1 target=nginx scenario=json1k cpu_us=… …") and prints one
# table: a row a figure, a column a target, and ratios to nginx. A value is the median of its rounds,
# a ratio the median of the ratios within a round.
#
#     awk -v floor=true|false -v portkey=true|false -f report.awk RAW

{
    target = scenario = round = ""
    for (i = 1; i <= NF; i++) {
        split($i, pair, "=")
        if (pair[1] == "target") target = pair[2]
        else if (pair[1] == "scenario") scenario = pair[2]
        else if (pair[1] == "round") round = pair[2]
        else value[target, scenario, pair[1], round] = pair[2]
    }
    if (round > rounds) rounds = round
}

function median_of(list, n,   i, j, t)
{
    if (!n) return ""
    for (i = 2; i <= n; i++) {
        t = list[i]
        for (j = i - 1; j > 0 && list[j] > t; j--) list[j + 1] = list[j]
        list[j + 1] = t
    }
    return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
}

function median(target, scenario, name,   list, n, r)
{
    n = 0
    for (r = 1; r <= rounds; r++)
        if ((target, scenario, name, r) in value) list[++n] = value[target, scenario, name, r] + 0
    return median_of(list, n)
}

function ratio(target, scenario, name,   list, n, r, base)
{
    n = 0
    for (r = 1; r <= rounds; r++) {
        base = value["nginx", scenario, name, r] + 0
        if (((target, scenario, name, r) in value) && base > 0) list[++n] = value[target, scenario, name, r] / base
    }
    return median_of(list, n)
}

function text(v, digits)
{
    return v == "" ? "-" : sprintf("%." digits "f", v)
}

# One row; `scale` multiplies, `digits` behind the point, `goal` is what it should be.
function row(label, scenario, name, scale, digits, first, goal,   line, i, v, r)
{
    line = "| " label
    for (i = 1; i <= columns; i++) {
        v = median(column[i], scenario, name)
        line = line " | " (v == "" ? "-" : text(v * scale, digits))
        if (column[i] == "nginx" || column[i] == "direct") continue
        r = ratio(column[i], scenario, name)
        line = line (r == "" ? "" : " (" text(r, 2) "×)")
    }
    print line " | " first " | " goal " |"
}

# What a routed request costs beside an unrouted one of the same target and round.
function routed_row(label, scenario, goal,   list, n, r, base, v)
{
    for (r = 1; r <= rounds; r++) {
        base = value["tollgate", "json1k", "cpu_us", r] + 0
        if ((("tollgate", scenario, "cpu_us", r) in value) && base > 0)
            list[++n] = value["tollgate", scenario, "cpu_us", r] / base
    }
    v = median("tollgate", scenario, "cpu_us")
    print "| " label " | " text(v, 1) " | " text(median_of(list, n), 2) "× | " goal " |"
}

function routed_table()
{
    print "\n| CPU µs per routed request, 1 KB in / 600 B out, metadata | | to the unrouted one | goal |"
    print "|---|---|---|---|"
    routed_row("no config", "json1k", "")
    routed_row("config in the header, one target", "routed_inline", "≤ 1.15×")
    routed_row("stored config, fallback of two with retries", "routed_stored", "≤ 1.15×")
    routed_row("answered from the cache", "routed_hit", "≤ 0.7×")
}

# Time that a target adds to a direct exchange, of the same round.
function added_row(   line, i, r, n, list)
{
    line = "| added latency at 2,000 req/s, p50, µs"
    for (i = 1; i <= columns; i++) {
        n = 0
        for (r = 1; r <= rounds; r++)
            if (((column[i], "rate2000", "p50", r) in value) && (("direct", "rate2000", "p50", r) in value))
                list[++n] = value[column[i], "rate2000", "p50", r] - value["direct", "rate2000", "p50", r]
        line = line " | " text(median_of(list, n), 0)
    }
    print line " | nginx + 30 | ≤ nginx |"
}

function trouble(   key, part)
{
    for (key in value) {
        split(key, part, SUBSEP)
        if ((part[3] == "failed" || part[3] == "refused" || part[3] == "merged") && value[key] > 0)
            printf "remark: %s, %s, round %s: %s=%s\n", part[1], part[2], part[4], part[3], value[key]
    }
}

END {
    column[columns = 1] = "nginx"
    column[++columns] = "tollgate"
    column[++columns] = "bodies"
    if (floor == "true") column[++columns] = "floor"
    if (portkey == "true") column[++columns] = "portkey"
    title["nginx"] = "nginx"; title["tollgate"] = "Tollgate, metadata recorded"
    title["bodies"] = "Tollgate, bodies too"; title["floor"] = "floor"; title["portkey"] = "Portkey"
    line = "| figure"; rule = "|---"
    for (i = 1; i <= columns; i++) { line = line " | " title[column[i]]; rule = rule "|---" }
    print line " | first | goal |"
    print rule "|---|---|"
    row("CPU µs per request, 1 KB in / 600 B out", "json1k", "cpu_us", 1, 1, "1.5× / 2.5×", "≤ 1.0× / ≤ 1.6×")
    row("CPU µs per request, 16 KB in", "json16k", "cpu_us", 1, 1, "1.5×", "≤ 1.0×")
    row("CPU µs per request, 200 KB in", "json200k", "cpu_us", 1, 0, "1.5×", "≤ 0.8×")
    row("CPU µs per request, 5 MB image in", "image5m", "cpu_us", 1, 0, "1.5×", "≤ 1.2×")
    row("CPU µs per streamed event", "sse", "cpu_us", 1, 2, "1.2×", "≤ 1.0×")
    row("event under way, p50, µs", "sse", "delay_p50", 1, 0, "", "")
    added_row()
    row("requests/s, 1 KB, one core", "json1k", "rps", 1, 0, "", "")
    row("requests/s, 1 KB, p99 µs at that rate", "json1k", "p99", 1, 0, "", "")
    row("KB of user memory per open stream", "memory", "kb_stream", 1, 2, "8", "≤ 4")
    row("KB of user memory per open stream, TLS upstream", "memory_tls", "kb_stream", 1, 2, "24", "≤ 20")
    row("resident MB, idle", "memory", "rss0_kb", 1 / 1024, 1, "≤ 15", "")
    row(sprintf("resident MB, %d open streams", median("tollgate", "memory", "peak")), "memory", "rss_kb", 1 / 1024, 1, "≤ 80 at 9,900", "")
    routed_table()
    trouble()
}
