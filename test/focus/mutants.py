# SPDX-License-Identifier: Apache-2.0
"""
A file that keeps every rule, and one that breaks it for each of them: what the checker finds nothing in, and what it must
find. run() returns how many were tried; a rule without a mutant, or a mutant that is not found, is an AssertionError.
"""

import csv
import io

from check import check_text, columns_of
from rules import COLUMNS, ONE_RULES, ROW_RULES

USAGE = {
    "BilledCost": "4", "BillingAccountId": "org-1", "BillingAccountName": "Org", "BillingAccountType": "Organization", "BillingCurrency": "USD",
    "BillingPeriodEnd": "2026-04-01T00:00:00Z", "BillingPeriodStart": "2026-03-01T00:00:00Z", "ChargeCategory": "Usage", "ChargeDescription": "input",
    "ChargeFrequency": "Usage-Based", "ChargePeriodEnd": "2026-03-06T00:00:00Z", "ChargePeriodStart": "2026-03-05T00:00:00Z",
    "ConsumedQuantity": "1600000", "ConsumedUnit": "Tokens", "ContractedCost": "4", "ContractedUnitPrice": "2.5", "EffectiveCost": "4",
    "HostProviderName": "OpenAI", "InvoiceIssuerName": "OpenAI", "ListCost": "4.8", "ListUnitPrice": "3", "PricingCategory": "Standard",
    "PricingCurrency": "USD", "PricingCurrencyContractedUnitPrice": "2.5", "PricingCurrencyEffectiveCost": "4", "PricingCurrencyListUnitPrice": "3",
    "PricingQuantity": "1.6", "PricingUnit": "1000000 Tokens", "ProviderName": "OpenAI", "PublisherName": "OpenAI", "RegionId": "eu", "RegionName": "Europe",
    "ResourceId": "org-1/p/k", "ResourceName": "Key", "ResourceType": "API Key", "ServiceCategory": "AI and Machine Learning", "ServiceName": "OpenAI Chat",
    "ServiceProviderName": "OpenAI", "ServiceSubcategory": "Generative AI", "SkuId": "m/input", "SkuMeter": "Input Tokens",
    "SkuPriceDetails": '{"x_Batch":false}', "SkuPriceId": "m/input/default", "SubAccountId": "p", "SubAccountName": "P", "SubAccountType": "Project",
    "Tags": '{"team":"search"}', "x_LineItem": "m, input",
}
PRICES = ("ContractedUnitPrice ListUnitPrice PricingCategory PricingCurrencyContractedUnitPrice PricingCurrencyListUnitPrice PricingQuantity PricingUnit "
          "ConsumedQuantity ConsumedUnit SkuId SkuMeter SkuPriceDetails SkuPriceId").split()
PLAIN = {**USAGE, **{name: "" for name in PRICES}, "ListCost": "4", "ChargeFrequency": "One-Time"}
TAX, CREDIT = {**PLAIN, "ChargeCategory": "Tax"}, {**PLAIN, "ChargeCategory": "Credit"}
PURCHASE = {**USAGE, "ChargeCategory": "Purchase", "ChargeFrequency": "One-Time", "ConsumedQuantity": "", "ConsumedUnit": "", "EffectiveCost": "0",
            "PricingCurrencyEffectiveCost": "0", "SkuId": "top-up", "SkuPriceId": "top-up/1", "SkuMeter": "Credits"}
CORRECTION = {**PLAIN, "ChargeCategory": "Usage", "ChargeFrequency": "Usage-Based", "ChargeClass": "Correction"}
COMMITTED = {**USAGE, "CommitmentDiscountId": "c", "CommitmentDiscountCategory": "Spend", "CommitmentDiscountType": "Plan", "CommitmentDiscountStatus": "Used",
             "CommitmentDiscountName": "C", "CommitmentDiscountQuantity": "1", "CommitmentDiscountUnit": "Hours", "PricingCategory": "Committed", "SkuId": "k",
             "SkuPriceId": "k/1", "CapacityReservationId": "r", "CapacityReservationStatus": "Used"}
UNUSED = {**COMMITTED, "CommitmentDiscountStatus": "Unused", "ConsumedQuantity": "", "ConsumedUnit": ""}
ALLOCATED = {**USAGE, "AllocatedMethodId": "m", "AllocatedMethodDetails": '{"Elements":[{"AllocatedRatio":1}]}', "AllocatedResourceId": "a",
             "AllocatedResourceName": "A", "AllocatedTags": "{}"}
BASE = (USAGE, TAX, CREDIT, PURCHASE, CORRECTION, COMMITTED, UNUSED, ALLOCATED)

# rule: (row, what is changed in it)
ROW_MUTANTS = {
    "ListCost.is price times quantity": (USAGE, {"ListCost": "4.800000000001"}),
    "ContractedCost.is price times quantity": (USAGE, {"ContractedUnitPrice": "2.6"}),
    "ListCost.is what is billed where there is no price": (CREDIT, {"ListCost": "5"}),
    "ContractedCost.is what is billed where there is no price": (CREDIT, {"ContractedCost": "5"}),
    "ListUnitPrice.not for taxes": (TAX, {"ListUnitPrice": "1"}),
    "ListUnitPrice.of what is sold": (USAGE, {"ListUnitPrice": ""}),
    "ListUnitPrice.has no sign": (USAGE, {"ListUnitPrice": "-3"}),
    "ContractedUnitPrice.not for taxes": (TAX, {"ContractedUnitPrice": "1"}),
    "ContractedUnitPrice.of what is sold": (PURCHASE, {"ContractedUnitPrice": ""}),
    "ContractedUnitPrice.has no sign": (USAGE, {"ContractedUnitPrice": "-2.5"}),
    "PricingCurrencyListUnitPrice.not for taxes": (TAX, {"PricingCurrencyListUnitPrice": "1"}),
    "PricingCurrencyListUnitPrice.of what is sold": (USAGE, {"PricingCurrencyListUnitPrice": ""}),
    "PricingCurrencyListUnitPrice.has no sign": (USAGE, {"PricingCurrencyListUnitPrice": "-1"}),
    "PricingCurrencyContractedUnitPrice.not for taxes": (TAX, {"PricingCurrencyContractedUnitPrice": "1"}),
    "PricingCurrencyContractedUnitPrice.of what is sold": (USAGE, {"PricingCurrencyContractedUnitPrice": ""}),
    "PricingCurrencyContractedUnitPrice.has no sign": (USAGE, {"PricingCurrencyContractedUnitPrice": "-1"}),
    "PricingQuantity.not for taxes": (TAX, {"PricingQuantity": "1"}),
    "PricingQuantity.of what is sold": (USAGE, {"PricingQuantity": ""}),
    "PricingUnit.goes with its quantity": (USAGE, {"PricingUnit": ""}),
    "PricingCategory.not for taxes": (TAX, {"PricingCategory": "Standard"}),
    "PricingCategory.of what is sold": (USAGE, {"PricingCategory": ""}),
    "PricingCategory.committed where a discount was": (COMMITTED, {"PricingCategory": "Standard"}),
    "ConsumedQuantity.of use only": (PURCHASE, {"ConsumedQuantity": "1", "ConsumedUnit": "Units"}),
    "ConsumedQuantity.of all use": (USAGE, {"ConsumedQuantity": ""}),
    "ConsumedQuantity.not of what was not used": (UNUSED, {"ConsumedQuantity": "1", "ConsumedUnit": "Units"}),
    "ConsumedUnit.goes with its quantity": (USAGE, {"ConsumedUnit": ""}),
    "SkuId.not for taxes": (TAX, {"SkuId": "m"}),
    "SkuId.of what is sold": (USAGE, {"SkuId": ""}),
    "SkuPriceId.not for taxes": (TAX, {"SkuPriceId": "m/1"}),
    "SkuPriceId.of what is sold": (USAGE, {"SkuPriceId": ""}),
    "SkuMeter.only with a sku": (TAX, {"SkuMeter": "Input"}),
    "SkuPriceDetails.only with a price": (TAX, {"SkuPriceDetails": "{}"}),
    "SkuPriceDetails.keys of its own begin with x_": (USAGE, {"SkuPriceDetails": '{"Batch":true}'}),
    "SubAccountName.goes with its id": (USAGE, {"SubAccountName": ""}),
    "SubAccountType.goes with its id": (USAGE, {"SubAccountType": ""}),
    "BillingAccountType.goes with its id": (USAGE, {"BillingAccountType": ""}),
    "ResourceType.goes with its id": (USAGE, {"ResourceType": ""}),
    "ResourceName.only with its id": (USAGE, {"ResourceId": "", "ResourceType": ""}),
    "ResourceName.is not the id": (USAGE, {"ResourceName": "org-1/p/k"}),
    "RegionName.goes with its id": (USAGE, {"RegionName": ""}),
    "ServiceCategory.is one of the list": (USAGE, {"ServiceCategory": "AI"}),
    "ServiceSubcategory.belongs to its category": (USAGE, {"ServiceSubcategory": "Containers"}),
    "ChargeFrequency.a purchase is not by use": (PURCHASE, {"ChargeFrequency": "Usage-Based"}),
    "EffectiveCost.of what is no use or purchase is what is billed": (CREDIT, {"EffectiveCost": "0"}),
    "PricingCurrencyEffectiveCost.in one currency is the cost": (USAGE, {"PricingCurrencyEffectiveCost": "5"}),
    "ChargePeriodEnd.is after its start": (USAGE, {"ChargePeriodEnd": "2026-03-05T00:00:00Z"}),
    "BillingPeriodEnd.is after its start": (USAGE, {"BillingPeriodEnd": "2026-03-01T00:00:00Z"}),
    "BillingPeriodEnd.is not its last day": (USAGE, {"BillingPeriodEnd": "2026-03-31T00:00:00Z"}),
    "CommitmentDiscountCategory.goes with its id": (COMMITTED, {"CommitmentDiscountCategory": ""}),
    "CommitmentDiscountType.goes with its id": (COMMITTED, {"CommitmentDiscountType": ""}),
    "CommitmentDiscountName.only with its id": (USAGE, {"CommitmentDiscountName": "C"}),
    "CommitmentDiscountStatus.only with its id": (USAGE, {"CommitmentDiscountStatus": "Used"}),
    "CommitmentDiscountQuantity.only with its id": (USAGE, {"CommitmentDiscountQuantity": "1", "CommitmentDiscountUnit": "Hours"}),
    "CommitmentDiscountUnit.goes with its quantity": (COMMITTED, {"CommitmentDiscountUnit": ""}),
    "CapacityReservationStatus.only with its id": (USAGE, {"CapacityReservationStatus": "Used"}),
    "AllocatedResourceId.only of split charges": (USAGE, {"AllocatedResourceId": "a"}),
    "AllocatedResourceName.only with its id": (USAGE, {"AllocatedResourceName": "A"}),
    "AllocatedMethodDetails.only of split charges": (USAGE, {"AllocatedMethodDetails": "{}"}),
    "AllocatedTags.only of split charges": (USAGE, {"AllocatedTags": "{}"}),
}
ONE_MUTANTS = {
    "ServiceName.has one category": {"ServiceCategory": "Other", "ServiceSubcategory": "Other (Other)"},
    "ServiceName.has one subcategory": {"ServiceSubcategory": "Bots"},
    "SkuPriceId.has one sku": {"SkuId": "n/input"},
    "SkuPriceId.has the same details": {"SkuPriceDetails": '{"x_Batch":true}'},
    "SkuId.has one meter": {"SkuMeter": "Output Tokens"},
    "BillingAccountId.has one type": {"BillingAccountType": "Team"},
    "SubAccountId.has one type": {"SubAccountType": "Team"},
}
BAD = {"string": ("N/A", " "), "decimal": ("1,5", "+1", "$1", "1e5", "1E+5", "nan"), "datetime": ("2026-03-01", "2026-03-01T00:00:00+01:00", "2026-03-01 00:00:00Z", "2026-13-01T00:00:00Z"),
       "currency": ("usd", "US"), "unit": ("gigabytes", "1.5 Hours", "tokens", "GB-hours"), "flat": ("{", "[1]", '{"a":{}}', '{"a":1,"a":2}'), "json": ("x", "[]")}
GOOD_UNITS = ("GB", "Seconds", "GB-Hours", "PB/Day", "1000 Tokens", "Units/3 Months", "Tokens", "GiB-Hours", "Requests", "1000000 Characters", "Charges")


def text_of(rows, names):
    out = io.StringIO()
    w = csv.DictWriter(out, names, restval="", extrasaction="ignore", lineterminator="\n")
    w.writeheader()
    for row in rows:
        w.writerow(row)
    return out.getvalue()


def run(version):
    names = columns_of(version) + ["x_LineItem"]
    tried = 0

    def finds(rule, rows, of=names):
        nonlocal tried
        tried += 1
        found = check_text(text_of(rows, of), version)
        assert rule in found, f"{version}: {rule} was broken and not found; found {dict(found)}"

    found = check_text(text_of(BASE, names), version)
    assert not found, f"{version}: what is right is found wrong: {dict(found)}"
    for rule, (column, _) in ROW_RULES.items():
        assert rule in ROW_MUTANTS, f"no mutant of {rule}"
        if column in names:
            row, change = ROW_MUTANTS[rule]
            finds(rule, [{**row, **change}])
    for rule in ONE_RULES:
        finds(rule, [USAGE, {**USAGE, **ONE_MUTANTS[rule]}])
    for name in columns_of(version):
        _, _, _, kind, null, allowed = COLUMNS[name]
        if not null:
            finds(f"{name}.is not null", [{**USAGE, name: ""}])
        for text in BAD[kind]:
            finds(f"{name}.is of type {kind}", [{**USAGE, name: text}])
        if allowed:
            finds(f"{name}.is one of the allowed values", [{**USAGE, name: "Regular"}])
        finds(f"{name}.is there", [USAGE], [n for n in names if n != name])
    for unit in GOOD_UNITS:
        assert not check_text(text_of([{**USAGE, "ConsumedUnit": unit}], names), version), f"{unit} is a unit"
    other = "InvoiceDetailId" if version < "1.4" else "ProviderName"
    finds("names.of this version", [USAGE], [other] + names)
    finds("names.own ones begin with x_", [USAGE], names + ["Cost"])
    finds("names.own ones stand last", [USAGE], ["x_LineItem"] + names[:-1])
    finds("names.each once", [USAGE], names + ["x_LineItem"])
    finds("names.in pascal case, at most 50 signs", [USAGE], names + ["x_cost"])
    assert "rows.as many cells as names" in check_text(text_of([USAGE], names) + "1,2\n", version)
    return tried + 1
