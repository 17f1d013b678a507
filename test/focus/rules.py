# SPDX-License-Identifier: Apache-2.0
"""
What the FinOps Open Cost and Usage Specification asks of a Cost and Usage dataset, as tables: a row a column, a row a
rule. Rules are named COLUMN.what; check.py applies them, mutants.py breaks each of them once.

Levels: M must be there, C must be there where what it depends on is supported, R is recommended. `null` says whether the
column allows an empty cell at all.
"""

import decimal
import json
import re

decimal.getcontext().prec = 80

VERSIONS = ("1.2", "1.3", "1.4")
CATEGORIES = ("Usage", "Purchase", "Tax", "Credit", "Adjustment")

# name: (first version, last version, level, type, null, allowed values)
COLUMNS = {
    "AllocatedMethodDetails": ("1.3", "1.4", "R", "json", True, None),
    "AllocatedMethodId": ("1.3", "1.4", "C", "string", True, None),
    "AllocatedResourceId": ("1.3", "1.4", "C", "string", True, None),
    "AllocatedResourceName": ("1.3", "1.4", "C", "string", True, None),
    "AllocatedTags": ("1.3", "1.4", "C", "flat", True, None),
    "AvailabilityZone": ("1.2", "1.4", "R", "string", True, None),
    "BilledCost": ("1.2", "1.4", "M", "decimal", False, None),
    "BillingAccountId": ("1.2", "1.4", "M", "string", False, None),
    "BillingAccountName": ("1.2", "1.4", "M", "string", True, None),
    "BillingAccountType": ("1.2", "1.4", "C", "string", True, None),
    "BillingCurrency": ("1.2", "1.4", "M", "currency", False, None),
    "BillingPeriodEnd": ("1.2", "1.4", "M", "datetime", False, None),
    "BillingPeriodStart": ("1.2", "1.4", "M", "datetime", False, None),
    "CapacityReservationId": ("1.2", "1.4", "C", "string", True, None),
    "CapacityReservationStatus": ("1.2", "1.4", "C", "string", True, ("Used", "Unused")),
    "ChargeCategory": ("1.2", "1.4", "M", "string", False, CATEGORIES),
    "ChargeClass": ("1.2", "1.4", "M", "string", True, ("Correction",)),
    "ChargeDescription": ("1.2", "1.4", "M", "string", True, None),
    "ChargeFrequency": ("1.2", "1.4", "R", "string", False, ("One-Time", "Recurring", "Usage-Based")),
    "ChargePeriodEnd": ("1.2", "1.4", "M", "datetime", False, None),
    "ChargePeriodStart": ("1.2", "1.4", "M", "datetime", False, None),
    "CommitmentDiscountCategory": ("1.2", "1.4", "C", "string", True, ("Spend", "Usage")),
    "CommitmentDiscountId": ("1.2", "1.4", "C", "string", True, None),
    "CommitmentDiscountName": ("1.2", "1.4", "C", "string", True, None),
    "CommitmentDiscountQuantity": ("1.2", "1.4", "C", "decimal", True, None),
    "CommitmentDiscountStatus": ("1.2", "1.4", "C", "string", True, ("Used", "Unused")),
    "CommitmentDiscountType": ("1.2", "1.4", "C", "string", True, None),
    "CommitmentDiscountUnit": ("1.2", "1.4", "C", "unit", True, None),
    "CommitmentProgramEligibilityDetails": ("1.4", "1.4", "C", "json", True, None),
    "ConsumedQuantity": ("1.2", "1.4", "C", "decimal", True, None),
    "ConsumedUnit": ("1.2", "1.4", "C", "unit", True, None),
    "ContractApplied": ("1.3", "1.4", "C", "json", True, None),
    "ContractedCost": ("1.2", "1.4", "M", "decimal", False, None),
    "ContractedUnitPrice": ("1.2", "1.4", "C", "decimal", True, None),
    "EffectiveCost": ("1.2", "1.4", "M", "decimal", False, None),
    "HostProviderName": ("1.3", "1.4", "M", "string", False, None),
    "InvoiceDetailId": ("1.4", "1.4", "C", "string", True, None),
    "InvoiceId": ("1.2", "1.4", "R", "string", True, None),
    "InvoiceIssuerName": ("1.2", "1.4", "M", "string", False, None),
    "ListCost": ("1.2", "1.4", "M", "decimal", False, None),
    "ListUnitPrice": ("1.2", "1.4", "C", "decimal", True, None),
    "PricingCategory": ("1.2", "1.4", "C", "string", True, ("Standard", "Dynamic", "Committed", "Other")),
    "PricingCurrency": ("1.2", "1.4", "C", "currency", False, None),
    "PricingCurrencyContractedUnitPrice": ("1.2", "1.4", "C", "decimal", True, None),
    "PricingCurrencyEffectiveCost": ("1.2", "1.4", "C", "decimal", False, None),
    "PricingCurrencyListUnitPrice": ("1.2", "1.4", "C", "decimal", True, None),
    "PricingQuantity": ("1.2", "1.4", "M", "decimal", True, None),
    "PricingUnit": ("1.2", "1.4", "M", "unit", True, None),
    "ProviderName": ("1.2", "1.3", "M", "string", False, None),
    "PublisherName": ("1.2", "1.3", "M", "string", False, None),
    "RegionId": ("1.2", "1.4", "C", "string", True, None),
    "RegionName": ("1.2", "1.4", "C", "string", True, None),
    "ResourceId": ("1.2", "1.4", "C", "string", True, None),
    "ResourceName": ("1.2", "1.4", "C", "string", True, None),
    "ResourceType": ("1.2", "1.4", "C", "string", True, None),
    "ServiceCategory": ("1.2", "1.4", "M", "string", False, None),  # the keys of SUBCATEGORIES
    "ServiceName": ("1.2", "1.4", "M", "string", False, None),
    "ServiceProviderName": ("1.3", "1.4", "M", "string", False, None),
    "ServiceSubcategory": ("1.2", "1.4", "R", "string", False, None),
    "SkuId": ("1.2", "1.4", "C", "string", True, None),
    "SkuMeter": ("1.2", "1.4", "C", "string", True, None),
    "SkuPriceDetails": ("1.2", "1.4", "C", "flat", True, None),
    "SkuPriceId": ("1.2", "1.4", "C", "string", True, None),
    "SubAccountId": ("1.2", "1.4", "C", "string", True, None),
    "SubAccountName": ("1.2", "1.4", "C", "string", True, None),
    "SubAccountType": ("1.2", "1.4", "C", "string", True, None),
    "Tags": ("1.2", "1.4", "C", "flat", True, None),
}

SUBCATEGORIES = {
    "AI and Machine Learning": "AI Platforms,Bots,Generative AI,Machine Learning,Natural Language Processing",
    "Analytics": "Analytics Platforms,Business Intelligence,Data Processing,Search,Streaming Analytics",
    "Business Applications": "Productivity and Collaboration",
    "Compute": "Containers,End User Computing,Quantum Compute,Serverless Compute,Virtual Machines",
    "Databases": "Caching,Data Warehouses,Ledger Databases,NoSQL Databases,Relational Databases,Time Series Databases",
    "Developer Tools": "Developer Platforms,Continuous Integration and Deployment,Development Environments,Source Code Management,Quality Assurance",
    "Identity": "Identity and Access Management",
    "Integration": "API Management,Messaging,Workflow Orchestration",
    "Internet of Things": "IoT Analytics,IoT Platforms",
    "Management and Governance": "Architecture,Compliance,Cost Management,Data Governance,Disaster Recovery,Endpoint Management,Observability,Support",
    "Media": "Content Creation,Gaming,Media Streaming,Mixed Reality",
    "Migration": "Data Migration,Resource Migration",
    "Mobile": "",
    "Multicloud": "Multicloud Integration",
    "Networking": "Application Networking,Content Delivery,Network Connectivity,Network Infrastructure,Network Routing,Network Security",
    "Security": "Secret Management,Security Posture Management,Threat Detection and Response",
    "Storage": "Backup Storage,Block Storage,File Storage,Object Storage,Storage Platforms",
    "Web": "Application Platforms",
    "Other": "",
}
PARENT = {sub: category for category, subs in SUBCATEGORIES.items() for sub in subs.split(",") + [f"Other ({category})"] if sub}

# Keys of SkuPriceDetails that the specification defines; every other begins with x_.
SKU_KEYS = set("CoreCount DiskMaxIops DiskSpace DiskType GpuCount InstanceType InstanceSeries MemorySize NetworkMaxIops "
               "NetworkMaxThroughput OperatingSystem Redundancy StorageClass".split())

NUMBER = re.compile(r"-?(\d+(\.\d+)?|\.\d+)(E-?\d+)?\Z")
MOMENT = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ\Z")
PLACEHOLDER = {"n/a", "na", "none", "null", "nil", "-", "not applicable", "unknown", "undefined"}

# Words of units that have one spelling; what is not listed is a count, in capitals.
SIZES = {f"{p}{i}{b}" for p in "KMGTPE" for i in ("", "i") for b in "bB"} | {"b", "B"}
TIMES = {"Year", "Month", "Day", "Hour", "Minute", "Second"}
TIME_WORDS = {w.lower() for w in TIMES} | {w.lower() + "s" for w in TIMES}


def is_unit(text):
    """`GB`, `GB-Hours`, `GB/Hour`, `1000 Tokens`, `Units/3 Months`."""
    match = re.fullmatch(r"(?:([1-9]\d*) )?([^/]+)(?:/(?:([1-9]\d*) )?([A-Za-z]+))?", text)
    if not match:
        return False
    count, unit, interval, per = match[1], match[2], match[3], match[4]
    words = re.split(r"[ -]", unit)
    if any(not w for w in words) or not all(is_word(w) for w in words):
        return False
    if "-" in unit and words[-1].rstrip("s") not in TIMES:
        return False
    return per is None or (per if interval is None else per.rstrip("s")) in TIMES


def is_word(word):
    if word in SIZES:
        return True
    if word.lower() in TIME_WORDS:
        return word.rstrip("s") in TIMES
    return word[0].isupper() and word.lower() not in {s.lower() for s in SIZES} - {"b"}


def is_flat(text):
    """A JSON object of plain values, each name once."""
    def pairs(items):
        if len({k for k, _ in items}) != len(items):
            raise ValueError("a name twice")
        return dict(items)
    try:
        value = json.loads(text, object_pairs_hook=pairs)
    except ValueError:
        return False
    return isinstance(value, dict) and not any(isinstance(v, (dict, list)) for v in value.values())


def is_object(text):
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


TYPES = {
    "string": lambda t: t.strip() != "" and t.strip().lower() not in PLACEHOLDER - {"not applicable"},
    "decimal": lambda t: NUMBER.match(t) is not None,
    "datetime": lambda t: MOMENT.match(t) is not None,
    "currency": lambda t: re.fullmatch(r"[A-Z]{3}", t) is not None,
    "unit": is_unit,
    "flat": is_flat,
    "json": is_object,
}


# --- rules of one row: each returns True when it holds. `r` gives text, "" for null; r.n() a number -------------------------


class Row(dict):
    def n(self, name):
        return decimal.Decimal(self[name])

    def has(self, *names):
        return all(self.get(name, "") != "" for name in names)

    @property
    def correction(self):
        return self.get("ChargeClass", "") == "Correction"

    @property
    def sold(self):
        """Usage and purchases, as they were first charged."""
        return self.get("ChargeCategory") in ("Usage", "Purchase") and not self.correction


def product(cost, price):
    """Price times quantity is the cost: to the cost's own digits, and twelve of them at least."""
    def rule(r):
        if r.correction or not r.has(price, "PricingQuantity", cost):
            return True
        places = max(12, -r.n(cost).as_tuple().exponent)
        one = decimal.Decimal(1).scaleb(-min(places, 18))
        return abs(r.n(price) * r.n("PricingQuantity") - r.n(cost)) * 2 < one
    return rule


def unrelated(cost, price):
    """Without a unit price, what is not figured out from other charges costs what is billed."""
    return lambda r: r.has(price) or r.get("ChargeCategory") == "Tax" or not r.has(cost, "BilledCost") or r.n(cost) == r.n("BilledCost")


def never_for_tax(name):
    return lambda r: r.get("ChargeCategory") != "Tax" or not r.has(name)


def needed_when_sold(name):
    return lambda r: not r.sold or r.has(name)


def goes_with(name, other):
    return lambda r: r.has(name) == r.has(other)


def only_with(name, other):
    return lambda r: not r.has(name) or r.has(other)


def not_negative(name):
    return lambda r: not r.has(name) or r.n(name) >= 0


def month_start(text):
    return text[8:] == "01T00:00:00Z"


ROW_RULES = {
    "ListCost.is price times quantity": ("ListUnitPrice", product("ListCost", "ListUnitPrice")),
    "ContractedCost.is price times quantity": ("ContractedUnitPrice", product("ContractedCost", "ContractedUnitPrice")),
    "ListCost.is what is billed where there is no price": ("ListUnitPrice", unrelated("ListCost", "ListUnitPrice")),
    "ContractedCost.is what is billed where there is no price": ("ContractedUnitPrice", unrelated("ContractedCost", "ContractedUnitPrice")),
    "ListUnitPrice.not for taxes": ("ListUnitPrice", never_for_tax("ListUnitPrice")),
    "ListUnitPrice.of what is sold": ("ListUnitPrice", needed_when_sold("ListUnitPrice")),
    "ListUnitPrice.has no sign": ("ListUnitPrice", not_negative("ListUnitPrice")),
    "ContractedUnitPrice.not for taxes": ("ContractedUnitPrice", never_for_tax("ContractedUnitPrice")),
    "ContractedUnitPrice.of what is sold": ("ContractedUnitPrice", needed_when_sold("ContractedUnitPrice")),
    "ContractedUnitPrice.has no sign": ("ContractedUnitPrice", not_negative("ContractedUnitPrice")),
    "PricingCurrencyListUnitPrice.not for taxes": ("PricingCurrencyListUnitPrice", never_for_tax("PricingCurrencyListUnitPrice")),
    "PricingCurrencyListUnitPrice.of what is sold": ("PricingCurrencyListUnitPrice", needed_when_sold("PricingCurrencyListUnitPrice")),
    "PricingCurrencyListUnitPrice.has no sign": ("PricingCurrencyListUnitPrice", not_negative("PricingCurrencyListUnitPrice")),
    "PricingCurrencyContractedUnitPrice.not for taxes": ("PricingCurrencyContractedUnitPrice", never_for_tax("PricingCurrencyContractedUnitPrice")),
    "PricingCurrencyContractedUnitPrice.of what is sold": ("PricingCurrencyContractedUnitPrice", needed_when_sold("PricingCurrencyContractedUnitPrice")),
    "PricingCurrencyContractedUnitPrice.has no sign": ("PricingCurrencyContractedUnitPrice", not_negative("PricingCurrencyContractedUnitPrice")),
    "PricingQuantity.not for taxes": ("PricingQuantity", never_for_tax("PricingQuantity")),
    "PricingQuantity.of what is sold": ("PricingQuantity", needed_when_sold("PricingQuantity")),
    "PricingUnit.goes with its quantity": ("PricingUnit", goes_with("PricingUnit", "PricingQuantity")),
    "PricingCategory.not for taxes": ("PricingCategory", never_for_tax("PricingCategory")),
    "PricingCategory.of what is sold": ("PricingCategory", needed_when_sold("PricingCategory")),
    "PricingCategory.committed where a discount was": (
        "CommitmentDiscountId", lambda r: not (r.has("CommitmentDiscountId") and r.get("ChargeCategory") == "Usage") or r.get("PricingCategory") == "Committed"),
    "ConsumedQuantity.of use only": ("ConsumedQuantity", lambda r: r.get("ChargeCategory") == "Usage" or not r.has("ConsumedQuantity")),
    "ConsumedQuantity.of all use": (
        "ConsumedQuantity", lambda r: r.get("ChargeCategory") != "Usage" or r.correction or r.get("CommitmentDiscountStatus") == "Unused" or r.has("ConsumedQuantity")),
    "ConsumedQuantity.not of what was not used": ("ConsumedQuantity", lambda r: r.get("CommitmentDiscountStatus") != "Unused" or not r.has("ConsumedQuantity")),
    "ConsumedUnit.goes with its quantity": ("ConsumedUnit", goes_with("ConsumedUnit", "ConsumedQuantity")),
    "SkuId.not for taxes": ("SkuId", never_for_tax("SkuId")),
    "SkuId.of what is sold": ("SkuId", needed_when_sold("SkuId")),
    "SkuPriceId.not for taxes": ("SkuPriceId", never_for_tax("SkuPriceId")),
    "SkuPriceId.of what is sold": ("SkuPriceId", needed_when_sold("SkuPriceId")),
    "SkuMeter.only with a sku": ("SkuMeter", only_with("SkuMeter", "SkuId")),
    "SkuPriceDetails.only with a price": ("SkuPriceDetails", only_with("SkuPriceDetails", "SkuPriceId")),
    "SkuPriceDetails.keys of its own begin with x_": (
        "SkuPriceDetails", lambda r: not r.has("SkuPriceDetails") or not is_flat(r["SkuPriceDetails"]) or
        all(k.startswith("x_") or k in SKU_KEYS for k in json.loads(r["SkuPriceDetails"]))),
    "SubAccountName.goes with its id": ("SubAccountName", goes_with("SubAccountName", "SubAccountId")),
    "SubAccountType.goes with its id": ("SubAccountType", goes_with("SubAccountType", "SubAccountId")),
    "BillingAccountType.goes with its id": ("BillingAccountType", goes_with("BillingAccountType", "BillingAccountId")),
    "ResourceType.goes with its id": ("ResourceType", goes_with("ResourceType", "ResourceId")),
    "ResourceName.only with its id": ("ResourceName", only_with("ResourceName", "ResourceId")),
    "ResourceName.is not the id": ("ResourceName", lambda r: not r.has("ResourceName") or r["ResourceName"] != r.get("ResourceId")),
    "RegionName.goes with its id": ("RegionName", goes_with("RegionName", "RegionId")),
    "ServiceCategory.is one of the list": ("ServiceCategory", lambda r: r.get("ServiceCategory") in SUBCATEGORIES),
    "ServiceSubcategory.belongs to its category": ("ServiceSubcategory", lambda r: PARENT.get(r.get("ServiceSubcategory")) == r.get("ServiceCategory")),
    "ChargeFrequency.a purchase is not by use": ("ChargeFrequency", lambda r: not (r.get("ChargeCategory") == "Purchase" and r.get("ChargeFrequency") == "Usage-Based")),
    "EffectiveCost.of what is no use or purchase is what is billed": (
        "EffectiveCost", lambda r: r.get("ChargeCategory") not in ("Credit", "Adjustment") or not r.has("EffectiveCost", "BilledCost") or r.n("EffectiveCost") == r.n("BilledCost")),
    "PricingCurrencyEffectiveCost.in one currency is the cost": (
        "PricingCurrencyEffectiveCost", lambda r: r.get("PricingCurrency") != r.get("BillingCurrency") or not r.has("PricingCurrencyEffectiveCost", "EffectiveCost") or
        r.n("PricingCurrencyEffectiveCost") == r.n("EffectiveCost")),
    "ChargePeriodEnd.is after its start": ("ChargePeriodEnd", lambda r: r["ChargePeriodStart"] < r["ChargePeriodEnd"]),
    "BillingPeriodEnd.is after its start": ("BillingPeriodEnd", lambda r: r["BillingPeriodStart"] < r["BillingPeriodEnd"]),
    "BillingPeriodEnd.is not its last day": ("BillingPeriodEnd", lambda r: not month_start(r["BillingPeriodStart"]) or month_start(r["BillingPeriodEnd"])),
    "CommitmentDiscountCategory.goes with its id": ("CommitmentDiscountCategory", goes_with("CommitmentDiscountCategory", "CommitmentDiscountId")),
    "CommitmentDiscountType.goes with its id": ("CommitmentDiscountType", goes_with("CommitmentDiscountType", "CommitmentDiscountId")),
    "CommitmentDiscountName.only with its id": ("CommitmentDiscountName", only_with("CommitmentDiscountName", "CommitmentDiscountId")),
    "CommitmentDiscountStatus.only with its id": ("CommitmentDiscountStatus", only_with("CommitmentDiscountStatus", "CommitmentDiscountId")),
    "CommitmentDiscountQuantity.only with its id": ("CommitmentDiscountQuantity", only_with("CommitmentDiscountQuantity", "CommitmentDiscountId")),
    "CommitmentDiscountUnit.goes with its quantity": ("CommitmentDiscountUnit", goes_with("CommitmentDiscountUnit", "CommitmentDiscountQuantity")),
    "CapacityReservationStatus.only with its id": ("CapacityReservationStatus", only_with("CapacityReservationStatus", "CapacityReservationId")),
    "AllocatedResourceId.only of split charges": ("AllocatedResourceId", only_with("AllocatedResourceId", "AllocatedMethodId")),
    "AllocatedResourceName.only with its id": ("AllocatedResourceName", only_with("AllocatedResourceName", "AllocatedResourceId")),
    "AllocatedMethodDetails.only of split charges": ("AllocatedMethodDetails", only_with("AllocatedMethodDetails", "AllocatedMethodId")),
    "AllocatedTags.only of split charges": ("AllocatedTags", only_with("AllocatedTags", "AllocatedMethodId")),
}

# --- rules of the whole file: of every (first column), there is one (second column) ---------------------------------------

ONE_RULES = {
    "ServiceName.has one category": ("ServiceName", "ServiceCategory"),
    "ServiceName.has one subcategory": ("ServiceName", "ServiceSubcategory"),
    "SkuPriceId.has one sku": ("SkuPriceId", "SkuId"),
    "SkuPriceId.has the same details": ("SkuPriceId", "SkuPriceDetails"),
    "SkuId.has one meter": ("SkuId", "SkuMeter"),
    "BillingAccountId.has one type": ("BillingAccountId", "BillingAccountType"),
    "SubAccountId.has one type": ("SubAccountId", "SubAccountType"),
}
