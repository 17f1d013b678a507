/* SPDX-License-Identifier: Apache-2.0 */
/* The table itself. Words and defaults are those of Vantage's API, version 2. */
#include "report/docs/docs_kind.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define ONE(kind) (UINT32_C(1) << DOCS_##kind)
#define SHAPE(a)    \
    {               \
        a, COUNT(a) \
    }

#define INTERVALS                                                                                       \
    "this_month last_7_days last_30_days last_month last_3_months last_6_months custom last_12_months " \
    "last_24_months last_36_months next_month next_3_months next_6_months next_12_months year_to_date " \
    "last_3_days last_14_days"
#define SCALES "per_unit per_hundred per_thousand per_million per_billion"
#define CALCULATIONS "unit_cost gross_margin usage_unit_cost raw_business_metric"

static const struct docs_field settings_fields[] = {
    {"include_credits", DOCS_BOOL, 0, "false", NULL, NULL, 0, 0},
    {"include_refunds", DOCS_BOOL, 0, "false", NULL, NULL, 0, 0},
    {"include_discounts", DOCS_BOOL, 0, "true", NULL, NULL, 0, 0},
    {"include_tax", DOCS_BOOL, 0, "true", NULL, NULL, 0, 0},
    {"amortize", DOCS_BOOL, 0, "true", NULL, NULL, 0, 0},
    {"unallocated", DOCS_BOOL, 0, "false", NULL, NULL, 0, 0},
    {"aggregate_by", DOCS_CHOICE, 0, "\"cost\"", "cost usage count", NULL, 0, 0},
    {"show_previous_period", DOCS_BOOL, 0, "true", NULL, NULL, 0, 0},
    {"complete_period", DOCS_BOOL, 0, "false", NULL, NULL, 0, 0},
};
static const struct docs_shape settings = SHAPE(settings_fields);

static const struct docs_field forecast_fields[] = {
    {"kind", DOCS_CHOICE, 0, "\"baseline\"", "baseline report_forecast", NULL, 0, 0},
    {"report_forecast_token", DOCS_REF, DOCS_NULL, "null", NULL, NULL, ONE(REPORT_FORECAST), 0},
};
static const struct docs_shape forecast = SHAPE(forecast_fields);

static const struct docs_field chart_fields[] = {
    {"y_axis_dimension", DOCS_TEXT, 0, "\"cost\"", NULL, NULL, 0, 0},
    {"x_axis_dimension", DOCS_TEXTS, 0, "[\"date\"]", NULL, NULL, 0, 1},
};
static const struct docs_shape chart = SHAPE(chart_fields);

static const struct docs_field metric_use_fields[] = {
    {"business_metric_token", DOCS_REF, DOCS_REQUIRED, NULL, NULL, NULL, ONE(BUSINESS_METRIC), 0},
    {"unit_scale", DOCS_CHOICE, 0, "\"per_unit\"", SCALES, NULL, 0, 0},
    {"calculation_type", DOCS_CHOICE, 0, "\"unit_cost\"", CALCULATIONS, NULL, 0, 0},
    {"label", DOCS_TEXT, DOCS_NULL, "null", NULL, NULL, 0, 0},
    {"label_filter", DOCS_TEXTS, 0, "[]", NULL, NULL, 0, 0},
    {"label_filters", DOCS_TEXTS, DOCS_NULL, "null", NULL, NULL, 0, 0},
};
static const struct docs_shape metric_use = SHAPE(metric_use_fields);

static const struct docs_field cost_report[] = {
    {"title", DOCS_TEXT, DOCS_REQUIRED, NULL, NULL, NULL, 0, 0},
    {"folder_token", DOCS_REF, DOCS_NULL, "null", NULL, NULL, ONE(FOLDER), 0},
    {"saved_filter_tokens", DOCS_REFS, 0, "[]", NULL, NULL, ONE(SAVED_FILTER), 100},
    {"business_metric_tokens_with_metadata", DOCS_OBJECTS, 0, "[]", NULL, &metric_use, 0, 20},
    {"default_forecast", DOCS_OBJECT, 0, NULL, NULL, &forecast, 0, 0},
    {"filter", DOCS_FILTER, DOCS_NULL, "null", NULL, NULL, 0, 0},
    {"groupings", DOCS_GROUPS, DOCS_NULL, "null", NULL, NULL, 0, 0},
    {"settings", DOCS_OBJECT, 0, NULL, NULL, &settings, 0, 0},
    {"previous_period_start_date", DOCS_DATE, DOCS_NULL, "null", NULL, NULL, 0, 0},
    {"previous_period_end_date", DOCS_DATE, DOCS_NULL, "null", NULL, NULL, 0, 0},
    {"start_date", DOCS_DATE, DOCS_NULL, "null", NULL, NULL, 0, 0},
    {"end_date", DOCS_DATE, DOCS_NULL, "null", NULL, NULL, 0, 0},
    {"date_interval", DOCS_CHOICE, DOCS_NULL, "null", INTERVALS, NULL, 0, 0},
    {"chart_type", DOCS_CHOICE, 0, "\"line\"", "area line pie bar multi_bar", NULL, 0, 0},
    {"date_bin", DOCS_CHOICE, 0, "\"cumulative\"", "cumulative day week month quarter hour", NULL, 0, 0},
    {"chart_settings", DOCS_OBJECT, 0, NULL, NULL, &chart, 0, 0},
};

static const struct docs_field saved_filter[] = {
    {"title", DOCS_TEXT, DOCS_REQUIRED, NULL, NULL, NULL, 0, 0},
    {"filter", DOCS_FILTER, DOCS_NULL, "null", NULL, NULL, 0, 0},
};

static const struct docs_field folder[] = {
    {"title", DOCS_TEXT, DOCS_REQUIRED, NULL, NULL, NULL, 0, 0},
    {"type", DOCS_CHOICE, DOCS_FIXED, "\"CostFolder\"", "CostFolder", NULL, 0, 0},
    {"parent_folder_token", DOCS_REF, DOCS_NULL, "null", NULL, NULL, ONE(FOLDER), 0},
    {"saved_filter_tokens", DOCS_REFS, 0, "[]", NULL, NULL, ONE(SAVED_FILTER), 100},
};

static const struct docs_field widget_settings_fields[] = {
    {"display_type", DOCS_CHOICE, 0, "\"chart\"", "table chart", NULL, 0, 0},
};
static const struct docs_shape widget_settings = SHAPE(widget_settings_fields);

static const struct docs_field widget_fields[] = {
    {"widgetable_token", DOCS_REF, DOCS_REQUIRED, NULL, NULL, NULL, ONE(COST_REPORT), 0},
    {"title", DOCS_TEXT, DOCS_NULL, "null", NULL, NULL, 0, 0},
    {"settings", DOCS_OBJECT, 0, NULL, NULL, &widget_settings, 0, 0},
};
static const struct docs_shape widget = SHAPE(widget_fields);

static const struct docs_field dashboard[] = {
    {"title", DOCS_TEXT, DOCS_REQUIRED, NULL, NULL, NULL, 0, 0},
    {"widgets", DOCS_OBJECTS, 0, "[]", NULL, &widget, 0, 100},
    {"saved_filter_tokens", DOCS_REFS, 0, "[]", NULL, NULL, ONE(SAVED_FILTER), 100},
    {"date_bin", DOCS_CHOICE, DOCS_NULL, "null", "cumulative day week month", NULL, 0, 0},
    {"date_interval", DOCS_CHOICE, DOCS_NULL, "null", INTERVALS, NULL, 0, 0},
    {"start_date", DOCS_DATE, DOCS_NULL, "null", NULL, NULL, 0, 0},
    {"end_date", DOCS_DATE, DOCS_NULL, "null", NULL, NULL, 0, 0},
};

static const struct docs_field period_fields[] = {
    {"start_at", DOCS_DATE, DOCS_REQUIRED, NULL, NULL, NULL, 0, 0},
    {"end_at", DOCS_DATE, DOCS_NULL, "null", NULL, NULL, 0, 0},
    {"amount", DOCS_AMOUNT, DOCS_REQUIRED, NULL, NULL, NULL, 0, 0},
};
static const struct docs_shape period = SHAPE(period_fields);

static const struct docs_field budget[] = {
    {"name", DOCS_TEXT, DOCS_REQUIRED, NULL, NULL, NULL, 0, 0},
    {"cost_report_token", DOCS_REF, DOCS_NULL, "null", NULL, NULL, ONE(COST_REPORT) | ONE(SEGMENT), 0},
    {"child_budget_tokens", DOCS_REFS, 0, "[]", NULL, NULL, ONE(BUDGET), 100},
    {"periods", DOCS_OBJECTS, 0, "[]", NULL, &period, 0, 500},
};

static const struct docs_field budget_alert[] = {
    {"budget_tokens", DOCS_REFS, DOCS_REQUIRED, NULL, NULL, NULL, ONE(BUDGET), 100},
    {"threshold", DOCS_INT, DOCS_REQUIRED, NULL, NULL, NULL, 0, 0},
    {"duration_in_days", DOCS_INT, DOCS_NULL, "null", NULL, NULL, 0, 0},
    {"period_to_track", DOCS_CHOICE, DOCS_NULL, "null", "start_of_the_month end_of_the_month", NULL, 0, 0},
    {"basis", DOCS_CHOICE, DOCS_NULL | DOCS_OURS, NULL, "actual forecast", NULL, 0, 0},
    {"user_tokens", DOCS_TEXTS, 0, "[]", NULL, NULL, 0, 100},
    {"recipient_emails", DOCS_TEXTS, 0, "[]", NULL, NULL, 0, 100},
    {"recipient_channels", DOCS_TEXTS, DOCS_NULL, "null", NULL, NULL, 0, 100},
};

static const struct docs_field cost_alert[] = {
    {"title", DOCS_TEXT, DOCS_REQUIRED, NULL, NULL, NULL, 0, 0},
    {"interval", DOCS_CHOICE, DOCS_REQUIRED, NULL, "day week month quarter", NULL, 0, 0},
    {"threshold", DOCS_NUMBER, DOCS_REQUIRED, NULL, NULL, NULL, 0, 0},
    {"unit_type", DOCS_CHOICE, DOCS_REQUIRED, NULL, "currency percentage", NULL, 0, 0},
    {"report_tokens", DOCS_REFS, DOCS_REQUIRED, NULL, NULL, NULL, ONE(COST_REPORT), 10},
    {"email_recipients", DOCS_TEXTS, 0, "[]", NULL, NULL, 0, 100},
    {"slack_channels", DOCS_TEXTS, 0, "[]", NULL, NULL, 0, 100},
    {"teams_channels", DOCS_TEXTS, 0, "[]", NULL, NULL, 0, 100},
    {"minimum_threshold", DOCS_NUMBER, DOCS_NULL, "null", NULL, NULL, 0, 0},
};

static const struct docs_field anomaly_notification[] = {
    {"cost_report_token", DOCS_REF, DOCS_REQUIRED | DOCS_DIES | DOCS_FIXED, NULL, NULL, NULL, ONE(COST_REPORT), 0},
    {"threshold", DOCS_INT, 0, "0", NULL, NULL, 0, 0},
    {"user_tokens", DOCS_TEXTS, 0, "[]", NULL, NULL, 0, 100},
    {"recipient_emails", DOCS_TEXTS, 0, "[]", NULL, NULL, 0, 100},
    {"recipient_channels", DOCS_TEXTS, 0, "[]", NULL, NULL, 0, 100},
};

static const struct docs_field report_notification[] = {
    {"title", DOCS_TEXT, DOCS_REQUIRED, NULL, NULL, NULL, 0, 0},
    {"cost_report_token", DOCS_REF, DOCS_REQUIRED | DOCS_DIES, NULL, NULL, NULL, ONE(COST_REPORT), 0},
    {"frequency", DOCS_CHOICE, DOCS_REQUIRED, NULL, "daily weekly monthly", NULL, 0, 0},
    {"change", DOCS_CHOICE, DOCS_REQUIRED, NULL, "percentage dollars", NULL, 0, 0},
    {"user_tokens", DOCS_TEXTS, 0, "[]", NULL, NULL, 0, 100},
    {"recipient_emails", DOCS_TEXTS, 0, "[]", NULL, NULL, 0, 100},
    {"recipient_channels", DOCS_TEXTS, 0, "[]", NULL, NULL, 0, 100},
};

static const struct docs_field annotation[] = {
    {"title", DOCS_TEXT, DOCS_NULL, "null", NULL, NULL, 0, 0},
    {"report_tokens", DOCS_REFS, DOCS_REQUIRED, NULL, NULL, NULL, ONE(COST_REPORT), 100},
    {"date", DOCS_DATE, DOCS_NULL, "null", NULL, NULL, 0, 0},
    {"message", DOCS_TEXT, DOCS_NULL, "null", NULL, NULL, 0, 0},
};

static const struct docs_field report_use_fields[] = {
    {"cost_report_token", DOCS_REF, DOCS_REQUIRED, NULL, NULL, NULL, ONE(COST_REPORT), 0},
    {"unit_scale", DOCS_CHOICE, 0, "\"per_unit\"", SCALES, NULL, 0, 0},
    {"calculation_type", DOCS_CHOICE, 0, "\"unit_cost\"", CALCULATIONS, NULL, 0, 0},
    {"label", DOCS_TEXT, DOCS_NULL, "null", NULL, NULL, 0, 0},
    {"label_filter", DOCS_TEXTS, 0, "[]", NULL, NULL, 0, 0},
    {"label_filters", DOCS_TEXTS, 0, "[]", NULL, NULL, 0, 0},
};
static const struct docs_shape report_use = SHAPE(report_use_fields);

static const struct docs_field business_metric[] = {
    {"title", DOCS_TEXT, DOCS_REQUIRED, NULL, NULL, NULL, 0, 0},
    {"cost_report_tokens_with_metadata", DOCS_OBJECTS, 0, "[]", NULL, &report_use, 0, 100},
};

static const struct docs_field collapsed_fields[] = {
    {"key", DOCS_TEXT, DOCS_REQUIRED, NULL, NULL, NULL, 0, 0},
    {"providers", DOCS_TEXTS, 0, "[]", NULL, NULL, 0, 0},
    {"filter", DOCS_FILTER, DOCS_NULL, "null", NULL, NULL, 0, 0},
};
static const struct docs_shape collapsed = SHAPE(collapsed_fields);

static const struct docs_field aggregation_fields[] = {
    {"tag", DOCS_TEXT, DOCS_REQUIRED, NULL, NULL, NULL, 0, 0},
};
static const struct docs_shape aggregation = SHAPE(aggregation_fields);
static const struct docs_field cost_metric_fields[] = {
    {"filter", DOCS_FILTER, DOCS_REQUIRED, NULL, NULL, NULL, 0, 0},
    {"aggregation", DOCS_OBJECT, DOCS_REQUIRED, NULL, NULL, &aggregation, 0, 0},
};
static const struct docs_shape cost_metric = SHAPE(cost_metric_fields);
static const struct docs_field percentage_fields[] = {
    {"value", DOCS_TEXT, DOCS_REQUIRED, NULL, NULL, NULL, 0, 0},
    {"pct", DOCS_NUMBER, DOCS_REQUIRED, NULL, NULL, NULL, 0, 0},
};
static const struct docs_shape percentage = SHAPE(percentage_fields);
static const struct docs_field range_fields[] = {
    {"start_date", DOCS_DATE, DOCS_NULL, "null", NULL, NULL, 0, 0},
    {"end_date", DOCS_DATE, DOCS_NULL, "null", NULL, NULL, 0, 0},
};
static const struct docs_shape range = SHAPE(range_fields);
static const struct docs_field transform_fields[] = {
    {"type", DOCS_CHOICE, DOCS_REQUIRED, NULL, "split format", NULL, 0, 0},
    {"delimiter", DOCS_TEXT, DOCS_NULL, "null", NULL, NULL, 0, 0},
    {"index", DOCS_INT, DOCS_NULL, "null", NULL, NULL, 0, 0},
    {"template", DOCS_TEXT, DOCS_NULL, "null", NULL, NULL, 0, 0},
};
static const struct docs_shape transform = SHAPE(transform_fields);

static const struct docs_field tag_value_fields[] = {
    {"token", DOCS_OWN, 0, NULL, "vtag_val_", NULL, 0, 0},
    {"filter", DOCS_FILTER, DOCS_NULL, "null", NULL, NULL, 0, 0},
    {"name", DOCS_TEXT, DOCS_NULL, "null", NULL, NULL, 0, 0},
    {"business_metric_token", DOCS_REF, DOCS_NULL, "null", NULL, NULL, ONE(BUSINESS_METRIC), 0},
    {"label_key", DOCS_TEXT, DOCS_NULL, "null", NULL, NULL, 0, 0},
    {"label_values", DOCS_TEXTS, DOCS_NULL, "null", NULL, NULL, 0, 0},
    {"cost_metric", DOCS_OBJECT, DOCS_NULL, "null", NULL, &cost_metric, 0, 0},
    {"display_name", DOCS_TEXT, DOCS_NULL, "null", NULL, NULL, 0, 0},
    {"label_transforms", DOCS_OBJECTS, 0, "[]", NULL, &transform, 0, 20},
    {"percentages", DOCS_OBJECTS, 0, "[]", NULL, &percentage, 0, 100},
    {"date_ranges", DOCS_OBJECTS, 0, "[]", NULL, &range, 0, 100},
};
static const struct docs_shape tag_value = SHAPE(tag_value_fields);

static const struct docs_field virtual_tag[] = {
    {"key", DOCS_TEXT, DOCS_REQUIRED, NULL, NULL, NULL, 0, 0},
    {"overridable", DOCS_BOOL, DOCS_REQUIRED, NULL, NULL, NULL, 0, 0},
    {"hidden", DOCS_BOOL, 0, "false", NULL, NULL, 0, 0},
    {"preferred", DOCS_BOOL, 0, "false", NULL, NULL, 0, 0},
    {"backfill_until", DOCS_DATE, DOCS_NULL, "null", NULL, NULL, 0, 0},
    {"collapsed_tag_keys", DOCS_OBJECTS, 0, "[]", NULL, &collapsed, 0, 100},
    {"values", DOCS_OBJECTS, 0, "[]", NULL, &tag_value, 0, 0},
};

static const struct docs_field segment[] = {
    {"title", DOCS_TEXT, DOCS_REQUIRED, NULL, NULL, NULL, 0, 0},
    {"parent_segment_token", DOCS_REF, DOCS_NULL | DOCS_DIES, "null", NULL, NULL, ONE(SEGMENT), 0},
    {"description", DOCS_TEXT, 0, "\"\"", NULL, NULL, 0, 0},
    {"track_unallocated", DOCS_BOOL, 0, "false", NULL, NULL, 0, 0},
    {"report_settings", DOCS_OBJECT, 0, NULL, NULL, &settings, 0, 0},
    {"priority", DOCS_INT, 0, "0", NULL, NULL, 0, 0},
    {"filter", DOCS_FILTER, DOCS_NULL, "null", NULL, NULL, 0, 0},
};

static const struct docs_field workspace[] = {
    {"enable_currency_conversion", DOCS_BOOL, 0, "true", NULL, NULL, 0, 0},
    {"currency", DOCS_TEXT, 0, "\"USD\"", NULL, NULL, 0, 0},
    {"exchange_rate_date", DOCS_CHOICE, 0, "\"daily_rate\"", "daily_rate end_of_billing_period_rate", NULL, 0, 0},
};

static const struct docs_field person[] = {
    {"default_dashboard_token", DOCS_REF, DOCS_NULL, "null", NULL, NULL, ONE(DASHBOARD), 0},
};

/* Which workspaces see the costs of an account; without one of these, its own does. */
static const struct docs_field integration[] = {
    {"workspace_tokens", DOCS_TEXTS, DOCS_REQUIRED, NULL, NULL, NULL, 0, 1000},
};

/* A forecast with a name: the baseline, as scenarios are not known here. */
static const struct docs_field report_forecast[] = {
    {"title", DOCS_TEXT, DOCS_REQUIRED, NULL, NULL, NULL, 0, 0},
    {"cost_report_token", DOCS_REF, DOCS_REQUIRED | DOCS_DIES | DOCS_FIXED, NULL, NULL, NULL, ONE(COST_REPORT), 0},
    {"scenario_model_tokens", DOCS_TEXTS, 0, "[]", NULL, NULL, 0, 0},
    {"business_metric_token", DOCS_REF, DOCS_NULL, "null", NULL, NULL, ONE(BUSINESS_METRIC), 0},
};

#define GRANTABLE (ONE(COST_REPORT) | ONE(SAVED_FILTER) | ONE(FOLDER) | ONE(DASHBOARD) | ONE(BUDGET) | ONE(SEGMENT))
static const struct docs_field access_grant[] = {
    {"resource_token", DOCS_REF, DOCS_REQUIRED | DOCS_FIXED | DOCS_DIES, NULL, NULL, NULL, GRANTABLE, 0},
    {"team_token", DOCS_TEXT, DOCS_REQUIRED | DOCS_FIXED, NULL, NULL, NULL, 0, 0},
    {"access", DOCS_CHOICE, 0, "\"allowed\"", "allowed denied", NULL, 0, 0},
};

#define FIELDS_COST_REPORT SHAPE(cost_report), "title"
#define FIELDS_SAVED_FILTER SHAPE(saved_filter), "title"
#define FIELDS_FOLDER SHAPE(folder), "title"
#define FIELDS_DASHBOARD SHAPE(dashboard), "title"
#define FIELDS_BUDGET SHAPE(budget), "name"
#define FIELDS_BUDGET_ALERT SHAPE(budget_alert), NULL
#define FIELDS_COST_ALERT SHAPE(cost_alert), "title"
#define FIELDS_ANOMALY_NOTIFICATION SHAPE(anomaly_notification), NULL
#define FIELDS_REPORT_NOTIFICATION SHAPE(report_notification), "title"
#define FIELDS_ANNOTATION SHAPE(annotation), "title"
#define FIELDS_BUSINESS_METRIC SHAPE(business_metric), "title"
#define FIELDS_VIRTUAL_TAG SHAPE(virtual_tag), "key"
#define FIELDS_SEGMENT SHAPE(segment), "title"
#define FIELDS_WORKSPACE SHAPE(workspace), NULL
#define FIELDS_PERSON SHAPE(person), NULL
#define FIELDS_INTEGRATION SHAPE(integration), NULL
#define FIELDS_ACCESS_GRANT SHAPE(access_grant), NULL
#define FIELDS_REPORT_FORECAST SHAPE(report_forecast), "title"

static const struct docs_kind_info kinds[] = {
#define X(name, path, prefix, text) {path, prefix, text, FIELDS_##name},
    DOCS_KIND_TABLE(X)
#undef X
};

const struct docs_kind_info *docs_kind_info(enum docs_kind k)
{
    return &kinds[k];
}

bool docs_kind_find(struct str path, enum docs_kind *ret)
{
    for (unsigned i = 0; i < COUNT(kinds); i++)
        if (str_eq(path, str_c(kinds[i].path))) {
            *ret = (enum docs_kind)i;
            return true;
        }
    return false;
}
