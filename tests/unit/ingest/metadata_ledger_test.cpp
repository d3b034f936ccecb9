#include "ingest/metadata_ledger_internal.hpp"

#include <gtest/gtest.h>

namespace sensus::ingest {
namespace {

using namespace std::chrono_literals;
using model::MetadataBatch;
using model::MetricType;

constexpr TenantId kTenant = kDefaultTenant;
const Timestamp kStart = from_unix_us(1'780'315'200'000'000);

MetadataBatch said(const std::string& family, MetricType type, std::string_view help,
                   std::string_view unit = "") {
  MetadataBatch batch;
  batch.append({family, type, unit, help});
  return batch;
}

TEST(MetadataLedger, WhatIsRepeatedWaitsOnce) {
  MetadataLedger ledger(10);
  const MetadataBatch batch = said("a", MetricType::counter, "of a", "seconds");
  ledger.note(kTenant, batch, kStart);
  ledger.note(kTenant, batch, kStart);
  EXPECT_EQ(ledger.waiting(), 1U);
  const auto parcel = ledger.take(10);
  ASSERT_EQ(parcel.families.size(), 1U);
  EXPECT_EQ(parcel.families[0],
            (model::MetricMetadata{"a", MetricType::counter, "seconds", "of a"}));
  ledger.stored(parcel, kStart);
  ledger.note(kTenant, batch, kStart + 1h);
  EXPECT_EQ(ledger.waiting(), 0U);
}

TEST(MetadataLedger, WhatChangesWaitsAgainButNotMoreOftenThanOnceAMinute) {
  MetadataLedger ledger(10);
  ledger.note(kTenant, said("a", MetricType::counter, "one"), kStart);
  ledger.note(kTenant, said("a", MetricType::counter, "two"), kStart);
  auto parcel = ledger.take(10);
  ASSERT_EQ(parcel.families.size(), 1U);
  EXPECT_EQ(parcel.families[0].help, "two");
  ledger.stored(parcel, kStart);
  // Two senders that disagree.
  for (auto time = kStart; time < kStart + 1min; time += 15s) {
    ledger.note(kTenant, said("a", MetricType::counter, "one"), time);
    ledger.note(kTenant, said("a", MetricType::counter, "two"), time);
  }
  EXPECT_EQ(ledger.waiting(), 0U);
  ledger.note(kTenant, said("a", MetricType::gauge, "two"), kStart + 1min);
  EXPECT_EQ(ledger.waiting(), 1U);
}

TEST(MetadataLedger, NewFamiliesBeyondTheLimitAreDropped) {
  MetadataLedger ledger(2);
  for (const char* family : {"a", "b"}) {
    EXPECT_EQ(ledger.note(kTenant, said(family, MetricType::gauge, ""), kStart).beyond, 0U);
  }
  EXPECT_EQ(ledger.note(kTenant, said("c", MetricType::gauge, ""), kStart).beyond, 1U);
  EXPECT_EQ(ledger.size(), 2U);
  ledger.note(kTenant, said("a", MetricType::counter, ""), kStart);
  EXPECT_EQ(ledger.take(10).families[0].type, MetricType::counter) << "known ones go on";
}

TEST(MetadataLedger, WhatIsInvalidIsCountedAndWhatSaysNothingIsNot) {
  MetadataLedger ledger(10);
  const auto invalid = [&ledger](const MetadataBatch& batch) {
    return ledger.note(kTenant, batch, kStart).invalid;
  };
  EXPECT_EQ(invalid(said("", MetricType::gauge, "")), 1U);
  EXPECT_EQ(invalid(said(std::string(255, 'n'), MetricType::gauge, "")), 0U);
  EXPECT_EQ(invalid(said(std::string(256, 'n'), MetricType::gauge, "")), 1U);
  EXPECT_EQ(invalid(said("a\xff", MetricType::gauge, "")), 1U);
  EXPECT_EQ(invalid(said("a", MetricType::gauge, "\xff")), 1U);
  EXPECT_EQ(invalid(said("a", MetricType::gauge, std::string_view("\0", 1))), 1U);
  EXPECT_EQ(invalid(said("a", MetricType::gauge, "", "\xff")), 1U);
  EXPECT_EQ(invalid(said("a", MetricType::unknown, "")), 0U);
  EXPECT_EQ(ledger.size(), 1U);
}

TEST(MetadataLedger, LongTextsAreCutBetweenCharacters) {
  MetadataLedger ledger(10);
  std::string help(MetadataLedger::kHelpBytesMax - 1, 'h');
  ledger.note(kTenant, said("a", MetricType::gauge, help + "\xc3\xa9", std::string(100, 'u')),
              kStart);
  const auto parcel = ledger.take(1);
  EXPECT_EQ(parcel.families[0].help, help);
  EXPECT_EQ(parcel.families[0].unit.size(), MetadataLedger::kUnitBytesMax);
  help += "h";
  ledger.note(kTenant, said("b", MetricType::gauge, help), kStart);
  EXPECT_EQ(ledger.take(1).families[0].help, help) << "the limit itself is allowed";
}

TEST(MetadataLedger, AParcelIsOfOneTenantAndComesBackAfterAFailure) {
  MetadataLedger ledger(10);
  MetadataBatch batch = said("a", MetricType::gauge, "old");
  batch.append({"b", MetricType::gauge, "", ""});
  ledger.note(kTenant, batch, kStart);
  ledger.note(kTenant + 1, batch, kStart);
  EXPECT_EQ(ledger.waiting(), 4U);
  auto first = ledger.take(10);
  EXPECT_EQ(first.families.size(), 2U);
  ledger.note(kTenant, said("a", MetricType::gauge, "new"), kStart);
  ledger.give_back(std::move(first));
  EXPECT_EQ(ledger.waiting(), 4U);
  const auto one = ledger.take(1);
  ASSERT_EQ(one.families.size(), 1U);
  EXPECT_EQ(one.families[0].help, "new");
  EXPECT_EQ(ledger.take(10).tenant, kTenant);
  EXPECT_EQ(ledger.take(10).tenant, kTenant + 1);
  EXPECT_TRUE(ledger.take(10).families.empty());
}

}  // namespace
}  // namespace sensus::ingest
