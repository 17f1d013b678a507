/* SPDX-License-Identifier: Apache-2.0 */
/* Money as decimal dollars, times as text: for people who read the audit log. */
#include "control/limit/limit_json.h"

#include "base/clock.h"

static void write_amount(struct json_write *w, const char *name, const struct limit *l, int64_t amount)
{
    if (l->measure == LIMIT_COST)
        json_write_member_money(w, name, amount);
    else
        json_write_member_int(w, name, amount);
}

static void write_time(struct json_write *w, const char *name, int64_t us)
{
    char text[CLOCK_TEXT_MAX];
    json_write_member_string(w, name, str_of(text, clock_format(us, 0, text)));
}

void limit_json_members(struct json_write *w, const struct limit *l)
{
    json_write_member_string(w, "on", str_c(limit_attach_text(l->attach)));
    json_write_member_int(w, "on_id", l->attach_id);
    json_write_member_text(w, "name", l->name);
    json_write_member_text(w, "source", l->source);
    json_write_member_string(w, "kind", str_c(limit_kind_text(l->kind)));
    json_write_member_string(w, "measure", str_c(limit_measure_text(l->measure)));
    json_write_member_string(w, "mode", str_c(limit_mode_text(l->mode)));
    json_write_member_string(w, "window", str_c(window_unit_text(l->window.unit)));
    json_write_member_int(w, "step", l->window.step);
    if (l->window.unit == WINDOW_ANCHOR)
        write_time(w, "anchor", l->window.anchor_us);
    write_amount(w, "max", l, l->max);
    if (l->kind == LIMIT_CAP) {
        json_write_member_int(w, "input_max", l->input_max);
        json_write_member_int(w, "output_max", l->output_max);
    }
    if (l->alert_at)
        write_amount(w, "alert_at", l, l->alert_at);
    if (l->conditions.n)
        json_write_member_raw(w, "conditions", l->conditions);
    if (l->group_by.n)
        json_write_member_raw(w, "group_by", l->group_by);
    write_time(w, "counted_from", l->counted_from_us);
}
