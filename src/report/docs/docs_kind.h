/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_DOCS_DOCS_KIND_H
#define REPORT_DOCS_DOCS_KIND_H

/*
 * docs_kind: which kinds of report resources there are and what each consists of, as one table of fields.
 *
 * A field's name is that of Vantage's API, in requests and in answers. What a resource says that follows
 * from others (the performance of a budget) is no field: whoever answers adds it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* Columns: name, path, prefix of tokens, what an error calls it. Append only: the database stores the number. */
#define DOCS_KIND_TABLE(X)                                                                 \
    X(COST_REPORT, "cost_reports", "rprt_", "cost report")                                 \
    X(SAVED_FILTER, "saved_filters", "svd_fltr_", "saved filter")                          \
    X(FOLDER, "folders", "fldr_", "folder")                                                \
    X(DASHBOARD, "dashboards", "dshbrd_", "dashboard")                                     \
    X(BUDGET, "budgets", "bdgt_", "budget")                                                \
    X(BUDGET_ALERT, "budget_alerts", "bdgt_alrt_", "budget alert")                         \
    X(COST_ALERT, "cost_alerts", "cstm_alrt_rl_", "cost alert")                            \
    X(ANOMALY_NOTIFICATION, "anomaly_notifications", "rprt_alrt_", "anomaly notification") \
    X(REPORT_NOTIFICATION, "report_notifications", "rprt_ntfctn_", "report notification")  \
    X(ANNOTATION, "annotations", "issue_", "annotation")                                   \
    X(BUSINESS_METRIC, "business_metrics", "bsnss_mtrc_", "business metric")               \
    X(VIRTUAL_TAG, "virtual_tag_configs", "vtag_", "virtual tag config")                   \
    X(SEGMENT, "segments", "fltr_sgmt_", "segment")                                        \
    X(WORKSPACE, "workspaces", "wrkspc_", "workspace")                                     \
    X(PERSON, "users", "usr_", "user")                                                     \
    X(INTEGRATION, "integrations", "accss_crdntl_", "integration")                         \
    X(ACCESS_GRANT, "access_grants", "rsrc_accss_grnt_", "access grant")                   \
    X(REPORT_FORECAST, "report_forecasts", "rprt_frcst_", "report forecast")

enum docs_kind {
#define X(name, path, prefix, text) DOCS_##name,
    DOCS_KIND_TABLE(X)
#undef X
        DOCS_KIND_COUNT
};

enum docs_type {
    DOCS_TEXT,
    DOCS_BOOL,
    DOCS_INT,     /* whole, may come as text */
    DOCS_NUMBER,  /* kept as it was written */
    DOCS_AMOUNT,  /* number or text in, text out: "100.0" */
    DOCS_DATE,    /* "2026-11-22" */
    DOCS_CHOICE,  /* one word of `choices` */
    DOCS_TEXTS,   /* array of texts */
    DOCS_REF,     /* token of a resource of `kinds` in the same workspace */
    DOCS_REFS,    /* array of those */
    DOCS_OBJECT,  /* of `shape` */
    DOCS_OBJECTS, /* array of those */
    DOCS_FILTER,  /* in the query language */
    DOCS_GROUPS,  /* "service,provider", or an array of such words */
    DOCS_OWN,     /* token of a part; made when it was not given, with the prefix in `choices` */
};

enum {
    DOCS_REQUIRED = 1,
    DOCS_NULL = 2,  /* may be null; "" is taken for it */
    DOCS_FIXED = 4, /* not changed once it is made */
    DOCS_DIES = 8,  /* the resource goes with the one that this names */
    DOCS_OURS = 16, /* Vantage does not know it: it is only there when it was given */
};

struct docs_shape;

struct docs_field {
    const char *name;
    enum docs_type type;
    unsigned flags;
    const char *missing; /* JSON when it was not given */
    const char *choices; /* words with spaces between */
    const struct docs_shape *shape;
    uint32_t kinds; /* 1 << enum docs_kind */
    unsigned max;   /* most elements; 0 = 1,000 */
};

struct docs_shape {
    const struct docs_field *fields;
    unsigned count;
};

struct docs_kind_info {
    const char *path, *prefix, *text;
    struct docs_shape shape;
    const char *title; /* the field that is searched for */
};

const struct docs_kind_info *docs_kind_info(enum docs_kind k);
/* By the path's word: "folders". */
bool docs_kind_find(struct str path, enum docs_kind *ret);

#endif
