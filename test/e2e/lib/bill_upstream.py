# SPDX-License-Identifier: Apache-2.0
"""OpenAI's organization API with a bill that the test decides, a row a (day, project, key, line item)."""

import datetime
import decimal
import json
import urllib.parse

from harness import Upstream

DAY = 86400


def today():
    return int(datetime.datetime.now(datetime.timezone.utc).timestamp()) // DAY


def day_text(day):
    return datetime.datetime.fromtimestamp(day * DAY, datetime.timezone.utc).strftime("%Y-%m-%d")


class BillUpstream(Upstream):
    """`rows` is a list of {"day", "project", "key", "item", "amount", "quantity", "unit"}; amounts are text."""

    def __init__(self, rows, key="sk-admin-good-0123456789", organization="org-one"):
        self.rows, self.key, self.organization, self.status = rows, key, organization, None
        super().__init__(self.answer)

    def answer(self, request):
        url = urllib.parse.urlsplit(request.target)
        query = urllib.parse.parse_qs(url.query)
        if self.status or request.headers.get("authorization") != "Bearer " + self.key:
            return request.answer({"error": {"message": "no", "type": "invalid_request_error", "code": "invalid_api_key"}},
                                  status=self.status or "401 Unauthorized")
        path = url.path.removeprefix("/v1/organization/")
        if path == "costs":
            return request.answer(self.costs(query).encode())
        if path == "projects":
            names = sorted({row["project"] for row in self.rows if row["project"]})
            return request.answer(self.list({"id": p, "object": "organization.project", "name": p.removeprefix("proj_").title(),
                                             "created_at": 1, "status": "active"} for p in names))
        if path.startswith("usage/"):
            return request.answer({"object": "page", "data": [], "has_more": False, "next_page": None})
        if path.endswith("/api_keys") or path.endswith("/users") or path == "users":
            return request.answer(self.list([]))
        return request.answer({"error": {"message": "no such path"}}, status="404 Not Found")

    @staticmethod
    def list(items):
        data = list(items)
        return {"object": "list", "data": data, "first_id": data[0]["id"] if data else None,
                "last_id": data[-1]["id"] if data else None, "has_more": False}

    def costs(self, query):
        start = int(query["start_time"][0]) // DAY
        limit = int(query.get("limit", ["7"])[0])
        end = min(int(query["end_time"][0]) // DAY if "end_time" in query else today() + 1, start + limit)
        grouped = "group_by" in query or "group_by[]" in query
        return json.dumps({"object": "page", "has_more": False, "next_page": None,
                           "data": [self.bucket(day, grouped) for day in range(start, end)]}).replace('"#', "").replace('#"', "")

    def bucket(self, day, grouped):
        rows = [row for row in self.rows if row["day"] == day]
        if not grouped and rows:
            rows = [{"amount": str(sum(decimal.Decimal(row["amount"]) for row in rows))}]
        return {"object": "bucket", "start_time": day * DAY, "end_time": (day + 1) * DAY, "results": [
            {"object": "organization.costs.result", "amount": {"value": f"#{row['amount']}#", "currency": "usd"},
             "line_item": row.get("item"), "project_id": row.get("project"), "api_key_id": row.get("key"),
             "organization_id": self.organization, "quantity": row.get("quantity"), "quantity_unit": row.get("unit")} for row in rows]}
