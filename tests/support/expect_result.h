// Assertions on a Result: what went wrong is in the failure's text.
#pragma once

#include <gtest/gtest.h>

#include "vcs/result.h"

#define ASSERT_OK(expression)                                           \
  do {                                                                  \
    const auto& checked_result = (expression);                          \
    ASSERT_TRUE(checked_result.ok()) << checked_result.error().message; \
  } while (false)

#define EXPECT_CODE(expression, expected)                                                                          \
  do {                                                                                                             \
    const auto& checked_result = (expression);                                                                     \
    ASSERT_FALSE(checked_result.ok()) << "succeeded, instead of failing with " << ::concordfs::CodeName(expected); \
    EXPECT_STREQ(::concordfs::CodeName(checked_result.error().code), ::concordfs::CodeName(expected))              \
        << checked_result.error().message;                                                                         \
    EXPECT_FALSE(checked_result.error().message.empty());                                                          \
  } while (false)
