/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_DOCS_DOCS_VIEW_H
#define REPORT_DOCS_DOCS_VIEW_H

/*
 * docs_view: what a connection shows, by the access grants of a person's teams.
 *
 * A grant says `allowed` or `denied` for one team and one resource. Of the grants for the viewer's teams the best one counts;
 * without any the resource is seen. What is in a hidden folder is hidden unless it is allowed itself, and
 * so is what cannot be told without what is hidden: a report's notifications and budgets, a budget above a hidden one;
 * alerts and annotations when all that they are about is hidden.
 *
 * What is hidden does not exist for docs_find, docs_list and docs_users, and cannot be named in a new body;
 * docs_view_body leaves it out of what is shown. What holds for everybody is read with docs_find_any:
 * the saved filters on a report hold, whoever looks.
 *
 * A connection shows everything until docs_view is called.
 */

#include "report/docs/docs.h"

struct docs_viewer {
    const struct str *teams; /* tokens, as grants name them */
    size_t team_count;
};

/* For queries of other tables in this file: true of a column with a token that the viewer sees, or of what is gone. */
#define DOCS_VIEW_SEES(column) column " NOT IN (SELECT v.token FROM main.docs v JOIN temp.hidden h ON h.id = v.id)"

/* NULL: everything. After a failure nothing is shown that a grant speaks of. */
enum err docs_view(struct docs *d, const struct docs_viewer *viewer) ERR_USE;
/* Whether there is any grant at all: else everybody sees everything, whatever their teams. */
enum err docs_view_matters(struct docs *d, bool *ret) ERR_USE;
/* What docs_lookup found: whether the viewer sees it. */
bool docs_view_sees(struct docs *d, int64_t id);
/* Whether there is a resource of that token and the viewer does not see it. */
bool docs_view_hides(struct docs *d, struct str token);
/* The resource's body without tokens of what the viewer does not see; the body itself when there are none. */
enum err docs_view_body(struct docs *d, const struct doc *doc, struct arena *a, struct str *ret) ERR_USE;

#endif
