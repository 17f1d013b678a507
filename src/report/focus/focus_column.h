/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_FOCUS_FOCUS_COLUMN_H
#define REPORT_FOCUS_FOCUS_COLUMN_H

/*
 * focus_column: the columns of the Cost and Usage dataset, as one table, in the order of the file. From it follow
 * the line of names, the cells, the metadata and the page docs/FOCUS.md is checked against.
 *
 * Columns: name, first version, last version, level, type, what fills it (functions of focus_column.c). Levels:
 * MANDATORY, CONDITIONAL (there, because what it depends on is the case here, or may be), RECOMMENDED, OWN (the
 * prefix x_ keeps them apart, and they stand last). Types: STRING, DECIMAL, DATETIME, JSON.
 *
 * 1.3 brought who provides and who hosts, split costs, and contracts; it deprecated ProviderName and
 * PublisherName, which 1.4 removed when it brought InvoiceDetailId and CommitmentProgramEligibilityDetails.
 */

#define FOCUS_COLUMN_TABLE(X)                                                               \
    X(AllocatedMethodDetails, 1_3, 1_4, RECOMMENDED, JSON, none)                            \
    X(AllocatedMethodId, 1_3, 1_4, CONDITIONAL, STRING, none)                               \
    X(AllocatedResourceId, 1_3, 1_4, CONDITIONAL, STRING, none)                             \
    X(AllocatedResourceName, 1_3, 1_4, CONDITIONAL, STRING, none)                           \
    X(AllocatedTags, 1_3, 1_4, CONDITIONAL, JSON, none)                                     \
    X(AvailabilityZone, 1_2, 1_4, RECOMMENDED, STRING, none)                                \
    X(BilledCost, 1_2, 1_4, MANDATORY, DECIMAL, billed_cost)                                \
    X(BillingAccountId, 1_2, 1_4, MANDATORY, STRING, account_id)                            \
    X(BillingAccountName, 1_2, 1_4, MANDATORY, STRING, account_name)                        \
    X(BillingAccountType, 1_2, 1_4, CONDITIONAL, STRING, account_type)                      \
    X(BillingCurrency, 1_2, 1_4, MANDATORY, STRING, usd)                                    \
    X(BillingPeriodEnd, 1_2, 1_4, MANDATORY, DATETIME, month_end)                           \
    X(BillingPeriodStart, 1_2, 1_4, MANDATORY, DATETIME, month_start)                       \
    X(CapacityReservationId, 1_2, 1_4, CONDITIONAL, STRING, none)                           \
    X(CapacityReservationStatus, 1_2, 1_4, CONDITIONAL, STRING, none)                       \
    X(ChargeCategory, 1_2, 1_4, MANDATORY, STRING, charge_category)                         \
    X(ChargeClass, 1_2, 1_4, MANDATORY, STRING, charge_class)                               \
    X(ChargeDescription, 1_2, 1_4, MANDATORY, STRING, description)                          \
    X(ChargeFrequency, 1_2, 1_4, RECOMMENDED, STRING, charge_frequency)                     \
    X(ChargePeriodEnd, 1_2, 1_4, MANDATORY, DATETIME, day_end)                              \
    X(ChargePeriodStart, 1_2, 1_4, MANDATORY, DATETIME, day_start)                          \
    X(CommitmentDiscountCategory, 1_2, 1_4, CONDITIONAL, STRING, none)                      \
    X(CommitmentDiscountId, 1_2, 1_4, CONDITIONAL, STRING, none)                            \
    X(CommitmentDiscountName, 1_2, 1_4, CONDITIONAL, STRING, none)                          \
    X(CommitmentDiscountQuantity, 1_2, 1_4, CONDITIONAL, DECIMAL, none)                     \
    X(CommitmentDiscountStatus, 1_2, 1_4, CONDITIONAL, STRING, none)                        \
    X(CommitmentDiscountType, 1_2, 1_4, CONDITIONAL, STRING, none)                          \
    X(CommitmentDiscountUnit, 1_2, 1_4, CONDITIONAL, STRING, none)                          \
    X(CommitmentProgramEligibilityDetails, 1_4, 1_4, CONDITIONAL, JSON, none)               \
    X(ConsumedQuantity, 1_2, 1_4, CONDITIONAL, DECIMAL, consumed_quantity)                  \
    X(ConsumedUnit, 1_2, 1_4, CONDITIONAL, STRING, consumed_unit)                           \
    X(ContractApplied, 1_3, 1_4, CONDITIONAL, JSON, none)                                   \
    X(ContractedCost, 1_2, 1_4, MANDATORY, DECIMAL, contracted_cost)                        \
    X(ContractedUnitPrice, 1_2, 1_4, CONDITIONAL, DECIMAL, contracted_price)                \
    X(EffectiveCost, 1_2, 1_4, MANDATORY, DECIMAL, effective_cost)                          \
    X(HostProviderName, 1_3, 1_4, MANDATORY, STRING, host)                                  \
    X(InvoiceDetailId, 1_4, 1_4, CONDITIONAL, STRING, none)                                 \
    X(InvoiceId, 1_2, 1_4, RECOMMENDED, STRING, none)                                       \
    X(InvoiceIssuerName, 1_2, 1_4, MANDATORY, STRING, provider)                             \
    X(ListCost, 1_2, 1_4, MANDATORY, DECIMAL, list_cost)                                    \
    X(ListUnitPrice, 1_2, 1_4, CONDITIONAL, DECIMAL, list_price)                            \
    X(PricingCategory, 1_2, 1_4, CONDITIONAL, STRING, pricing_category)                     \
    X(PricingCurrency, 1_2, 1_4, CONDITIONAL, STRING, usd)                                  \
    X(PricingCurrencyContractedUnitPrice, 1_2, 1_4, CONDITIONAL, DECIMAL, contracted_price) \
    X(PricingCurrencyEffectiveCost, 1_2, 1_4, CONDITIONAL, DECIMAL, effective_cost)         \
    X(PricingCurrencyListUnitPrice, 1_2, 1_4, CONDITIONAL, DECIMAL, list_price)             \
    X(PricingQuantity, 1_2, 1_4, MANDATORY, DECIMAL, pricing_quantity)                      \
    X(PricingUnit, 1_2, 1_4, MANDATORY, STRING, pricing_unit)                               \
    X(ProviderName, 1_2, 1_3, MANDATORY, STRING, provider)                                  \
    X(PublisherName, 1_2, 1_3, MANDATORY, STRING, provider)                                 \
    X(RegionId, 1_2, 1_4, CONDITIONAL, STRING, region)                                      \
    X(RegionName, 1_2, 1_4, CONDITIONAL, STRING, region)                                    \
    X(ResourceId, 1_2, 1_4, CONDITIONAL, STRING, resource_id)                               \
    X(ResourceName, 1_2, 1_4, CONDITIONAL, STRING, resource_name)                           \
    X(ResourceType, 1_2, 1_4, CONDITIONAL, STRING, resource_type)                           \
    X(ServiceCategory, 1_2, 1_4, MANDATORY, STRING, service_category)                       \
    X(ServiceName, 1_2, 1_4, MANDATORY, STRING, service_name)                               \
    X(ServiceProviderName, 1_3, 1_4, MANDATORY, STRING, provider)                           \
    X(ServiceSubcategory, 1_2, 1_4, RECOMMENDED, STRING, service_subcategory)               \
    X(SkuId, 1_2, 1_4, CONDITIONAL, STRING, sku_id)                                         \
    X(SkuMeter, 1_2, 1_4, CONDITIONAL, STRING, sku_meter)                                   \
    X(SkuPriceDetails, 1_2, 1_4, CONDITIONAL, JSON, sku_price_details)                      \
    X(SkuPriceId, 1_2, 1_4, CONDITIONAL, STRING, sku_price_id)                              \
    X(SubAccountId, 1_2, 1_4, CONDITIONAL, STRING, sub_account_id)                          \
    X(SubAccountName, 1_2, 1_4, CONDITIONAL, STRING, sub_account_name)                      \
    X(SubAccountType, 1_2, 1_4, CONDITIONAL, STRING, sub_account_type)                      \
    X(Tags, 1_2, 1_4, CONDITIONAL, JSON, tags)                                              \
    X(x_CredentialId, 1_2, 1_4, OWN, STRING, credential)                                    \
    X(x_DataGeneratedAt, 1_2, 1_4, OWN, DATETIME, generated_at)                             \
    X(x_GatewayRequests, 1_2, 1_4, OWN, DECIMAL, requests)                                  \
    X(x_Ledger, 1_2, 1_4, OWN, STRING, ledger)                                              \
    X(x_LineItem, 1_2, 1_4, OWN, STRING, line_item)                                         \
    X(x_ListPriceSource, 1_2, 1_4, OWN, STRING, price_source)                               \
    X(x_MeteredCost, 1_2, 1_4, OWN, DECIMAL, metered_cost)                                  \
    X(x_MeteredTokens, 1_2, 1_4, OWN, DECIMAL, metered_tokens)                              \
    X(x_ReconciliationStatus, 1_2, 1_4, OWN, STRING, status)

#endif
